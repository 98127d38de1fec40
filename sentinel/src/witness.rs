//! The record that was read last, as a witness against a log that lies: whoever goes on where it stands finds it there,
//! or the log is another one.

use pavane_events::{Entry, EventId, Timestamp};
use serde::{Deserialize, Serialize};

/// What is remembered of the entry that was read last. Two logs that agree in all of it are the same one: the broker
/// gives the time, and ids are not used twice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Witness {
    /// Where it stands.
    pub(crate) offset: i64,
    /// When the broker appended it.
    pub(crate) at: Timestamp,
    /// Its id, when that can be read.
    pub(crate) id: Option<EventId>,
}

impl Witness {
    pub(crate) fn of(entry: &Entry) -> Self {
        let id = match entry {
            Entry::Event(record) => Some(record.event.envelope.id.clone()),
            Entry::Unreadable(unreadable) => unreadable.id.clone(),
        };
        Self { offset: entry.offset(), at: entry.at(), id }
    }
}
