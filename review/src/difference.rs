//! What changed in meaning from one plan to another, and what each change means for a rollout.
//!
//! Two plans are compared as they are meant, so that comments, white space, the order of fields and defaults that
//! are written out are no difference. Every other one is told with what it does to a rollout: who waits longer, who
//! is asked back, who is woken.

mod pairing;
mod phases;
mod schedule;
mod step;
mod text;
mod versions;
mod waits;
mod whole;
pub mod words;

use std::collections::BTreeMap;

use pavane_choreography::{Plan, Step};
use pavane_events::{Millis, StepId};
use serde::Serialize;

use crate::difference::pairing::Pairing;
use crate::difference::schedule::Schedule;

/// What changed in meaning from one plan to another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Whether both mean the same. Their digests can differ all the same: where steps stand in another order.
    pub same: bool,
    /// The plan that was.
    pub old: Side,
    /// The plan that is to be.
    pub new: Side,
    /// Every change: of the whole first, then of the phases, then of the steps in the order of the new plan.
    pub changes: Vec<Change>,
}

/// One of the two plans.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Side {
    /// The name of the choreography.
    pub name: String,
    /// The digest of the plan.
    pub digest: String,
    /// How long the rollout takes at the longest while every window holds, in milliseconds; approvals not counted.
    pub longest_ms: Millis,
    /// The steps that make it that long, each after the one that it waits for.
    pub critical_path: Vec<String>,
}

/// One change, of all that it befell alike.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// What was changed.
    pub about: About,
    /// The names of the steps or phases that it befell; empty for the whole.
    pub names: Vec<String>,
    /// The field, e.g. `within`; else `added`, `removed`, `renamed` or `order`.
    pub what: &'static str,
    /// What it was; none when it was not there.
    pub old: Option<String>,
    /// What it is; none when it is gone.
    pub new: Option<String>,
    /// What it means for a rollout.
    pub meaning: String,
}

/// What a change is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum About {
    /// The rollout as a whole.
    Plan,
    /// A phase.
    Phase,
    /// A step.
    Step,
}

/// Compares two plans.
pub fn between(old: &Plan, new: &Plan) -> Difference {
    let (was, is) = (Schedule::of(old), Schedule::of(new));
    let pairing = Pairing::of(old, new);
    let mut changes = Changes::default();
    whole::compare(old, new, &mut changes);
    phases::compare(old, new, &pairing, &mut changes);
    compare_steps(old, new, &pairing, (&was, &is), &mut changes);
    let changes = changes.found;
    Difference { same: changes.is_empty(), old: side(old, was), new: side(new, is), changes }
}

fn side(plan: &Plan, schedule: Schedule) -> Side {
    let digest = plan.digest();
    let (longest_ms, critical_path) = (schedule.end, schedule.path);
    Side { name: plan.name.clone(), digest, longest_ms, critical_path }
}

fn compare_steps(
    old: &Plan,
    new: &Plan,
    pairing: &Pairing,
    (was, is): (&Schedule, &Schedule),
    changes: &mut Changes,
) {
    let known: BTreeMap<&StepId, &Step> = old.steps.iter().map(|step| (&step.id, step)).collect();
    for step in &new.steps {
        let Some(former) = pairing.old_of(&step.id).and_then(|id| known.get(id).copied()) else {
            step::added(old, step, changes);
            continue;
        };
        step::compare(former, step, new, changes);
        waits::compare((old, former, was), (new, step, is), pairing, changes);
    }
    for step in old.steps.iter().filter(|step| pairing.new_of(&step.id).is_none()) {
        step::removed(new, step, changes);
    }
}

/// A value before and after; none where there is none.
type Values = [Option<String>; 2];

/// The changes found so far; those that befell several alike stand once.
#[derive(Debug, Default)]
struct Changes {
    found: Vec<Change>,
    places: BTreeMap<(&'static str, Values, String), usize>,
}

impl Changes {
    /// A change of the whole.
    fn whole(&mut self, what: &'static str, values: Values, meaning: String) {
        let [old, new] = values;
        self.found.push(Change { about: About::Plan, names: Vec::new(), what, old, new, meaning });
    }

    /// A change of a phase.
    fn phase(&mut self, name: &str, what: &'static str, values: Values, meaning: String) {
        let [old, new] = values;
        self.found.push(Change {
            about: About::Phase,
            names: vec![name.to_owned()],
            what,
            old,
            new,
            meaning,
        });
    }

    /// A change of a step.
    fn step(&mut self, id: &StepId, what: &'static str, values: Values, meaning: String) {
        let alike = (what, values.clone(), meaning.clone());
        if let Some(place) = self.places.get(&alike) {
            self.found[*place].names.push(id.to_string());
            return;
        }
        self.places.insert(alike, self.found.len());
        let [old, new] = values;
        self.found.push(Change { about: About::Step, names: vec![id.to_string()], what, old, new, meaning });
    }
}

/// A value before and after, as texts.
fn values<T: ToString + ?Sized>(old: &T, new: &T) -> Values {
    [Some(old.to_string()), Some(new.to_string())]
}

/// A value that may not be there, before and after, as texts.
fn options<T: ToString>(old: Option<&T>, new: Option<&T>) -> Values {
    [old.map(ToString::to_string), new.map(ToString::to_string)]
}

/// Names with commas between.
fn listed<T: ToString>(names: impl IntoIterator<Item = T>) -> String {
    names.into_iter().map(|name| name.to_string()).collect::<Vec<_>>().join(", ")
}
