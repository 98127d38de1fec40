//! What a step waits for, and what a change of it does to its start.

use pavane_choreography::yaml::lasting;
use std::collections::BTreeSet;

use pavane_choreography::{Plan, Step};
use pavane_events::{Millis, StepId};

use crate::difference::pairing::Pairing;
use crate::difference::schedule::Schedule;
use crate::difference::{Changes, listed};

/// A step within its plan, and when that plan lets it start.
type Placed<'a> = (&'a Plan, &'a Step, &'a Schedule);

/// Compares what a step waits for. Steps that were renamed count as the same.
pub(super) fn compare(old: Placed<'_>, new: Placed<'_>, pairing: &Pairing, changes: &mut Changes) {
    let former = |ids: &[StepId]| ids.iter().map(|id| pairing.renamed(id).clone()).collect::<BTreeSet<_>>();
    let (all_was, any_was) = (former(&old.1.after), former(&old.1.after_any));
    let (all_is, any_is): (BTreeSet<_>, BTreeSet<_>) =
        (new.1.after.iter().cloned().collect(), new.1.after_any.iter().cloned().collect());
    let mut parts = Vec::new();
    if all_was != all_is {
        let before: BTreeSet<StepId> =
            ancestors(old.0, &old.1.id).iter().map(|id| pairing.renamed(id).clone()).collect();
        added(all_is.difference(&all_was), &before, &mut parts);
        removed(all_was.difference(&all_is), &ancestors(new.0, &new.1.id), &mut parts);
    }
    if any_was != any_is {
        parts.push(match (any_was.len(), any_is.len()) {
            (_, 0) => format!("need not wait for one of {}", listed(&any_was)),
            (0, _) => format!("waits for the first of {} as well", listed(&any_is)),
            (_, _) => format!("waits for the first of {} instead of {}", listed(&any_is), listed(&any_was)),
        });
    }
    if parts.is_empty() {
        return;
    }
    let shift = new.2.latest_start(&new.1.id) - old.2.latest_start(&old.1.id);
    let meaning = format!("{}: {}", parts.join(", "), moved(shift));
    changes.step(
        &new.1.id,
        "after",
        [Some(written(&all_was, &any_was)), Some(written(&all_is, &any_is))],
        meaning,
    );
}

fn added<'a>(ids: impl Iterator<Item = &'a StepId>, before: &BTreeSet<StepId>, parts: &mut Vec<String>) {
    let (known, fresh): (Vec<_>, Vec<_>) = ids.partition(|id| before.contains(*id));
    if !fresh.is_empty() {
        parts.push(format!("waits for {} too", listed(fresh)));
    }
    if !known.is_empty() {
        parts.push(format!("waited for {} already, through others", listed(known)));
    }
}

fn removed<'a>(ids: impl Iterator<Item = &'a StepId>, after: &BTreeSet<StepId>, parts: &mut Vec<String>) {
    let (still, gone): (Vec<_>, Vec<_>) = ids.partition(|id| after.contains(*id));
    if !gone.is_empty() {
        parts.push(format!("need not wait for {}", listed(gone)));
    }
    if !still.is_empty() {
        parts.push(format!("still waits for {}, through others", listed(still)));
    }
}

fn moved(shift: Millis) -> String {
    match shift {
        0 => "it starts as late as before at the latest".to_owned(),
        later @ 1.. => format!("it can start later by up to {}", lasting(later)),
        earlier => format!("it starts earlier by up to {}", lasting(-earlier)),
    }
}

fn written(all: &BTreeSet<StepId>, any: &BTreeSet<StepId>) -> String {
    match (all.is_empty(), any.is_empty()) {
        (true, true) => "the start".to_owned(),
        (false, true) => listed(all),
        (true, false) => format!("one of {}", listed(any)),
        (false, false) => format!("{} and one of {}", listed(all), listed(any)),
    }
}

/// All steps that must be full before one, through however many others.
fn ancestors(plan: &Plan, id: &StepId) -> BTreeSet<StepId> {
    let mut found = BTreeSet::new();
    let mut next = vec![id];
    while let Some(step) = next.pop().and_then(|id| plan.step(id)) {
        next.extend(step.after.iter().filter(|id| found.insert((*id).clone())));
    }
    found
}
