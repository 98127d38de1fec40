//! How a rollout goes back: what is asked of whom and when, what keeps the sentinel from asking, and how it can end.

mod floor;
mod stage;

use floor::*;
use pavane_choreography::{OnStall, Plan};
use pavane_events::control::DomainConfigured;
use pavane_events::{Body, EventType};
use pavane_sentinel_engine::{AlertStatus, Counter, Status, StepStatus};
use stage::Stage;

/// One step, `users`, that is rolled back where it stalls.
fn short() -> Plan {
    let mut plan = plan_of(&[step("users", "users", EventType::DeploymentComplete, &[])]);
    plan.steps[0].on_stall = OnStall::Rollback;
    plan
}

/// As [`short`], of another service.
fn other(service: &str) -> Plan {
    let mut plan = plan_of(&[step("only", service, EventType::DeploymentComplete, &[])]);
    plan.steps[0].on_stall = OnStall::Rollback;
    plan
}

/// A rollout of one service fails and, where the sentinel asks for it, goes back to this version.
fn fails(stage: &mut Stage, id: &str, service: &str, from: &str) -> Status {
    stage.log.start(id, &other(service));
    stage.settle();
    fails_on(stage, id, service, from)
}

fn fails_on(stage: &mut Stage, id: &str, service: &str, from: &str) -> Status {
    let instance = format!("{service}-0");
    for body in [started(from), failed("exit 1"), back(1)] {
        stage.log.says(id, &instance, "2.0.0", body);
        stage.settle();
    }
    status(stage, id)
}

fn status(stage: &Stage, id: &str) -> Status {
    stage.engine.rollout(&rollout_id(id)).expect("it has started").status
}

fn is_paused(stage: &Stage, id: &str) -> bool {
    stage.engine.rollout(&rollout_id(id)).expect("it has started").paused
}

fn configure(stage: &mut Stage, configured: DomainConfigured) {
    stage.person(configured.into());
}

fn asked(stage: &Stage) -> Vec<String> {
    let service = |body: &Body| {
        let Body::RollbackRequested(body) = body else { return None };
        body.service.as_ref().map(ToString::to_string)
    };
    stage.said(EventType::RollbackRequested).into_iter().filter_map(service).collect()
}

#[test]
fn after_so_many_automatic_rollbacks_the_next_is_a_pause_and_a_page() {
    let mut stage = Stage::empty();
    for (id, service) in [("a", "a"), ("b", "b"), ("c", "c")] {
        assert_eq!(fails(&mut stage, id, service, "1.0.0"), Status::RolledBack, "three an hour, by default");
    }
    assert_eq!(fails(&mut stage, "d", "d", "1.0.0"), Status::Open);
    assert!(is_paused(&stage, "d"), "nothing moves any further");
    assert_eq!(asked(&stage), ["a", "b", "c"]);
    let alert = stage.alert("RollbackWithheld");
    assert_eq!((alert.labels["severity"].as_str(), alert.labels["service"].as_str()), ("page", "d"));
    let said = "the sentinel asked for 3 rollback(s) by itself within 1h, and the domain's budget is 3";
    assert!(alert.annotations["description"].contains(said), "{alert:?}");
    let Some(Body::RolloutPaused(paused)) = stage.said(EventType::RolloutPaused).pop() else {
        panic!("a pause")
    };
    assert!(paused.reason.contains(said), "the log says why: {}", paused.reason);
    stage.log.person("d", go_back());
    stage.log.person("d", resume());
    stage.settle();
    stage.log.says("d", "d-0", "2.0.0", back(1));
    stage.settle();
    assert_eq!((status(&stage, "d"), asked(&stage).len()), (Status::RolledBack, 4), "a person may always");
    assert!(stage.burning().is_empty(), "{:?}", stage.burning());
}

#[test]
fn the_budget_counts_what_lies_in_its_window() {
    let mut stage = Stage::empty();
    let rollback_window_ms = 60_000;
    configure(&mut stage, DomainConfigured { rollback_budget: 1, rollback_window_ms, ..Default::default() });
    assert_eq!(fails(&mut stage, "a", "a", "1.0.0"), Status::RolledBack);
    stage.log.time += 59_000;
    assert_eq!(fails(&mut stage, "b", "b", "1.0.0"), Status::Open);
    stage.log.person("b", abort());
    stage.log.time += 2_000;
    assert_eq!(fails(&mut stage, "c", "c", "1.0.0"), Status::RolledBack, "a minute has gone by");
}

#[test]
fn a_brake_that_is_pulled_acts_on_rollouts_that_are_open_and_a_grace_on_those_that_start_later() {
    let mut stage = Stage::new(&short());
    configure(&mut stage, DomainConfigured { rollback_budget: 0, grace_ms: 5_000, ..Default::default() });
    stage.log.start("r2", &other("chat"));
    stage.settle();
    stage.says("users-0", started("1.0.0"));
    stage.wait(10_300, &["users-0", "chat-0"]);
    let stalled = |stage: &Stage, id: &str| {
        let view = stage.engine.rollout(&rollout_id(id)).expect("it has started");
        view.verdicts.iter().any(|verdict| verdict.kind == "RolloutStalled")
    };
    assert!(stalled(&stage, "r1") && !stalled(&stage, "r2"), "250 ms for the one, 5 s for the other");
    stage.wait(2_000, &["users-0"]);
    assert!(is_paused(&stage, "r1") && asked(&stage).is_empty());
    let alert = stage.alert("RollbackWithheld");
    assert!(alert.annotations["description"].contains("lets the sentinel ask for no rollback by itself"));
    stage.wait(3_500, &["chat-0"]);
    assert!(stalled(&stage, "r2"));
}

#[test]
fn a_withdrawn_rollback_costs_nothing_of_the_budget() {
    let mut stage = Stage::new(&short());
    configure(&mut stage, DomainConfigured { rollback_budget: 1, cool_down_ms: 0, ..Default::default() });
    stage.log.says("r1", "users-0", "2.0.0", started("1.0.0"));
    stage.log.says("r1", "users-0", "2.0.0", failed("exit 1"));
    // the person's word stands between accepted and said
    while stage.engine.rollout(&rollout_id("r1")).expect("known").deciding.is_none() {
        assert!(stage.feed_next(), "a rollback is accepted");
    }
    let said = stage.log.entries.pop().expect("the request that was to be said");
    assert!(
        matches!(&said, pavane_events::Entry::Event(record) if matches!(record.event.body, Body::RollbackRequested(_)))
    );
    stage.log.says("r1", "users-0", "2.0.0", complete());
    stage.settle();
    assert_eq!(status(&stage, "r1"), Status::Completed, "the event came first");
    assert_eq!(stage.counted[&Counter::Withdrawn("RollbackRequested")], 1);
    assert!(asked(&stage).is_empty() && stage.said(EventType::RollbackRequested).is_empty());
    let told = stage.alert("RolloutStalled");
    assert_eq!(told.status, AlertStatus::Resolved);
    assert!(told.annotations["superseded"].contains("is not asked for"), "{told:?}");
    assert!(told.annotations["late"].contains("came after it had been told missing"), "{told:?}");
    assert_eq!(fails(&mut stage, "r2", "b", "1.0.0"), Status::RolledBack);
}

#[test]
fn a_service_is_not_asked_back_to_the_same_version_twice_within_the_cool_down() {
    let mut stage = Stage::empty();
    configure(&mut stage, DomainConfigured { rollback_budget: 100, ..Default::default() });
    assert_eq!(fails(&mut stage, "r1", "users", "1.0.0"), Status::RolledBack);
    assert_eq!(fails(&mut stage, "r2", "users", "1.1.0"), Status::RolledBack, "to another version it may go");
    stage.log.time += 60_000;
    assert_eq!(fails(&mut stage, "r3", "users", "1.0.0"), Status::Open);
    let alert = stage.alert("RollbackWithheld");
    let said = "users was asked back to 1.0.0 1m ago, and the cool-down is 10m";
    assert!(alert.annotations["description"].contains(said), "{alert:?}");
    stage.log.person("r3", abort());
    stage.log.time += 600_000;
    assert_eq!(fails(&mut stage, "r4", "users", "1.0.0"), Status::RolledBack, "ten minutes, by default");
}

#[test]
fn a_person_who_rolls_back_starts_the_cool_down_too() {
    let mut stage = Stage::new(&short());
    stage.says("users-0", started("1.0.0"));
    stage.person(go_back());
    stage.says("users-0", back(1));
    assert_eq!(stage.view().status, Status::RolledBack);
    assert_eq!(fails(&mut stage, "r2", "users", "1.0.0"), Status::Open);
    assert_eq!(stage.burning(), ["RollbackWithheld", "RolloutStalled"]);
}

#[test]
fn whoever_resumes_goes_on_without_the_rollback_for_good() {
    let mut stage = Stage::empty();
    configure(&mut stage, DomainConfigured { rollback_budget: 0, ..Default::default() });
    assert_eq!(fails(&mut stage, "r1", "users", "1.0.0"), Status::Open);
    stage.person(resume());
    assert_eq!(stage.burning(), ["RolloutStalled"], "the person has decided");
    configure(&mut stage, DomainConfigured::default());
    stage.wait(20_000, &["users-0"]);
    assert!(
        !stage.view().paused && asked(&stage).is_empty(),
        "it is not paused again, nor rolled back behind their back"
    );
    stage.says("users-0", complete());
    assert_eq!(stage.view().status, Status::Completed);
}

#[test]
fn branches_go_back_side_by_side_and_each_has_a_window_of_its_own() {
    let mut diamond = plan_of(&[
        step("base", "base", EventType::DeploymentComplete, &[]),
        step("left", "left", EventType::DeploymentComplete, &["base"]),
        step("right", "right", EventType::DeploymentComplete, &["base"]),
        step("top", "top", EventType::DeploymentComplete, &["left", "right"]),
    ]);
    diamond.steps[1].compensate.within = 30_000;
    let mut stage = Stage::new(&diamond);
    for service in ["base", "left", "right"] {
        stage.says(&format!("{service}-0"), started("1.0.0"));
        stage.says(&format!("{service}-0"), complete());
    }
    stage.person(go_back());
    assert_eq!(asked(&stage), ["left", "right"], "nobody of top moved; the branches go side by side");
    stage.says("right-0", back(1));
    assert_eq!(asked(&stage).len(), 2, "the base waits for both");
    stage.wait(15_000, &["left-0"]);
    assert!(
        !stage.verdicts().iter().any(|said| said.starts_with("RollbackStalled")),
        "left has half a minute"
    );
    stage.says("left-0", back(1));
    assert_eq!(asked(&stage), ["left", "right", "base"]);
    stage.wait(9_000, &["base-0"]);
    assert_eq!(stage.step(0), StepStatus::GoingBack, "its window began with its turn");
    stage.wait(2_000, &["base-0"]);
    assert_eq!(stage.verdicts().last().expect("told"), "RollbackStalled base not_finished");
    stage.says("base-0", back(1));
    assert_eq!(stage.view().status, Status::RolledBack, "a late answer lifts it");
    assert!(stage.burning().is_empty(), "{:?}", stage.burning());
}

#[test]
fn a_silent_branch_does_not_keep_a_failed_one_from_its_end() {
    let mut stage = Stage::new(&plan_of(&[
        step("left", "left", EventType::DeploymentComplete, &[]),
        step("right", "right", EventType::DeploymentComplete, &[]),
    ]));
    for service in ["left", "right"] {
        stage.says(&format!("{service}-0"), started("1.0.0"));
    }
    stage.person(go_back());
    stage.says("left-0", back_failed(1));
    assert_eq!(stage.view().status, Status::RollingBack, "the other may answer yet");
    stage.wait(23_000, &[]);
    assert_eq!(stage.view().status, Status::Partial);
    assert_eq!(stage.burning(), ["RolloutPartial"]);
    stage.says("right-0", back(1));
    assert_eq!(stage.counted[&Counter::Late("after_end")], 1, "nothing follows from it");
    assert_eq!(asked(&stage).len(), 2, "and nobody is asked again");
}

#[test]
fn a_rollback_that_fails_is_never_rolled_back_itself() {
    let mut stage = Stage::new(&short());
    assert_eq!(fails_on(&mut stage, "r1", "users", "1.0.0"), Status::RolledBack);
    stage.person(go_back());
    assert_eq!(stage.refusals(), ["ended"]);
    let mut stage = Stage::new(&short());
    for body in [started("1.0.0"), failed("exit 1"), back_failed(1)] {
        stage.says("users-0", body);
    }
    assert_eq!(stage.view().status, Status::Partial);
    stage.person(go_back());
    assert_eq!(stage.refusals(), ["ended"]);
    stage.wait(60_000, &["users-0"]);
    assert_eq!(asked(&stage), ["users"], "once");
}

#[test]
fn what_stands_above_an_irreversible_step_goes_back_and_there_it_stops_and_pages() {
    let mut frozen = plan();
    frozen.steps[1].reversible = false;
    let mut stage = Stage::new(&frozen);
    stage.says("db-0", ready());
    for service in ["users", "chat"] {
        stage.says(&format!("{service}-0"), started("1.0.0"));
        stage.says(&format!("{service}-0"), complete());
    }
    stage.person(go_back());
    assert_eq!(stage.view().epoch, 2);
    stage.says("chat-0", back(2));
    assert_eq!((stage.view().status, asked(&stage)), (Status::RolledBack, vec!["chat".to_owned()]));
    let alert = stage.alert("RollbackFrozen");
    assert_eq!((alert.labels["severity"].as_str(), alert.labels["step"].as_str()), ("page", "users"));
    assert!(
        alert.annotations["description"]
            .contains("users (users.DeploymentComplete) cannot be taken back and stays.")
    );
    let mut again = plan();
    again.steps.truncate(2);
    stage.log.start("r2", &again);
    stage.log.says("r2", "db-0", "2.0.0", ready());
    stage.log.says("r2", "users-0", "2.0.1", complete());
    stage.settle();
    assert_eq!(status(&stage, "r2"), Status::Completed);
    assert!(stage.burning().is_empty(), "a later rollout of the service is complete: {:?}", stage.burning());
}

#[test]
fn the_event_that_was_missed_is_told_when_it_comes_after_the_decision_and_goes_back_too() {
    let mut stage = Stage::new(&short());
    stage.says("users-0", started("1.0.0"));
    stage.wait(13_000, &["users-0"]);
    assert_eq!(stage.view().status, Status::RollingBack);
    stage.says("users-0", complete());
    assert_eq!(stage.counted[&Counter::Late("after_decision")], 1);
    let alert = stage.alert("LateEvent");
    assert_eq!((alert.labels["severity"].as_str(), alert.labels["service"].as_str()), ("ticket", "users"));
    assert!(alert.annotations["description"].contains("the rollout goes back, and so does it"), "{alert:?}");
    stage.says("users-0", back(1));
    assert_eq!(stage.view().status, Status::RolledBack);
    assert!(stage.burning().is_empty(), "{:?}", stage.burning());
}

#[test]
fn an_event_after_the_end_is_told_unless_the_rollout_is_complete() {
    let mut stage = Stage::new(&short());
    stage.says("users-0", started("1.0.0"));
    stage.person(abort());
    stage.says("users-0", complete());
    assert_eq!(stage.burning(), ["LateEvent"]);
    assert!(stage.alert("LateEvent").annotations["description"].contains("look what users-0 runs"));
    let mut stage = Stage::new(&short());
    stage.says("users-0", complete());
    stage.says("users-1", complete());
    assert!(stage.burning().is_empty(), "one more instance is no news");
    assert_eq!(stage.counted[&Counter::Late("after_end")], 1);
}

#[test]
fn a_rollback_after_completion_is_refused_once_a_later_rollout_took_a_service() {
    let mut stage = Stage::new(&short());
    stage.says("users-0", complete());
    stage.log.start("r2", &short());
    stage.settle();
    stage.person(go_back());
    assert_eq!(stage.refusals(), ["conflict"]);
    assert_eq!(stage.view().status, Status::Completed);
    stage.log.person("r2", abort());
    stage.person(go_back());
    assert_eq!(stage.refusals(), ["conflict", "conflict"], "it may have moved the service before it ended");
}

#[test]
fn a_wrong_version_is_a_conflict_that_says_why_and_is_never_rolled_back() {
    let mut plan = short();
    plan.steps[0].version = Some(">=2.1.0".parse().expect("a range"));
    let mut stage = Stage::new(&plan);
    stage.says("users-0", started("1.0.0"));
    stage.says("users-0", complete());
    stage.wait(20_000, &["users-0"]);
    assert_eq!(stage.verdicts(), ["RolloutStalled users conflict"]);
    let said = "users-0 reports 2.0.0, which does not count: >=2.1.0 is asked for";
    assert!(stage.alert("RolloutStalled").annotations["evidence"].contains(said), "{:?}", stage.alerts);
    stage.log.says("r1", "users-0", "2.1.0", complete());
    stage.settle();
    assert_eq!(stage.view().status, Status::Completed);
}

#[test]
fn windows_are_told_as_people_say_them() {
    let mut plan = short();
    plan.steps[0].within = 600_000;
    let mut stage = Stage::new(&plan);
    stage.wait(602_000, &["users-0"]);
    let alert =
        stage.alerts.iter().find(|alert| alert.labels["alertname"] == "RolloutStalled").expect("told");
    assert!(
        alert.annotations["description"].contains("is missing, 10m after its window began."),
        "{alert:?}"
    );
}
