//! Scenarios and their transcripts: what a person reads, held byte by byte.
//!
//! `UPDATE_GOLDEN=1` writes the transcripts anew; read the difference before it is committed.

#![expect(clippy::disallowed_methods, reason = "the scenarios and their transcripts are files")]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use pavane_rehearsal::{Piece, Script, Sidecars, Stage, judge, scenario, transcript};

const SEED: u64 = 1;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios")
}

fn read(name: &str) -> String {
    std::fs::read_to_string(folder().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn piece(name: &str) -> Result<Arc<Piece>, String> {
    let plan = pavane_choreography::read(&read(name), name).map_err(|defects| format!("{defects:#?}"))?;
    Ok(Arc::new(Piece::new(plan)))
}

fn script(name: &str) -> Script {
    let script = scenario::read(&read(name), name, &mut |plan| piece(plan));
    script.unwrap_or_else(|defects| panic!("{defects:#?}"))
}

fn holds(name: &str) {
    let stage = Stage::new(script(&format!("{name}.yaml")), &Sidecars::new());
    let performance = stage.play(SEED);
    let judgements = judge(stage.script(), &performance);
    let found = transcript::text(stage.script(), &performance, &judgements);
    let path = folder().join(format!("{name}.txt"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &found).expect("the folder is ours");
    }
    assert!(judgements.iter().all(|judgement| judgement.holds), "{found}");
    let wanted = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == wanted, "{name} reads otherwise:\n{found}");
    let again = stage.play(SEED);
    let again = transcript::text(stage.script(), &again, &judge(stage.script(), &again));
    assert_eq!(found, again, "the same seed is the same transcript");
}

#[test]
fn a_service_that_does_not_start_takes_the_others_back() {
    holds("does-not-start");
}

#[test]
fn an_event_that_nobody_can_read_is_told_at_once_and_rolls_nothing_back() {
    holds("schema-v2");
}

#[test]
fn while_the_registry_is_away_the_sentinel_says_that_it_is_blind_and_judges_nothing() {
    holds("registry-away");
}

#[test]
fn a_bug_that_is_found_later_takes_a_completed_rollout_back() {
    holds("bug-found-later");
}

#[test]
fn a_dependant_that_goes_away_is_told_and_a_person_decides() {
    holds("downstream-away");
}

#[test]
fn a_phase_waits_for_its_approval_and_a_rejection_is_not_the_last_word() {
    holds("approved-late");
}

#[test]
fn a_breach_takes_the_canary_back_before_the_others_move() {
    holds("canary-breach");
}

#[test]
fn a_rollout_that_queues_begins_when_the_one_before_has_ended() {
    holds("second-in-line");
}

#[test]
fn a_share_of_the_instances_is_enough_where_the_plan_says_so() {
    holds("three-quarters");
}

#[test]
fn no_deadline_is_later_than_the_end_of_the_hours() {
    holds("hours-end");
}

#[test]
fn an_event_starts_the_rollout_that_waits_for_it() {
    holds("triggered");
}

#[test]
fn as_many_move_at_a_time_as_the_plan_allows() {
    holds("in-twos");
}

#[test]
fn a_rollback_waits_for_a_hook_that_must_not_be_cut_off() {
    holds("to-the-end");
}
