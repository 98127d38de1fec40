//! What a sentinel proposes about a rollout, if it may: asked when a record touched it, or a deadline has passed.

use pavane_choreography::OnStall;
use pavane_events::control::{ProposalKind, Proposed};
use pavane_events::{Cause, Evidence, EvidenceKind, Timestamp};

use crate::fold::Fold;
use crate::heartbeats::Heartbeats;
use crate::judge;
use crate::rollout::{Rollout, Saying, Status};

/// The proposals about a rollout that would be accepted if partition time were `now`.
pub(crate) fn proposals(fold: &Fold, heard: &Heartbeats, rollout: &Rollout, now: Timestamp) -> Vec<Proposed> {
    if !rollout.status.is_open() || rollout.stopped.is_some() || !fold.clock.leaps().is_empty() {
        return Vec::new();
    }
    let mut wanted = Vec::new();
    for i in 0..rollout.steps.len() {
        about_step(fold, heard, rollout, i, now, &mut wanted);
    }
    let decision =
        |kind| Proposed { kind, epoch: rollout.epoch, attempt: rollout.attempt, ..Proposed::default() };
    match rollout.status {
        Status::Open if rollout.steps.iter().all(|state| state.full.is_some()) => {
            wanted.push(decision(ProposalKind::RolloutCompleted));
        }
        Status::RollingBack => {
            wanted.push(decision(ProposalKind::RolloutRolledBack));
            wanted.push(decision(ProposalKind::RolloutPartial));
        }
        Status::Open | Status::Completed | Status::RolledBack | Status::Partial | Status::Aborted => {}
    }
    wanted.retain(|proposed| judge::accepts(&fold.clock, rollout, proposed, now));
    wanted
}

/// A proposal about a step, at its attempt.
fn about(rollout: &Rollout, i: usize) -> Proposed {
    let step = Some(rollout.plan_step(i).id.clone());
    Proposed { epoch: rollout.epoch, step, attempt: rollout.steps[i].attempt, ..Proposed::default() }
}

fn about_step(
    fold: &Fold,
    heard: &Heartbeats,
    rollout: &Rollout,
    i: usize,
    now: Timestamp,
    wanted: &mut Vec<Proposed>,
) {
    let state = &rollout.steps[i];
    if let Some(violation) = state.violation.as_ref().filter(|violation| !violation.accepted) {
        wanted.push(Proposed {
            kind: ProposalKind::SequenceViolated,
            cites: Some(violation.offset),
            instance: Some(violation.instance.clone()),
            cause: Cause::OutOfOrder,
            ..about(rollout, i)
        });
    }
    match &state.stall {
        None => wanted.extend(stall(fold, heard, rollout, i, now)),
        Some(stall) if rollout.status == Status::Open => {
            let (kind, evidence) = match rollout.plan_step(i).on_stall {
                OnStall::Alert => return,
                OnStall::Pause => (ProposalKind::RolloutPaused, Vec::new()),
                OnStall::Rollback => {
                    (ProposalKind::RollbackRequested, heard.evidence(fold, rollout, i, stall.raw))
                }
            };
            wanted.push(Proposed {
                kind,
                attempt: rollout.attempt,
                cause: stall.cause,
                evidence,
                ..about(rollout, i)
            });
        }
        Some(_) => {}
    }
}

/// The stall of a step: at once on a failure or a rejection that stands, else when its deadline has passed.
fn stall(fold: &Fold, heard: &Heartbeats, rollout: &Rollout, i: usize, now: Timestamp) -> Option<Proposed> {
    let state = &rollout.steps[i];
    let awaited = rollout.status == Status::Open && state.full.is_none() && !state.overridden;
    let base = || Proposed { kind: ProposalKind::RolloutStalled, ..about(rollout, i) };
    if let Some((instance, word)) = state.words.iter().find(|(_, word)| word.saying == Saying::Failed)
        && awaited
    {
        let evidence = Evidence {
            kind: EvidenceKind::Failure,
            cause: Cause::Failed,
            instance: Some(instance.clone()),
            version: word.version.clone(),
            offset: Some(word.offset),
            detail: word.detail.clone(),
            ..Evidence::default()
        };
        let (cites, instance) = (Some(word.offset), Some(instance.clone()));
        return Some(Proposed { cites, instance, cause: Cause::Failed, evidence: vec![evidence], ..base() });
    }
    if let Some(rejection) = state.rejection.as_ref().filter(|_| awaited) {
        let evidence = Evidence {
            kind: EvidenceKind::Rejection,
            cause: Cause::ContractBroken,
            instance: rejection.instance.clone(),
            offset: Some(rejection.offset),
            detail: rejection.detail.clone(),
            ..Evidence::default()
        };
        let (cites, instance) = (Some(rejection.offset), rejection.instance.clone());
        return Some(Proposed {
            cites,
            instance,
            cause: Cause::ContractBroken,
            evidence: vec![evidence],
            ..base()
        });
    }
    let deadline = rollout.deadline(i).filter(|deadline| now > deadline.plus(fold.clock.grace))?;
    let evidence = heard.evidence(fold, rollout, i, fold.clock.unadjusted(deadline));
    let cause = rollout.cause(i, &evidence);
    Some(Proposed { deadline: Some(deadline), cause, evidence, ..base() })
}
