//! What the sentinel will do, and what a person can.

use pavane_choreography::OnStall;

use super::{Awaited, Facts, Halt, chain, words};
use crate::rollout::Status;
use crate::view::{RolloutView, StepStatus};

/// What the sentinel will do, and when.
pub(super) fn of(
    facts: &Facts<'_>,
    view: &RolloutView,
    awaited: &[Awaited],
    stopped_by: &[Halt],
) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(offset) = view.deciding {
        lines.push(format!("a decision was accepted at offset {offset}, and is about to be said"));
    }
    match view.status {
        Status::Open if view.paused => {
            lines.push("it judges nothing while the clocks stand still; they go on with what was left".to_owned());
        }
        Status::Open => lines.extend(awaited.first().map(|first| of_step(facts, view, first))),
        Status::RollingBack => lines.push(
            "it asks each service when its turn has come, and says RolloutRolledBack or RolloutPartial at the end"
                .to_owned(),
        ),
        Status::Queued => {
            let behind = view.behind.as_ref().map_or("the others", |behind| behind.as_str());
            lines.push(format!("it begins by itself when {behind} has ended"));
        }
        Status::RolledBack | Status::Partial | Status::Aborted => {
            lines.push("it asks for nothing more: the rollout has ended".to_owned());
        }
        Status::Completed => {}
    }
    lines.extend(stays(view));
    if stopped_by.iter().any(|halt| halt.kind == "approval") {
        lines.push("it opens the phase when it is approved".to_owned());
    }
    lines
}

/// The steps that moved and are never asked back.
fn stays(view: &RolloutView) -> Option<String> {
    if !matches!(view.status, Status::RollingBack | Status::RolledBack | Status::Partial) {
        return None;
    }
    let stay = view.steps.iter().filter(|step| !step.reversible && !step.instances.is_empty());
    let stay: Vec<String> = stay.map(|step| format!("{} ({})", step.id, step.service)).collect();
    let what = words::listed(&stay, 4);
    (!stay.is_empty()).then(|| format!("what the plan calls irreversible stays as it is: {what}"))
}

fn of_step(facts: &Facts<'_>, view: &RolloutView, first: &Awaited) -> String {
    let remedy = chain::place(view, &first.step).map_or(OnStall::Alert, |i| view.steps[i].on_stall);
    if first.state == StepStatus::Holding {
        return "it takes the step as met when it has held for as long as the plan asks for".to_owned();
    }
    let Some(cause) = first.cause else {
        let left = first.deadline.map_or(0, |end| end.plus(facts.view.grace_ms).since(facts.now).max(0));
        let then = match remedy {
            OnStall::Alert => String::new(),
            OnStall::Pause => ", and pauses the rollout".to_owned(),
            OnStall::Rollback => {
                ", and asks everyone who moved to go back where the cause allows it".to_owned()
            }
        };
        let loud = first.severity.as_str();
        return format!("in {} it tells {} ({loud}){then}", words::lasting(left), first.owner);
    };
    match remedy {
        OnStall::Rollback if cause.allows_rollback() && view.braked.is_some() => {
            let brake = view.braked.as_deref().unwrap_or_default();
            format!("it pauses the rollout instead of asking for the way back: {brake}")
        }
        OnStall::Rollback if cause.allows_rollback() => {
            "it asks everyone who moved to go back, as soon as a heartbeat after the stall bears the cause out".to_owned()
        }
        OnStall::Rollback => {
            let cause = words::spaced(cause.as_str());
            format!("it asks for no rollback where the cause is {cause}: a person decides")
        }
        OnStall::Pause => "it pauses the rollout".to_owned(),
        OnStall::Alert => format!("it waits: {} lifts the stall when it comes after all", first.event),
    }
}

/// What to do, the most likely first.
pub(super) fn next(
    facts: &Facts<'_>,
    view: &RolloutView,
    awaited: &[Awaited],
    stopped_by: &[Halt],
) -> Vec<String> {
    let mut lines: Vec<String> = stopped_by.iter().filter_map(|halt| of_halt(view, halt)).collect();
    let id = &view.id;
    match view.status {
        Status::Open => {
            lines.extend(awaited.first().into_iter().flat_map(|first| of_stall(facts, view, first)));
        }
        Status::RollingBack => {
            let bad = awaited.iter().find(|one| one.cause.is_some() || one.state == StepStatus::NotBack);
            lines.extend(bad.map(|one| {
                format!("look at {}: its way back did not end; bring it to one version by hand", one.service)
            }));
        }
        Status::Partial => lines.push(
            "bring the named instances to one version by hand: the sentinel asks for nothing more".to_owned(),
        ),
        Status::RolledBack | Status::Aborted => {
            let whom = awaited.first().map_or("what failed", |first| &first.service);
            lines.push(format!("mend {whom}, then start again: `pavane start {}`", view.choreography));
        }
        Status::Queued | Status::Completed => {}
    }
    if view.status == Status::Completed && lines.is_empty() {
        lines.push(format!("nothing; `pavane rollback {id} --reason …` still takes it back if a bug shows"));
    }
    lines
}

fn of_halt(view: &RolloutView, halt: &Halt) -> Option<String> {
    let id = &view.id;
    Some(match halt.kind {
        "held" => "`pavane release` lets the domain go on".to_owned(),
        "paused" => format!("`pavane resume {id}` lets it go on"),
        "queued" => format!("`pavane why {}` tells more of the one in front", view.behind.as_ref()?),
        "unwatched" => {
            "start a sentinel for the domain, or look at the /readyz of those that should run".to_owned()
        }
        "approval" => {
            let phase =
                view.phases.iter().find(|phase| phase.state == crate::PhaseStatus::AwaitingApproval)?;
            format!("`pavane approve {id} {}` or `pavane reject {id} {0} --reason …`", phase.id)
        }
        _ => return None,
    })
}

fn of_stall(facts: &Facts<'_>, view: &RolloutView, first: &Awaited) -> Vec<String> {
    let remedy = chain::place(view, &first.step).map_or(OnStall::Alert, |i| view.steps[i].on_stall);
    let Some(cause) = first.cause else { return Vec::new() };
    let culprit = first.culprit.as_deref().unwrap_or(&first.service);
    let mut lines = vec![words::next_step(cause, remedy).to_owned()];
    lines.push(format!(
        "`pavane rollback {0} --reason …` takes all back; `pavane override {0} {1} --reason …` counts the step as met",
        view.id, first.step
    ));
    let uncertain = facts.chronicle.exhibits().any(|exhibit| {
        exhibit.seen.kind == "uncertain" && exhibit.by.as_ref().is_some_and(|by| by.as_str() == culprit)
    });
    if uncertain {
        lines
            .insert(0, format!("look at {culprit}: its sidecar cannot tell whether its hook ran to its end"));
    }
    lines
}
