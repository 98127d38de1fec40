//! The demo reads along: every record as it comes, and the domain as it stands after it.

use std::sync::Arc;

use pavane_events::{Entry, Envelope, EventType, Record, RolloutId};
use pavane_sentinel_engine::{RolloutView, View};
use tokio::sync::watch;

use super::narrator::Narrator;
use crate::failure::Failure;
use crate::fold::{Fold, Next};

/// What was read so far, and the domain as it stands after it.
#[derive(Clone, Debug)]
pub struct Chronicle {
    /// Every record, in order.
    pub entries: Vec<Arc<Entry>>,
    /// The domain.
    pub view: View,
}

impl Chronicle {
    /// A rollout as it stands.
    pub fn rollout(&self, id: &RolloutId) -> Option<&RolloutView> {
        self.view.rollouts.iter().find(|rollout| rollout.id == *id)
    }

    /// What the sentinel said first of a stall of a rollout.
    pub fn stall_of(&self, id: &RolloutId) -> Option<&Record> {
        self.entries.iter().find_map(|entry| match entry.as_ref() {
            Entry::Event(record) if is_stall(record) && about(entry) == Some(id) => Some(record),
            Entry::Event(_) | Entry::Unreadable(_) => None,
        })
    }

    /// The records about a rollout, in order.
    pub fn of<'a>(&'a self, id: &'a RolloutId) -> impl Iterator<Item = &'a Entry> {
        self.entries.iter().map(Arc::as_ref).filter(move |entry| about(entry) == Some(id))
    }
}

/// A chronicle of a log of which nothing was read.
pub fn open(fold: &Fold) -> (watch::Sender<Chronicle>, watch::Receiver<Chronicle>) {
    watch::channel(Chronicle { entries: Vec::new(), view: fold.view() })
}

/// Reads along until it fails; tells each record once, as it comes.
pub async fn follow(
    mut fold: Fold,
    chronicle: watch::Sender<Chronicle>,
    narrator: Arc<Narrator>,
) -> Result<(), Failure> {
    loop {
        let Next::Entry(entry) = fold.next().await? else { continue };
        let repeated = chronicle.borrow().entries.iter().any(|known| is_same(known, &entry));
        if repeated {
            continue;
        }
        let rollout = about(&entry).and_then(|id| fold.rollout(id));
        narrator.hear(&entry, rollout.as_ref());
        chronicle.send_modify(|chronicle| {
            chronicle.entries.push(Arc::from(entry));
            chronicle.view = fold.view();
        });
    }
}

fn is_stall(record: &Record) -> bool {
    record.event.body.event_type() == EventType::RolloutStalled
}

fn about(entry: &Entry) -> Option<&RolloutId> {
    match entry {
        Entry::Event(record) => record.event.envelope.rollout.as_ref(),
        Entry::Unreadable(unreadable) => unreadable.rollout.as_ref(),
    }
}

/// The same event, said again: it counts once, so it is told once.
fn is_same(known: &Entry, entry: &Entry) -> bool {
    let identity = |envelope: &Envelope| (envelope.source.clone(), envelope.id.clone());
    match (known, entry) {
        (Entry::Event(known), Entry::Event(new)) => {
            identity(&known.event.envelope) == identity(&new.event.envelope)
        }
        (Entry::Unreadable(_), _) | (_, Entry::Unreadable(_)) => false,
    }
}
