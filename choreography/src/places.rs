//! Where in its file each part of a plan was written, so that a finding can point at it.

use std::collections::BTreeMap;

use pavane_events::{PhaseId, StepId};

use crate::diagnostic::Place;
use crate::expand::meant::{Meant, Origin};
use crate::yaml::Item;

/// The places of a plan's parts in the document that it was read from.
///
/// Fields are named by their path in the document: `metadata.owner`, `maintenance.from` for the whole;
/// `expect`, `compensate.within` for a step; `watch.query` for a phase. What was not written has the place of what
/// holds it, so there is always one to point at. Steps that the reader wrote out (of a matrix, of zones, of cohorts)
/// have the places of what they were written out of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places {
    whole: Fields,
    steps: BTreeMap<StepId, Written>,
    phases: BTreeMap<PhaseId, Fields>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Written {
    id: StepId,
    fields: Fields,
    waits: BTreeMap<StepId, Place>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Fields {
    at: Place,
    paths: BTreeMap<String, Place>,
}

impl Places {
    pub(crate) fn of(whole: &Item<'_>, meant: &Meant<'_>) -> Self {
        let step = |(step, origin): &(crate::Step, Origin<'_>)| {
            let waits = origin.waits.iter().map(|(id, item)| (id.clone(), item.place())).collect();
            (
                step.id.clone(),
                Written { id: origin.id.clone(), fields: Fields::of(&origin.item, "id"), waits },
            )
        };
        let phase = |(phase, item): &(crate::Phase, Item<'_>)| (phase.id.clone(), Fields::of(item, "id"));
        Self {
            whole: Fields::of(whole, ""),
            steps: meant.steps.iter().map(step).collect(),
            phases: meant.phases.iter().map(phase).collect(),
        }
    }

    /// The place of a field of the document as a whole, e.g. `method`, `metadata.runbook`, `trigger.on`.
    pub fn whole(&self, field: &str) -> Place {
        self.whole.find(field)
    }

    /// The place of a field of a step, e.g. `within`, `compensate.expect`; of its id when the field was not written.
    pub fn step(&self, id: &StepId, field: &str) -> Place {
        self.steps.get(id).map_or(Place::START, |written| written.fields.find(field))
    }

    /// The place at which a step names a prerequisite; of its id when the document does not say it (a cohort waits
    /// for the one before by itself).
    pub fn prerequisite(&self, step: &StepId, awaited: &StepId) -> Place {
        let named = self.steps.get(step).and_then(|written| written.waits.get(awaited));
        named.copied().unwrap_or_else(|| self.step(step, "id"))
    }

    /// The id under which a step was written: `users` for `users-eu-5pct`, and `users-eu` when a matrix made it.
    pub fn written_as<'a>(&'a self, step: &'a StepId) -> &'a StepId {
        self.steps.get(step).map_or(step, |written| &written.id)
    }

    /// The place of a field of a phase, e.g. `watch.query`. The phases of an orchestrated plan are not written: they
    /// have the places of their steps.
    pub fn phase(&self, id: &PhaseId, field: &str) -> Place {
        match self.phases.get(id) {
            Some(fields) => fields.find(field),
            None => StepId::new(id.as_str()).map_or(Place::START, |step| self.step(&step, "id")),
        }
    }
}

impl Default for Fields {
    fn default() -> Self {
        Self { at: Place::START, paths: BTreeMap::new() }
    }
}

impl Fields {
    /// The fields of a map; `name` is the one at which the map is pointed at.
    fn of(item: &Item<'_>, name: &str) -> Self {
        let paths = item.places();
        Self { at: paths.get(name).copied().unwrap_or(item.place()), paths }
    }

    /// The place of a field, or of what holds it.
    fn find(&self, field: &str) -> Place {
        let mut path = field;
        loop {
            if let Some(place) = self.paths.get(path) {
                return *place;
            }
            match path.rsplit_once('.') {
                Some((holder, _)) => path = holder,
                None => return self.at,
            }
        }
    }
}
