//! From a line to a rollout of its plan.

use std::sync::Arc;

use pavane_events::EventType;

use crate::phase::PhaseState;
use crate::rollout::{Pending, Rollout};
use crate::score::Score;
use crate::snapshot::written;
use crate::spoken::{More, Word};
use crate::step::{Rejection, Stall, StepState, Taint, Violation};
use crate::view::{Deed, Verdict};

use super::{Defect, event_type, placed};

/// The rollout of a line. What few rollouts have is only touched where it is written, so it takes no room elsewhere.
pub(super) fn of(written: written::Rollout, score: &Arc<Score>) -> Result<Rollout, Defect> {
    score.bind(&written.id)?;
    let (steps, phases) = (score.plan.steps.len(), score.phases.len());
    let started = written.started.into();
    let mut rollout =
        Rollout::new(written.id, Arc::clone(score), written.begun_by, started, written.started_raw);
    rollout.status = written.status;
    rollout.epoch = written.epoch.get();
    rollout.attempt = written.attempt.get();
    for (i, step) in written.steps.into_iter().enumerate() {
        self::step(&mut rollout.steps[placed(i, steps, "step")?], step);
    }
    for (k, phase) in written.phases.into_iter().enumerate() {
        rollout.phases[placed(k, phases, "phase")?] = self::phase(phase);
    }
    if written.paused {
        rollout.paused = true;
    }
    if let Some(stopped) = written.stopped {
        rollout.stopped = Some(stopped.into());
    }
    if let Some(closes) = written.closes {
        rollout.closes = Some(closes);
    }
    if let Some(pending) = written.pending {
        rollout.pending = Some(self::pending(pending, steps)?);
    }
    if let Some(ended) = written.ended {
        rollout.ended = Some(ended);
    }
    if let Some(decision) = written.decision {
        rollout.decision = Some(decision.get());
    }
    for verdict in written.verdicts {
        let verdict = self::verdict(&verdict, steps, phases)?;
        rollout.note(verdict);
    }
    Ok(rollout)
}

fn phase(written: written::Phase) -> PhaseState {
    let written::Phase { begun, rejected, approved, missing, unheard } = written;
    PhaseState { begun: begun.map(Into::into), attempt: rejected.get() + 1, approved, missing, unheard }
}

fn pending(written: written::Pending, steps: usize) -> Result<Pending, Defect> {
    let written::Pending { event, accepted, step, id } = written;
    let step = step.map(|i| placed(i, steps, "step")).transpose()?;
    Ok(Pending { event: event_type(&event)?, accepted: accepted.get(), step, id })
}

fn verdict(written: &written::Verdict, steps: usize, phases: usize) -> Result<Verdict, Defect> {
    /// What is told of a step that stands still on its way back, and is no event of its own.
    const NO_EVENT: &str = "RollbackStalled";
    let written::Verdict { kind, step, gate, cause, offset } = written;
    let kind = EventType::from_short(kind).map(EventType::as_str).or((kind == NO_EVENT).then_some(NO_EVENT));
    let kind = kind.ok_or_else(|| format!("this program knows no verdict {}", written.kind))?;
    let deed = match (step, gate) {
        (Some(i), _) => Deed::Step(placed(*i, steps, "step")?),
        (None, Some(k)) => Deed::Gate(placed(*k, phases, "phase")?),
        (None, None) => Deed::Rollout,
    };
    Ok(Verdict { kind, deed, cause: *cause, offset: offset.get() })
}

fn step(state: &mut StepState, written: written::Step) {
    for word in written.words {
        let written::Word { by, said, offset, moved, version, from, detail, exit, boot, sequence } = word;
        let more = More { version, from, detail, exit, boot, sequence }.kept();
        state.words.insert(by, Word { saying: said, moved, offset: offset.get(), more });
    }
    state.anchor = written.anchor.map(Into::into);
    state.full = written.full.map(Into::into);
    state.attempt = written.attempts.get() + 1;
    if written.overridden {
        state.overridden = true;
    }
    if let Some(by) = written.overridden_by {
        state.overridden_by = Some(by);
    }
    if let Some(written::Stall { proof, cause, raw, missing, in_hand, metric }) = written.stall {
        state.stall = Some(Stall { proof, cause, raw, missing, in_hand, metric });
    }
    if let Some(written) = written.rejection {
        let written::Rejection { offset, unread, instance, producer, schema_id, field, detail } = written;
        let (offset, unread) = (offset.get(), unread.map(written::Number::get));
        state.rejection = Some(Rejection { offset, unread, instance, producer, schema_id, field, detail });
    }
    if let Some((offset, why)) = written.taint {
        let (schema_id, field) = (written.taint_schema, written.taint_field);
        state.taint = Some(Taint { offset: offset.get(), why, schema_id, field });
    }
    if let Some(written::Violation { offset, instance, missing, accepted }) = written.violation {
        state.violation = Some(Violation { offset: offset.get(), instance, missing, accepted });
    }
    if let Some(turn) = written.turn {
        state.turn = Some(turn.into());
    }
    if written.turns.get() != 0 {
        state.turns = written.turns.get();
    }
    if !written.answers.is_empty() {
        state.answers = written.answers;
    }
    if written.goes_back {
        state.goes_back = true;
    }
    if let Some(counted) = written.counted {
        state.counted = Some(counted);
    }
    if !written.members.is_empty() {
        state.members = written.members;
    }
}
