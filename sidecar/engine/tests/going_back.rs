//! How a sidecar takes its service back, and when it believes that it must.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod stage;

use pavane_choreography::Plan;
use pavane_events::command::{DomainHeld, RollbackRequested, RolloutPaused, StepOverridden};
use pavane_events::service::Ready;
use pavane_events::verdict::RolloutCompleted;
use pavane_events::{Body, StepId, Version};
use pavane_sidecar_engine::input::Failure;
use pavane_sidecar_engine::{HookOutcome, Reaction, Readiness};
use stage::*;

const NOTHING: [&str; 0] = [];

#[test]
fn a_service_that_is_on_the_target_already_says_so_at_once() {
    let mut stage = Stage::ready(vec![upgrade(), revert()]);
    stage.up_to_complete();
    let decision = decide(&mut stage);
    assert_eq!(stage.sentinel(addressed(decision, Some("2.0.0"), Some("1.0.0"))), ["observe"]);
    assert_eq!(stage.version("1.0.0"), ["write RollbackRequested Over(Succeeded)", "say RollbackComplete"]);
    assert_eq!(stage.calls.len(), 1, "the hook of the way forward alone");
}

#[test]
fn a_service_goes_back_when_it_is_asked_from_the_version_it_runs() {
    let mut stage = Stage::ready(vec![upgrade(), revert()]);
    stage.up_to_complete();
    let decision = decide(&mut stage);
    assert_eq!(stage.sentinel(addressed(decision, Some("2.0.0"), Some("1.0.0"))), ["observe"]);
    assert_eq!(stage.version("2.0.0"), ["write RollbackRequested Announced", "say RollbackInitiated"]);
    assert_eq!(stage.deliver(), ["write RollbackRequested Running", "hook RollbackRequested #1"]);
    assert_eq!(stage.calls[1].to, Some(Version::new("1.0.0").unwrap()));
    assert_eq!(stage.hook(HookOutcome::Done), ["write RollbackRequested Checking", "observe"]);
    assert_eq!(stage.version("1.0.0"), ["write RollbackRequested Over(Succeeded)", "say RollbackComplete"]);
    let again = stage.sentinel(addressed(decision, Some("2.0.0"), Some("1.0.0")));
    assert_eq!(again, NOTHING, "once for an epoch");
}

#[test]
fn a_service_that_did_not_come_back_says_so() {
    let mut stage = Stage::ready(vec![upgrade(), revert()]);
    stage.up_to_complete();
    let decision = decide(&mut stage);
    stage.sentinel(addressed(decision, Some("2.0.0"), Some("1.0.0")));
    stage.version("2.0.0");
    stage.deliver();
    stage.hook(HookOutcome::Done);
    assert_eq!(stage.version("2.0.0"), ["write RollbackRequested Over(Failed)", "say RollbackFailed"]);
}

#[test]
fn a_service_on_a_third_version_refuses() {
    let mut stage = Stage::ready(vec![upgrade(), revert()]);
    stage.up_to_complete();
    let decision = decide(&mut stage);
    stage.sentinel(addressed(decision, Some("2.0.0"), Some("1.0.0")));
    assert_eq!(stage.version("2.1.0"), ["write RollbackRequested Over(Refused)", "say RollbackRefused"]);
    let Body::RollbackRefused(body) = stage.last() else { panic!("a refusal") };
    assert_eq!(body.reason, "the service runs 2.1.0: neither 2.0.0, which is expected, nor 1.0.0");
}

#[test]
fn an_instance_that_said_nothing_is_not_asked() {
    let mut stage = Stage::ready(vec![upgrade(), revert()]);
    stage.start();
    let decision = decide(&mut stage);
    assert_eq!(stage.sentinel(addressed(decision, None, Some("1.0.0"))), NOTHING);
}

#[test]
fn a_request_is_followed_only_from_the_sentinel_and_only_for_the_decision_in_force() {
    let mut stage = Stage::ready(vec![upgrade(), revert()]);
    stage.up_to_complete();
    let early = addressed(3, Some("2.0.0"), Some("1.0.0"));
    assert_eq!(stage.sentinel(early), ["tell decision_ignored"], "no decision is in force");
    let decision = decide(&mut stage);
    let request = || addressed(decision, Some("2.0.0"), Some("1.0.0"));
    assert_eq!(stage.command(ROLLOUT, request()), ["tell decision_ignored"], "not the sentinel");
    let other = addressed(decision - 1, Some("2.0.0"), Some("1.0.0"));
    assert_eq!(stage.sentinel(other), ["tell decision_ignored"], "another decision");
    let epoch = RollbackRequested { epoch: 2, ..request() };
    assert_eq!(stage.sentinel(epoch), ["tell decision_ignored"], "another epoch");
    assert_eq!(stage.sentinel(request()), ["observe"]);
}

#[test]
fn a_request_to_go_back_cuts_off_the_hook_that_hangs() {
    let mut stage = Stage::ready(vec![upgrade(), revert()]);
    stage.up_to_hook();
    let decision = decide(&mut stage);
    assert_eq!(stage.sentinel(addressed(decision, None, Some("1.0.0"))), ["cut off"]);
    assert_eq!(stage.tick(1_000), NOTHING, "once");
    let failure = Failure { reason: "cut off".into(), ..Failure::default() };
    let lines = stage.hook(HookOutcome::Failed(failure));
    assert_eq!(lines, ["write user-db.Ready Over(Failed)", "say DeploymentFailed", "observe"]);
    assert_eq!(stage.version("1.0.0"), ["write RollbackRequested Over(Succeeded)", "say RollbackComplete"]);
}

#[test]
fn a_request_to_go_back_ends_the_wait_for_the_next_attempt_and_for_readiness() {
    let busy = || HookOutcome::Retry(Failure { reason: "503".into(), ..Failure::default() });
    for (outcome, stage_name) in [(busy(), "hook"), (HookOutcome::Done, "readiness")] {
        let mut stage = Stage::ready(vec![Reaction { ready: Some(readiness()), ..upgrade() }, revert()]);
        stage.up_to_hook();
        stage.hook(outcome);
        let decision = decide(&mut stage);
        let lines = stage.sentinel(addressed(decision, None, Some("1.0.0")));
        assert_eq!(lines, ["write user-db.Ready Over(Failed)", "say DeploymentFailed", "observe"]);
        let Body::DeploymentFailed(body) = stage.last() else { panic!("a failure") };
        assert_eq!(body.stage, stage_name);
        assert!(body.reason.starts_with("the service was asked to go back"), "{}", body.reason);
    }
}

#[test]
fn a_hook_that_ends_well_before_it_is_asked_back_is_told_first() {
    let mut stage = Stage::ready(vec![upgrade(), revert()]);
    stage.up_to_hook();
    let decision = decide(&mut stage);
    stage.hook(HookOutcome::Done);
    assert_eq!(stage.sentinel(addressed(decision, None, Some("1.0.0"))), NOTHING);
    let lines = stage.version("2.0.0");
    assert_eq!(lines, ["write user-db.Ready Over(Succeeded)", "say DeploymentComplete", "observe"]);
    assert_eq!(stage.version("2.0.0"), ["write RollbackRequested Announced", "say RollbackInitiated"]);
}

#[test]
fn a_service_without_a_way_back_says_so_instead_of_nothing() {
    let mut stage = Stage::ready(vec![upgrade()]);
    stage.up_to_complete();
    let decision = decide(&mut stage);
    stage.sentinel(addressed(decision, Some("2.0.0"), Some("1.0.0")));
    assert_eq!(stage.version("2.0.0"), ["write RollbackRequested Over(Failed)", "say RollbackFailed"]);
}

#[test]
fn the_sentinels_decision_is_believed_unless_something_took_its_ground() {
    let accepted_by = |accepted| RollbackRequested {
        accepted: Some(accepted),
        step: Some(StepId::new("messaging").unwrap()),
        ..go_back()
    };
    let takers: Vec<(&str, Body)> = vec![
        ("pause", RolloutPaused::default().into()),
        ("hold", DomainHeld::default().into()),
        (
            "override",
            StepOverridden { step: StepId::new("schema").unwrap(), by: String::new(), reason: String::new() }
                .into(),
        ),
    ];
    for (what, taker) in takers {
        let mut stage = Stage::ready(vec![upgrade(), revert()]);
        stage.start();
        let accepted = i64::try_from(stage.log.len()).unwrap();
        stage.service("billing", "billing-0", Ready::default());
        stage.command(ROLLOUT, taker);
        assert_eq!(stage.sentinel(accepted_by(accepted)), ["tell decision_ignored"], "{what}");
        let accepted = i64::try_from(stage.log.len()).unwrap();
        stage.service("billing", "billing-0", Ready::default());
        assert_eq!(stage.sentinel(accepted_by(accepted)), NOTHING, "{what}: accepted later, it is believed");
    }
}

#[test]
fn the_event_that_fills_the_count_takes_the_ground_from_a_rollback() {
    let mut stage = Stage::ready(vec![upgrade(), revert()]);
    stage.up_to_complete();
    let accepted = i64::try_from(stage.log.len()).unwrap();
    stage.service("billing", "billing-0", Ready::default());
    stage.service("messaging", "messaging-0", complete());
    let decision = RollbackRequested {
        accepted: Some(accepted),
        step: Some(StepId::new("messaging").unwrap()),
        ..go_back()
    };
    assert_eq!(stage.sentinel(decision.clone()), ["tell decision_ignored"]);
    assert_eq!(stage.command(ROLLOUT, decision), ["tell decision_ignored"], "nor from anyone else");
}

#[test]
fn an_ending_is_believed_unless_someone_moved_since_it_was_accepted() {
    let ending = |accepted| RolloutCompleted { epoch: 1, attempt: 1, accepted };
    let mut stage = Stage::ready(vec![upgrade(), revert()]);
    stage.up_to_complete();
    let accepted = i64::try_from(stage.log.len()).unwrap() - 1;
    stage.service("messaging", "messaging-0", announced());
    assert_eq!(stage.sentinel(ending(accepted)), ["tell decision_ignored"]);
    assert!(stage.engine.rollout().is_some());
    assert_eq!(stage.sentinel(ending(accepted + 1)), NOTHING);
    assert_eq!(stage.engine.rollout(), None);
}

#[test]
fn a_rollback_after_completion_is_the_next_epoch() {
    let mut stage = Stage::ready(vec![upgrade(), revert()]);
    stage.up_to_complete();
    let accepted = i64::try_from(stage.log.len()).unwrap();
    stage.sentinel(RolloutCompleted { epoch: 1, attempt: 1, accepted });
    assert_eq!(stage.crash(), NOTHING);
    let decision = decide(&mut stage);
    let request = RollbackRequested { epoch: 2, ..addressed(decision, Some("2.0.0"), Some("1.0.0")) };
    assert_eq!(stage.sentinel(request), ["observe"]);
    assert_eq!(stage.version("2.0.0"), ["write RollbackRequested Announced", "say RollbackInitiated"]);
}

#[test]
fn a_rollback_after_completion_is_not_followed_when_a_later_rollout_took_a_service() {
    let mut stage = Stage::ready(vec![upgrade(), revert()]);
    stage.up_to_complete();
    let accepted = i64::try_from(stage.log.len()).unwrap();
    stage.sentinel(RolloutCompleted { epoch: 1, attempt: 1, accepted });
    let other = Plan { steps: vec![step("messaging", "messaging.DeploymentComplete", &[])], ..plan() };
    stage.start_with("r-2", &other);
    assert_eq!(stage.command(ROLLOUT, go_back()), ["tell decision_ignored"]);
}

#[test]
fn a_hook_that_may_not_be_interrupted_ends_before_the_service_goes_back() {
    let mut stage = uninterruptible();
    stage.up_to_hook();
    let decision = i64::try_from(stage.log.len()).unwrap();
    stage.command(ROLLOUT, go_back());
    assert_eq!(stage.sentinel(addressed(decision, None, Some("1.0.0"))), NOTHING, "nothing cuts it off");
    stage.hook(HookOutcome::InProgress { after: 10_000 });
    assert_eq!(stage.tick(10_000), ["hook user-db.Ready #1"], "it is asked for until it has ended");
    let lines = stage.hook(HookOutcome::Done);
    let told = ["write user-db.Ready Checking", "write user-db.Ready Over(Failed)", "say DeploymentFailed"];
    assert_eq!(lines[..3], told, "the wait for readiness is no hook");
    assert_eq!(lines[3..], ["observe"]);
    assert_eq!(stage.version("2.0.0"), ["write RollbackRequested Announced", "say RollbackInitiated"]);
}

#[test]
fn a_hook_that_may_not_be_interrupted_and_fails_is_not_tried_again() {
    let mut stage = uninterruptible();
    stage.up_to_hook();
    let decision = i64::try_from(stage.log.len()).unwrap();
    stage.command(ROLLOUT, go_back());
    stage.sentinel(addressed(decision, None, Some("1.0.0")));
    let lines = stage.hook(HookOutcome::Retry(Failure { reason: "503".into(), ..Failure::default() }));
    let told = ["write user-db.Ready Resting", "write user-db.Ready Over(Failed)", "say DeploymentFailed"];
    assert_eq!(lines[..3], told);
}

/// A stage whose step of user-service may not be interrupted.
fn uninterruptible() -> Stage {
    let ready = Some(Readiness { within: 10_000, successes: 1, every: 1_000 });
    let mut stage = Stage::ready(vec![Reaction { ready, ..upgrade() }, revert()]);
    stage.plan.steps[1].interruptible = false;
    stage
}

/// A person asks to go back; returns where the decision stands.
fn decide(stage: &mut Stage) -> i64 {
    let offset = i64::try_from(stage.log.len()).unwrap();
    assert_eq!(stage.command(ROLLOUT, go_back()), NOTHING);
    offset
}
