//! Which steps hold the others up, and the way through the graph to them: the first of a chain, not the last.

use std::collections::{BTreeMap, BTreeSet};

use super::{Facts, Layer, Place, ending};
use crate::rollout::Status;
use crate::view::{RolloutView, StepStatus, StepView};

/// How many steps of a layer are named.
const WIDE: usize = 4;
/// How many layers before the first that is missing are shown, and how many after.
const BEFORE: usize = 3;
const AFTER: usize = 4;

/// The steps that hold the others up, the first of the chain first. Of an ended rollout: those that ended it.
pub(super) fn blocked(facts: &Facts<'_>, view: &RolloutView, step: Option<&str>) -> Vec<usize> {
    let asked: BTreeSet<usize> = match step.and_then(|step| place(view, step)) {
        Some(i) => upstream(view, &[i]),
        None => (0..view.steps.len()).collect(),
    };
    let wanted = |state: StepStatus| match view.status {
        Status::Open | Status::Aborted => {
            matches!(state, StepStatus::Open | StepStatus::Running | StepStatus::Stalled)
        }
        Status::RollingBack | Status::Partial => {
            matches!(state, StepStatus::GoingBack | StepStatus::Stalled | StepStatus::NotBack)
        }
        Status::Queued | Status::Completed | Status::RolledBack => false,
    };
    let mut found: Vec<usize> = asked.iter().copied().filter(|i| wanted(view.steps[*i].state)).collect();
    if matches!(view.status, Status::RolledBack | Status::Partial) {
        let origin = ending::origin(facts, view).filter(|i| asked.contains(i) && !found.contains(i));
        found.extend(origin);
        return found;
    }
    if found.is_empty() && view.status == Status::Open {
        found.extend(asked.iter().copied().filter(|i| view.steps[*i].state == StepStatus::Holding));
    }
    let all = found.clone();
    found.sort_by_key(|i| rank(facts, view, &all, *i));
    found
}

/// Whether nothing is missing of a step any more.
pub(super) const fn is_done(state: StepStatus) -> bool {
    matches!(state, StepStatus::Met | StepStatus::Overridden)
}

/// The step's place in the plan.
pub(super) fn place(view: &RolloutView, step: &str) -> Option<usize> {
    view.steps.iter().position(|other| other.id == step)
}

/// The steps that wait for a step, near ones first.
pub(super) fn waiting(view: &RolloutView, i: usize) -> Vec<String> {
    let depths = depths(view);
    let mut behind: Vec<usize> = downstream(view, &[i]).into_iter().filter(|d| *d != i).collect();
    behind.sort_by_key(|d| (depths[*d], *d));
    let is_open = |state| !is_done(state) && state != StepStatus::Back;
    let open = behind.into_iter().filter(|d| is_open(view.steps[*d].state));
    open.map(|d| view.steps[d].id.clone()).collect()
}

/// The way through the graph, layer by layer: what comes before these steps, they themselves, and what waits.
pub(super) fn layers(view: &RolloutView, blocked: &[usize], step: Option<&str>) -> Vec<Layer> {
    let asked = step.and_then(|step| place(view, step));
    let seeds: Vec<usize> = blocked.iter().copied().chain(asked).collect();
    let mut shown: BTreeSet<usize> = upstream(view, &seeds);
    shown.extend(downstream(view, &seeds));
    if seeds.is_empty() {
        shown = (0..view.steps.len()).collect();
    }
    let depths = depths(view);
    let mut layers: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for i in shown {
        layers.entry(depths[i]).or_default().push(i);
    }
    let first = blocked.first().map_or(0, |i| depths[*i]);
    let near = layers.into_iter().filter(|(depth, _)| *depth + BEFORE >= first && *depth <= first + AFTER);
    near.map(|(_, steps)| layer(view, blocked, steps)).collect()
}

fn layer(view: &RolloutView, blocked: &[usize], mut steps: Vec<usize>) -> Layer {
    let part = |i: usize| match () {
        () if blocked.contains(&i) => "missing",
        () if is_done(view.steps[i].state) => "done",
        () => "waiting",
    };
    steps.sort_by_key(|i| (!blocked.contains(i), *i));
    let more = steps.len().saturating_sub(WIDE);
    let named = steps.iter().take(WIDE).map(|i| Place {
        step: view.steps[*i].id.clone(),
        state: view.steps[*i].state,
        part: part(*i),
    });
    Layer { steps: named.collect(), more }
}

/// What comes first: whoever waits for nobody else who is missing, then what was judged first, then what is due first.
fn rank(facts: &Facts<'_>, view: &RolloutView, all: &[usize], i: usize) -> (bool, i64, i64, usize) {
    let step = &view.steps[i];
    let above = upstream(view, &[i]);
    let follows = view.status == Status::Open && all.iter().any(|other| *other != i && above.contains(other));
    let judged = view.verdicts.iter().filter(|verdict| verdict.step.as_deref() == Some(&step.id));
    let judged = judged.map(|verdict| verdict.offset).max().filter(|_| step.cause.is_some());
    let bad = step.state == StepStatus::NotBack;
    let judged = if bad { -1 } else { judged.unwrap_or(i64::MAX) };
    let due = step.deadline.map_or(i64::MAX, |deadline| deadline.since(facts.now));
    (follows, judged, due, i)
}

/// These steps and all that they wait for.
fn upstream(view: &RolloutView, from: &[usize]) -> BTreeSet<usize> {
    let mut found: BTreeSet<usize> = from.iter().copied().collect();
    // steps stand after what they wait for, so one walk from the end does
    for i in (0..view.steps.len()).rev().filter(|i| *i <= from.iter().copied().max().unwrap_or(0)) {
        if found.contains(&i) {
            found.extend(prerequisites(view, &view.steps[i]));
        }
    }
    found
}

/// These steps and all that wait for them.
fn downstream(view: &RolloutView, from: &[usize]) -> BTreeSet<usize> {
    let mut found: BTreeSet<usize> = from.iter().copied().collect();
    for i in 0..view.steps.len() {
        if prerequisites(view, &view.steps[i]).iter().any(|a| found.contains(a)) {
            found.insert(i);
        }
    }
    found
}

/// The steps that a step waits for. Where one of several is enough and one is done, the others hold nobody up.
fn prerequisites(view: &RolloutView, step: &StepView) -> Vec<usize> {
    let places = |names: &[String]| names.iter().filter_map(|name| place(view, name)).collect::<Vec<_>>();
    let any = places(&step.after_any);
    let done: Vec<usize> = any.iter().copied().filter(|i| is_done(view.steps[*i].state)).collect();
    places(&step.after).into_iter().chain(if done.is_empty() { any } else { done }).collect()
}

/// How many steps stand before each, along the longest way.
fn depths(view: &RolloutView) -> Vec<usize> {
    let mut depths = vec![0; view.steps.len()];
    for i in 0..view.steps.len() {
        let above = prerequisites(view, &view.steps[i]);
        depths[i] = above.into_iter().map(|a| depths[a] + 1).max().unwrap_or(0);
    }
    depths
}
