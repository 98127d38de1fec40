//! What a restart does with a hook that was under way, and what a second sidecar of the same name does with it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod stage;

use pavane_events::service::{DeploymentStarted, RollbackInitiated};
use pavane_events::{EventId, Version};
use pavane_sidecar_engine::input::Failure;
use pavane_sidecar_engine::{HookOutcome, Input, JobKey, Reaction};
use stage::*;

const NOTHING: [&str; 0] = [];
const WORKING: &str = "write user-db.Ready Working { after: 25000, left: 60000 }";

#[test]
fn a_hook_that_works_on_is_waited_for_after_a_restart_as_before_it() {
    let mut stage = Stage::ready(vec![upgrade()]);
    stage.up_to_hook();
    assert_eq!(stage.hook(HookOutcome::InProgress { after: 25_000 }), [WORKING]);
    assert_eq!(stage.crash(), NOTHING, "nothing is run and nobody is asked");
    assert_eq!(stage.engine.phase().word, "hook");
    assert_eq!(stage.tick(24_999), NOTHING);
    assert_eq!(stage.tick(1), ["hook user-db.Ready #1"], "the same attempt, and the same run");
    assert_eq!(stage.calls[0].run, stage.calls[1].run);
    assert_eq!(stage.hook(HookOutcome::InProgress { after: 60_000 }), NOTHING, "noted once");
    assert_eq!(stage.tick(35_000), ["write user-db.Ready Resting"], "the attempt has its end");
}

#[test]
fn what_a_hook_tells_by_itself_counts_after_a_restart_whether_its_call_was_answered_or_not() {
    for answered in [true, false] {
        let mut stage = Stage::ready(vec![upgrade()]);
        stage.up_to_hook();
        let run = stage.calls[0].run.clone();
        if answered {
            stage.hook(HookOutcome::InProgress { after: 25_000 });
        }
        let first: &[&str] = if answered { &[] } else { &["observe"] };
        assert_eq!(stage.crash(), first);
        let told = stage.tell(Input::HookReported { run, outcome: HookOutcome::Done });
        assert_eq!(told, ["write user-db.Ready Checking", "observe"], "{answered}");
        assert_eq!(stage.version("2.0.0").last().unwrap(), "say DeploymentComplete");
        assert_eq!(stage.calls.len(), 1);
    }
}

#[test]
fn a_hook_that_was_cut_short_is_run_again_where_that_is_allowed_and_it_has_not_arrived() {
    for (repeatable, version, does) in [
        (true, "1.0.0", vec!["tell repeated", "write user-db.Ready Running", "hook user-db.Ready #2"]),
        (true, "2.0.0", vec!["write user-db.Ready Checking", "observe"]),
        (false, "1.0.0", vec!["write user-db.Ready Over(Uncertain)", "say HookUncertain"]),
    ] {
        let mut stage = Stage::ready(vec![upgrade()]);
        stage.up_to_hook();
        if repeatable {
            let keys: Vec<JobKey> = stage.memory.jobs.keys().cloned().collect();
            stage.memory.repeatable.extend(keys);
        }
        assert_eq!(stage.crash(), ["observe"]);
        assert_eq!(stage.version(version), does, "{repeatable} {version}");
    }
}

#[test]
fn of_two_sidecars_of_one_name_the_one_that_announced_itself_second_leaves_it_to_the_first() {
    for twin_first in [true, false] {
        let mut stage = Stage::ready(vec![upgrade()]);
        stage.start();
        stage.schema_ready();
        stage.version("1.0.0");
        let own = stage.outbox.pop().unwrap();
        let mut twin = stage.event(
            "/pavane/shop/user-service/user-service-0",
            Some(ROLLOUT),
            Some(("user-service", "user-service-0")),
            Some("1.0.0"),
            DeploymentStarted { from: Some(Version::new("1.0.0").unwrap()), to: None },
        );
        twin.envelope.boot = Some("another-boot".to_owned());
        twin.envelope.causation.clone_from(&own.envelope.causation);
        let (first, second) = if twin_first { (twin, own) } else { (own, twin) };
        let mut lines = stage.append(first);
        lines.extend(stage.append(second));
        let does: &[&str] = if twin_first {
            &["tell twin", "write user-db.Ready Over(Yielded)"]
        } else {
            &["write user-db.Ready Running", "hook user-db.Ready #1"]
        };
        assert_eq!(lines, does);
    }
}

#[test]
fn of_two_sidecars_of_one_name_that_claim_what_runs_once_for_the_service_one_runs_it() {
    let mut stage = Stage::ready(vec![Reaction { once: true, ..upgrade() }]);
    stage.start();
    stage.schema_ready();
    stage.version("1.0.0");
    let mut twin = stage.outbox[0].clone();
    twin.envelope.boot = Some("another-boot".to_owned());
    assert_eq!(stage.append(twin), ["tell twin", "write user-db.Ready Over(Yielded)"]);
    assert_eq!(stage.deliver(), ["tell duplicate"]);
}

#[test]
fn an_announcement_of_an_earlier_life_is_no_others() {
    let mut stage = Stage::ready(vec![upgrade()]);
    stage.start();
    stage.schema_ready();
    stage.version("1.0.0");
    assert_eq!(stage.crash(), NOTHING);
    assert_eq!(stage.deliver(), ["write user-db.Ready Running", "hook user-db.Ready #1"]);
}

#[test]
fn a_second_sidecar_of_the_name_does_not_take_the_service_back_beside_the_first() {
    let mut stage = Stage::ready(vec![upgrade(), revert()]);
    stage.up_to_complete();
    let decision = i64::try_from(stage.log.len()).unwrap();
    stage.command(ROLLOUT, go_back());
    stage.sentinel(addressed(decision, Some("2.0.0"), Some("1.0.0")));
    let lines = stage.version("2.0.0");
    assert_eq!(lines.last().unwrap(), "say RollbackInitiated", "{lines:?}");
    let own = stage.outbox.pop().unwrap();
    let mut twin = own.clone();
    twin.envelope.id = EventId::new("another-boot-1").unwrap();
    twin.envelope.boot = Some("another-boot".to_owned());
    twin.body = RollbackInitiated { epoch: 1, ..RollbackInitiated::default() }.into();
    assert_eq!(stage.append(twin), NOTHING);
    assert_eq!(stage.append(own), ["tell twin", "write RollbackRequested Over(Yielded)"]);
    let late = Input::HookEnded { ticket: stage.ticket, outcome: HookOutcome::Failed(Failure::default()) };
    assert_eq!(stage.tell(late), NOTHING);
}
