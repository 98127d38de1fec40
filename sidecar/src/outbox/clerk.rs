//! The clerk: writes into the journal what must be there, all that waits in one commit.
//!
//! A commit blocks its thread for as long as the disk syncs, so the clerk has a thread of its own. The sidecar's loop
//! writes by the same pen, since what it says stands in the same order of numbers.

use std::sync::{Arc, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use pavane_events::Envelope;
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::task::block_in_place;

use super::{Answer, Arrival, Desk, Outbox};
use crate::error::Error;
use crate::failpoint::pass;
use crate::hook::causes;
use crate::journal::Batch;
use crate::letter::{Content, Letter, weight};
use crate::line::{Mark, SLOW};
use crate::telemetry;

/// How long what need not be in the journal may stay there.
pub(super) const LATER: Duration = Duration::from_millis(200);
/// How long after the disk was full nothing more is tried on it.
const FULL: Duration = Duration::from_secs(1);

/// Ends the clerk and gives the journal's file back, whatever way the sidecar ends.
pub(crate) struct Closer(Arc<Outbox>);

impl Drop for Closer {
    fn drop(&mut self) {
        self.0.desk().closed = true;
        self.0.work.notify_all();
        self.0.changed.notify_one();
        let _pen = self.0.pen.lock().unwrap_or_else(PoisonError::into_inner);
        self.0.journal.close();
    }
}

/// What is written in one go, and where it is put afterwards.
struct Turn {
    mark: Mark,
    batch: Batch,
    /// Those that came, with their numbers, and whether they must be written first.
    arrived: Vec<(Letter, bool)>,
    /// The sidecar's own.
    own: Vec<Letter>,
    /// Those that had waited too long for the broker.
    due: Vec<u64>,
}

impl Outbox {
    /// Starts the clerk; it works until the closer is dropped.
    pub(crate) fn employ(self: &Arc<Self>) -> Result<Closer, Error> {
        let outbox = Arc::downgrade(self);
        let clerk = thread::Builder::new().name("journal".to_owned()).spawn(move || work(&outbox));
        clerk.map_err(Error::Thread)?;
        Ok(Closer(self.clone()))
    }

    /// Writes what the sidecar has to write, and what it says with it: durable when this returns, and on its way then.
    pub(crate) fn write(self: &Arc<Self>, batch: Batch, said: Vec<(Envelope, Content)>) -> Result<(), Error> {
        self.write_due(batch, said, Instant::now())
    }

    /// Takes a note that must be durable when this returns; where it cannot be taken, says why. A disk that is full may
    /// have room again; any other failure ends the sidecar.
    pub(crate) fn note(self: &Arc<Self>, batch: Batch) -> Result<(), String> {
        let Err(error) = self.write(batch, Vec::new()) else { return Ok(()) };
        let why = error.to_string();
        if !matches!(error, Error::JournalFull { .. }) {
            self.desk().dead.get_or_insert(error);
            self.changed.notify_one();
        }
        Err(why)
    }

    /// Writes all that the journal does not hold, however short it has waited.
    pub(crate) fn write_all(self: &Arc<Self>) -> Result<(), Error> {
        self.write_due(Batch::default(), Vec::new(), Instant::now() + SLOW)
    }

    fn write_due(
        self: &Arc<Self>,
        batch: Batch,
        said: Vec<(Envelope, Content)>,
        due: Instant,
    ) -> Result<(), Error> {
        let _pen = self.pen.lock().unwrap_or_else(PoisonError::into_inner);
        let turn = self.desk().begin(batch, said, due)?;
        pass("outbox sealed");
        let commit = || self.journal.commit(&turn.batch);
        let result = if turn.batch.is_empty() { Ok(()) } else { beside_the_others(commit) };
        pass("outbox written");
        let mut desk = self.desk();
        let result = desk.finish(turn, result, Instant::now());
        self.tidy(&mut desk);
        self.pump(&mut desk);
        if !desk.arrivals.is_empty() {
            self.work.notify_all();
        }
        result
    }

    /// Waits until there is something to write. None when the clerk's work is done.
    fn wait(&self) -> Option<()> {
        let mut desk = self.desk();
        loop {
            if desk.closed || desk.dead.is_some() {
                return None;
            }
            let now = Instant::now();
            let next = desk.line.write_by().into_iter().chain(desk.tidy_at).min();
            if !desk.arrivals.is_empty() || next.is_some_and(|next| next <= now) {
                return Some(());
            }
            let pause = next.map_or(Duration::from_hours(1), |next| next - now);
            desk.looks_at = Some(now + pause);
            desk = self.work.wait_timeout(desk, pause).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// Blocks this thread and no other task: the sidecar has one worker, and the disk takes its time.
fn beside_the_others<T>(work: impl FnOnce() -> T) -> T {
    let many = Handle::try_current().is_ok_and(|here| here.runtime_flavor() == RuntimeFlavor::MultiThread);
    if many { block_in_place(work) } else { work() }
}

fn work(outbox: &Weak<Outbox>) {
    while let Some(outbox) = outbox.upgrade() {
        if outbox.wait().is_none() {
            return;
        }
        match outbox.write(Batch::default(), Vec::new()) {
            Ok(()) => {}
            Err(error @ Error::JournalFull { .. }) => telemetry::trouble("write", &error, FULL),
            Err(error) => {
                outbox.desk().dead.get_or_insert(error);
                outbox.changed.notify_one();
                return;
            }
        }
    }
}

impl Desk {
    /// Gives numbers to all that waits, and says what is to be written.
    fn begin(
        &mut self,
        mut batch: Batch,
        said: Vec<(Envelope, Content)>,
        due: Instant,
    ) -> Result<Turn, Error> {
        if let Some(why) = &self.unsure {
            return Err(Error::JournalFailed(why.clone()));
        }
        let mark = self.line.mark();
        self.sealing = true;
        self.tidy_at = None;
        (self.arriving, self.arriving_bytes) = (0, 0);
        let mut arrived = Vec::new();
        for Arrival { envelope, content, digest, local } in std::mem::take(&mut self.arrivals) {
            self.arriving += 1;
            self.arriving_bytes += weight(&content);
            arrived.push((self.line.seal(envelope, content, digest), local));
        }
        let own: Vec<_> =
            said.into_iter().map(|(envelope, content)| self.line.seal(envelope, content, None)).collect();
        let due = self.line.due(due);
        batch.said.extend(due.iter().map(|letter| (**letter).clone()));
        batch.said.extend(arrived.iter().filter(|(_, local)| *local).map(|(letter, _)| letter.clone()));
        batch.said.extend(own.iter().cloned());
        batch.sent = std::mem::take(&mut self.gone);
        batch.unsendable = std::mem::take(&mut self.unsendable);
        (batch.receipts, batch.forgotten) = self.receipts.take();
        Ok(Turn { mark, batch, arrived, own, due: due.iter().map(|letter| letter.number).collect() })
    }

    /// Puts into the line what was written, and what need not be; answers who waited for the journal.
    fn finish(&mut self, turn: Turn, result: Result<(), Error>, now: Instant) -> Result<(), Error> {
        self.sealing = false;
        let Turn { mark, batch, arrived, own, due } = turn;
        for (letter, _) in &arrived {
            self.arriving = self.arriving.saturating_sub(1);
            self.arriving_bytes = self.arriving_bytes.saturating_sub(weight(&letter.content));
        }
        if let Err(error) = result {
            if matches!(error, Error::JournalFull { .. }) {
                self.undo(mark, batch, arrived, now);
            } else {
                // what was written may be there after all: were its numbers given again, two events would have one
                self.unsure = Some(causes(&error));
            }
            return Err(error);
        }
        self.full_until = None;
        for number in due {
            if !self.line.set_written(number) {
                self.gone.push(number);
            }
        }
        for (letter, local) in arrived {
            if local {
                let sequence = letter.envelope.sequence.unwrap_or(0);
                self.receipts.kept(&letter.envelope.id, sequence);
            }
            self.line.publish(letter, local, now);
        }
        for letter in own {
            self.line.publish(letter, true, now);
        }
        Ok(())
    }

    /// Nothing of it was written: who asked for that is told so, and the rest goes without, under the same numbers.
    fn undo(&mut self, mark: Mark, batch: Batch, arrived: Vec<(Letter, bool)>, now: Instant) {
        let Batch { sent, unsendable, receipts, forgotten, .. } = batch;
        self.gone.extend(sent);
        self.unsendable.extend(unsendable);
        self.receipts.put_back(&receipts, forgotten);
        self.line.rewind(mark);
        self.line.postpone(now + FULL);
        self.full_until = Some(now + FULL);
        self.tidy_at = Some(now + FULL);
        for (letter, local) in arrived {
            if local {
                self.receipts.drop_with(&letter.envelope.id, &Answer::Full);
                continue;
            }
            let letter = self.line.seal(letter.envelope, letter.content, letter.digest);
            self.line.publish(letter, false, now);
        }
    }
}
