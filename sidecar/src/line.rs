//! The line of what waits for the broker, with its numbers and with who waits for its answer.

use std::collections::BTreeMap;

use pavane_bus::Appended;
use pavane_events::Envelope;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::oneshot;

use crate::error::Error;
use crate::letter::{Content, Letter};
use crate::outbox::Sent;
use crate::telemetry;

/// What is answered to who waits: where it stands, or why it can never be written.
pub(crate) type Answer = Result<Appended, String>;

/// The line of what waits for the broker.
pub(crate) struct Line {
    next: u64,
    sequence: i64,
    acknowledged: i64,
    depth: usize,
    waiting: BTreeMap<u64, oneshot::Sender<Answer>>,
    letters: UnboundedSender<Letter>,
}

impl Line {
    /// A line that begins with what an earlier process left in it.
    pub(crate) fn new(letters: UnboundedSender<Letter>, left: Vec<Letter>) -> Result<Self, Error> {
        let next = left.last().map_or(1, |letter| letter.number + 1);
        let mut line =
            Self { next, sequence: 0, acknowledged: 0, depth: 0, waiting: BTreeMap::new(), letters };
        for letter in left {
            line.post(letter)?;
        }
        Ok(line)
    }

    /// Makes a letter, with its place in the line and its sequence number, to be written into the journal.
    pub(crate) fn seal(&mut self, mut envelope: Envelope, content: Content) -> Letter {
        self.sequence += 1;
        envelope.sequence = Some(self.sequence);
        envelope.time = Some(jiff::Timestamp::now().to_string());
        let number = self.next;
        self.next += 1;
        Letter { number, envelope, content }
    }

    /// Sends a letter that the journal holds.
    pub(crate) fn post(&mut self, letter: Letter) -> Result<(), Error> {
        self.depth += 1;
        telemetry::outbox(self.depth);
        self.letters.send(letter).map_err(|_| Error::Ended("its outbox"))
    }

    /// Somebody waits for the answer to a letter.
    pub(crate) fn await_answer(&mut self, number: u64, answer: oneshot::Sender<Answer>) {
        self.waiting.insert(number, answer);
    }

    /// The broker has answered for a letter.
    pub(crate) fn answer(&mut self, sent: Sent, boot: &str) {
        self.depth = self.depth.saturating_sub(1);
        telemetry::outbox(self.depth);
        if sent.result.is_ok() && sent.boot.as_deref() == Some(boot) {
            self.acknowledged = self.acknowledged.max(sent.sequence.unwrap_or(0));
        }
        if let Some(waiting) = self.waiting.remove(&sent.number) {
            // Who asked may have gone away; the event stands all the same.
            drop(waiting.send(sent.result));
        }
    }

    /// How many letters wait.
    pub(crate) const fn depth(&self) -> usize {
        self.depth
    }

    /// The highest sequence number of this boot that the broker has; 0 before the first.
    pub(crate) const fn acknowledged(&self) -> i64 {
        self.acknowledged
    }
}
