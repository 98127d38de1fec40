//! The phases: which steps open together, and what must hold before the next ones do.

use pavane_choreography::yaml::lasting;
use std::collections::BTreeSet;

use pavane_choreography::{Approval, Phase, Plan, Watch};
use pavane_events::{PhaseId, StepId};

use crate::difference::pairing::Pairing;
use crate::difference::step::{lengths, stalled};
use crate::difference::words::on_stall;
use crate::difference::{Changes, Values, listed, options, values};

/// Compares the phases of two plans.
pub(super) fn compare(old: &Plan, new: &Plan, pairing: &Pairing, changes: &mut Changes) {
    let pairs = pair(old, new, pairing);
    for (place, phase) in new.phases.iter().enumerate() {
        match pairs.iter().find(|(_, is)| is.id == phase.id) {
            Some((was, is)) => fields(was, is, pairing, changes),
            None => added(phase, new.phases.get(place.wrapping_sub(1)), changes),
        }
    }
    for phase in old.phases.iter().filter(|phase| pairs.iter().all(|(was, _)| was.id != phase.id)) {
        let meaning = "its gate is gone: nothing waits for its end".to_owned();
        changes.phase(phase.id.as_str(), "removed", [Some(opens(phase)), None], meaning);
    }
    let order = |phases: &[Phase], known: &dyn Fn(&Phase) -> Option<PhaseId>| {
        phases.iter().filter_map(known).collect::<Vec<_>>()
    };
    let was = order(&old.phases, &|phase| {
        pairs.iter().find(|(was, _)| was.id == phase.id).map(|(_, is)| is.id.clone())
    });
    let is = order(&new.phases, &|phase| {
        pairs.iter().find(|(_, is)| is.id == phase.id).map(|(_, is)| is.id.clone())
    });
    if was != is {
        let meaning = "the gates come in another order".to_owned();
        changes.whole("order of phases", [Some(listed(&was)), Some(listed(&is))], meaning);
    }
}

/// Pairs phases by name, then those that open the same steps.
fn pair<'a>(old: &'a Plan, new: &'a Plan, pairing: &Pairing) -> Vec<(&'a Phase, &'a Phase)> {
    let mut pairs: Vec<(&Phase, &Phase)> =
        new.phases.iter().filter_map(|is| Some((old.phase(&is.id)?, is))).collect();
    for is in new.phases.iter().filter(|is| old.phase(&is.id).is_none()) {
        let same = |was: &&Phase| new.phase(&was.id).is_none() && former(was, pairing) == steps(is);
        if let Some(was) = old.phases.iter().find(same) {
            pairs.push((was, is));
        }
    }
    pairs
}

fn former(phase: &Phase, pairing: &Pairing) -> BTreeSet<StepId> {
    phase.steps.iter().map(|id| pairing.renamed(id).clone()).collect()
}

fn steps(phase: &Phase) -> BTreeSet<StepId> {
    phase.steps.iter().cloned().collect()
}

fn opens(phase: &Phase) -> String {
    format!("opens {}", listed(&phase.steps))
}

fn added(phase: &Phase, before: Option<&Phase>, changes: &mut Changes) {
    let waits = before.map_or_else(
        || "it begins with the rollout".to_owned(),
        |before| format!("it begins when {} is complete", before.id),
    );
    let gate = phase.approval.as_ref().map_or_else(String::new, |by| format!(" and {} has approved", by.by));
    changes.phase(phase.id.as_str(), "added", [None, Some(opens(phase))], waits + &gate);
}

fn fields(old: &Phase, new: &Phase, pairing: &Pairing, changes: &mut Changes) {
    let mut tell = |what, [was, is]: Values, meaning: String| {
        if was != is {
            changes.phase(new.id.as_str(), what, [was, is], meaning);
        }
    };
    let renamed = "the same phase by all else: `pavane approve` takes the new name";
    tell("renamed", values(&old.id, &new.id), renamed.to_owned());
    let opened = [Some(listed(former(old, pairing))), Some(listed(steps(new)))];
    tell("steps", opened, format!("it opens {} together", listed(&new.steps)));
    let [was, is] = [old, new].map(|phase| phase.approval.as_ref().map(|Approval { by }| by.clone()));
    let approval = match &is {
        Some(by) => format!("it does not begin before {by} has said so: pavane approve ROLLOUT {}", new.id),
        None => "it begins by itself, and nobody is asked".to_owned(),
    };
    tell("approval", [was, is], approval);
    let cohort = match new.cohort {
        Some(share) => format!("only {share} of each service's instances move in it"),
        None => "all instances may move in it".to_owned(),
    };
    tell("cohort", options(old.cohort.as_ref(), new.cohort.as_ref()), cohort);
    let soak = match new.soak {
        0 => "it is complete as soon as its steps are met".to_owned(),
        soak => format!("it is complete once all its steps have been met for {}", lasting(soak)),
    };
    tell("soak", lengths(Some(old.soak), Some(new.soak)), soak);
    watch(old.watch.as_ref(), new.watch.as_ref(), &mut tell);
}

fn watch(old: Option<&Watch>, new: Option<&Watch>, tell: &mut impl FnMut(&'static str, Values, String)) {
    let (old, new) = match (old, new) {
        (Some(old), Some(new)) => (old, new),
        (None, None) => return,
        (was, is) => {
            let meaning = match is {
                Some(watch) => {
                    format!("what comes next waits until the metric has held; else {}", breach(watch))
                }
                None => "no metric is asked for before what comes next".to_owned(),
            };
            return tell("watch", [was.map(written), is.map(written)], meaning);
        }
    };
    let another = "another number decides whether what comes next may begin".to_owned();
    tell("watch.query", values(&old.query, &new.query), another);
    let keeps = format!("the number must be {}", new.bound);
    tell("watch.bound", values(&old.bound, &new.bound), keeps);
    let hold = format!("it must hold for {} without a break before what comes next", lasting(new.hold));
    tell("watch.for", lengths(Some(old.hold), Some(new.hold)), hold);
    let every = format!("a breach shorter than {} may go unseen", lasting(new.every));
    tell("watch.every", lengths(Some(old.every), Some(new.every)), every);
    let breached = format!("on a breach {}", breach(new));
    tell("watch.on_breach", values(on_stall(old.on_breach), on_stall(new.on_breach)), breached);
}

fn written(watch: &Watch) -> String {
    format!("{} {} for {}", watch.query, watch.bound, lasting(watch.hold))
}

const fn breach(watch: &Watch) -> &'static str {
    stalled(watch.on_breach)
}
