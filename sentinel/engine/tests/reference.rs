//! Two implementations of the rules, one that is quick and one that is plain, hold the same after every record of random
//! histories, leaps of the clock included: what is accepted where, where rollouts and steps stand, and the verdicts.
//!
//! `PAVANE_SEEDS=N` runs that many seeds; a failure names its seed and shows the records before it.

mod floor;
mod history;
#[expect(clippy::wildcard_enum_match_arm, reason = "the model says what counts, and all else does not")]
mod model;

use history::reading::Reading;
use history::{History, drawn};
use model::Model;
use pavane_sentinel_engine::{Engine, PhaseStatus, RolloutView};

#[test]
#[expect(clippy::disallowed_macros, reason = "whoever asks for more is told how much it was")]
fn a_plain_reading_of_the_rules_agrees_on_every_record() {
    let mut records = 0;
    for history in drawn() {
        agree(history);
        records += history.entries.len();
    }
    eprintln!("agreed on {records} records of {} histories", drawn().len());
}

fn agree(history: &History) {
    let (mut reading, mut model) = (Reading::new("reader"), Model::default());
    for entry in &history.entries {
        let at = entry.offset();
        let (engine, plain) = (reading.read(0, entry), model.read(entry));
        let what = || format!("{} at {at}\n{}\n", history.name(), history.around(at, 250));
        assert_eq!(engine, plain, "{}accepted by the engine, and by the model", what());
        let (engine, plain) = (lines(&reading.engine), model.lines());
        let differ = engine.iter().zip(&plain).find(|(engine, plain)| engine != plain);
        assert!(
            differ.is_none() && engine.len() == plain.len(),
            "{}the engine, the model: {differ:#?}",
            what()
        );
    }
}

/// What the engine shows, a line for each thing, as the model writes it.
fn lines(engine: &Engine) -> Vec<String> {
    engine.view().rollouts.iter().rev().flat_map(rollout).collect()
}

fn rollout(view: &RolloutView) -> Vec<String> {
    let id = &view.id;
    let (status, stopped, deciding) = (view.status, view.paused, view.deciding);
    let mut lines =
        vec![format!("{id} {status:?} stopped {stopped} epoch {} deciding {deciding:?}", view.epoch)];
    for step in &view.steps {
        let cause = step.cause.map_or("-", |cause| cause.as_str());
        lines.push(format!(
            "{id} {} {:?} {}/{:?} attempt {} until {:?} {cause}",
            step.id,
            step.state,
            step.have,
            step.want,
            step.attempt,
            step.deadline.map(|at| at.0),
        ));
    }
    for phase in &view.phases {
        let shut = [PhaseStatus::Waiting, PhaseStatus::AwaitingApproval, PhaseStatus::Ready];
        let (begun, approved) = (!shut.contains(&phase.state), phase.approved.is_some());
        lines.push(format!("{id} {} {begun} {approved} attempt {}", phase.id, phase.attempt));
    }
    for verdict in &view.verdicts {
        let (step, cause) = (verdict.step.as_deref().unwrap_or("-"), verdict.cause.as_deref().unwrap_or("-"));
        lines.push(format!("{id} {} {step} {cause} {}", verdict.kind, verdict.offset));
    }
    lines
}
