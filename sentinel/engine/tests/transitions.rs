//! What a single sentinel does, told as small stories: what is said when, and what follows.

mod floor;
mod stage;

use floor::*;
use pavane_choreography::{OnStall, Plan};
use pavane_events::{Body, EventType};
use pavane_sentinel_engine::{AlertStatus, Status, StepStatus};
use stage::Stage;

/// A plan whose step `users` asks for a rollback by itself.
fn rolling_plan() -> Plan {
    let mut plan = plan();
    plan.steps[1].on_stall = OnStall::Rollback;
    plan.steps[2].on_stall = OnStall::Rollback;
    plan
}

#[test]
fn a_rollout_completes_when_every_step_is_met() {
    let mut stage = Stage::new(&plan());
    stage.says("db-0", ready());
    stage.says("users-0", started("1.0.0"));
    assert_eq!(stage.step(1), StepStatus::Running);
    stage.says("users-0", complete());
    stage.says("chat-0", complete());
    assert_eq!(stage.view().status, Status::Completed);
    assert_eq!(stage.ended, [Status::Completed]);
    assert_eq!(stage.said(EventType::RolloutCompleted).len(), 1);
    assert!(stage.alerts.is_empty());
}

#[test]
fn a_step_stalls_once_its_window_and_the_grace_are_over() {
    let mut stage = Stage::new(&plan());
    stage.says("db-0", ready());
    stage.wait(10_200, &["users-0"]);
    assert_eq!(stage.step(1), StepStatus::Open);
    stage.wait(200, &["users-0"]);
    assert_eq!(stage.verdicts(), ["RolloutStalled users not_started"]);
    let alert = &stage.alerts[0];
    assert_eq!(alert.labels["service"], "users");
    assert_eq!(alert.labels["owner"], "team-users");
    assert_eq!(alert.annotations["missing"], "users.DeploymentComplete");
    assert_eq!(alert.annotations["waiting"], "chat (team-chat)");
    stage.wait(30_000, &["users-0"]);
    assert_eq!(stage.said(EventType::RolloutStalled).len(), 1, "a step is judged once per attempt");
    assert_eq!(stage.alerts.len(), 1);
}

#[test]
fn nobody_heard_is_unreachable_and_started_is_not_finished() {
    let mut stage = Stage::new(&plan());
    stage.says("db-0", ready());
    stage.wait(11_000, &[]);
    assert_eq!(stage.verdicts(), ["RolloutStalled users unreachable"]);
    let mut stage = Stage::new(&plan());
    stage.says("db-0", ready());
    stage.says("users-0", started("1.0.0"));
    stage.wait(11_000, &["users-0"]);
    assert_eq!(stage.verdicts(), ["RolloutStalled users not_finished"]);
}

#[test]
fn a_late_event_lifts_the_stall_and_resolves_the_alert() {
    let mut stage = Stage::new(&plan());
    stage.says("db-0", ready());
    stage.wait(11_000, &["users-0"]);
    stage.says("users-0", complete());
    assert_eq!(stage.step(1), StepStatus::Met);
    let told: Vec<_> = stage.alerts.iter().map(|alert| (alert.status, &alert.id)).collect();
    assert_eq!(told.len(), 2);
    assert_eq!((told[0].0, told[1].0), (AlertStatus::Firing, AlertStatus::Resolved));
    assert_eq!(told[0].1, told[1].1, "one alert, one id");
}

#[test]
fn a_failure_stalls_at_once_and_takes_back_in_reverse_order() {
    let mut stage = Stage::new(&rolling_plan());
    stage.says("db-0", ready());
    stage.says("users-0", started("1.0.0"));
    stage.says("users-0", complete());
    stage.says("chat-0", started("1.0.0"));
    stage.says("chat-0", failed("exit 1"));
    assert_eq!(stage.verdicts(), ["RolloutStalled chat failed", "RollbackRequested chat failed"]);
    assert_eq!(stage.view().status, Status::RollingBack);
    let asked = |stage: &Stage| -> Vec<String> {
        let said = stage.said(EventType::RollbackRequested);
        let service = |body: &&Body| {
            let Body::RollbackRequested(body) = body else { return None };
            body.service.as_ref().map(ToString::to_string)
        };
        said.iter().filter_map(service).collect()
    };
    assert_eq!(asked(&stage), ["chat"], "the turn of a step comes when all above it are back");
    stage.says("chat-0", back(1));
    assert_eq!(asked(&stage), ["chat", "users"]);
    stage.says("users-0", back(1));
    assert_eq!(stage.view().status, Status::RolledBack, "who only said Ready has nothing to go back from");
    assert_eq!(stage.step(0), StepStatus::Met);
    assert_eq!(stage.ended, [Status::RolledBack]);
}

#[test]
fn a_hang_is_rolled_back_only_on_a_heartbeat_after_the_stall() {
    let mut stage = Stage::new(&rolling_plan());
    stage.says("db-0", ready());
    stage.says("users-0", started("1.0.0"));
    stage.wait(10_300, &["users-0"]);
    assert_eq!(stage.verdicts(), ["RolloutStalled users not_finished"]);
    stage.wait(10_000, &[]);
    assert_eq!(stage.verdicts().len(), 1, "silence is no evidence for a rollback");
    stage.wait(1_000, &["users-0"]);
    assert_eq!(stage.verdicts().last().expect("a verdict"), "RollbackRequested users not_finished");
}

#[test]
fn an_event_that_its_reader_rejects_breaks_the_contract_at_once() {
    let mut stage = Stage::new(&rolling_plan());
    let offset = i64::try_from(stage.log.entries.len()).expect("short");
    stage.says("users-0", rejected("db", "Ready", offset));
    assert_eq!(stage.verdicts(), ["RolloutStalled schema contract_broken"]);
    let alert = &stage.alerts[0];
    assert_eq!(alert.labels["service"], "db", "the culprit is whoever said it");
    assert!(alert.annotations["evidence"].contains("/detail"), "{alert:?}");
    stage.wait(30_000, &["db-0", "users-0"]);
    assert_eq!(stage.view().status, Status::Open, "never a rollback on a broken contract");
}

#[test]
fn an_irreversible_step_stays_with_all_below_it() {
    let mut plan = rolling_plan();
    plan.steps[0].reversible = false;
    let mut stage = Stage::new(&plan);
    stage.says("db-0", ready());
    stage.says("users-0", started("1.0.0"));
    stage.says("users-0", failed("exit 1"));
    stage.says("users-0", back(1));
    assert_eq!(stage.view().status, Status::RolledBack, "the schema is not asked back");
}

#[test]
fn a_failed_compensation_ends_in_part() {
    let mut stage = Stage::new(&rolling_plan());
    stage.says("db-0", ready());
    stage.says("users-0", complete());
    stage.says("chat-0", started("1.0.0"));
    stage.says("chat-0", failed("exit 1"));
    stage.says("chat-0", back_failed(1));
    assert_eq!(stage.view().status, Status::Partial);
    assert_eq!(stage.burning(), ["RolloutPartial"]);
}

#[test]
fn a_compensation_that_never_answers_is_a_stall_that_pages_and_then_a_partial_end() {
    let mut stage = Stage::new(&rolling_plan());
    stage.says("db-0", ready());
    stage.says("users-0", started("1.0.0"));
    stage.says("users-0", failed("exit 1"));
    stage.wait(11_000, &["users-0"]);
    assert_eq!(stage.view().status, Status::RollingBack);
    assert_eq!(stage.verdicts().last().expect("a verdict"), "RollbackStalled users not_finished");
    stage.wait(8_000, &["users-0"]);
    assert_eq!(stage.view().status, Status::RollingBack, "it is waited for as long again");
    stage.wait(3_000, &["users-0"]);
    assert_eq!(stage.view().status, Status::Partial);
    assert_eq!(stage.said(EventType::RollbackRequested).len(), 2, "the decision and one turn");
    let Some(Body::RolloutPartial(said)) = stage.said(EventType::RolloutPartial).pop() else {
        panic!("an end")
    };
    assert_eq!(said.failed, ["users: users users-0: did not answer"]);
}

#[test]
fn a_step_out_of_order_is_told_and_its_word_is_kept() {
    let mut stage = Stage::new(&plan());
    stage.says("users-0", complete());
    assert_eq!(stage.verdicts(), ["SequenceViolated users out_of_order"]);
    assert_eq!(stage.alerts[0].annotations["missing"], "db.Ready");
    stage.says("db-0", ready());
    stage.says("chat-0", complete());
    assert_eq!(stage.view().status, Status::Completed);
}

#[test]
fn the_later_of_two_rollouts_that_touch_a_service_is_refused_at_its_offset() {
    let mut stage = Stage::new(&plan());
    let offset = stage.log.start("r2", &plan());
    stage.settle();
    let said = stage.said(EventType::CommandRefused);
    let [Body::CommandRefused(refused)] = said[..] else { panic!("{said:?}") };
    assert_eq!((refused.code.as_str(), refused.cites), ("conflict", offset));
    assert!(refused.reason.contains("r1"), "{}", refused.reason);
    assert!(stage.engine.rollout(&rollout_id("r2")).is_none());
}

#[test]
fn an_override_counts_as_met() {
    let mut stage = Stage::new(&plan());
    stage.person(overrides("schema"));
    assert_eq!(stage.step(0), StepStatus::Overridden);
    assert_eq!(stage.step(1), StepStatus::Open);
}

#[test]
fn a_drained_instance_takes_back_a_full_count_and_the_window_opens_anew() {
    let mut stage = Stage::new(&plan());
    stage.says("db-0", ready());
    stage.says("users-0", complete());
    stage.wait(5_000, &[]);
    stage.says("users-0", drained());
    assert_eq!(stage.step(1), StepStatus::Running);
    assert_eq!(stage.step(2), StepStatus::Waiting, "what waits for it waits again");
    stage.wait(9_000, &["users-0"]);
    assert!(stage.verdicts().is_empty());
    stage.wait(2_000, &["users-0"]);
    assert_eq!(stage.verdicts(), ["RolloutStalled users not_finished"]);
}

#[test]
fn only_the_version_that_is_asked_for_counts() {
    let mut plan = plan();
    plan.steps[1].version = Some(">=2.1.0".parse().expect("a range"));
    let mut stage = Stage::new(&plan);
    stage.says("db-0", ready());
    stage.says("users-0", complete());
    assert_eq!(stage.step(1), StepStatus::Stalled);
    stage.log.says("r1", "users-0", "2.1.0", complete());
    stage.settle();
    assert_eq!(stage.step(1), StepStatus::Met);
}

#[test]
fn a_step_is_met_when_its_count_has_held() {
    let mut plan = plan();
    plan.steps[2].healthy_for = 5_000;
    let mut stage = Stage::new(&plan);
    stage.says("db-0", ready());
    stage.says("users-0", complete());
    stage.says("chat-0", complete());
    stage.wait(4_900, &[]);
    assert_eq!((stage.step(2), stage.view().status), (StepStatus::Holding, Status::Open));
    stage.wait(300, &[]);
    assert_eq!(stage.view().status, Status::Completed);
}

#[test]
fn a_rollback_after_completion_is_the_next_epoch() {
    let mut stage = Stage::new(&plan());
    for (who, what) in [("db-0", ready()), ("users-0", complete()), ("chat-0", complete())] {
        stage.says(who, what);
    }
    stage.person(go_back());
    assert_eq!((stage.view().status, stage.view().epoch), (Status::RollingBack, 2));
    for who in ["chat-0", "users-0"] {
        stage.says(who, back(2));
    }
    assert_eq!(stage.view().status, Status::RolledBack);
}

#[test]
fn events_before_their_rollout_are_kept() {
    let mut stage = Stage::new(&plan());
    stage.person(abort());
    stage.log.says("r2", "db-0", "1", ready());
    stage.log.start("r2", &plan());
    stage.settle();
    let view = stage.engine.rollout(&rollout_id("r2")).expect("it has started");
    assert_eq!(view.steps[0].state, StepStatus::Met);
}

#[test]
fn a_stall_of_not_started_is_lifted_by_any_start() {
    let mut plan = plan();
    plan.steps[1].started_within = Some(2_000);
    let mut stage = Stage::new(&plan);
    stage.says("db-0", ready());
    stage.wait(2_500, &["users-0"]);
    assert_eq!(stage.alerts[0].annotations["missing"], "users.DeploymentStarted");
    stage.says("users-0", started("1.0.0"));
    assert_eq!(stage.step(1), StepStatus::Running);
    stage.wait(9_000, &["users-0"]);
    let all = ["RolloutStalled users not_started", "RolloutStalled users not_finished"];
    assert_eq!(stage.verdicts(), all, "the whole window still holds");
}

#[test]
fn an_older_word_of_the_same_boot_changes_nothing() {
    let mut stage = Stage::new(&plan());
    stage.says("db-0", ready());
    let numbered = |stage: &mut Stage, sequence: i64, body: Body| {
        let id = pavane_events::EventId::new(format!("n{sequence}")).expect("a name");
        let mut event = word("r1", "users-0", "2.0.0", id, body);
        event.envelope.boot = Some("b1".to_owned());
        event.envelope.sequence = Some(sequence);
        stage.log.append(event);
        stage.settle();
    };
    numbered(&mut stage, 2, complete());
    numbered(&mut stage, 1, started("1.0.0"));
    assert_eq!(stage.step(1), StepStatus::Met);
}

#[test]
fn a_rollback_that_pretends_to_be_accepted_is_refused() {
    let mut stage = Stage::new(&plan());
    let mut forged = pavane_events::command::RollbackRequested { epoch: 1, ..Default::default() };
    forged.accepted = Some(0);
    stage.person(forged.into());
    assert_eq!(stage.view().status, Status::Open);
    let said = stage.said(EventType::CommandRefused);
    assert!(matches!(said[..], [Body::CommandRefused(refused)] if refused.code == "not_authorised"));
}

#[test]
fn a_pulse_says_where_to_begin_to_read() {
    let mut stage = Stage::new(&plan());
    stage.person(held());
    stage.person(abort());
    let hold = i64::try_from(stage.log.entries.len()).expect("short") - 2;
    stage.wait(40_000, &[]);
    let from = |body: &&Body| if let Body::Pulse(pulse) = body { pulse.open_from } else { None };
    assert_eq!(stage.said(EventType::Pulse).last().and_then(from), Some(hold), "a hold in force counts too");
    stage.person(released());
    stage.wait(40_000, &[]);
    assert_eq!(stage.said(EventType::Pulse).last().and_then(from), None);
}

#[test]
fn what_the_broker_has_and_the_log_does_not_is_a_gap_and_never_goes_back() {
    let mut stage = Stage::new(&rolling_plan());
    stage.says("db-0", ready());
    stage.numbered("users-0", 1, started("1.0.0"));
    stage.acknowledged = 4;
    stage.wait(60_000, &["users-0"]);
    assert_eq!(stage.verdicts(), ["RolloutStalled users gap"]);
    lacks(&stage, "the broker acknowledged its event 4; not on the log: 2 to 4");
}

#[test]
fn a_number_that_is_left_out_is_a_gap() {
    let mut stage = Stage::new(&rolling_plan());
    stage.says("db-0", ready());
    stage.numbered("users-0", 2, started("1.0.0"));
    stage.acknowledged = 2;
    stage.wait(60_000, &["users-0"]);
    assert_eq!(stage.verdicts(), ["RolloutStalled users gap"]);
    lacks(&stage, "the broker acknowledged its event 2; not on the log: 1");
}

#[test]
fn of_several_gaps_the_first_and_the_last_number_are_told_and_what_is_missing_at_the_end() {
    let mut stage = Stage::new(&rolling_plan());
    stage.says("db-0", ready());
    for number in [3, 4, 7] {
        stage.numbered("users-0", number, started("1.0.0"));
    }
    stage.acknowledged = 9;
    stage.wait(60_000, &["users-0"]);
    lacks(&stage, "not on the log: 1 to 6 and 8 to 9");
}

/// Holds what people are told of a gap against what the log lacks.
fn lacks(stage: &Stage, numbers: &str) {
    let told = &stage.alert("RolloutStalled").annotations["evidence"];
    assert!(told.contains(numbers), "{told}");
}

#[test]
fn a_sidecar_that_does_not_know_what_its_hook_did_is_told_at_once() {
    let mut stage = Stage::new(&plan());
    stage.says("db-0", ready());
    stage.says("users-0", started("1.0.0"));
    stage.says("users-0", uncertain());
    let last = stage.alerts.last().expect("told");
    assert_eq!((last.labels["alertname"].as_str(), last.status), ("HookUncertain", AlertStatus::Firing));
    assert!(stage.verdicts().is_empty(), "it is no verdict");
    stage.says("users-0", complete());
    let last = stage.alerts.last().expect("told");
    assert_eq!((last.labels["alertname"].as_str(), last.status), ("HookUncertain", AlertStatus::Resolved));
}
