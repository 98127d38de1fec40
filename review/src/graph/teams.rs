//! The teams over the network: who owns what, who must talk to whom, and which plans meet.

use std::collections::{BTreeMap, BTreeSet};

use pavane_choreography::Plan;

use super::network::{Kind, Talk, Team, Wait};

/// The step of one plan whose event starts another plan.
pub(super) struct Start {
    pub(super) plan: usize,
    pub(super) step: usize,
    pub(super) starts: usize,
}

/// Which steps say the events that start other plans.
pub(super) fn starts(plans: &[Plan]) -> Vec<Start> {
    let mut found = Vec::new();
    for (starts, begun) in plans.iter().enumerate() {
        let Some(trigger) = &begun.trigger else { continue };
        for (plan, other) in plans.iter().enumerate().filter(|&(plan, _)| plan != starts) {
            let says = other.steps.iter().enumerate().filter(|(_, step)| step.expect == trigger.on);
            found.extend(says.map(|(step, _)| Start { plan, step, starts }));
        }
    }
    found
}

/// The teams, by name, each with how many steps it owns.
pub(super) fn all(plans: &[Plan]) -> Vec<Team> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for step in plans.iter().flat_map(|plan| &plan.steps) {
        *counts.entry(&step.owner).or_default() += 1;
    }
    counts.into_iter().map(|(name, steps)| Team { name: name.to_owned(), steps }).collect()
}

/// Who must talk to whom: each pair of teams of which the second waits for the first.
pub(super) fn talks(plans: &[Plan], starts: &[Start]) -> Vec<Talk> {
    let mut pairs: BTreeMap<(&str, &str), BTreeSet<Wait>> = BTreeMap::new();
    for plan in plans {
        for step in &plan.steps {
            let all = step.after.iter().map(|id| (id, Kind::All));
            for (id, kind) in all.chain(step.after_any.iter().map(|id| (id, Kind::Any))) {
                let Some(from) = plan.step(id).filter(|from| from.owner != step.owner) else { continue };
                let wait = (plan.name.clone(), id.to_string(), step.id.to_string());
                let wait = Wait { plan: wait.0, on: wait.1, step: wait.2, kind, starts: false };
                pairs.entry((&from.owner, &step.owner)).or_default().insert(wait);
            }
        }
    }
    for Start { plan, step, starts } in starts {
        let (from, to) = (&plans[*plan], &plans[*starts]);
        let said = &from.steps[*step];
        if said.owner != to.owner {
            let (plan, on) = (from.name.clone(), said.id.to_string());
            let wait = Wait { plan, on, step: to.name.clone(), kind: Kind::All, starts: true };
            pairs.entry((&said.owner, &to.owner)).or_default().insert(wait);
        }
    }
    let talk = |((from, to), waits): ((&str, &str), BTreeSet<Wait>)| Talk {
        from: from.to_owned(),
        to: to.to_owned(),
        waits: waits.into_iter().collect(),
    };
    pairs.into_iter().map(talk).collect()
}

/// The services that stand in more than one plan.
pub(super) fn shared(plans: &[Plan]) -> BTreeMap<String, Vec<String>> {
    let mut moved: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for plan in plans {
        for step in &plan.steps {
            moved.entry(step.expect.service.to_string()).or_default().insert(&plan.name);
        }
    }
    let several = moved.into_iter().filter(|(_, plans)| plans.len() > 1);
    several.map(|(service, plans)| (service, plans.into_iter().map(str::to_owned).collect())).collect()
}
