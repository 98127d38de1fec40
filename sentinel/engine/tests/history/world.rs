//! One domain in virtual time: a log, sentinels that lag, crash and have wrong clocks, and whoever else writes.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use pavane_choreography::Plan;
use pavane_events::{Entry, Event, EventId, Heartbeat, Record, Timestamp, Unreadable};
use pavane_sentinel_engine::{Effect, Engine, Input, RolloutView, Status};

use super::dice::Dice;
use super::plans::SERVICES;
use crate::floor::{self, Log, domain};

/// How long a world turns, in rounds.
const ROUNDS: usize = 170;

/// One sentinel beside the log.
struct Sentinel {
    name: String,
    speaks: bool,
    engine: Engine,
    caught_up: bool,
    position: usize,
    /// How many heartbeats it has heard.
    heard: usize,
    skew: i64,
    /// The real time until which it does nothing.
    frozen: i64,
}

/// What an instance's sidecar would say about itself.
#[derive(Clone, Copy, Default)]
pub(crate) struct Pulse {
    pub(crate) silent: bool,
    pub(crate) outbox: i64,
    /// The number of its last event, and the number that it says the broker has acknowledged beyond that.
    pub(crate) number: i64,
    pub(crate) ahead: i64,
}

/// A domain that turns.
pub(crate) struct World {
    pub(crate) dice: Dice,
    pub(crate) entries: Vec<Entry>,
    pub(crate) beats: Vec<(usize, Heartbeat, Timestamp)>,
    pub(crate) plans: BTreeMap<String, Plan>,
    pub(crate) instances: BTreeMap<String, Pulse>,
    /// A reader that is always at the end, so that what is drawn can aim at what is open.
    pub(crate) reader: Engine,
    pub(crate) known: usize,
    /// How much goes wrong in this world, in per cent.
    pub(crate) trouble: i64,
    sentinels: Vec<Sentinel>,
    under_way: Vec<(i64, Event)>,
    ids: usize,
    real: i64,
    broker: i64,
    beaten: i64,
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let trouble = dice.pick(&[10, 30, 60, 100]);
        let sentinels = (0..2).map(|k| Sentinel::new(&mut dice, k)).collect();
        let names = SERVICES.iter().flat_map(|service| (0..2).map(move |n| format!("{service}-{n}")));
        Self {
            dice,
            entries: Vec::new(),
            beats: Vec::new(),
            plans: BTreeMap::new(),
            instances: names.map(|name| (name, Pulse::default())).collect(),
            reader: Engine::new(domain(), "reader".to_owned()),
            known: 0,
            trouble,
            sentinels,
            under_way: Vec::new(),
            ids: 0,
            real: 0,
            broker: 10_000_000,
            beaten: -1_000,
        }
    }

    pub(crate) fn turn(mut self) -> Self {
        if self.dice.chance(60) {
            self.configure();
        }
        self.start();
        for _ in 0..ROUNDS {
            let ms = self.dice.pick(&[0, 5, 5, 40, 40, 300, 900]);
            self.pass(ms);
            self.act();
        }
        self.pass(3_000);
        self
    }

    /// Lets time go by in slices that are shorter than a pulse; sentinels look at every one.
    pub(crate) fn pass(&mut self, ms: i64) {
        let end = self.real + ms;
        loop {
            self.real = (self.real + 500).min(end);
            self.arrive();
            self.beat();
            for k in 0..self.sentinels.len() {
                self.look(k);
            }
            if self.real == end {
                break;
            }
        }
    }

    /// Lets time go by while no sentinel looks.
    pub(crate) fn freeze(&mut self, ms: i64) {
        for sentinel in &mut self.sentinels {
            sentinel.frozen = self.real + ms;
        }
        self.pass(ms);
    }

    /// Sets the broker's clock.
    pub(crate) fn leap(&mut self, by: i64) {
        self.broker += by;
    }

    /// Ends a sentinel; another begins in its place at the start of the log.
    pub(crate) fn crash(&mut self) {
        let k = self.dice.below(self.sentinels.len());
        self.sentinels[k] = Sentinel::new(&mut self.dice, k);
    }

    /// Writes an event at once.
    pub(crate) fn append(&mut self, event: Event) {
        let (offset, at) = (self.next_offset(), self.time());
        self.entries.push(Entry::Event(Record { offset, at, event }));
    }

    /// Writes what nobody can read.
    pub(crate) fn append_unreadable(&mut self, unreadable: Unreadable) {
        let (offset, at) = (self.next_offset(), self.time());
        self.entries.push(Entry::Unreadable(Unreadable { offset, at, ..unreadable }));
    }

    /// Where the next record will stand: ten beyond the last, so that a test can put something between.
    pub(crate) fn next_offset(&self) -> i64 {
        i64::try_from(10 * self.entries.len()).expect("a short log")
    }

    /// What `say` puts on a log of its own, under an id that is new.
    pub(crate) fn event(&mut self, say: impl FnOnce(&mut Log) -> i64) -> Event {
        let mut scratch = Log::default();
        say(&mut scratch);
        let Some(Entry::Event(mut record)) = scratch.entries.pop() else { unreachable!("just appended") };
        self.ids += 1;
        record.event.envelope.id = EventId::new(format!("h{}", self.ids)).expect("a name");
        record.event
    }

    /// What was written so far is known to the one who draws.
    pub(crate) fn know(&mut self) {
        for entry in &self.entries[self.known..] {
            let _ = self.reader.handle(0, Input::Read(entry.clone()));
        }
        self.known = self.entries.len();
    }

    /// The rollouts that are under way.
    pub(crate) fn open(&mut self) -> Vec<RolloutView> {
        self.know();
        let mut all = self.reader.view().rollouts;
        all.retain(|rollout| matches!(rollout.status, Status::Open | Status::RollingBack));
        all
    }

    /// The broker's time.
    pub(crate) const fn time(&self) -> Timestamp {
        Timestamp(self.real + self.broker)
    }

    /// Brings what was under way to the log.
    fn arrive(&mut self) {
        let now = self.real;
        let (due, later) = std::mem::take(&mut self.under_way).into_iter().partition(|(at, _)| *at <= now);
        self.under_way = later;
        let mut due: Vec<(i64, Event)> = due;
        due.sort_by_key(|(at, _)| *at);
        for (_, event) in due {
            self.append(event);
        }
    }

    fn beat(&mut self) {
        if self.real - self.beaten < 1_000 {
            return;
        }
        self.beaten = self.real;
        for (name, pulse) in &self.instances {
            if !pulse.silent {
                let mut heartbeat = floor::heartbeat(name, "hook");
                (heartbeat.outbox, heartbeat.acknowledged) = (pulse.outbox, pulse.number + pulse.ahead);
                self.beats.push((self.entries.len(), heartbeat, Timestamp(self.real + self.broker)));
            }
        }
    }

    fn look(&mut self, k: usize) {
        let one = &mut self.sentinels[k];
        if self.real < one.frozen || self.dice.chance(15) {
            return;
        }
        let lag = if self.dice.chance(20) { self.dice.below(4) } else { 0 };
        let end = self.entries.len().saturating_sub(lag).max(one.position);
        let own = self.real + one.skew;
        let mut effects = VecDeque::new();
        for entry in &self.entries[one.position..end] {
            effects.extend(one.engine.handle(own, Input::Read(entry.clone())));
        }
        one.position = end;
        if !one.caught_up {
            one.caught_up = true;
            effects.extend(one.engine.handle(own, Input::CaughtUp));
        }
        for (_, heartbeat, at) in &self.beats[one.heard..] {
            let input = Input::Heartbeat { heartbeat: heartbeat.clone(), offset: 0, at: *at };
            effects.extend(one.engine.handle(own, input));
        }
        one.heard = self.beats.len();
        effects.extend(one.engine.handle(own, Input::Tick));
        while let Some(effect) = effects.pop_front() {
            match effect {
                Effect::Append(draft) => self.send(k, Arc::unwrap_or_clone(draft)),
                Effect::Measure { query } => {
                    let value = self.dice.weighed(&[(20, Some(0.5)), (2, Some(7.0)), (2, None)]);
                    let value = value.ok_or_else(|| "no data".to_owned());
                    let engine = &mut self.sentinels[k].engine;
                    effects.extend(engine.handle(own, Input::Measured { query, value }));
                }
                Effect::Raise(_)
                | Effect::DeadLetter { .. }
                | Effect::Blind { .. }
                | Effect::Sighted { .. }
                | Effect::Ended(_)
                | Effect::Remember(_)
                | Effect::Count(_) => {}
            }
        }
    }

    /// What a sentinel writes comes at once, late, twice, or never.
    fn send(&mut self, k: usize, draft: pavane_sentinel_engine::Draft) {
        let (id, name) = (draft.id.clone(), self.sentinels[k].name.clone());
        let mut event = self.event(|log| log.draft(&name, draft));
        event.envelope.id = id.unwrap_or(event.envelope.id);
        let trouble = self.trouble;
        if self.dice.chance(trouble / 20) {
            return;
        }
        if self.dice.chance(trouble / 10) {
            let at = self.real + self.dice.between(1, 3_000);
            self.under_way.push((at, event.clone()));
        }
        let late = self.dice.chance(trouble / 3);
        let delay = if late { self.dice.pick(&[5, 60, 300, 700, 2_500]) } else { 0 };
        if delay == 0 {
            self.append(event);
        } else {
            self.under_way.push((self.real + delay, event));
        }
    }
}

impl Sentinel {
    fn new(dice: &mut Dice, k: usize) -> Self {
        let (name, speaks) = (format!("s{k}"), k == 0 || dice.chance(30));
        let mut engine = Engine::new(domain(), name.clone());
        let _ = engine.handle(0, Input::Speaks(speaks));
        let skew = dice.pick(&[30_000, 30_000, 33_000, 29_000, 90_000]);
        Self { name, speaks, engine, caught_up: false, position: 0, heard: 0, skew, frozen: 0 }
    }
}
