//! How many instances of a service move at the same time. The log is the line in which they wait.

use std::collections::BTreeMap;

use pavane_choreography::Step;
use pavane_events::{EventType, Instance, Record, Zone};

use crate::rollout::Rollout;
use crate::tally::speaker;

/// What ends the move of an instance, beside the event that its step awaits.
const ENDS: [EventType; 4] = [
    EventType::DeploymentComplete,
    EventType::DeploymentFailed,
    EventType::Drained,
    EventType::RollbackComplete,
];

/// The instances of the own service between their `DeploymentStarted` and its end.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Moving(BTreeMap<Instance, Place>);

/// Where an instance stands in the line.
#[derive(Clone, Debug, PartialEq)]
struct Place {
    offset: i64,
    zone: Option<Zone>,
}

impl Moving {
    /// How many other instances of a step stand before this place in the line.
    fn before(&self, step: &Step, own: &Instance, offset: i64) -> usize {
        let before = |(instance, place): &(&Instance, &Place)| {
            *instance != own && place.offset < offset && step.concerns(place.zone.as_ref())
        };
        self.0.iter().filter(before).count()
    }
}

impl Rollout {
    /// Takes the word of an instance of the own service that begins or ends its move.
    pub(crate) fn note_move(&mut self, record: &Record, event: EventType) {
        let envelope = &record.event.envelope;
        let instance = speaker(envelope);
        if event == EventType::DeploymentStarted {
            // Whoever comes second with a claim leaves the work to the first.
            let first = self.claims.get(&envelope.id).is_none_or(|first| *first == instance.as_str());
            let place = Place { offset: record.offset, zone: envelope.zone.clone() };
            if first {
                self.moving.0.entry(instance).or_insert(place);
            }
            return;
        }
        let service = envelope.service.as_ref();
        let awaited = service.is_some_and(|service| self.awaiting(service, event).next().is_some());
        if ENDS.contains(&event) || awaited {
            self.moving.0.remove(&instance);
        }
    }

    /// Whether an instance that announced itself at this offset must wait for others of its step that did so before.
    pub(crate) fn must_wait(&self, step: &Step, own: &Instance, announced: i64) -> bool {
        step.max_parallel.is_some_and(|most| self.moving.before(step, own, announced) >= most as usize)
    }
}
