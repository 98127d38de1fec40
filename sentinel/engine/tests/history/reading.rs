//! What a reader of a log finds: what the log accepted where, what was counted, what is told, and what it shows.

use std::collections::{BTreeMap, BTreeSet};

use pavane_events::control::Proposed;
use pavane_events::{Body, Entry, RolloutId};
use pavane_sentinel_engine::{Alert, Counter, Effect, Engine, Input, Status};

use crate::floor::domain;

/// A reader with what it has found so far.
pub(crate) struct Reading {
    pub(crate) engine: Engine,
    /// The kinds of the proposals that the log accepted, by their offsets.
    pub(crate) accepted: BTreeMap<i64, &'static str>,
    /// What was counted while entries were read.
    pub(crate) counted: BTreeMap<Counter, usize>,
    /// The ids of what is to be told and written because of the log: of alerts, and of decisions to say.
    pub(crate) ids: BTreeSet<String>,
    pub(crate) ended: Vec<(RolloutId, Status)>,
    /// What the log gives cause to tell, in order.
    pub(crate) alerts: Vec<Alert>,
}

/// Alerts that no verdict stands behind: what they tell may depend on what a replica has heard.
const REMINDERS: [&str; 6] =
    ["Blind", "ApprovalAwaited", "MetricMissing", "CohortUnknown", "MaintenanceOver", "Orphaned"];

impl Reading {
    /// A reader that nobody expects to speak.
    pub(crate) fn new(name: &str) -> Self {
        Self {
            engine: Engine::new(domain(), name.to_owned()),
            accepted: BTreeMap::new(),
            counted: BTreeMap::new(),
            ids: BTreeSet::new(),
            ended: Vec::new(),
            alerts: Vec::new(),
        }
    }

    /// One that reads the whole log and nothing else.
    pub(crate) fn of(entries: &[Entry]) -> Self {
        let mut reading = Self::new("reader");
        for entry in entries {
            reading.read(0, entry);
        }
        reading
    }

    /// Reads the next entry; what the log says of it if it is a proposal.
    pub(crate) fn read(&mut self, now: i64, entry: &Entry) -> Option<&'static str> {
        let effects = self.engine.handle(now, Input::Read(entry.clone()));
        let mut accepted = None;
        for effect in effects {
            match effect {
                Effect::Count(counter) => {
                    *self.counted.entry(counter).or_default() += 1;
                    if let Counter::ProposalAccepted(kind) = counter {
                        accepted = Some(kind);
                    }
                }
                Effect::Ended(ended) => self.ended.push((ended.rollout, ended.status)),
                Effect::Raise(alert) => self.tell(*alert),
                Effect::Append(draft) => self.ids.extend(draft.id.iter().map(|id| format!("say {id}"))),
                Effect::DeadLetter { .. }
                | Effect::Blind { .. }
                | Effect::Sighted { .. }
                | Effect::Measure { .. }
                | Effect::Remember(_) => {}
            }
        }
        if let Some(kind) = accepted {
            self.accepted.insert(entry.offset(), kind);
        }
        accepted
    }

    fn tell(&mut self, alert: Alert) {
        let name = alert.labels.get("alertname").map_or("", String::as_str);
        if !REMINDERS.contains(&name) {
            self.ids.insert(format!("tell {} {} {name}", alert.id, alert.status.as_str()));
            self.alerts.push(alert);
        }
    }

    /// What it shows.
    pub(crate) fn shows(&self) -> String {
        format!("{:#?}", self.engine.view())
    }
}

/// Fails where two readers hold something else: first on what they show, then on a byte.
pub(crate) fn alike(left: &Reading, right: &Reading, what: &str) {
    assert_eq!(left.accepted, right.accepted, "{what}");
    assert_eq!(left.ended, right.ended, "{what}");
    same(&left.shows(), &right.shows(), what);
    assert!(
        left.engine.snapshot() == right.engine.snapshot(),
        "{what}: they show the same and hold something else"
    );
}

/// A proposal with the rollout that it is about.
pub(crate) fn proposal(entry: &Entry) -> Option<(Option<&RolloutId>, &Proposed)> {
    let Entry::Event(record) = entry else { return None };
    let Body::Proposed(proposed) = &record.event.body else { return None };
    Some((record.event.envelope.rollout.as_ref(), proposed))
}

/// Fails on the first line in which two texts differ.
fn same(left: &str, right: &str, what: &str) {
    if left != right {
        let differ = left.lines().zip(right.lines()).enumerate().find(|(_, (left, right))| left != right);
        panic!("{what}: differs at {differ:?}");
    }
}
