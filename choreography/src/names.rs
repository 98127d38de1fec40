//! What the steps of a document are called, and which events they await.

use std::collections::BTreeMap;

use pavane_events::{StepId, Zone};

use crate::diagnostic::Code;
use crate::layout::Layout;
use crate::plan::Expect;
use crate::written::step::WrittenStep;
use crate::yaml::{Reported, Spanned};

/// The ids of the steps. When one could not be read, nobody can say which are unknown.
pub(crate) struct Names {
    pub(crate) places: BTreeMap<StepId, usize>,
    pub(crate) outcome: Result<(), Reported>,
    pub(crate) complete: Result<(), Reported>,
}

impl Names {
    pub(crate) fn of(written: &[WrittenStep<'_>], read: Result<(), Reported>) -> Self {
        let mut names = Self { places: BTreeMap::new(), outcome: read, complete: read };
        for (place, step) in written.iter().enumerate() {
            let Spanned { value: id, item } = match &step.id {
                Ok(id) => id,
                Err(reported) => {
                    names.complete = names.complete.and(Err(*reported));
                    continue;
                }
            };
            let first = names.places.get(id).and_then(|&first| written[first].id.as_ref().ok());
            let Some(first) = first else {
                names.places.insert(id.clone(), place);
                continue;
            };
            let message = format!("step `{id}` stands already in line {}", first.item.place().line);
            let reported = item.refuse(Code::DuplicateStep, message, "give each step an id of its own");
            names.outcome = names.outcome.and(Err(reported));
        }
        names
    }
}

/// Who awaits an event: for all zones at once, or for each zone.
#[derive(Default)]
struct Claims<'w> {
    everywhere: Option<(usize, u32)>,
    zones: BTreeMap<&'w Zone, (usize, u32)>,
}

/// Checks that no event of a service fills two steps of a document: the log could not say which of them it means.
/// In different zones they are different events.
pub(crate) fn expectations(written: &[WrittenStep<'_>], layout: &Layout<'_>) -> Result<(), Reported> {
    let mut claims: BTreeMap<&Expect, Claims<'_>> = BTreeMap::new();
    let mut outcome = Ok(());
    for (place, step) in written.iter().enumerate() {
        let Ok(Spanned { value: expect, item }) = &step.expect else { continue };
        let Some(zones) = zones(step, layout, place) else { continue };
        let claims = claims.entry(expect).or_default();
        if let Some(first) = claims.claim(&zones, (place, item.place().line)) {
            let message = format!("{expect} is awaited already in line {first}");
            let help = "one event can fill one step: join the two, await another event, or give each a zone";
            outcome = outcome.and(Err(item.refuse(Code::SameExpectation, message, help)));
        }
    }
    outcome
}

/// The zones that a step is for, none for all of them; nothing when they could not be read.
fn zones<'w>(step: &'w WrittenStep<'_>, layout: &'w Layout<'_>, place: usize) -> Option<Vec<&'w Zone>> {
    let spread = layout.phase_of[place].map(|phase| &layout.phases[phase].written.zones);
    match (spread, &step.zone) {
        (Some(Err(_)), _) | (_, Err(_)) => None,
        (Some(Ok(Some(zones))), _) => Some(zones.names.iter().collect()),
        (Some(Ok(None)) | None, Ok(zone)) => Some(zone.iter().map(|zone| &zone.value).collect()),
    }
}

impl<'w> Claims<'w> {
    /// Claims the event for some zones, or for all of them at once. Tells the line of whoever has it already.
    fn claim(&mut self, zones: &[&'w Zone], step: (usize, u32)) -> Option<u32> {
        let other = |claim: &&(usize, u32)| claim.0 != step.0;
        let of_all = self.everywhere.as_ref().filter(other);
        let taken = if zones.is_empty() {
            of_all.or_else(|| self.zones.values().find(other))
        } else {
            of_all.or_else(|| zones.iter().filter_map(|zone| self.zones.get(zone)).find(other))
        };
        let line = taken.map(|taken| taken.1);
        if zones.is_empty() {
            self.everywhere.get_or_insert(step);
        }
        for zone in zones {
            self.zones.entry(zone).or_insert(step);
        }
        line
    }
}
