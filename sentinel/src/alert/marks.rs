//! What was told to whom, as the rows of `pavane.notifications`: read from there, and written there.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use pavane_alerts::{Row as Told, Silence};
use pavane_events::{Millis, Timestamp};
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, watch};

/// How long a row about something told is of use: a week. What burns is told again far sooner, in a new row.
const KEPT: Millis = 7 * 24 * 60 * 60_000;

/// A row of `pavane.notifications`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "what")]
pub(crate) enum Row {
    /// A notification was delivered.
    Told(Told),
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
    /// Somebody said what need not be told for a while.
    Silenced(Silence),
}

/// What the rows say to whoever tells people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum News {
    /// Something was told.
    Told(Told),
    /// A receiver is known since then.
    Known(String, Timestamp),
    /// There is a silence.
    Silenced(Silence),
    /// There is no silence of this id.
    Unsilenced(String),
    /// All rows that stood there at the start have been read.
    Loaded,
}

/// A row to write; none takes it away.
pub(crate) type ToWrite = (String, Option<Row>);

/// The rows, in memory.
pub(crate) struct Marks {
    dead_letters: Mutex<BTreeSet<String>>,
    /// The rows about what was told, by key, and when that was.
    told: Mutex<BTreeMap<String, Timestamp>>,
    known: Mutex<BTreeMap<String, Timestamp>>,
    loaded: watch::Sender<bool>,
    to_write: mpsc::UnboundedSender<ToWrite>,
    news: mpsc::UnboundedSender<News>,
}

impl Marks {
    /// Marks that know nothing; what is to be written, and what the rows say.
    pub(crate) fn new() -> (Self, mpsc::UnboundedReceiver<ToWrite>, mpsc::UnboundedReceiver<News>) {
        let (to_write, rows) = mpsc::unbounded_channel();
        let (news, read) = mpsc::unbounded_channel();
        let loaded = watch::Sender::new(false);
        let (dead_letters, told, known) = Default::default();
        (Self { dead_letters, told, known, loaded, to_write, news }, rows, read)
    }

    /// Takes a row that was read. A row that cannot be read is somebody else's, and says nothing.
    pub(crate) fn read(&self, key: &str, value: Option<&[u8]>) {
        match value.map(serde_json::from_slice::<Row>) {
            Some(Ok(row)) => self.put(key, row),
            Some(Err(error)) => {
                tracing::warn!(key, %error, "a row of the notifications topic cannot be read and is passed over");
            }
            None => self.remove(key),
        }
    }

    /// All rows that stood there at the start have been read.
    pub(crate) fn load(&self, receivers: &[String], now: Timestamp) {
        for receiver in receivers {
            if !lock(&self.known).contains_key(receiver) {
                self.note(since_key(receiver), Row::Since { at: now });
            }
        }
        self.prune(now);
        self.tell(News::Loaded);
        self.loaded.send_replace(true);
    }

    /// Waits until all rows that stood there at the start have been read.
    pub(crate) async fn loaded(&self) {
        let mut loaded = self.loaded.subscribe();
        loaded.wait_for(|loaded| *loaded).await.expect("the sender lives in self");
    }

    /// Whether they have been.
    pub(crate) fn is_loaded(&self) -> bool {
        *self.loaded.borrow()
    }

    /// Notes a row in memory and has it written.
    pub(crate) fn note(&self, key: String, row: Row) {
        self.put(&key, row.clone());
        // The writer ends with the process; what it did not write is delivered again after the restart.
        let _ended = self.to_write.send((key, Some(row)));
    }

    /// Takes a row away.
    pub(crate) fn erase(&self, key: String) {
        self.remove(&key);
        let _ended = self.to_write.send((key, None));
    }

    /// Takes away what is too old to be of use.
    pub(crate) fn prune(&self, now: Timestamp) {
        let old = |(key, at): (&String, &Timestamp)| (now.since(*at) > KEPT).then(|| key.clone());
        let keys: Vec<_> = lock(&self.told).iter().filter_map(old).collect();
        for key in keys {
            self.erase(key);
        }
    }

    /// Whether a record has been set aside.
    pub(crate) fn dead_lettered(&self, key: &str) -> bool {
        lock(&self.dead_letters).contains(key)
    }

    fn put(&self, key: &str, row: Row) {
        match row {
            Row::Told(told) => {
                lock(&self.told).insert(key.to_owned(), told.at);
                self.tell(News::Told(told));
            }
            Row::Since { at } => {
                let Some(receiver) = key.strip_prefix(SINCE) else { return };
                lock(&self.known).insert(receiver.to_owned(), at);
                self.tell(News::Known(receiver.to_owned(), at));
            }
            Row::DeadLettered { .. } => drop(lock(&self.dead_letters).insert(key.to_owned())),
            Row::Silenced(silence) => self.tell(News::Silenced(silence)),
        }
    }

    fn remove(&self, key: &str) {
        lock(&self.told).remove(key);
        if let Some(id) = key.strip_prefix(SILENCE) {
            self.tell(News::Unsilenced(id.to_owned()));
        }
    }

    fn tell(&self, news: News) {
        // Whoever tells ends only with the process.
        let _ended = self.news.send(news);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

const SINCE: &str = "since/";
const SILENCE: &str = "silence/";

/// The key of the row that says that a notification was delivered.
pub(crate) fn told_key(notification: &str, receiver: &str) -> String {
    format!("told/{notification}/{receiver}")
}

/// The key of the row that says that a record was set aside.
pub(crate) fn dead_letter_key(topic: &str, partition: i32, offset: i64) -> String {
    format!("dead-letter/{topic}-{partition}-{offset}")
}

/// The key of the row that holds a silence.
pub(crate) fn silence_key(id: &str) -> String {
    format!("{SILENCE}{id}")
}

fn since_key(receiver: &str) -> String {
    format!("{SINCE}{receiver}")
}

#[cfg(test)]
mod tests {
    use pavane_alerts::Reason;

    use super::*;

    fn told(at: i64) -> Row {
        Row::Told(Told {
            receiver: "a".to_owned(),
            group: "{}:{}".to_owned(),
            reason: Reason::First,
            at: Timestamp(at),
            replica: "r".to_owned(),
            firing: vec!["00".to_owned()],
            resolved: vec![],
            alerts: vec![],
        })
    }

    #[test]
    fn a_row_that_nobody_can_read_says_nothing() {
        let (marks, _rows, mut news) = Marks::new();
        marks.read("told/n/a", Some(b"{\"what\":\"sung\"}"));
        marks.read("told/n/a", Some(b"\xff"));
        assert!(news.try_recv().is_err());
    }

    #[test]
    fn what_is_written_is_read_back_as_it_was() {
        let (marks, mut rows, mut news) = Marks::new();
        marks.note(told_key("n", "a"), told(5));
        let (key, row) = rows.try_recv().expect("a row");
        let bytes = serde_json::to_vec(&row.expect("written")).expect("JSON");
        marks.read(&key, Some(&bytes));
        assert_eq!(news.try_recv(), news.try_recv());
    }

    #[tokio::test]
    async fn a_receiver_is_known_since_the_first_replica_knew_it() {
        let (marks, mut rows, mut news) = Marks::new();
        marks.load(&["a".to_owned()], Timestamp(7));
        let (key, row) = rows.recv().await.expect("a row to write");
        assert_eq!((key.as_str(), &row), ("since/a", &Some(Row::Since { at: Timestamp(7) })));
        assert_eq!(news.recv().await, Some(News::Known("a".to_owned(), Timestamp(7))));

        let (marks, mut rows, _news) = Marks::new();
        marks.read(&key, Some(&serde_json::to_vec(&row).expect("JSON")));
        marks.load(&["a".to_owned()], Timestamp(9));
        assert!(rows.try_recv().is_err(), "the first row holds");
    }

    #[test]
    fn what_was_told_long_ago_is_taken_away() {
        let (marks, mut rows, _news) = Marks::new();
        for (key, at) in [("told/old/a", 0), ("told/new/a", KEPT)] {
            marks.read(key, Some(&serde_json::to_vec(&told(at)).expect("JSON")));
        }
        marks.load(&[], Timestamp(KEPT + 1));
        assert_eq!(rows.try_recv().expect("a row"), ("told/old/a".to_owned(), None));
        assert!(rows.try_recv().is_err());
    }
}
