//! Brings what was said to the broker: first in, first out, each until the broker has it; and into the journal, what
//! must survive.
//!
//! A request that waits for the broker is handed to the client where it stands, by whoever asks: no other task and no
//! disk is on its way. What must be written first goes over the clerk, a thread that writes all that waits in one
//! commit. Numbers are given in one order for both: while the clerk writes, whoever comes waits behind it.

mod clerk;
mod receipts;
#[cfg(test)]
mod trial;

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use pavane_bus::{Appended, Encoded, Error as BusError, Writer};
use pavane_events::{Envelope, Event, EventId};
use tokio::runtime::Handle;
use tokio::sync::{Notify, oneshot};

use crate::error::Error;
use crate::failpoint::pass;
use crate::journal::{Journal, Recalled};
use crate::letter::{Content, Letter, weight};
use crate::line::{Limits, Line};
use crate::telemetry;

pub(crate) use clerk::Closer;
pub(crate) use receipts::{Answer, Receipt};
use receipts::{Known, Receipts};

/// The broker's answer for one letter.
pub(crate) type Delivery = Pin<Box<dyn Future<Output = Result<Appended, BusError>> + Send>>;
/// Hands a letter over, behind all that were handed over before it.
pub(crate) type Carrier = Box<dyn Fn(&Letter) -> Result<Delivery, BusError> + Send + Sync>;

/// An event that the service says.
pub(crate) struct Post {
    pub(crate) envelope: Envelope,
    pub(crate) content: Content,
    /// What the request says, in short.
    pub(crate) digest: u64,
    /// Whether the request names the event, so that it may come again.
    pub(crate) keyed: bool,
    /// Whether the answer is to come when the journal holds it.
    pub(crate) local: bool,
}

/// Why an event is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The line is full. `well`: the broker takes what comes, only not that fast.
    Crowded { well: bool },
    /// The broker does not answer, and nobody asked for the event to be kept.
    Away,
    /// The disk was full a moment ago.
    Full,
    /// The key stands for another event.
    Conflict,
    /// The sidecar ends.
    Ended,
}

/// What waits for the broker and for the journal.
pub(crate) struct Outbox {
    desk: Mutex<Desk>,
    /// Held from the giving of numbers to the end of the commit.
    pen: Mutex<()>,
    work: Condvar,
    journal: Journal,
    carrier: OnceLock<Carrier>,
    runtime: Handle,
    changed: Notify,
    struck: Notify,
}

struct Desk {
    line: Line,
    receipts: Receipts,
    /// What came while the clerk wrote, or must be written first.
    arrivals: Vec<Arrival>,
    arriving: usize,
    arriving_bytes: usize,
    /// The numbers of letters that the journal holds and the broker has.
    gone: Vec<u64>,
    unsendable: Vec<Letter>,
    tidy_at: Option<Instant>,
    /// When the clerk looks again by itself; none before it first did.
    looks_at: Option<Instant>,
    sealing: bool,
    /// Why nobody knows what the journal holds of what it was given last: nothing more gets a number.
    unsure: Option<String>,
    full_until: Option<Instant>,
    dead: Option<Error>,
    closed: bool,
}

struct Arrival {
    envelope: Envelope,
    content: Content,
    digest: Option<u64>,
    local: bool,
}

impl Outbox {
    /// An outbox that begins with what an earlier process left in it.
    pub(crate) fn new(journal: Journal, boot: &str, limits: Limits, recalled: &mut Recalled) -> Arc<Self> {
        let left = std::mem::take(&mut recalled.outbox);
        let mut receipts = Receipts::recalled(std::mem::take(&mut recalled.receipts));
        let mut line = Line::new(boot, limits, left.clone(), Instant::now());
        let mut gone = Vec::new();
        for Letter { envelope, digest, .. } in &left {
            if receipts.has(&envelope.id) {
                // The log has it, and an earlier process was killed before it took it out.
                gone.extend(line.strike_unsent(&envelope.id));
            } else {
                receipts.expect(&envelope.id, *digest, envelope.sequence.unwrap_or(0));
            }
        }
        let desk = Desk {
            line,
            receipts,
            arrivals: Vec::new(),
            arriving: 0,
            arriving_bytes: 0,
            tidy_at: (!gone.is_empty()).then(Instant::now),
            gone,
            unsendable: Vec::new(),
            looks_at: None,
            sealing: false,
            unsure: None,
            full_until: None,
            dead: None,
            closed: false,
        };
        Arc::new(Self {
            desk: Mutex::new(desk),
            pen: Mutex::new(()),
            work: Condvar::new(),
            journal,
            carrier: OnceLock::new(),
            runtime: Handle::current(),
            changed: Notify::new(),
            struck: Notify::new(),
        })
    }

    /// There is a way to the broker.
    pub(crate) fn open(self: &Arc<Self>, carrier: Carrier) {
        if self.carrier.set(carrier).is_ok() {
            self.pump(&mut self.desk());
        }
    }

    /// Takes an event that the service says. The answer comes as it was asked for, from the broker or the journal.
    pub(crate) fn post(self: &Arc<Self>, post: Post) -> Result<oneshot::Receiver<Answer>, Refusal> {
        let mut desk = self.desk();
        let (waiter, answer) = oneshot::channel();
        let id = post.envelope.id.clone();
        if desk.takes_nothing() {
            return Err(Refusal::Ended);
        }
        match desk.receipts.ask(&id, Some(post.digest), post.keyed, post.local, waiter) {
            Known::New => {}
            Known::Again => return Ok(answer),
            Known::Other => return Err(Refusal::Conflict),
        }
        if let Err(refusal) = desk.admit(&post, Instant::now()) {
            desk.receipts.drop_with(&id, &Answer::Full);
            return Err(refusal);
        }
        let Post { envelope, content, digest, local, .. } = post;
        if local || desk.sealing || !desk.arrivals.is_empty() {
            desk.arriving += 1;
            desk.arriving_bytes += weight(&content);
            desk.arrivals.push(Arrival { envelope, content, digest: Some(digest), local });
            self.work.notify_all();
        } else {
            let letter = desk.line.seal(envelope, content, Some(digest));
            desk.line.publish(letter, false, Instant::now());
            self.pump(&mut desk);
            // A switch of threads for each event would cost more than all else here.
            if desk.looks_at.is_none_or(|looks| desk.line.write_by().is_some_and(|by| by < looks)) {
                self.work.notify_all();
            }
        }
        telemetry::outbox(desk.line.depth() + desk.arriving);
        Ok(answer)
    }

    /// Whoever asked was told to ask again under the same id. Tells whether the journal holds the event.
    pub(crate) fn remember(&self, id: &EventId) -> bool {
        let mut desk = self.desk();
        desk.receipts.remember(id);
        desk.line.holds(id)
    }

    /// An event of this instance was read from the log.
    pub(crate) fn learn(&self, receipt: Receipt) {
        let (mut desk, id) = (self.desk(), receipt.id.clone());
        if desk.receipts.learn(receipt)
            && let Some(number) = desk.line.strike_unsent(&id)
        {
            desk.gone.push(number);
        }
        self.tidy(&mut desk);
    }

    /// Whether the broker cannot be relied on at present.
    pub(crate) fn is_slow(&self) -> bool {
        self.desk().line.is_slow(Instant::now())
    }

    /// How many letters wait.
    pub(crate) fn depth(&self) -> usize {
        let desk = self.desk();
        desk.line.depth() + desk.arriving
    }

    /// The highest sequence number of this boot up to which the broker has them all.
    pub(crate) fn acknowledged(&self) -> i64 {
        self.desk().line.acknowledged()
    }

    /// Hands letters over whose time has come, as long as the sidecar runs. Fails when the producer has failed for
    /// good, or the journal.
    pub(crate) async fn tend(self: Arc<Self>) -> Result<(), Error> {
        loop {
            let wake = {
                let mut desk = self.desk();
                if let Some(error) = desk.dead.take() {
                    return Err(error);
                }
                if desk.closed {
                    return Ok(());
                }
                self.pump(&mut desk);
                desk.line.wake_at().unwrap_or_else(|| Instant::now() + Duration::from_hours(1))
            };
            tokio::select! {
                () = self.changed.notified() => {}
                () = tokio::time::sleep_until(wake.into()) => {}
            }
        }
    }

    /// Waits until nothing waits, for so long at most. Returns how many letters wait still.
    pub(crate) async fn drain(&self, limit: Duration) -> usize {
        let emptied = async {
            loop {
                let struck = self.struck.notified();
                if self.depth() == 0 {
                    return;
                }
                struck.await;
            }
        };
        drop(tokio::time::timeout(limit, emptied).await);
        self.depth()
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands over what may be handed over.
    fn pump(self: &Arc<Self>, desk: &mut Desk) {
        let Some(carrier) = self.carrier.get() else { return };
        while let Some(letter) = desk.line.hand_out(Instant::now()) {
            match carrier(&letter) {
                Ok(delivery) => {
                    pass("handed over");
                    let (outbox, number) = (Arc::downgrade(self), letter.number);
                    self.runtime.spawn(async move {
                        let outcome = delivery.await;
                        if let Some(outbox) = outbox.upgrade() {
                            outbox.ended(number, outcome);
                        }
                    });
                }
                Err(error) if error.is_transient() && desk.line.is_under_way() => {
                    // The client has enough; what is on its way makes room.
                    desk.line.hand_back(letter.number);
                    break;
                }
                Err(error) => {
                    self.settle(desk, letter.number, Err(error));
                    break;
                }
            }
        }
    }

    /// The broker has answered for a letter, or will not.
    fn ended(self: &Arc<Self>, number: u64, outcome: Result<Appended, BusError>) {
        pass("answered for");
        let mut desk = self.desk();
        self.settle(&mut desk, number, outcome);
        pass("settled");
        self.pump(&mut desk);
        let depth = desk.line.depth() + desk.arriving;
        drop(desk);
        telemetry::outbox(depth);
        self.struck.notify_waiters();
    }

    fn settle(&self, desk: &mut Desk, number: u64, outcome: Result<Appended, BusError>) {
        match outcome {
            Ok(appended) => {
                let Some((letter, written)) = desk.line.strike(number, true) else { return };
                let envelope = &letter.envelope;
                desk.receipts.appended(&Receipt {
                    id: envelope.id.clone(),
                    digest: None,
                    sequence: envelope.sequence.unwrap_or(0),
                    partition: appended.partition,
                    offset: appended.offset,
                });
                if written {
                    desk.gone.push(number);
                }
                self.tidy(desk);
                telemetry::said(letter.event().as_str(), &envelope.id, appended.offset);
            }
            Err(error @ (BusError::ProducerDead { .. } | BusError::Stopped { .. })) => {
                desk.dead = Some(error.into());
                self.changed.notify_one();
            }
            Err(error) if error.is_transient() => {
                let wait = desk.line.failed(number, Instant::now());
                telemetry::trouble("say", &error, wait);
                self.changed.notify_one();
            }
            Err(error) => {
                let Some((letter, written)) = desk.line.strike(number, false) else { return };
                telemetry::refused(letter.event().as_str(), &letter.envelope.id, &error);
                desk.receipts.drop_with(&letter.envelope.id, &Answer::Never(error.to_string()));
                if written {
                    desk.gone.push(number);
                    desk.unsendable.push((*letter).clone());
                }
                self.tidy(desk);
            }
        }
    }

    /// Sees to it that the clerk takes out of the journal what need not be there.
    fn tidy(&self, desk: &mut Desk) {
        if desk.tidy_at.is_none() && !(desk.gone.is_empty() && desk.receipts.is_tidy()) {
            desk.tidy_at = Some(Instant::now() + clerk::LATER);
            self.work.notify_all();
        }
    }
}

impl Desk {
    /// Whether nothing is taken any more. Where nobody knows what the journal holds, whatever was said now would overtake on the
    /// log what the next process finds there.
    const fn takes_nothing(&self) -> bool {
        self.closed || self.dead.is_some() || self.unsure.is_some()
    }

    /// Whether there is room for an event.
    fn admit(&self, post: &Post, now: Instant) -> Result<(), Refusal> {
        let well = !self.line.is_slow(now);
        let bytes = self.arriving_bytes + weight(&post.content);
        if !self.line.has_room(self.arriving + 1, bytes) {
            return Err(Refusal::Crowded { well });
        }
        if post.local && self.full_until.is_some_and(|until| now < until) {
            return Err(Refusal::Full);
        }
        if !post.local && self.line.is_blocked() {
            return Err(Refusal::Away);
        }
        Ok(())
    }
}

/// The way to the broker by a writer.
pub(crate) fn carrier(writer: Writer) -> Carrier {
    Box::new(move |letter| match &letter.content {
        Content::Own(body) => {
            let event = Event { envelope: letter.envelope.clone(), body: body.clone() };
            Ok(Box::pin(writer.hand_over(&event)?))
        }
        Content::Given { event, encoded } => {
            let Encoded { value, dataschema } = encoded;
            Ok(Box::pin(writer.hand_over_encoded(&letter.envelope, *event, value, dataschema)?))
        }
    })
}
