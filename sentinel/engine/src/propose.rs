//! What a sentinel proposes about a rollout, if it may: asked when a record touched it, or a deadline has passed.

use std::collections::BTreeSet;

use pavane_choreography::OnStall;
use pavane_events::command::Member;
use pavane_events::control::{ProposalKind, Proposed};
use pavane_events::{Cause, Evidence, EvidenceKind, Instance, Millis, Timestamp};

use crate::fold::Fold;
use crate::heartbeats::{Heartbeats, other_version};
use crate::judge;
use crate::rollout::{Rollout, Status};
use crate::spoken::Saying;
use crate::step::Stall;
use crate::watch::Watches;

/// What a replica knows besides the log, for saying when and why.
pub(crate) struct Known<'a> {
    pub(crate) heard: &'a Heartbeats,
    pub(crate) watches: &'a Watches,
    /// The replica's own elapsed time.
    pub(crate) own: Millis,
}

/// The proposals about a rollout that would be accepted if partition time were `now`, into an empty list.
pub(crate) fn proposals(
    fold: &Fold,
    known: &Known<'_>,
    n: u64,
    rollout: &Rollout,
    now: Timestamp,
    wanted: &mut Vec<Proposed>,
) {
    if !rollout.status.is_open() || rollout.stopped.is_some() || !fold.clock.leaps().is_empty() {
        return;
    }
    for i in (0..rollout.steps.touched()).filter(|i| !is_settled(rollout, *i)) {
        about_step(fold, known, rollout, i, now, wanted);
    }
    match rollout.status {
        Status::Open => {
            if !rollout.phases.is_empty() {
                wanted.extend(breach(known, n, rollout));
                wanted.extend(phase(fold, known, n, rollout, now));
            }
            // while one decision is on its way, no other is accepted
            if rollout.steps.are_full() && rollout.pending.is_none() {
                let evidence = watched(known, n, rollout, rollout.phases.len().checked_sub(1));
                wanted.push(Proposed { evidence, ..decision(rollout, ProposalKind::RolloutCompleted) });
            }
        }
        Status::RollingBack => {
            wanted.push(decision(rollout, ProposalKind::RolloutRolledBack));
            wanted.push(decision(rollout, ProposalKind::RolloutPartial));
        }
        Status::Queued | Status::Completed | Status::RolledBack | Status::Partial | Status::Aborted => {}
    }
    wanted.retain(|proposed| judge::accepts(fold, rollout, proposed, now));
}

/// Whether nothing can be proposed about a step: its count is full, and nothing ever went another way than planned.
fn is_settled(rollout: &Rollout, i: usize) -> bool {
    let state = &rollout.steps[i];
    state.is_plain() && state.full.is_some() && rollout.plan_step(i).instances.share().is_none()
}

/// A proposal about the whole rollout, at the attempt of its next decision.
fn decision(rollout: &Rollout, kind: ProposalKind) -> Proposed {
    Proposed { kind, epoch: rollout.epoch, attempt: rollout.attempt, ..Proposed::default() }
}

/// The next phase, where it may begin and all whom it asks for a share of have been heard.
fn phase(fold: &Fold, known: &Known<'_>, n: u64, rollout: &Rollout, now: Timestamp) -> Option<Proposed> {
    let k = rollout.phase_next()?;
    let evidence = watched(known, n, rollout, k.checked_sub(1));
    if !rollout.may_begin(k, &evidence, now) {
        return None;
    }
    let cohort = cohort(fold, known, rollout, k)?;
    let phase = Some(rollout.plan_phase(k).id.clone());
    Some(Proposed { phase, cohort, evidence, ..decision(rollout, ProposalKind::PhaseBegun) })
}

/// The instances that may move in a phase: those that have moved already first, the others by name. Empty where the
/// plan asks for no share; none while nobody of a service is heard, or not everybody has had time to be.
pub(crate) fn cohort(fold: &Fold, known: &Known<'_>, rollout: &Rollout, k: usize) -> Option<Vec<Member>> {
    let Some(share) = rollout.plan_phase(k).cohort else { return Some(Vec::new()) };
    let heard = Some(known.heard).filter(|heard| heard.is_complete(known.own))?;
    let mut cohort = BTreeSet::new();
    for &i in &rollout.score.phases[k] {
        let (step, words) = (rollout.plan_step(i), &rollout.steps[i].words);
        let service = rollout.service(i);
        let alive = heard.alive(&service, step.zone.as_ref(), fold.clock.raw());
        let others = alive.iter().copied().filter(|instance| !words.contains_key(instance));
        let all: Vec<_> = words.keys().chain(others).collect();
        let wanted = share.of(u32::try_from(all.len()).unwrap_or(u32::MAX));
        if all.is_empty() {
            return None;
        }
        let member = |instance: &Instance| Member {
            service: service.clone().into_owned(),
            instance: instance.clone(),
        };
        cohort.extend(all.into_iter().take(wanted as usize).map(member));
    }
    Some(cohort.into_iter().collect())
}

/// What to quote of the metric that a phase is watched by.
fn watched(known: &Known<'_>, n: u64, rollout: &Rollout, k: Option<usize>) -> Vec<Evidence> {
    let watched = k.filter(|k| rollout.plan_phase(*k).watch.is_some());
    watched.and_then(|k| known.watches.kept(n, k, known.own)).into_iter().collect()
}

/// A phase that breaks the bound that it is watched by is told of its first step.
fn breach(known: &Known<'_>, n: u64, rollout: &Rollout) -> Option<Proposed> {
    let k = rollout.phase_open()?;
    let evidence = known.watches.broken(n, k)?;
    let (phase, cause) = (Some(rollout.plan_phase(k).id.clone()), Cause::Failed);
    let about = about(rollout, rollout.told_of(k));
    Some(Proposed { kind: ProposalKind::RolloutStalled, phase, cause, evidence: vec![evidence], ..about })
}

/// The number of instances of which a step wants a share, where its window is open and some are heard.
fn counted(fold: &Fold, heard: &Heartbeats, rollout: &Rollout, i: usize) -> Option<Proposed> {
    let (state, step) = (&rollout.steps[i], rollout.plan_step(i));
    let share = step.instances.share().filter(|_| state.counted.is_none() && state.anchor.is_some())?;
    let alive = heard.alive(&rollout.service(i), step.zone.as_ref(), fold.clock.raw());
    let all: BTreeSet<&Instance> = state.words.keys().chain(alive).collect();
    let of = u32::try_from(all.len()).unwrap_or(u32::MAX);
    let detail = format!("{share} of {of} instance(s) that are heard");
    let evidence = vec![Evidence { kind: EvidenceKind::Heartbeat, detail, ..Evidence::default() }];
    let count = Some(i64::from(share.of(of)));
    Some(Proposed { kind: ProposalKind::InstancesCounted, count, evidence, ..about(rollout, i) })
}

/// A proposal about a step, at its attempt.
fn about(rollout: &Rollout, i: usize) -> Proposed {
    let step = Some(rollout.plan_step(i).id.clone());
    Proposed { epoch: rollout.epoch, step, attempt: rollout.steps[i].attempt, ..Proposed::default() }
}

fn about_step(
    fold: &Fold,
    known: &Known<'_>,
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
    let heard = known.heard;
    if rollout.plan_step(i).instances.share().is_some() && heard.is_complete(known.own) {
        wanted.extend(counted(fold, heard, rollout, i));
    }
    match &state.stall {
        None => wanted.extend(stall(fold, heard, rollout, i, now)),
        Some(stall) if rollout.status == Status::Open => {
            let (kind, evidence) = match rollout.remedy(i) {
                OnStall::Alert => return,
                OnStall::Pause => (ProposalKind::RolloutPaused, Vec::new()),
                OnStall::Rollback => {
                    let braked = fold.brake(rollout, now).is_some();
                    let kind =
                        if braked { ProposalKind::RolloutPaused } else { ProposalKind::RollbackRequested };
                    (kind, grounds(fold, heard, rollout, i, stall))
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

/// What a rollback for a step that stands still rests on.
fn grounds(fold: &Fold, heard: &Heartbeats, rollout: &Rollout, i: usize, stall: &Stall) -> Vec<Evidence> {
    match &stall.metric {
        Some(metric) => vec![metric.clone()],
        None => heard.evidence(fold, rollout, i, stall.raw),
    }
}

/// What an instance said itself that tells a stall at once: a failure before anything else.
fn own_word(rollout: &Rollout, i: usize) -> Option<Evidence> {
    let words = &rollout.steps[i].words;
    let said = |saying| words.iter().find(|(_, word)| word.saying == saying && rollout.score.tells(saying));
    if let Some((instance, word)) = said(Saying::Failed) {
        return Some(Evidence {
            kind: EvidenceKind::Failure,
            cause: Cause::Failed,
            instance: Some(instance.clone()),
            version: word.version().cloned(),
            offset: Some(word.offset),
            detail: word.detail().to_owned(),
            ..Evidence::default()
        });
    }
    said(Saying::WrongVersion).map(|(instance, word)| other_version(rollout, i, instance, word))
}

/// The stall of a step: at once on a failure, another version or a rejection that stands, else when its deadline has passed.
fn stall(fold: &Fold, heard: &Heartbeats, rollout: &Rollout, i: usize, now: Timestamp) -> Option<Proposed> {
    let state = &rollout.steps[i];
    let awaited = rollout.status == Status::Open && state.full.is_none() && !state.overridden;
    let base = || Proposed { kind: ProposalKind::RolloutStalled, ..about(rollout, i) };
    if let Some(evidence) = own_word(rollout, i).filter(|_| awaited) {
        let (cites, instance, cause) = (evidence.offset, evidence.instance.clone(), evidence.cause);
        return Some(Proposed { cites, instance, cause, evidence: vec![evidence], ..base() });
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
    let deadline =
        rollout.deadline(i).filter(|deadline| now > deadline.plus(fold.settings.grace(rollout)))?;
    let evidence = heard.evidence(fold, rollout, i, fold.clock.unadjusted(deadline));
    let cause = rollout.cause(i, &evidence);
    Some(Proposed { deadline: Some(deadline), cause, evidence, ..base() })
}
