//! One sentinel's engine, alone on a log that answers at once: whatever it says is read back before anything else.
//!
//! Nothing is left out: proposals, pulses and named events all take the way over the log, identities are remembered,
//! alerts are made. Time is the log's and jumps from one moment at which something happens to the next.

use std::collections::VecDeque;
use std::sync::Arc;

use pavane_events::{Entry, Event, EventId, Millis, Timestamp};
use pavane_sentinel_engine::{AlertStatus, Draft, Effect, Engine, Input};

use super::job::{Job, Stall};

const REPLICA: &str = "bench";

/// An engine and its log.
#[derive(Debug)]
pub struct Play {
    engine: Engine,
    job: Job,
    now: i64,
    offset: i64,
    said: u64,
    queue: VecDeque<Arc<Draft>>,
    /// What is read back of a draft: most of its envelope is the same for all.
    back: Entry,
    effects: Vec<Effect>,
    stalls: Vec<Stall>,
    latest: Millis,
}

impl Play {
    /// An engine that has read nothing but that the domain has no grace, and that sees.
    pub fn new(job: &Job) -> Self {
        let mut play = Self {
            engine: Engine::new(job.domain.clone(), REPLICA.to_owned()),
            job: job.clone(),
            now: 0,
            offset: 0,
            said: 0,
            queue: VecDeque::new(),
            back: job.said(REPLICA),
            effects: Vec::new(),
            stalls: Vec::new(),
            latest: 0,
        };
        play.read(&mut job.configured());
        for input in [Input::Speaks(true), Input::CaughtUp] {
            play.effects = play.engine.handle(0, input);
            play.carry_out();
        }
        play.read_back();
        play
    }

    /// Announces records to the engine, as a sentinel does with those that a consumer hands it together.
    pub fn look_ahead(&self, entries: &[Entry]) {
        self.engine.look_ahead(entries.iter());
    }

    /// Lets time run to the record, and reads it.
    pub fn hear(&mut self, entry: &mut Entry) {
        self.run_to(entry.at().0);
        self.read(entry);
        self.read_back();
    }

    /// Lets every window pass.
    pub fn end(&mut self) {
        self.run_to(self.now + self.job.window + 2);
    }

    /// What was told, in the order of the files, and how long after its window the latest of it was.
    pub fn told(mut self) -> (Vec<Stall>, Millis) {
        self.stalls.sort();
        (self.stalls, self.latest)
    }

    /// How many rollouts are open.
    pub fn open(&self) -> usize {
        self.engine.open_rollouts()
    }

    fn run_to(&mut self, at: i64) {
        while let Some(due) = self.engine.next_deadline().filter(|due| *due < at) {
            self.now = self.now.max(due);
            self.effects = self.engine.handle(self.now, Input::Tick);
            self.carry_out();
            self.read_back();
        }
        self.now = self.now.max(at);
    }

    fn read(&mut self, entry: &mut Entry) {
        if let Entry::Event(record) = entry {
            record.offset = self.offset;
        }
        self.offset += 1;
        self.engine.read_into(self.now, entry, &mut self.effects);
        self.carry_out();
    }

    fn read_back(&mut self) {
        while let Some(draft) = self.queue.pop_front() {
            self.append(Arc::unwrap_or_clone(draft));
            self.offset += 1;
            self.engine.read_into(self.now, &self.back, &mut self.effects);
            self.carry_out();
        }
    }

    fn carry_out(&mut self) {
        let mut effects = std::mem::take(&mut self.effects);
        for effect in effects.drain(..) {
            match effect {
                Effect::Append(draft) => self.queue.push_back(draft),
                Effect::Raise(alert) => {
                    let named = alert.labels.get("alertname").is_some_and(|name| name == "RolloutStalled");
                    let label = |name: &str| alert.labels.get(name).cloned().unwrap_or_default();
                    if let (true, AlertStatus::Firing, Some(end)) = (named, alert.status, alert.deadline) {
                        let (deadline, rollout, missing) = (end.0, label("rollout"), label("step"));
                        self.stalls.push(Stall { deadline, rollout, missing });
                        self.latest = self.latest.max(alert.starts_at.since(end));
                    }
                }
                Effect::DeadLetter { .. }
                | Effect::Blind { .. }
                | Effect::Sighted { .. }
                | Effect::Measure { .. }
                | Effect::Remember(_)
                | Effect::Ended(_)
                | Effect::Count(_) => {}
            }
        }
        self.effects = effects;
    }

    /// Makes a draft the record that is read back next.
    fn append(&mut self, draft: Draft) {
        self.said += 1;
        let Entry::Event(record) = &mut self.back else { return };
        (record.offset, record.at) = (self.offset, Timestamp(self.now));
        let Event { envelope, body } = &mut record.event;
        envelope.id = draft.id.unwrap_or_else(|| numbered(self.said));
        envelope.rollout = draft.rollout;
        envelope.causation = draft.causation;
        envelope.service = draft.service;
        *body = draft.body;
    }
}

/// An id that is nobody else's, as a sentinel gives one: written without an allocation, as those are.
fn numbered(mut number: u64) -> EventId {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = *b"s000000000000";
    for place in text.iter_mut().skip(1).rev() {
        *place = DIGITS[(number & 15) as usize];
        number >>= 4;
    }
    EventId::new(std::str::from_utf8(&text).expect("digits are ASCII")).expect("digits are a name")
}
