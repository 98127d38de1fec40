//! What a sidecar makes of what it finds after a restart.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod stage;

use pavane_sidecar_engine::input::Failure;
use pavane_sidecar_engine::{HookOutcome, Reaction};
use stage::*;

const NOTHING: [&str; 0] = [];

#[test]
fn a_hook_that_was_cut_short_is_never_run_again() {
    for (version, lines) in [
        ("2.0.0", ["write user-db.Ready Checking", "observe"]),
        ("1.0.0", ["write user-db.Ready Over(Uncertain)", "say HookUncertain"]),
    ] {
        let mut stage = Stage::ready(vec![upgrade()]);
        stage.up_to_hook();
        assert_eq!(stage.crash(), ["observe"]);
        assert_eq!(stage.version(version), lines);
        assert_eq!(stage.calls.len(), 1);
    }
}

#[test]
fn a_restart_before_the_hook_goes_on_where_it_was() {
    let mut stage = Stage::ready(vec![upgrade()]);
    stage.start();
    stage.schema_ready();
    stage.version("1.0.0");
    assert_eq!(stage.crash(), NOTHING, "the announcement is in the outbox still");
    assert_eq!(stage.deliver(), ["write user-db.Ready Running", "hook user-db.Ready #1"]);
}

#[test]
fn a_restart_between_two_attempts_tries_again() {
    let mut stage = Stage::ready(vec![upgrade()]);
    stage.up_to_hook();
    stage.hook(HookOutcome::Retry(Failure::default()));
    assert_eq!(stage.crash(), ["write user-db.Ready Running", "hook user-db.Ready #2"]);
    assert!(stage.calls[1].trigger.is_some(), "the hook is told what it reacts to");
}

#[test]
fn a_restart_after_the_hook_looks_at_the_service_again() {
    let mut stage = Stage::ready(vec![Reaction { ready: Some(readiness()), ..upgrade() }]);
    stage.up_to_hook();
    stage.hook(HookOutcome::Done);
    assert_eq!(stage.crash(), ["probe user-db.Ready"]);
}

#[test]
fn a_lost_journal_does_not_run_a_hook_again_that_the_log_knows_of() {
    let mut stage = Stage::ready(vec![upgrade()]);
    stage.up_to_hook();
    assert_eq!(stage.crash_and_lose_the_journal(), ["observe"]);
    assert_eq!(stage.version("1.0.0"), ["write user-db.Ready Over(Uncertain)", "say HookUncertain"]);

    let mut stage = Stage::ready(vec![upgrade()]);
    stage.up_to_complete();
    assert_eq!(stage.crash_and_lose_the_journal(), NOTHING);
}

#[test]
fn a_new_instance_that_runs_the_new_version_already_joins() {
    let mut stage = Stage::new(vec![upgrade()]);
    stage.start();
    stage.schema_ready();
    assert_eq!(stage.catch_up(), ["observe"]);
    assert_eq!(stage.version("2.0.0"), ["write user-db.Ready Checking", "observe"]);
    assert_eq!(stage.version("2.0.0"), ["write user-db.Ready Over(Succeeded)", "say DeploymentComplete"]);
}
