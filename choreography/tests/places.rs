//! Every part of a plan can be pointed at in the file that it was read from.

use pavane_choreography::diagnostic::Place;
use pavane_choreography::{Places, Plan, read_with_places};
use pavane_events::{PhaseId, StepId};

const CANARY: &str = include_str!("good/canary.yaml");
const REGIONS: &str = include_str!("good/regions.yaml");
const ORCHESTRATED: &str = include_str!("good/orchestrated.yaml");

#[test]
fn a_field_is_found_where_it_stands_and_else_what_holds_it() {
    let (_, places) = read(CANARY);
    assert_eq!(text_at(CANARY, places.whole("metadata.owner")), "identity");
    assert_eq!(text_at(CANARY, places.whole("maintenance.from")), "\"22");
    assert_eq!(text_at(CANARY, places.whole("trigger.on")), "user-db");
    // no runbook is written: the metadata should have had it
    assert_eq!(places.whole("metadata.runbook"), places.whole("metadata"));
    assert_eq!(places.whole("nothing.of.this"), Place::START);
    let step = StepId::new("users-b-5pct").expect("a name");
    assert_eq!(text_at(CANARY, places.step(&step, "max_parallel")), "2");
    assert_eq!(text_at(CANARY, places.step(&step, "compensate.within")), "users");
    assert_eq!(places.written_as(&step).as_str(), "users");
    let phase = PhaseId::new("users-100pct").expect("a name");
    assert_eq!(text_at(CANARY, places.phase(&phase, "watch.max")), "0");
    assert_eq!(text_at(CANARY, places.phase(&phase, "zones.order")), "{");
    assert_eq!(places.step(&StepId::new("ghost").expect("a name"), "id"), Place::START);
}

#[test]
fn a_prerequisite_is_found_where_it_is_named() {
    for text in [CANARY, REGIONS, ORCHESTRATED] {
        let (plan, places) = read(text);
        for step in &plan.steps {
            for awaited in step.prerequisites() {
                let place = places.prerequisite(&step.id, awaited);
                let chained = places.written_as(&step.id) == places.written_as(awaited);
                if chained {
                    assert_eq!(place, places.step(&step.id, "id"));
                } else {
                    let written = places.written_as(awaited).as_str();
                    let named = text_at(text, place);
                    let quoted = named.starts_with('"');
                    assert!(quoted || named == written, "{named} is not {written} at {place:?}");
                }
            }
        }
    }
}

#[test]
fn a_phase_that_was_not_written_is_found_at_its_step() {
    let (plan, places) = read(ORCHESTRATED);
    for phase in &plan.phases {
        assert_eq!(text_at(ORCHESTRATED, places.phase(&phase.id, "id")), phase.id.as_str());
    }
}

fn read(text: &str) -> (Plan, Places) {
    read_with_places(text, "a.yaml").expect("a good document")
}

/// The word that begins at a place.
fn text_at(text: &str, place: Place) -> &str {
    let line = text.lines().nth(place.line as usize - 1).expect("a line");
    let rest = &line[place.column as usize - 1..];
    let ends = |c: char| !c.is_ascii_alphanumeric() && !"-_".contains(c);
    &rest[..rest[1..].find(ends).map_or(rest.len(), |at| at + 1)]
}
