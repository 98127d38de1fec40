//! What was answered for and what happened, held against each other in the end.

use std::collections::{BTreeMap, BTreeSet};

use pavane_events::{EventType, Record, RolloutId};

const FORWARD: [EventType; 3] =
    [EventType::DeploymentComplete, EventType::DeploymentFailed, EventType::HookUncertain];
const BACK: [EventType; 4] = [
    EventType::RollbackComplete,
    EventType::RollbackFailed,
    EventType::RollbackRefused,
    EventType::HookUncertain,
];

/// What stands on the log of a domain, and what the service was answered.
#[derive(Default)]
pub(crate) struct Ledger {
    answered: BTreeSet<String>,
    there: BTreeSet<String>,
    twice: usize,
    highest: BTreeMap<String, i64>,
    ends: BTreeMap<(RolloutId, bool), EventType>,
}

impl Ledger {
    /// The service was told that its event is taken.
    pub(crate) fn answer(&mut self, id: String) {
        self.answered.insert(id);
    }

    /// A record stands on the log.
    pub(crate) fn read(&mut self, record: &Record) {
        let envelope = &record.event.envelope;
        if !self.there.insert(envelope.id.to_string()) {
            self.twice += 1;
            return;
        }
        if let (Some(boot), Some(sequence)) = (&envelope.boot, envelope.sequence) {
            let before = self.highest.insert(boot.clone(), sequence).unwrap_or(0);
            assert!(before < sequence, "{boot}: {sequence} stands after {before}");
        }
        let (kind, own) = (record.event.body.event_type(), envelope.service.as_ref());
        let Some(rollout) =
            envelope.rollout.clone().filter(|_| own.is_some_and(|own| own.as_str() == "user-service"))
        else {
            return;
        };
        let back = self.ends.contains_key(&(rollout.clone(), false)) && BACK.contains(&kind);
        if back || FORWARD.contains(&kind) {
            self.ends.insert((rollout, back), kind);
        }
    }

    /// How a rollout has ended for the service, forward or back.
    pub(crate) fn end(&self, rollout: &RolloutId, back: bool) -> Option<EventType> {
        self.ends.get(&(rollout.clone(), back)).copied()
    }

    /// What was answered for and is not on the log.
    pub(crate) fn missing(&self) -> Vec<&String> {
        self.answered.difference(&self.there).collect()
    }

    /// How many events were answered for, and how many records stood twice.
    pub(crate) fn counts(&self) -> (usize, usize) {
        (self.answered.len(), self.twice)
    }

    /// How rollouts ended.
    pub(crate) fn ends(&self) -> BTreeMap<String, u32> {
        let mut ends = BTreeMap::new();
        for ((_, back), end) in &self.ends {
            let way = if *back { "back" } else { "forward" };
            *ends.entry(format!("{way} {end}")).or_default() += 1;
        }
        ends
    }
}
