//! The line of what waits for the broker: its numbers, and what of it the journal does not hold yet.

use std::collections::BTreeMap;
use std::time::Duration;

use pavane_bus::Appended;
use pavane_events::Envelope;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::error::Error;
use crate::letter::{Content, Letter};
use crate::outbox::Sent;
use crate::telemetry;

/// How long the broker may take to answer before a letter that the journal does not hold is written there. Much
/// longer than a broker that is well, much shorter than the door's patience.
const WRITE_AFTER: Duration = Duration::from_millis(250);

/// What is answered to who waits: where it stands, or why it can never be written.
pub(crate) type Answer = Result<Appended, String>;

/// A letter in the line, with who waits for its answer.
pub(crate) struct Posted {
    pub(crate) letter: Letter,
    pub(crate) answer: Option<oneshot::Sender<Answer>>,
}

/// The line of what waits for the broker.
pub(crate) struct Line {
    next: u64,
    sequence: i64,
    acknowledged: i64,
    depth: usize,
    /// Letters that the journal does not hold, and when it must.
    unwritten: BTreeMap<u64, (Instant, Letter)>,
    letters: UnboundedSender<Posted>,
}

impl Line {
    /// A line that begins with what an earlier process left in it.
    pub(crate) fn new(letters: UnboundedSender<Posted>, left: Vec<Letter>) -> Result<Self, Error> {
        let next = left.last().map_or(1, |letter| letter.number + 1);
        let unwritten = BTreeMap::new();
        let mut line = Self { next, sequence: 0, acknowledged: 0, depth: 0, unwritten, letters };
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
        self.send(Posted { letter, answer: None })
    }

    /// Sends a letter that the journal does not hold. Whoever waits for the answer has been promised nothing yet, and
    /// a broker that is well answers sooner than a disk.
    pub(crate) fn post_unwritten(
        &mut self,
        letter: Letter,
        answer: oneshot::Sender<Answer>,
    ) -> Result<(), Error> {
        self.unwritten.insert(letter.number, (Instant::now() + WRITE_AFTER, letter.clone()));
        self.send(Posted { letter, answer: Some(answer) })
    }

    /// When the journal must hold what it does not; none when it holds all.
    pub(crate) fn write_by(&self) -> Option<Instant> {
        self.unwritten.first_key_value().map(|(_, (by, _))| *by)
    }

    /// Takes what the journal must hold from here on.
    pub(crate) fn take_unwritten(&mut self) -> Vec<Letter> {
        std::mem::take(&mut self.unwritten).into_values().map(|(_, letter)| letter).collect()
    }

    /// Whether the journal holds a letter. One that it does not is forgotten: the broker has answered for it.
    pub(crate) fn was_written(&mut self, number: u64) -> bool {
        self.unwritten.remove(&number).is_none()
    }

    /// Takes a letter out of the line: the broker has answered for it.
    pub(crate) fn strike(&mut self, sent: &Sent, boot: &str) {
        self.depth = self.depth.saturating_sub(1);
        telemetry::outbox(self.depth);
        if sent.appended && sent.boot.as_deref() == Some(boot) {
            self.acknowledged = self.acknowledged.max(sent.sequence.unwrap_or(0));
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

    fn send(&mut self, posted: Posted) -> Result<(), Error> {
        self.depth += 1;
        telemetry::outbox(self.depth);
        self.letters.send(posted).map_err(|_| Error::Ended("its outbox"))
    }
}

#[cfg(test)]
mod tests {
    use pavane_events::service::Ready;
    use pavane_events::{Domain, EventId, Source};
    use tokio::sync::mpsc::unbounded_channel;

    use super::*;

    #[test]
    fn a_letter_is_to_be_written_until_it_is_written_or_answered_for() {
        let (letters, _posted) = unbounded_channel();
        let mut line = Line::new(letters, Vec::new()).unwrap();
        assert_eq!(line.write_by(), None);
        let first = post(&mut line);
        let by = line.write_by().unwrap();
        let second = post(&mut line);
        assert_eq!(line.write_by(), Some(by), "the oldest decides");
        assert!(!line.was_written(first), "it was answered for before it was written");
        assert_eq!(line.take_unwritten().iter().map(|letter| letter.number).collect::<Vec<_>>(), [second]);
        assert_eq!(line.write_by(), None);
        assert!(line.was_written(second));
    }

    fn post(line: &mut Line) -> u64 {
        let envelope = Envelope::new(
            Domain::new("shop").unwrap(),
            Source::new("/pavane/shop/a/a-0").unwrap(),
            EventId::new("e-1").unwrap(),
        );
        let letter = line.seal(envelope, Content::Own(Ready::default().into()));
        let number = letter.number;
        line.post_unwritten(letter, oneshot::channel().0).unwrap();
        number
    }
}
