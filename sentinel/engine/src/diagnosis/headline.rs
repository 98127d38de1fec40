//! The answer in one sentence.

use super::{Awaited, Facts, Halt, chain, ending, words};
use crate::rollout::Status;
use crate::view::{RolloutView, StepStatus, StepView};

/// The sentence.
pub(super) fn of(
    facts: &Facts<'_>,
    view: &RolloutView,
    step: Option<&str>,
    awaited: &[Awaited],
    stopped_by: &[Halt],
) -> String {
    let id = &view.id;
    if let Some(step) = step.and_then(|step| chain::place(view, step))
        && awaited.first().is_none_or(|first| first.step != view.steps[step].id)
    {
        return of_step(view, &view.steps[step], awaited, stopped_by);
    }
    let blocking = stopped_by.iter().find(|halt| halt.blocks);
    match (view.status, awaited.first()) {
        (Status::Completed, _) => completed(view),
        (Status::RolledBack | Status::Partial | Status::Aborted, first) => ended(facts, view, first),
        (Status::Queued, _) => {
            let why = blocking.map_or("it is queued", |halt| &halt.text);
            format!("{id} has not begun: {why}")
        }
        (Status::RollingBack, first) => going_back(facts, view, first),
        (Status::Open, Some(first)) if first.cause.is_some() => stands_still(view, first),
        (Status::Open, first) => match (blocking, first) {
            (Some(halt), _) => format!("{id} does not go on: {}", halt.text),
            (None, Some(first)) => waits(facts, view, first),
            (None, None) => between(view, stopped_by),
        },
    }
}

fn stands_still(view: &RolloutView, first: &Awaited) -> String {
    let cause = first.cause.map_or("unknown", pavane_events::Cause::as_str);
    let id = &view.id;
    if first.event.contains(' ') {
        return format!(
            "{id} stands still at step {}: {} ({})",
            first.step,
            first.event,
            words::spaced(cause)
        );
    }
    let (event, cause) = (&first.event, words::spaced(cause));
    format!("{id} stands still at step {}: {event} is missing{} ({cause})", first.step, count(first))
}

/// How many instances have said it, where more than one must.
fn count(first: &Awaited) -> String {
    match first.want {
        Some(want @ 2..) => {
            format!(" from {} of {want} instances", (want as usize).saturating_sub(first.have))
        }
        Some(_) | None => String::new(),
    }
}

fn waits(facts: &Facts<'_>, view: &RolloutView, first: &Awaited) -> String {
    let (id, step, event) = (&view.id, &first.step, &first.event);
    if first.state == StepStatus::Holding {
        let until = view.steps.iter().find(|other| other.id == *step).and_then(|step| step.met_at);
        let left = until.map_or(0, |until| until.since(facts.now).max(0));
        return format!(
            "{id} waits at step {step}: its count is full and must hold for another {}",
            words::lasting(left)
        );
    }
    let window = match (first.overdue_ms, first.deadline) {
        (Some(over), _) => format!("{} over its window, and nobody has judged it yet", words::lasting(over)),
        (None, Some(deadline)) => {
            format!("{} of its window are left", words::lasting(deadline.since(facts.now).max(0)))
        }
        (None, None) => "without a window".to_owned(),
    };
    format!("{id} waits at step {step} for {event}{}: {window}", count(first))
}

/// Nothing is awaited of a step, and the rollout has not ended.
fn between(view: &RolloutView, stopped_by: &[Halt]) -> String {
    match stopped_by.first() {
        Some(halt) => format!("{} goes as planned: {}", view.id, halt.text),
        None => format!("{} goes as planned: nothing is missing", view.id),
    }
}

fn going_back(facts: &Facts<'_>, view: &RolloutView, first: Option<&Awaited>) -> String {
    let why = ending::verdict(facts).map_or(String::new(), |decision| format!(" ({})", decision.text));
    let id = &view.id;
    match first {
        Some(first) if first.state == StepStatus::NotBack => {
            format!("{id} goes back{why}, and {} does not: it failed or refused", first.service)
        }
        Some(first) if first.cause.is_some() => {
            let cause = first.cause.map_or("unknown", pavane_events::Cause::as_str);
            format!("{id} goes back{why}, and {} is missing ({})", first.event, words::spaced(cause))
        }
        Some(first) => format!("{id} goes back{why}: {} is awaited", first.event),
        None => format!("{id} goes back{why}"),
    }
}

fn completed(view: &RolloutView) -> String {
    let overridden = view.steps.iter().filter(|step| step.state == StepStatus::Overridden).count();
    let stalls = view.verdicts.iter().filter(|verdict| verdict.kind == "RolloutStalled").count();
    let mut notes = Vec::new();
    if overridden > 0 {
        notes.push(format!("{} counted by a person", words::counted(overridden, "step", "steps")));
    }
    if stalls > 0 {
        notes.push(format!("{} on the way", words::counted(stalls, "stall", "stalls")));
    }
    let notes = if notes.is_empty() { String::new() } else { format!(" ({})", notes.join(", ")) };
    format!("{} completed{notes}: nothing is missing", view.id)
}

fn ended(facts: &Facts<'_>, view: &RolloutView, first: Option<&Awaited>) -> String {
    let how = match view.status {
        Status::RolledBack => "was rolled back",
        Status::Partial => "was rolled back in part",
        Status::Aborted => "was aborted",
        Status::Queued | Status::Open | Status::RollingBack | Status::Completed => "has ended",
    };
    let decision = ending::verdict(facts);
    let by = decision.map_or("", |decision| &decision.by);
    let who = if by.is_empty() || by == "sentinel" { String::new() } else { format!(" by {by}") };
    let why = match (first, decision) {
        (Some(first), _) if view.status == Status::Partial && is_not_back(first.state) => {
            let cause = first.cause.map(|cause| format!(" ({})", words::spaced(cause.as_str())));
            format!(": {} did not go back{}", first.service, cause.unwrap_or_default())
        }
        (Some(first), _) if first.cause.is_some() && who.is_empty() => {
            let cause = first.cause.map_or("unknown", pavane_events::Cause::as_str);
            let (step, event) = (&first.step, &first.event);
            format!(": step {step} stood still, {event} was missing ({})", words::spaced(cause))
        }
        (_, Some(decision)) => {
            let reason = decision.text.split_once(": ").map_or("", |(_, reason)| reason);
            if reason.is_empty() { String::new() } else { format!(": {reason}") }
        }
        (_, None) => String::new(),
    };
    format!("{} {how}{who}{why}", view.id)
}

const fn is_not_back(state: StepStatus) -> bool {
    matches!(state, StepStatus::NotBack | StepStatus::GoingBack | StepStatus::Stalled)
}

/// The answer for a step that is not the one that holds the others up.
fn of_step(view: &RolloutView, step: &StepView, awaited: &[Awaited], stopped_by: &[Halt]) -> String {
    let (id, name) = (&view.id, &step.id);
    match step.state {
        StepStatus::Met => return format!("step {name} of {id} is done: nothing is missing"),
        StepStatus::Overridden => return format!("step {name} of {id} counts as met: a person said so"),
        StepStatus::Back => return format!("step {name} of {id} is rolled back"),
        StepStatus::Waiting
        | StepStatus::Open
        | StepStatus::Running
        | StepStatus::Holding
        | StepStatus::Stalled
        | StepStatus::GoingBack
        | StepStatus::NotBack => {}
    }
    let blocking = stopped_by.iter().find(|halt| halt.blocks);
    let why = match (awaited.first(), blocking) {
        (Some(first), _) => {
            let cause = first.cause.map(|cause| format!(" ({})", words::spaced(cause.as_str())));
            format!(
                "it waits for step {}, where {} is missing{}",
                first.step,
                first.event,
                cause.unwrap_or_default()
            )
        }
        (None, Some(halt)) => halt.text.clone(),
        (None, None) => match step.phase.as_ref() {
            Some(phase) => format!("phase {phase} has not opened it"),
            None => "nothing is awaited of it".to_owned(),
        },
    };
    format!("step {name} of {id} has not begun: {why}")
}
