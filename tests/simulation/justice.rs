//! Whether a verdict is just, by a fold far dumber than the engine's: it counts last words and knows true time.

use std::collections::{BTreeMap, BTreeSet};

use pavane_choreography::{Instances, Step};
use pavane_events::{Body, Entry, Record, RolloutId, StepId};
use pavane_sentinel_engine::{Status, StepStatus, StepView, View};

use crate::board::{Board, Zero};
use crate::partition::{Partition, proposed};

/// Holds the stall that the newest entry proposed, and that was accepted, against what stands below it.
pub(crate) fn of_stall(partition: &Partition, before: &View, board: &mut Board) {
    board.chance(Zero::FalseStalls, 1);
    let Some(Entry::Event(record)) = partition.entries.last() else { return };
    let Some(proposed) = partition.entries.last().and_then(proposed) else { return };
    let id = record.event.envelope.rollout.as_ref().expect("it is about one");
    let (at, breach) = (record.offset, proposed.phase.is_some());
    let was = before.rollouts.iter().find(|view| view.id == *id).expect("known");
    let name = proposed.step.as_ref().expect("a step of the plan");
    let step = was.steps.iter().find(|step| step.id == name.as_str()).expect("a step of the plan");
    if breach {
        board.note("breach".to_owned());
    }
    let awaited = was.status != Status::Open || step.want.is_none_or(|want| step.have < want as usize);
    let mut wrong = |why: &str| {
        board.break_promise(Zero::FalseStalls, format!("{id} {name} at {at}: {why}"));
    };
    if was.paused {
        wrong("a stall while the clocks stand still");
    }
    if awaited == breach {
        wrong("a stall above its event");
    }
    let Some(plan) = partition.plans.get(id.as_str()) else { return };
    let Some(of_plan) = plan.steps.iter().find(|step| step.id == *name) else { return };
    if breach || proposed.cites.is_some() || was.status != Status::Open {
        return;
    }
    let below = &partition.entries[..partition.end() - 1];
    if full_since(below, id, of_plan).is_some() {
        wrong("the words below it are as many as the plan wants");
    }
    let window = of_plan.started_within.unwrap_or(of_plan.within).min(of_plan.within);
    if let Some(opened) = opened(below, id, &plan.steps, of_plan, plan.trigger.is_none()) {
        let open_for = partition.truth[partition.end() - 1] - partition.truth[opened];
        if open_for < window {
            wrong(&format!("after {open_for} ms of a window of {window} ms"));
        }
    }
}

/// Where the window of a step opened at the earliest; none where that cannot be told so simply.
fn opened(below: &[Entry], id: &RolloutId, steps: &[Step], of: &Step, commanded: bool) -> Option<usize> {
    let filled = |name: &StepId| {
        let step = steps.iter().find(|step| step.id == *name)?;
        full_since(below, id, step)
    };
    if !of.after_any.is_empty() {
        return of.after_any.iter().filter_map(filled).min();
    }
    if of.after.is_empty() && commanded {
        let starts = |entry: &Entry| match entry {
            Entry::Event(record) => {
                matches!(record.event.body, Body::RolloutStarted(_))
                    && record.event.envelope.rollout.as_ref() == Some(id)
            }
            Entry::Unreadable(_) => false,
        };
        return below.iter().position(starts);
    }
    of.after.iter().map(filled).collect::<Option<Vec<_>>>()?.into_iter().max()
}

/// Where the last words of a step's instances became as many as the plan wants, if they are; an override counts.
fn full_since(below: &[Entry], id: &RolloutId, step: &Step) -> Option<usize> {
    let Instances::Count(want) = step.instances else { return None };
    let mut seen = BTreeSet::new();
    let mut last: BTreeMap<_, bool> = BTreeMap::new();
    let (mut begun, mut overridden, mut full) = (false, None, None);
    for (place, record) in below.iter().enumerate().filter_map(|(place, entry)| Some((place, of(entry, id)?)))
    {
        let envelope = &record.event.envelope;
        if !seen.insert((envelope.source.clone(), envelope.id.clone())) {
            continue;
        }
        begun |= matches!(record.event.body, Body::RolloutStarted(_));
        // what a person says about a rollout that has not begun is refused
        if begun && matches!(&record.event.body, Body::StepOverridden(body) if body.step == step.id) {
            overridden = overridden.or(Some(place));
        }
        if envelope.service.as_ref() != Some(&step.expect.service) {
            continue;
        }
        let body = &record.event.body;
        let awaited = body.event_type() == step.expect.event;
        let other = matches!(body, Body::DeploymentStarted(_) | Body::DeploymentFailed(_) | Body::Drained(_));
        if !awaited && !other {
            continue;
        }
        last.insert(envelope.instance.clone(), awaited);
        let enough = last.values().filter(|awaited| **awaited).count() >= want as usize;
        full = if enough { full.or(Some(place)) } else { None };
    }
    overridden.into_iter().chain(full).min()
}

fn of<'a>(entry: &'a Entry, id: &RolloutId) -> Option<&'a Record> {
    match entry {
        Entry::Event(record) => (record.event.envelope.rollout.as_ref() == Some(id)).then_some(record),
        Entry::Unreadable(_) => None,
    }
}

pub(crate) fn is_met(step: &StepView) -> bool {
    step.want.is_some_and(|want| step.have >= want as usize) || step.state == StepStatus::Overridden
}
