//! Properties of outbox and journal together, against what was answered: on a model of a disk and of a broker, with the
//! disk full, failing, and the process killed at any operation.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex};

use pavane_bus::{Appended, Encoded, Error as BusError};
use pavane_events::service::Ready;
use pavane_events::{Domain, Envelope, EventId, EventType, Source, Timestamp};
use proptest::test_runner::{Config, TestRunner};
use tokio::sync::oneshot;

use super::disk::{Disk, Fault};
use super::turns::{Op, turns};
use crate::error::Error;
use crate::journal::{Batch, Journal, Recalled};
use crate::letter::Content;
use crate::line::Limits;
use crate::outbox::{Answer, Outbox, Post, Receipt, Refusal};

const OWN: &str = "shop/a/a-0";
const LIMITS: Limits = Limits { events: 12, bytes: 1 << 20 };

/// What was met on the way: a property that never meets a fault holds nothing.
#[derive(Debug, Default)]
struct Met(BTreeMap<&'static str, u32>);

impl Met {
    fn note(&mut self, what: &'static str) {
        *self.0.entry(what).or_default() += 1;
    }
}

/// Who waits for the broker's answer.
type Answering = oneshot::Sender<Result<Appended, BusError>>;

/// The broker: what stands on its log, and what is with it.
#[derive(Default)]
struct Broker {
    log: Vec<(EventId, String, i64)>,
    with_it: Vec<(EventId, String, i64, Answering)>,
}

struct World {
    disk: Disk,
    broker: Arc<Mutex<Broker>>,
    outbox: Arc<Outbox>,
    boot: u32,
    said: u32,
    waiting: Vec<(EventId, oneshot::Receiver<Answer>)>,
    /// What was promised, with the answer of the broker where it was one.
    promised: BTreeMap<EventId, Option<i64>>,
    refused: BTreeSet<EventId>,
    last: Option<(EventId, bool, u16)>,
    crashed: bool,
    met: Met,
}

#[test]
fn what_was_promised_is_on_the_log_in_its_order_whatever_befalls_disk_broker_and_process() {
    let cases = std::env::var("PAVANE_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(150);
    let met = Mutex::new(Met::default());
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let result = runner.run(&turns(), |ops| {
        let found = runtime.block_on(async {
            let mut world = World::new();
            for op in ops {
                world.step(op).await;
            }
            world.end().await;
            world.met
        });
        let mut met = met.lock().unwrap();
        for (what, times) in found.0 {
            *met.0.entry(what).or_default() += times;
        }
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
    let met = met.into_inner().unwrap();
    for what in [
        "disk full",
        "sync failed",
        "killed within a commit",
        "torn write",
        "crash",
        "killed",
        "left over",
        "answer lost",
        "broker failed",
        "said again",
        "crowded",
        "kept",
        "appended",
        "away",
    ] {
        assert!(met.0.contains_key(what), "{what} was never met: {met:?}");
    }
}

impl World {
    fn new() -> Self {
        let (disk, broker) = (Disk::default(), Arc::new(Mutex::new(Broker::default())));
        let (outbox, _) = begin(&disk, &broker, 0);
        Self {
            disk,
            broker,
            outbox,
            boot: 0,
            said: 0,
            waiting: Vec::new(),
            promised: BTreeMap::new(),
            refused: BTreeSet::new(),
            last: None,
            crashed: false,
            met: Met::default(),
        }
    }

    async fn step(&mut self, op: Op) {
        match op {
            Op::Post { local, again, size } => self.post(local, again, size),
            Op::Own => {
                self.said += 1;
                let said = (envelope(&format!("own-{}", self.said), self.boot), Ready::default().into());
                let (id, said) = (said.0.id.clone(), vec![(said.0, Content::Own(said.1))]);
                let result = self.outbox.write(Batch::default(), said);
                if result.is_ok() {
                    self.promised.insert(id, None);
                }
                self.wrote(&result);
            }
            Op::Write => {
                let result = self.outbox.write_all();
                self.wrote(&result);
            }
            Op::Take => self.take(true),
            Op::TakeUnheard => self.take(false),
            Op::Fail => self.fail(0),
            Op::Befall(fault) => self.disk.set(fault),
            Op::Kill => {
                self.met.note("killed");
                self.disk.kill();
                self.begin_again();
            }
            Op::Crash(dice) => self.crash(dice),
        }
        self.settle().await;
    }

    fn post(&mut self, local: bool, again: bool, size: u16) {
        let last = self.last.clone().filter(|_| again);
        let (id, local, size) = if let Some(last) = last {
            self.met.note("said again");
            last
        } else {
            self.said += 1;
            (EventId::new(format!("e-{}", self.said)).unwrap(), local, size)
        };
        self.last = Some((id.clone(), local, size));
        let encoded = Encoded { value: vec![7; usize::from(size)], dataschema: "urn:x".to_owned() };
        let content = Content::Given { event: EventType::Ready, encoded };
        let envelope = envelope(id.as_str(), self.boot);
        match self.outbox.post(Post { envelope, content, digest: 1, keyed: true, local }) {
            Ok(answer) => {
                self.refused.remove(&id);
                self.waiting.push((id, answer));
            }
            Err(Refusal::Crowded { .. }) => self.met.note("crowded"),
            Err(Refusal::Away) => self.met.note("away"),
            Err(Refusal::Full | Refusal::Ended) => {}
            Err(Refusal::Conflict) => panic!("{id} was never another event"),
        }
    }

    fn wrote(&mut self, result: &Result<(), Error>) {
        match result {
            Ok(()) => {}
            Err(Error::JournalFull { .. }) => self.met.note("disk full"),
            // The process ends by that, as any other end.
            Err(_) if self.disk.fault() == Fault::Dead => {
                self.met.note("killed within a commit");
                self.end_of_a_life();
            }
            Err(error) => {
                assert!(error.to_string().contains("a sync has failed"), "{error}");
                let said = vec![(envelope("never", self.boot), Content::Own(Ready::default().into()))];
                self.outbox.write(Batch::default(), said).unwrap_err();
                self.end_of_a_life();
            }
        }
    }

    fn take(&mut self, heard: bool) {
        let mut broker = self.broker.lock().unwrap();
        if broker.with_it.is_empty() {
            return;
        }
        let (id, boot, sequence, answer) = broker.with_it.remove(0);
        broker.log.push((id, boot, sequence));
        let offset = i64::try_from(broker.log.len()).unwrap() - 1;
        drop(broker);
        if heard {
            drop(answer.send(Ok(Appended { partition: 0, offset, at: Timestamp(0) })));
        } else {
            self.met.note("answer lost");
            drop(answer.send(Err(unknown())));
            self.fail(0);
        }
    }

    /// An idempotent producer's broker takes nothing behind what it has not taken.
    fn fail(&mut self, from: usize) {
        let failed: Vec<_> = self.broker.lock().unwrap().with_it.drain(from..).collect();
        if !failed.is_empty() {
            self.met.note("broker failed");
        }
        for (.., answer) in failed {
            drop(answer.send(Err(unknown())));
        }
    }

    /// The process ends by what befell its disk; the machine may, too.
    fn end_of_a_life(&mut self) {
        if self.said.is_multiple_of(2) {
            self.disk.kill();
            self.begin_again();
        } else {
            self.crash(self.said.wrapping_mul(0x9e37_79b9));
        }
    }

    fn crash(&mut self, mut dice: u32) {
        self.met.note("crash");
        let torn = self.disk.crash(|| {
            dice = dice.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            dice >> 8
        });
        if torn > 0 {
            self.met.note("torn write");
        }
        self.begin_again();
    }

    fn begin_again(&mut self) {
        self.crashed = true;
        self.broker.lock().unwrap().with_it.clear();
        self.waiting.clear();
        self.boot += 1;
        let (outbox, recalled) = begin(&self.disk, &self.broker, self.boot);
        if recalled > 0 {
            self.met.note("left over");
        }
        self.outbox = outbox;
        // The sidecar reads the log to its end before it answers for a key.
        let log = self.broker.lock().unwrap().log.clone();
        for (offset, (id, _, sequence)) in (0..).zip(log) {
            self.outbox.learn(Receipt { id, digest: None, sequence, partition: 0, offset });
        }
    }

    /// Lets tasks run, and takes note of what was answered.
    async fn settle(&mut self) {
        for _ in 0..4 {
            tokio::task::yield_now().await;
        }
        self.outbox.desk().line.rest_no_more();
        let mut waiting = Vec::new();
        for (id, mut answer) in std::mem::take(&mut self.waiting) {
            match answer.try_recv() {
                Ok(Answer::Appended(receipt)) => {
                    self.met.note("appended");
                    let log = &self.broker.lock().unwrap().log;
                    assert_eq!(log[usize::try_from(receipt.offset).unwrap()].0, id);
                    let before = self.promised.insert(id, Some(receipt.offset)).flatten();
                    // Where an answer that was lost left it twice on the log, the first place counts after a crash.
                    let earlier = |offset: i64| {
                        self.crashed
                            && receipt.offset < offset
                            && log[usize::try_from(offset).unwrap()].0 == receipt.id
                    };
                    assert!(
                        before.is_none_or(|offset| offset == receipt.offset || earlier(offset)),
                        "another answer for one key"
                    );
                }
                Ok(Answer::Kept { .. }) => {
                    self.met.note("kept");
                    self.promised.entry(id).or_default();
                }
                Ok(Answer::Full) => drop(self.refused.insert(id)),
                Ok(Answer::Never(why)) => panic!("{id}: {why}"),
                Err(oneshot::error::TryRecvError::Empty) => waiting.push((id, answer)),
                Err(oneshot::error::TryRecvError::Closed) => panic!("{id} is never answered"),
            }
        }
        self.waiting = waiting;
        if self.disk.syncs().1 > 0 {
            self.met.note("sync failed");
        }
    }

    /// The disk has room, the broker is well: then all that was promised comes.
    async fn end(&mut self) {
        if matches!(self.disk.fault(), Fault::Dead | Fault::Sync | Fault::Kill(_)) {
            self.crash(17);
        }
        self.disk.set(Fault::None);
        for _ in 0..4 {
            let result = self.outbox.write_all();
            self.wrote(&result);
            self.settle().await;
            while !self.broker.lock().unwrap().with_it.is_empty() {
                self.take(true);
                self.settle().await;
                self.outbox.clone().pump(&mut self.outbox.desk());
            }
            self.outbox.clone().pump(&mut self.outbox.desk());
        }
        assert!(self.waiting.is_empty(), "{:?} are not answered", self.waiting);
        self.outbox.write_all().unwrap();
        let log = self.broker.lock().unwrap().log.clone();
        let there: BTreeSet<_> = log.iter().map(|(id, ..)| id.clone()).collect();
        for id in self.promised.keys() {
            assert!(there.contains(id), "{id} was promised and is not on the log");
        }
        for id in &self.refused {
            assert!(!there.contains(id), "{id} was refused and is on the log");
        }
        let (mut seen, mut highest) = (BTreeSet::new(), BTreeMap::<String, i64>::new());
        for (id, boot, sequence) in log {
            if seen.insert(id) {
                let before = highest.insert(boot.clone(), sequence).unwrap_or(0);
                assert!(before < sequence, "{boot}: {sequence} stands after {before}");
                assert!(self.crashed || sequence == before + 1, "a hole before {sequence} that nobody made");
            }
        }
        let depth = self.outbox.depth();
        self.disk.crash(|| 0);
        let (_, left) = begin(&self.disk, &self.broker, self.boot + 1);
        assert_eq!((depth, left), (0, 0), "the journal keeps what the broker has");
    }
}

/// Begins a life of the process; tells how many letters an earlier one had left.
fn begin(disk: &Disk, broker: &Arc<Mutex<Broker>>, boot: u32) -> (Arc<Outbox>, usize) {
    let (place, broker) = (Arc::new(disk.clone()), broker.clone());
    let (journal, mut recalled): (_, Recalled) =
        Journal::open_at(place, Path::new("model"), OWN).unwrap_or_else(|error| panic!("{error}"));
    let left = recalled.outbox.len();
    let outbox = Outbox::new(journal, &format!("b-{boot}"), LIMITS, &mut recalled);
    outbox.open(Box::new(move |letter| {
        let (answer, answered) = oneshot::channel();
        let envelope = &letter.envelope;
        let (boot, sequence) = (envelope.boot.clone().unwrap(), envelope.sequence.unwrap());
        broker.lock().unwrap().with_it.push((envelope.id.clone(), boot, sequence, answer));
        Ok(Box::pin(async move { answered.await.unwrap_or_else(|_| Err(unknown())) }))
    }));
    (outbox, left)
}

fn envelope(id: &str, boot: u32) -> Envelope {
    let source = Source::new("/pavane/shop/a/a-0").unwrap();
    let mut envelope = Envelope::new(Domain::new("shop").unwrap(), source, EventId::new(id).unwrap());
    envelope.boot = Some(format!("b-{boot}"));
    envelope
}

fn unknown() -> BusError {
    BusError::OutcomeUnknown { topic: "log".to_owned(), partition: 0, why: "the model says so".to_owned() }
}
