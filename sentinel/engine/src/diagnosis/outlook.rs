//! What the sentinel will do, and what a person can.

use pavane_choreography::OnStall;
use pavane_events::Cause;

use super::advice::{Case, Times};
use super::chronicle::Exhibit;
use super::moment::moment;
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
            lines.push(
                "it judges nothing while the clocks stand still; they go on with what was left".to_owned(),
            );
        }
        Status::Open => lines.extend(awaited.first().map(|first| of_step(facts, view, first))),
        Status::RollingBack => {
            lines.push(
                "it asks each service when its turn has come, and says RolloutRolledBack or RolloutPartial at the end"
                    .to_owned(),
            );
            lines.extend(awaited.iter().find(|one| one.cause.is_some()).map(|one| of_step(facts, view, one)));
        }
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
        let at = first.deadline.map_or(facts.now, |end| end.plus(facts.view.grace_ms).max(facts.now));
        let then = match remedy {
            OnStall::Alert => String::new(),
            OnStall::Pause => ", and pauses the rollout".to_owned(),
            OnStall::Rollback => {
                ", and asks everyone who moved to go back where the cause allows it".to_owned()
            }
        };
        let loud = first.severity.as_str();
        let when =
            if at > facts.now { format!("at {}", moment(at, facts.now)) } else { "at once".to_owned() };
        return format!("{when} it tells {} ({loud}){then}", first.owner);
    };
    let who = advised(first);
    case(facts, view, first, &who, (cause, remedy)).outlook(view.braked.as_deref())
}

/// What is missing, as advice is given on it.
fn case<'a>(
    facts: &Facts<'_>,
    view: &'a RolloutView,
    first: &'a Awaited,
    who: &'a str,
    (cause, remedy): (Cause, OnStall),
) -> Case<'a> {
    let step = chain::place(view, &first.step).map(|i| &view.steps[i]);
    let times = Times {
        now: facts.now,
        judged: step.and_then(|step| step.stalled_at).unwrap_or(facts.now),
        in_hand: step.is_some_and(|step| step.in_hand),
        gives_up: step.and_then(|step| step.gives_up_at),
        orphan_after: facts.view.configured.orphan_after_ms,
    };
    Case {
        rollout: view.id.as_str(),
        step: &first.step,
        event: &first.event,
        culprit: first.culprit.as_deref().unwrap_or(&first.service),
        who,
        cause,
        remedy,
        back: view.status == Status::RollingBack,
        times,
    }
}

/// Who must be looked at: the instances that owe it where they are known.
fn advised(first: &Awaited) -> String {
    if first.lacking.is_empty() { first.service.clone() } else { words::listed(&first.lacking, 3) }
}

/// What to do, the most likely first.
pub(super) fn next(
    facts: &Facts<'_>,
    view: &RolloutView,
    awaited: &[Awaited],
    stopped_by: &[Halt],
) -> Vec<String> {
    let mut lines: Vec<String> = stopped_by.iter().filter_map(|halt| of_halt(view, halt)).collect();
    lines.extend(awaited.first().and_then(|first| of_uncertain(facts, first)));
    match view.status {
        Status::Open => {
            lines.extend(awaited.first().into_iter().flat_map(|first| of_stall(facts, view, first)));
        }
        Status::RollingBack => {
            let bad = awaited.iter().find(|one| one.cause.is_some() || one.state == StepStatus::NotBack);
            lines.extend(bad.into_iter().flat_map(|one| {
                let cause = one.cause.unwrap_or_default();
                case(facts, view, one, &advised(one), (cause, OnStall::Alert)).next()
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
        let id = &view.id;
        lines.push(format!("nothing; `pavane rollback {id} --reason …` still takes it back if a bug shows"));
    }
    lines
}

/// That a sidecar does not know what became of its hook.
fn of_uncertain(facts: &Facts<'_>, first: &Awaited) -> Option<String> {
    let culprit = first.culprit.as_deref().unwrap_or(&first.service);
    let is_it = |exhibit: &Exhibit| {
        exhibit.seen.kind == "uncertain" && exhibit.by.as_ref().is_some_and(|by| by.as_str() == culprit)
    };
    let said = format!("look at {culprit}: its sidecar cannot tell whether its hook ran to its end");
    facts.chronicle.exhibits().any(is_it).then_some(said)
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
    let who = advised(first);
    case(facts, view, first, &who, (cause, remedy)).next()
}
