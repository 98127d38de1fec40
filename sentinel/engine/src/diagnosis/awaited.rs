//! One thing that is awaited: from whom, since when, by when, and what is known of those who owe it.

use pavane_events::{Cause, Timestamp};

use super::{Awaited, Facts, chain, instances, seen, words};
use crate::rollout::Status;
use crate::view::{RolloutView, StepStatus};

/// What is awaited of a step.
pub(super) fn of(facts: &Facts<'_>, view: &RolloutView, i: usize) -> Awaited {
    let step = &view.steps[i];
    let stall = facts.chronicle.stall(&step.id);
    // what has ended awaits nothing any more: the verdict says what was missing then
    let past = super::is_over(view.status);
    let then = stall.filter(|_| past);
    let cause = step.cause.or(then.map(|stall| stall.cause)).or_else(|| judged(view, i).filter(|_| past));
    let deadline = step.deadline.or(then.and_then(|stall| stall.deadline));
    let instances = instances::of(facts, view, step);
    let owing = instances.iter().filter(|instance| instance.owes);
    let culprit = culprit(facts, view, i, cause);
    let lacking: Vec<String> = owing.map(|instance| instance.instance.clone()).collect();
    let quoted = stall.filter(|_| cause.is_some()).into_iter().flat_map(|stall| &stall.evidence);
    let quoted = quoted.filter_map(|seen| seen.instance.as_ref().map(ToString::to_string)).collect();
    let last = facts.chronicle.last_of(&step.service);
    let goes_back = matches!(step.state, StepStatus::NotBack | StepStatus::GoingBack | StepStatus::Stalled);
    let back = view.status == Status::RollingBack || view.status == Status::Partial && goes_back;
    let then = then.or(stall.filter(|_| step.cause.is_some()));
    let event = step.missing.clone().or_else(|| then.map(|stall| stall.missing.clone()).filter(|_| !back));
    let whole = if back { step.expects_back.clone() } else { step.expects.clone() };
    let returned = step.instances.iter().filter(|instance| instance.said == "back").count();
    let moved = u32::try_from(step.instances.len()).unwrap_or(u32::MAX);
    Awaited {
        step: step.id.clone(),
        state: step.state,
        event: event.unwrap_or(whole),
        version: step.version.clone().filter(|_| !back),
        have: if back { returned } else { step.have },
        want: if back { Some(moved) } else { step.want },
        instances_wanted: step.instances_wanted.clone(),
        lacking: if lacking.is_empty() { quoted } else { lacking },
        service: step.service.clone(),
        owner: step.owner.clone(),
        severity: step.severity,
        zone: step.zone.clone(),
        since: then.and_then(|stall| stall.since).or(step.since),
        deadline,
        left_ms: left(view, i),
        overdue_ms: overdue(view, step.state, deadline, facts.now),
        attempt: step.attempt,
        cause,
        meaning: cause.map(words::meaning),
        page: cause.map(words::page),
        culprit_owner: culprit.as_deref().and_then(|culprit| owner(facts, view, culprit)),
        culprit,
        last_is_of_this_rollout: last.is_some(),
        last: last.or_else(|| facts.chronicle.last_elsewhere(&step.service)).cloned(),
        progress: facts.chronicle.progress_of(&step.service).cloned().collect(),
        evidence: seen::of(facts, step, &instances),
        waiting: chain::waiting(view, i),
        instances,
    }
}

/// The team that owns a service, by the plan of this rollout or, where it takes no part, of any other.
fn owner(facts: &Facts<'_>, view: &RolloutView, service: &str) -> Option<String> {
    let mut all = view.steps.iter().chain(facts.view.rollouts.iter().flat_map(|other| &other.steps));
    all.find(|step| step.service == service).map(|step| step.owner.clone())
}

/// The cause that the verdicts name for a step, the newest.
fn judged(view: &RolloutView, i: usize) -> Option<Cause> {
    let of_step = |verdict: &&crate::VerdictView| verdict.step.as_deref() == Some(&view.steps[i].id);
    let named = view.verdicts.iter().rev().filter(of_step).find_map(|verdict| verdict.cause.clone())?;
    Cause::ALL.into_iter().find(|cause| cause.as_str() == named)
}

/// What is left of the window of a step whose clock stands still.
fn left(view: &RolloutView, i: usize) -> Option<i64> {
    let (step, stopped) = (&view.steps[i], view.stopped_at?);
    let from = step.since.map_or(stopped, |since| since.max(stopped));
    step.deadline.map(|deadline| deadline.since(from)).filter(|left| *left >= 0)
}

/// How long a step is over its window. A clock that stands still is read where it stopped.
fn overdue(
    view: &RolloutView,
    state: StepStatus,
    deadline: Option<Timestamp>,
    now: Timestamp,
) -> Option<i64> {
    if !view.status.is_open() || state == StepStatus::Holding {
        return None;
    }
    let now = view.stopped_at.unwrap_or(now);
    deadline.map(|deadline| now.since(deadline)).filter(|over| *over > 0)
}

/// Whose doing it is, where that is not who owes the event: a service whose event those who wait cannot read.
fn culprit(facts: &Facts<'_>, view: &RolloutView, i: usize, cause: Option<Cause>) -> Option<String> {
    let step = &view.steps[i];
    if cause != Some(Cause::ContractBroken) {
        return None;
    }
    let rejection = |offset: &i64| {
        let exhibits = facts.chronicle.exhibits();
        let mut own = exhibits.filter(|exhibit| exhibit.seen.offset == Some(*offset));
        own.find_map(|exhibit| exhibit.about.as_ref())
    };
    let producer = step.tainted_by.iter().find_map(rejection)?;
    (producer.as_str() != step.service).then(|| producer.to_string())
}
