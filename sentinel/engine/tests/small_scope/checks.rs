//! What must be true of every log, and of what follows from it when nobody else says anything.

use std::collections::{BTreeMap, BTreeSet};

use pavane_events::control::ProposalKind;
use pavane_events::{Body, Entry, EventType, Evidence, Timestamp};
use pavane_sentinel_engine::{Counter, Draft, Effect, RolloutView, Status, StepStatus};

/// A record, and what stood before and stands after it.
pub(crate) struct Step<'a> {
    pub(crate) entry: &'a Entry,
    pub(crate) before: &'a RolloutView,
    pub(crate) after: &'a RolloutView,
    pub(crate) effects: &'a [Effect],
    /// Partition time.
    pub(crate) now: Timestamp,
}

/// Holds a record against what must be true of it. What it makes accepted, if anything; what is wrong otherwise.
pub(crate) fn hold(
    step: &Step<'_>,
    accepted: &BTreeSet<String>,
    reached: &mut BTreeMap<String, usize>,
) -> Result<Option<String>, String> {
    let new = accepts(step, accepted)?;
    let (before, after) = (step.before, step.after);
    let unmet = after.steps.iter().any(|step| step.want.is_some_and(|want| step.have < want as usize));
    let overridden = after.steps.iter().any(|step| step.state == StepStatus::Overridden);
    if before.status == Status::Open && after.status == Status::Completed && unmet && !overridden {
        return Err("it completes unmet".to_owned());
    }
    let revived = after.status == Status::RollingBack && before.status == Status::Completed;
    if !before.status.is_open() && before.status != after.status && !revived {
        return Err("an end is no end".to_owned());
    }
    if !before.status.is_open() && !revived && before.verdicts != after.verdicts {
        return Err("it is judged after its end".to_owned());
    }
    if by_sentinel_alone(step.entry) == Some(EventType::RolloutPaused) && !before.paused && after.paused {
        let said = |name: &str| after.verdicts.iter().filter(|verdict| verdict.kind == name).count();
        if after.verdicts.len() == before.verdicts.len() || said("RolloutPaused") == 0 {
            return Err("it is paused by what was not decided".to_owned());
        }
    }
    let counted = |what: fn(&Counter) -> bool| {
        step.effects.iter().any(|effect| matches!(effect, Effect::Count(counter) if what(counter)))
    };
    let stalled = after.steps.iter().any(|step| step.state == StepStatus::Stalled);
    let told = [
        ("void", counted(|counter| matches!(counter, Counter::ProposalVoid(_)))),
        ("withdrawn", counted(|counter| matches!(counter, Counter::Withdrawn(_)))),
        ("again", counted(|counter| matches!(counter, Counter::Duplicate))),
        ("stalled", stalled),
        ("paused", after.paused),
        ("leap", new.as_ref().is_some_and(|new| new.starts_with("ClockStepped"))),
    ];
    for (what, _) in told.into_iter().filter(|(_, is)| *is) {
        *reached.entry(what.to_owned()).or_default() += 1;
    }
    *reached.entry(format!("{:?}", after.status)).or_default() += 1;
    Ok(new)
}

/// What the record makes accepted. Once, while clocks run, above its deadline, and not above its event.
fn accepts(step: &Step<'_>, accepted: &BTreeSet<String>) -> Result<Option<String>, String> {
    let kind = step.effects.iter().find_map(|effect| {
        if let Effect::Count(Counter::ProposalAccepted(kind)) = effect { Some(*kind) } else { None }
    });
    let (Some(kind), Entry::Event(record)) = (kind, step.entry) else { return Ok(None) };
    let Body::Proposed(said) = &record.event.body else { return Err(format!("{kind} is accepted unasked")) };
    let what = match said.leap {
        Some(leap) => format!("{kind} {leap}"),
        None => format!("{kind} {} {:?} {}", said.epoch, said.step, said.attempt),
    };
    if accepted.contains(&what) {
        return Err(format!("{what} is accepted again"));
    }
    if step.before.paused && kind != "ClockStepped" {
        return Err(format!("{what} is accepted while the clocks stand still"));
    }
    let about =
        step.before.steps.iter().find(|step| said.step.as_ref().is_some_and(|id| *id.as_str() == *step.id));
    if let Some(about) = about.filter(|_| kind == "RolloutStalled") {
        let open = step.before.status == Status::Open;
        if open && about.want.is_some_and(|want| about.have >= want as usize) {
            return Err(format!("{what} stands above its event"));
        }
        if said.cites.is_none() && about.deadline.is_none_or(|until| step.now <= until.plus(250)) {
            return Err(format!("{what} stands before its time"));
        }
    }
    Ok(Some(what))
}

/// What was missed, where nobody says anything any more and time has gone by.
pub(crate) fn missed(view: &RolloutView) -> Option<String> {
    if view.paused {
        return None;
    }
    if let Some(at) = view.deciding {
        return Some(format!("what was accepted at {at} was never said"));
    }
    let awaited =
        |state: StepStatus| matches!(state, StepStatus::Open | StepStatus::Running | StepStatus::Holding);
    match view.status {
        Status::RollingBack => Some("it never came to the end of its way back".to_owned()),
        Status::Open => {
            let missed = view.steps.iter().find(|step| awaited(step.state));
            let stalled = view.steps.iter().any(|step| step.state == StepStatus::Stalled);
            let missed = missed.map(|step| format!("the stall of {} was missed", step.id));
            missed.or_else(|| (!stalled).then(|| "it is met and was never completed".to_owned()))
        }
        Status::Queued | Status::Completed | Status::RolledBack | Status::Partial | Status::Aborted => None,
    }
}

/// Whether a record has an identity of its own wherever it stands, so that it counts once.
pub(crate) fn counts_once(entry: &Entry) -> bool {
    let Entry::Event(record) = entry else { return false };
    !matches!(record.event.body, Body::Proposed(_) | Body::Pulse(_))
}

/// Whether no log accepts any more what a sentinel believed once: the attempt that it is about is over.
pub(crate) fn is_void_for_ever(draft: &Draft, view: &RolloutView) -> bool {
    let Body::Proposed(said) = &draft.body else { return false };
    let step = said.step.as_ref().and_then(|id| view.steps.iter().find(|step| *id.as_str() == *step.id));
    let over =
        step.is_some_and(|step| said.kind == ProposalKind::RolloutStalled && said.attempt < step.attempt);
    over || said.epoch < view.epoch || said.kind == ProposalKind::ClockStepped
}

/// What of a proposal a log can look at.
pub(crate) fn essence(draft: &Draft) -> Body {
    let mut body = draft.body.clone();
    if let Body::Proposed(said) = &mut body {
        let is_stall = said.kind == ProposalKind::RolloutStalled;
        for seen in &mut said.evidence {
            *seen = Evidence {
                detail: String::new(),
                at: seen.at.filter(|_| !is_stall),
                behind: 0,
                ..seen.clone()
            };
        }
    }
    body
}

/// The event of a record that a sentinel wrote.
fn by_sentinel_alone(entry: &Entry) -> Option<EventType> {
    let Entry::Event(record) = entry else { return None };
    record.event.envelope.replica.as_ref().map(|_| record.event.body.event_type())
}
