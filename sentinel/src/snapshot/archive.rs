//! A domain's way to its snapshots: what the loop knows of them, and hands over.

use std::sync::Arc;

use pavane_events::{Domain, Entry};
use pavane_sentinel_engine::{Alert, Folded};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::clock::wall;
use crate::snapshot::Manifest;
use crate::snapshot::due::{Cost, Due};
use crate::witness::Witness;

/// What was taken of a domain, to be cut into rows and written.
pub(crate) struct Taken {
    pub(crate) domain: Domain,
    pub(crate) fold: Folded,
    pub(crate) alerts: Vec<Alert>,
    pub(crate) manifest: Manifest,
    /// Where it is noted how long it took.
    pub(crate) cost: Cost,
}

/// A domain's way to its snapshots.
pub(crate) struct Archive {
    to: mpsc::Sender<Taken>,
    replica: Arc<str>,
    due: Due,
    /// The domain's partition, and how many the log has.
    place: (i32, i32),
    /// The record that was read last.
    last: Option<Witness>,
}

impl Archive {
    pub(crate) fn new(to: mpsc::Sender<Taken>, replica: Arc<str>, due: Due) -> Self {
        Self { to, replica, due, place: (0, 0), last: None }
    }

    /// The log was found, with the domain in this partition of so many.
    pub(crate) fn opened(&mut self, partition: i32, partitions: i32) {
        self.place = (partition, partitions);
    }

    /// There was a snapshot to go on from.
    pub(crate) fn resumed(&mut self, last: Witness) {
        self.last = Some(last);
    }

    /// An entry was read.
    pub(crate) fn read(&mut self, entry: &Entry) {
        self.last = Some(Witness::of(entry));
        self.due.read();
    }

    /// Whether it is worth taking one: it is time, or the last chance, and the one before is on its way.
    pub(crate) fn is_due(&self, last: bool) -> bool {
        let wanted = if last { self.due.has_news() } else { self.due.is_now() };
        wanted && self.last.is_some() && self.to.capacity() > 0
    }

    /// Hands over what was taken; `begun` says since when it was.
    pub(crate) fn hand_over(&mut self, begun: Instant, domain: &Domain, fold: Folded, alerts: Vec<Alert>) {
        self.due.made(begun);
        let Some(last) = self.last.clone() else { return };
        let (partition, partitions) = self.place;
        let (parts, sha256, replica, at) = (0, String::new(), self.replica.to_string(), wall());
        let manifest = Manifest { last, partition, partitions, parts, sha256, replica, at };
        // Whoever writes ends only with the process; then the next one starts from an older snapshot.
        let (domain, cost) = (domain.clone(), self.due.cost());
        let _full = self.to.try_send(Taken { domain, fold, alerts, manifest, cost });
    }
}
