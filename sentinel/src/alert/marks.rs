//! What was delivered to whom, in memory. The rows of `pavane.notifications` are read into it and written from
//! it; nothing is delivered before all that stood there has been read.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use pavane_events::{EventId, Timestamp};
use pavane_sentinel_engine::AlertStatus;
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, watch};

/// How long before a receiver was first known an alert may have begun to be told to it.
const SLACK: i64 = 10 * 60 * 1000;

/// A row of `pavane.notifications`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "what")]
pub(crate) enum Row {
    /// The receiver was told that the alert burns, or that it is over.
    Delivered {
        /// `firing` or `resolved`; the latter implies the former.
        status: Told,
        /// When, by the clock of the replica that delivered it.
        at: Timestamp,
        /// Which replica that was.
        replica: String,
    },
    /// A receiver was first known then; it is not told of what burnt long before.
    Since {
        /// When, by the clock of the replica that first knew it.
        at: Timestamp,
    },
    /// A record that nobody can read was set aside.
    DeadLettered {
        /// When, by the clock of the replica that did it.
        at: Timestamp,
    },
}

/// How far the story of an alert has been told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Told {
    /// That it burns.
    Firing,
    /// That it is over; there is nothing left to tell.
    Resolved,
}

impl From<AlertStatus> for Told {
    fn from(status: AlertStatus) -> Self {
        match status {
            AlertStatus::Firing => Self::Firing,
            AlertStatus::Resolved => Self::Resolved,
        }
    }
}

/// What was delivered to whom.
pub(crate) struct Marks {
    rows: Mutex<BTreeMap<String, Row>>,
    changed: watch::Sender<u64>,
    loaded: watch::Sender<bool>,
    to_write: mpsc::UnboundedSender<(String, Row)>,
}

impl Marks {
    /// Marks that know nothing, and the rows that are to be written.
    pub(crate) fn new() -> (Self, mpsc::UnboundedReceiver<(String, Row)>) {
        let (to_write, rows) = mpsc::unbounded_channel();
        let (changed, loaded) = (watch::Sender::new(0), watch::Sender::new(false));
        (Self { rows: Mutex::default(), changed, loaded, to_write }, rows)
    }

    /// Takes a row that was read. A row that cannot be read is somebody else's, and says nothing.
    pub(crate) fn read(&self, key: &str, value: Option<&[u8]>) {
        match value.map(serde_json::from_slice::<Row>) {
            Some(Ok(row)) => self.put(key, row),
            Some(Err(error)) => {
                tracing::warn!(key, %error, "a row of the notifications topic cannot be read and is passed over");
            }
            None => {
                self.lock().remove(key);
            }
        }
    }

    /// All rows that stood there at the start have been read.
    pub(crate) fn load(&self, receivers: &[String], now: Timestamp) {
        for receiver in receivers {
            let key = since_key(receiver);
            if !self.lock().contains_key(&key) {
                self.note(key, Row::Since { at: now });
            }
        }
        self.loaded.send_replace(true);
    }

    /// Waits until all rows that stood there at the start have been read.
    pub(crate) async fn loaded(&self) {
        let mut loaded = self.loaded.subscribe();
        loaded.wait_for(|loaded| *loaded).await.expect("the sender lives in self");
    }

    /// Notes a row in memory and has it written.
    pub(crate) fn note(&self, key: String, row: Row) {
        self.put(&key, row.clone());
        // The writer ends with the process; what it did not write is delivered again after the restart.
        let _ended = self.to_write.send((key, row));
    }

    /// Notes in memory alone how far an alert was told.
    pub(crate) fn remember(&self, alert: &EventId, receiver: &str, told: Told) {
        let row = Row::Delivered { status: told, at: Timestamp::default(), replica: String::new() };
        self.put(&delivery_key(alert, receiver), row);
    }

    /// Whether the receiver has been told as much.
    pub(crate) fn told(&self, alert: &EventId, receiver: &str, told: Told) -> bool {
        match self.lock().get(&delivery_key(alert, receiver)) {
            Some(Row::Delivered { status, .. }) => *status >= told,
            Some(Row::Since { .. } | Row::DeadLettered { .. }) | None => false,
        }
    }

    /// Waits until the receiver has been told as much.
    pub(crate) async fn until_told(&self, alert: &EventId, receiver: &str, told: Told) {
        let mut changed = self.changed.subscribe();
        let news = changed.wait_for(|_| self.told(alert, receiver, told));
        news.await.expect("the sender lives in self");
    }

    /// Whether an alert that began then is older than the receiver is known.
    pub(crate) fn precedes(&self, began: Timestamp, receiver: &str) -> bool {
        match self.lock().get(&since_key(receiver)) {
            Some(Row::Since { at }) => began < at.plus(-SLACK),
            Some(Row::Delivered { .. } | Row::DeadLettered { .. }) | None => false,
        }
    }

    /// Whether a record has been set aside.
    pub(crate) fn dead_lettered(&self, key: &str) -> bool {
        matches!(self.lock().get(key), Some(Row::DeadLettered { .. }))
    }

    fn put(&self, key: &str, row: Row) {
        let mut rows = self.lock();
        let (at_hand, news) = (rows.get(key), &row);
        // Rows of two replicas may arrive in either order; a story never becomes untold.
        let older = matches!(
            (at_hand, news),
            (Some(Row::Delivered { status: have, .. }), Row::Delivered { status: new, .. }) if have >= new
        );
        if !older {
            rows.insert(key.to_owned(), row);
        }
        drop(rows);
        self.changed.send_modify(|changes| *changes += 1);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Row>> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The key of the row that says how far a receiver was told of an alert.
pub(crate) fn delivery_key(alert: &EventId, receiver: &str) -> String {
    format!("{alert}/{receiver}")
}

/// The key of the row that says that a record was set aside.
pub(crate) fn dead_letter_key(topic: &str, partition: i32, offset: i64) -> String {
    format!("dead-letter/{topic}-{partition}-{offset}")
}

fn since_key(receiver: &str) -> String {
    format!("since/{receiver}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id() -> EventId {
        EventId::new("d1").expect("a name")
    }

    fn row(status: Told) -> Vec<u8> {
        let row = Row::Delivered { status, at: Timestamp(1), replica: "a".to_owned() };
        serde_json::to_vec(&row).expect("JSON")
    }

    #[test]
    fn what_is_over_was_told_to_burn_and_never_burns_again() {
        let (marks, _rows) = Marks::new();
        assert!(!marks.told(&id(), "a", Told::Firing));
        marks.read("d1/a", Some(&row(Told::Resolved)));
        marks.read("d1/a", Some(&row(Told::Firing)));
        assert!(marks.told(&id(), "a", Told::Firing) && marks.told(&id(), "a", Told::Resolved));
        assert!(!marks.told(&id(), "b", Told::Firing));
    }

    #[test]
    fn a_row_that_nobody_can_read_says_nothing() {
        let (marks, _rows) = Marks::new();
        marks.read("d1/a", Some(b"{\"what\":\"sung\"}"));
        marks.read("d1/a", Some(b"\xff"));
        assert!(!marks.told(&id(), "a", Told::Firing));
    }

    #[tokio::test]
    async fn a_receiver_is_not_told_of_what_burnt_long_before_it_was_known() {
        let (marks, mut rows) = Marks::new();
        marks.load(&["a".to_owned()], Timestamp(SLACK + 5));
        assert!(marks.precedes(Timestamp(4), "a") && !marks.precedes(Timestamp(5), "a"));
        let (key, row) = rows.recv().await.expect("a row to write");
        assert_eq!((key.as_str(), &row), ("since/a", &Row::Since { at: Timestamp(SLACK + 5) }));

        let (marks, _rows) = Marks::new();
        marks.read(&key, Some(&serde_json::to_vec(&row).expect("JSON")));
        marks.load(&["a".to_owned()], Timestamp(SLACK * 9));
        assert!(!marks.precedes(Timestamp(5), "a"), "the first row holds");
    }
}
