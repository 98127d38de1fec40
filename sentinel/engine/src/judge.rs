//! Would this proposal be accepted at this time? Asked of every proposal that is read, at partition time, and of
//! one's own before it is made, at the time that is estimated. The answer is a function of the log alone.

use std::collections::BTreeSet;

use pavane_choreography::{Bound, OnStall};
use pavane_events::control::{ProposalKind, Proposed};
use pavane_events::{Cause, Evidence, EvidenceKind, Instance, Timestamp};

use crate::fold::Fold;
use crate::phase;
use crate::rollout::{Rollout, Status};
use crate::spoken::Saying;
use crate::step::Proof;

/// Whether the log accepts this proposal about this rollout, if partition time is `now`.
pub(crate) fn accepts(fold: &Fold, rollout: &Rollout, proposed: &Proposed, now: Timestamp) -> bool {
    let awaits = rollout.status.is_open() && rollout.stopped.is_none() && fold.clock.leaps().is_empty();
    if !awaits || proposed.epoch != rollout.epoch {
        return false;
    }
    let step = proposed.step.as_ref().and_then(|id| rollout.score.place(id));
    match proposed.kind {
        ProposalKind::RolloutStalled => step.is_some_and(|i| stalls(fold, rollout, i, proposed, now)),
        ProposalKind::SequenceViolated => step.is_some_and(|i| violates(rollout, i, proposed)),
        ProposalKind::RollbackRequested => {
            let justified = |i: usize| justifies_rollback(fold, rollout, i, proposed);
            decides(rollout, proposed) && step.is_some_and(justified) && fold.brake(rollout, now).is_none()
        }
        ProposalKind::RolloutPaused => {
            let braked = |i: usize| {
                justifies_rollback(fold, rollout, i, proposed) && fold.brake(rollout, now).is_some()
            };
            let pauses = |i: usize| rollout.is_left_to_the_plan(i, OnStall::Pause) || braked(i);
            decides(rollout, proposed) && rollout.status == Status::Open && step.is_some_and(pauses)
        }
        ProposalKind::RolloutCompleted => {
            let all_met = || (0..rollout.steps.len()).all(|i| rollout.met(i, now));
            let complete = || all_met() && rollout.phases_complete(&proposed.evidence, now);
            decides(rollout, proposed) && rollout.status == Status::Open && complete()
        }
        ProposalKind::RolloutRolledBack => {
            decides(rollout, proposed) && rollout.status == Status::RollingBack && rollout.is_back()
        }
        ProposalKind::RolloutPartial => {
            decides(rollout, proposed)
                && rollout.status == Status::RollingBack
                && rollout.is_partly_back(fold.settings.grace(rollout), now)
        }
        ProposalKind::PhaseBegun => {
            let phase = proposed.phase.as_ref().and_then(|id| rollout.score.phase(id));
            let begins = |k: usize| rollout.may_begin(k, &proposed.evidence, now);
            decides(rollout, proposed) && rollout.status == Status::Open && phase.is_some_and(begins)
        }
        ProposalKind::InstancesCounted => step.is_some_and(|i| counts(rollout, i, proposed)),
        ProposalKind::ClockStepped | ProposalKind::Unknown => false,
    }
}

/// A decision on the whole rollout: of the next attempt, and none is on its way.
fn decides(rollout: &Rollout, proposed: &Proposed) -> bool {
    proposed.attempt == rollout.attempt && rollout.pending.is_none()
}

/// A step stalls once per attempt: past deadline and grace, or on a cited record that still stands.
fn stalls(fold: &Fold, rollout: &Rollout, i: usize, proposed: &Proposed, now: Timestamp) -> bool {
    let state = &rollout.steps[i];
    if state.stall.is_some() || proposed.attempt != state.attempt {
        return false;
    }
    if let Some(id) = &proposed.phase {
        let phase = rollout.score.phase(id).filter(|k| rollout.told_of(*k) == i);
        return phase.is_some_and(|k| breaks(rollout, k, proposed, now));
    }
    let Some(cites) = proposed.cites else {
        return rollout.deadline(i).is_some_and(|deadline| now > deadline.plus(fold.settings.grace(rollout)));
    };
    let awaited = rollout.status == Status::Open && state.full.is_none() && !state.overridden;
    let mut words = state.words.values();
    let spoken = words.any(|word| word.offset == cites && rollout.score.tells(word.saying));
    let rejected = state.rejection.as_ref().is_some_and(|rejection| rejection.offset == cites);
    awaited && (spoken || rejected)
}

/// A phase that is watched breaks its bound when a value is quoted that does.
fn breaks(rollout: &Rollout, k: usize, proposed: &Proposed, now: Timestamp) -> bool {
    let watch = rollout.plan_phase(k).watch.as_ref();
    let breaks = |bound: &Bound| phase::quoted(&proposed.evidence, |value| !bound.holds(value));
    rollout.status == Status::Open
        && rollout.is_watched(k, now)
        && watch.is_some_and(|watch| breaks(&watch.bound))
}

/// A share of the instances is counted once, when its step has opened.
fn counts(rollout: &Rollout, i: usize, proposed: &Proposed) -> bool {
    let state = &rollout.steps[i];
    rollout.status == Status::Open
        && rollout.plan_step(i).instances.share().is_some()
        && state.anchor.is_some()
        && state.counted.is_none()
        && proposed.attempt == state.attempt
        && proposed.count.is_some_and(|count| u32::try_from(count).is_ok_and(|count| count > 0))
}

fn violates(rollout: &Rollout, i: usize, proposed: &Proposed) -> bool {
    let violation = rollout.steps[i].violation.as_ref();
    rollout.status == Status::Open
        && violation.is_some_and(|seen| !seen.accepted && Some(seen.offset) == proposed.cites)
}

/// A rollback is only asked for by itself on strong evidence from every instance that owes the event.
fn justifies_rollback(fold: &Fold, rollout: &Rollout, i: usize, proposed: &Proposed) -> bool {
    let state = &rollout.steps[i];
    let Some(stall) = &state.stall else { return false };
    let is_strong = |seen: &Evidence| match seen.kind {
        EvidenceKind::Metric => stall.proof == Proof::Breach,
        EvidenceKind::Heartbeat
        | EvidenceKind::Failure
        | EvidenceKind::Silence
        | EvidenceKind::Rejection
        | EvidenceKind::DeadLetter
        | EvidenceKind::Early
        | EvidenceKind::Unknown => is_strong(seen, fold, rollout, i),
    };
    rollout.status == Status::Open
        && rollout.is_left_to_the_plan(i, OnStall::Rollback)
        && stall.cause != Cause::ContractBroken
        && !(stall.proof == Proof::Cited && stall.cause == Cause::Conflict)
        && !state.is_contradicted()
        && state.taint.is_none()
        && state.rejection.is_none()
        && !proposed.evidence.is_empty()
        && proposed.evidence.iter().all(is_strong)
        && (stall.proof == Proof::Breach || covers(rollout, i, &proposed.evidence))
}

/// Whether the evidence is about every instance that owes the event: those that spoke and did not say it, and as many
/// others as the step still wants.
fn covers(rollout: &Rollout, i: usize, evidence: &[Evidence]) -> bool {
    let words = &rollout.steps[i].words;
    let seen: BTreeSet<&Instance> = evidence.iter().filter_map(|seen| seen.instance.as_ref()).collect();
    let has_come = |by: &Instance| words.get(by).is_some_and(|word| word.saying == Saying::Awaited);
    let came = words.keys().filter(|by| has_come(by)).count();
    let owing = seen.iter().filter(|by| !has_come(by)).count();
    let enough = rollout.wanted(i).is_some_and(|wanted| came + owing >= wanted as usize);
    enough && words.keys().all(|by| has_come(by) || seen.contains(by))
}

/// An explicit failure, or a heartbeat after the stall that says: alive, nothing on its way, not done. Of one instance:
/// where two speak under a name, nobody can know which of them it is of.
fn is_strong(seen: &Evidence, fold: &Fold, rollout: &Rollout, i: usize) -> bool {
    let (state, Some(instance)) = (&rollout.steps[i], &seen.instance) else { return false };
    if fold.sequence(&rollout.service(i), instance).is_some_and(|sequence| sequence.forked) {
        return false;
    }
    match seen.kind {
        EvidenceKind::Failure => state.words.get(instance).is_some_and(|word| word.saying == Saying::Failed),
        EvidenceKind::Heartbeat => {
            let raw = state.stall.as_ref().map(|stall| stall.raw);
            let after = seen.at.zip(raw).is_some_and(|(at, raw)| at > raw);
            seen.cause.allows_rollback() && seen.outbox == 0 && after
        }
        EvidenceKind::Metric
        | EvidenceKind::Silence
        | EvidenceKind::Rejection
        | EvidenceKind::DeadLetter
        | EvidenceKind::Early
        | EvidenceKind::Unknown => false,
    }
}
