//! Which step of one plan is which step of the other: by name, and by what they await where the name is new.

use std::collections::{BTreeMap, BTreeSet};

use pavane_choreography::{Plan, Step};
use pavane_events::StepId;

/// The steps of two plans, side by side.
#[derive(Debug, Default)]
pub(super) struct Pairing {
    old: BTreeMap<StepId, StepId>,
    new: BTreeMap<StepId, StepId>,
}

/// What is compared to guess that a step was renamed, the surest first.
const GUESSES: [fn(&Step, &Step) -> bool; 2] = [
    |old, new| old.expect == new.expect && old.zone == new.zone,
    |old, new| old.expect.service == new.expect.service && old.zone == new.zone,
];

impl Pairing {
    /// Pairs the steps with the same name, then those that look like the same.
    pub(super) fn of(old: &Plan, new: &Plan) -> Self {
        let mut pairing = Self::default();
        let known: BTreeSet<&StepId> = old.steps.iter().map(|step| &step.id).collect();
        for step in new.steps.iter().filter(|step| known.contains(&step.id)) {
            pairing.pair(&step.id, &step.id);
        }
        for alike in GUESSES {
            for step in &new.steps {
                if pairing.new.contains_key(&step.id) {
                    continue;
                }
                let free = |former: &&Step| !pairing.old.contains_key(&former.id) && alike(former, step);
                if let Some(former) = old.steps.iter().find(free) {
                    pairing.pair(&former.id, &step.id);
                }
            }
        }
        pairing
    }

    fn pair(&mut self, old: &StepId, new: &StepId) {
        self.old.insert(old.clone(), new.clone());
        self.new.insert(new.clone(), old.clone());
    }

    /// The old name of a step of the new plan.
    pub(super) fn old_of(&self, new: &StepId) -> Option<&StepId> {
        self.new.get(new)
    }

    /// The new name of a step of the old plan.
    pub(super) fn new_of(&self, old: &StepId) -> Option<&StepId> {
        self.old.get(old)
    }

    /// The new name of a step of the old plan, or the old one where it is gone.
    pub(super) fn renamed<'a>(&'a self, old: &'a StepId) -> &'a StepId {
        self.new_of(old).unwrap_or(old)
    }
}
