//! What counts as deployed: only a service whose checks hold, for as long as they are asked to, and no longer.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod stage;

use pavane_events::service::DeploymentFailed;
use pavane_events::{Body, Millis};
use pavane_sidecar_engine::health::Finding;
use pavane_sidecar_engine::{Hold, HookOutcome, Input, Reaction, Readiness, Verdict};
use proptest::prelude::*;

use stage::{Stage, addressed, go_back, readiness, revert, upgrade};

const HOLD: Hold = Hold { within: 60_000, healthy_for: 10_000 };

#[test]
fn a_deployment_is_complete_only_after_the_checks_have_held() {
    let mut stage = held();
    stage.up_to_hook();
    assert_eq!(stage.hook(HookOutcome::Done), ["write user-db.Ready Checking", "assess"]);
    assert_eq!(stage.engine.phase().word, "readiness");
    assert_eq!(stage.tick(30_000), [""; 0], "no check has answered");
    assert_eq!(assess(&mut stage, Verdict::Ready), [""; 0]);
    assert_eq!(stage.engine.next_deadline(), Some(stage.now + 10_000));
    assert_eq!(stage.tick(9_999), [""; 0]);
    assert_eq!(stage.tick(1), ["observe"]);
    assert_eq!(stage.version("2.0.0"), ["write user-db.Ready Over(Succeeded)", "say DeploymentComplete"]);
}

#[test]
fn a_break_begins_the_wait_anew() {
    let mut stage = held();
    stage.up_to_hook();
    stage.hook(HookOutcome::Done);
    assess(&mut stage, Verdict::Ready);
    stage.tick(9_999);
    assess(&mut stage, sick("35 ms"));
    assess(&mut stage, Verdict::Ready);
    assert_eq!(stage.tick(9_999), [""; 0]);
    assert_eq!(stage.tick(1), ["observe"]);
}

#[test]
fn what_is_not_well_in_time_has_failed_and_says_which_check_and_by_how_much() {
    for (verdict, reason) in [
        (None, "no check has answered"),
        (
            Some(sick("35 ms, where at most 20 ms is well: 15 ms off")),
            "cache: 35 ms, where at most 20 ms is well: 15 ms off",
        ),
        (Some(starting("it has not answered yet")), "cache: it has not answered yet"),
    ] {
        let mut stage = held();
        stage.up_to_hook();
        stage.hook(HookOutcome::Done);
        if let Some(verdict) = verdict {
            assess(&mut stage, verdict);
        }
        assert_eq!(stage.tick(59_999), [""; 0]);
        assert_eq!(stage.tick(1), ["write user-db.Ready Over(Failed)", "say DeploymentFailed"]);
        let failed = failed(&stage);
        assert_eq!(
            (failed.stage.as_str(), failed.reason.contains(reason)),
            ("readiness", true),
            "{}",
            failed.reason
        );
    }
    let mut stage = held();
    stage.up_to_hook();
    stage.hook(HookOutcome::Done);
    stage.tick(55_000);
    assess(&mut stage, Verdict::Ready);
    stage.tick(5_000);
    assert!(failed(&stage).reason.ends_with("it had been so for 5000 ms, and 10000 ms are asked for"));
}

#[test]
fn what_was_answered_before_the_hook_had_ended_says_nothing() {
    let mut stage = held();
    let before = stage.tell(Input::Assessed { ticket: 0, verdict: Verdict::Ready });
    assert_eq!(before, [""; 0]);
    stage.up_to_hook();
    stage.tick(20_000);
    stage.hook(HookOutcome::Done);
    stage.tell(Input::Assessed { ticket: 0, verdict: Verdict::Ready });
    assert_eq!(stage.tick(20_000), [""; 0], "of before");
    assess(&mut stage, Verdict::Ready);
    assert_eq!(stage.tick(10_000), ["observe"]);
}

#[test]
fn a_reaction_is_asked_its_own_question_first() {
    let ready = Some(Readiness { successes: 1, ..readiness() });
    let mut stage = Stage::ready(vec![Reaction { ready, hold: Some(HOLD), ..upgrade() }]);
    stage.up_to_hook();
    assert_eq!(stage.hook(HookOutcome::Done), ["write user-db.Ready Checking", "probe user-db.Ready"]);
    assert_eq!(stage.probe(Ok(())), ["assess"]);
}

#[test]
fn a_service_that_sickens_later_says_so_once_and_says_when_it_is_well_again() {
    let mut stage = complete();
    for sickness in 0..2 {
        stage.tick(300_000);
        let lines = assess(&mut stage, sick("35 ms"));
        assert_eq!(lines, ["write user-db.Ready Over(Sickened)", "say DeploymentFailed"], "{sickness}");
        let failed = failed(&stage);
        assert_eq!(
            (failed.stage.as_str(), failed.reason.as_str()),
            ("readiness", "the service is not well any more: cache: 35 ms")
        );
        assert_eq!(stage.deliver(), [""; 0]);
        assert_eq!(assess(&mut stage, sick("36 ms")), [""; 0], "once");
        assert_eq!(stage.tick(60_000), [""; 0]);
        assert_eq!(stage.engine.phase().word, "failed");
        assert_eq!(assess(&mut stage, Verdict::Ready), [""; 0], "not at once");
        assert_eq!(stage.engine.next_deadline(), Some(stage.now + 10_000));
        assert_eq!(stage.tick(10_000), ["observe"]);
        let lines = stage.version("2.0.0");
        assert_eq!(lines, ["write user-db.Ready Over(Succeeded)", "say DeploymentComplete"]);
        stage.deliver();
        assert_eq!(stage.engine.phase().word, "done");
    }
    assert_eq!(stage.calls.len(), 1, "no hook runs for it");
}

#[test]
fn a_service_that_is_well_again_with_another_version_has_failed() {
    let mut stage = complete();
    assess(&mut stage, sick("35 ms"));
    stage.deliver();
    assess(&mut stage, Verdict::Ready);
    stage.tick(10_000);
    assert_eq!(stage.version("1.0.0"), ["write user-db.Ready Over(Failed)", "say DeploymentFailed"]);
    stage.deliver();
    assert_eq!(stage.tick(100_000), [""; 0], "for good");
}

#[test]
fn a_restart_does_not_make_the_service_sick_and_does_not_say_a_sickness_twice() {
    let mut stage = complete();
    assert_eq!(stage.crash(), [""; 0]);
    assert_eq!(restarted(&mut stage, starting("it has not answered yet")), [""; 0]);
    let lines = restarted(&mut stage, sick("35 ms"));
    assert_eq!(lines, ["write user-db.Ready Over(Sickened)", "say DeploymentFailed"]);
    // Killed before its word has reached the log, and after.
    for _ in 0..2 {
        assert_eq!(stage.crash(), [""; 0]);
        assert_eq!(restarted(&mut stage, sick("35 ms")), [""; 0]);
        stage.deliver();
    }
}

#[test]
fn a_sidecar_without_its_journal_still_watches_what_the_log_says_it_deployed() {
    let mut stage = complete();
    assert_eq!(stage.crash_and_lose_the_journal(), [""; 0]);
    let lines = restarted(&mut stage, sick("35 ms"));
    assert_eq!(lines, ["write user-db.Ready Over(Sickened)", "say DeploymentFailed"]);
}

#[test]
fn only_what_an_open_rollout_has_deployed_is_watched() {
    // Not deployed yet.
    let mut stage = held();
    stage.start();
    assert_eq!(stage.tell(Input::Assessed { ticket: 0, verdict: sick("35 ms") }), [""; 0]);
    stage.schema_ready();
    assert!(stage.said.is_empty(), "sick before it begins is no failure of the deployment");
    // Drained, on its own word.
    let mut stage = complete();
    stage.service("user-service", "user-service-0", pavane_events::service::Drained::default());
    assert_eq!(assess(&mut stage, sick("35 ms")), [""; 0]);
    // Going back.
    let mut stage = complete();
    stage.command(stage::ROLLOUT, go_back());
    assert_eq!(assess(&mut stage, sick("35 ms")), [""; 0]);
}

#[test]
fn the_way_back_waits_for_the_checks_too() {
    let mut stage = Stage::ready(vec![upgrade(), Reaction { hold: Some(HOLD), ..revert() }]);
    stage.up_to_complete();
    let decision = i64::try_from(stage.log.len()).unwrap();
    stage.command(stage::ROLLOUT, go_back());
    stage.sentinel(addressed(decision, Some("2.0.0"), Some("1.0.0")));
    stage.version("2.0.0");
    stage.deliver();
    assert_eq!(stage.hook(HookOutcome::Done), ["write RollbackRequested Checking", "assess"]);
    let ticket = stage.ticket;
    stage.tell(Input::Assessed { ticket, verdict: Verdict::Ready });
    assert_eq!(stage.tick(10_000), ["observe"]);
    assert_eq!(stage.version("1.0.0"), ["write RollbackRequested Over(Succeeded)", "say RollbackComplete"]);
}

#[test]
fn a_request_to_go_back_ends_the_wait() {
    let mut stage = Stage::ready(vec![Reaction { hold: Some(HOLD), ..upgrade() }, revert()]);
    stage.up_to_hook();
    stage.hook(HookOutcome::Done);
    let decision = i64::try_from(stage.log.len()).unwrap();
    stage.command(stage::ROLLOUT, go_back());
    let lines = stage.sentinel(addressed(decision, None, Some("1.0.0")));
    assert_eq!(lines[..2], ["write user-db.Ready Over(Failed)", "say DeploymentFailed"]);
    assert_eq!(failed(&stage).stage, "readiness");
}

proptest! {
    /// Whatever the checks do: complete is said only after a whole stretch of being well, failed only when sick or
    /// late, and the two take turns.
    #[test]
    fn complete_and_failed_take_turns_and_each_has_its_ground(
        moves in prop::collection::vec((0_u8..4, 1_i64..15_000), 1..60)
    ) {
        let mut stage = held();
        stage.up_to_hook();
        stage.hook(HookOutcome::Done);
        let (mut since, mut said, mut ticket) = (None::<Millis>, Vec::new(), stage.ticket);
        let first = stage.said.len();
        for (what, by) in moves {
            let was_well = since;
            let told = |stage: &mut Stage, verdict| stage.tell(Input::Assessed { ticket, verdict });
            let lines = match what {
                0 => { since = since.or(Some(stage.now)); told(&mut stage, Verdict::Ready) }
                1 => { since = None; told(&mut stage, sick("35 ms")) }
                2 => { since = None; told(&mut stage, starting("?")) }
                _ => stage.tick(by),
            };
            if lines.iter().any(|line| line == "observe") {
                prop_assert!(since.is_some_and(|since| stage.now - since >= HOLD.healthy_for));
                stage.version("2.0.0");
            }
            if lines.iter().any(|line| line == "assess") { ticket = stage.ticket; since = None; }
            for event in &stage.said[first + said.len()..] {
                let complete = matches!(event.body, Body::DeploymentComplete(_));
                prop_assert!(complete || since.is_none() || was_well.is_some());
                said.push(complete);
            }
            stage.deliver();
        }
        prop_assert!(said.windows(2).all(|two| two[0] != two[1]), "{said:?}");
    }
}

fn held() -> Stage {
    Stage::ready(vec![Reaction { hold: Some(HOLD), ..upgrade() }, revert()])
}

fn complete() -> Stage {
    let mut stage = held();
    stage.up_to_hook();
    stage.hook(HookOutcome::Done);
    assess(&mut stage, Verdict::Ready);
    assert_eq!(stage.tick(10_000), ["observe"]);
    stage.version("2.0.0");
    stage.deliver();
    stage.ticket = ORDER;
    stage
}

/// The ticket of the order to look anew, in a stage that was played up to its end without another question.
const ORDER: u64 = 3;

/// The checks answer the last order to look anew.
fn assess(stage: &mut Stage, verdict: Verdict) -> Vec<String> {
    stage.tell(Input::Assessed { ticket: ORDER, verdict })
}

/// The checks after a restart, before any order.
fn restarted(stage: &mut Stage, verdict: Verdict) -> Vec<String> {
    stage.tell(Input::Assessed { ticket: 0, verdict })
}

fn sick(reason: &str) -> Verdict {
    Verdict::Sick(vec![finding(reason)])
}

fn starting(reason: &str) -> Verdict {
    Verdict::Starting(vec![finding(reason)])
}

fn finding(reason: &str) -> Finding {
    Finding { check: "cache".to_owned(), reason: reason.to_owned() }
}

fn failed(stage: &Stage) -> &DeploymentFailed {
    let Body::DeploymentFailed(failed) = stage.last() else { panic!("{:?}", stage.last()) };
    failed
}
