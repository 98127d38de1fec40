//! One domain in virtual time: a log, three sentinels, four instances with sidecars, people, and a broker whose
//! clock steps.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};

use pavane_choreography::{Instances, OnStall, Plan, Share};
use pavane_events::{Entry, Event, EventId, EventType, Timestamp};
use pavane_sentinel_engine::{Effect, Engine, Input};
use pavane_sidecar_engine::Input as Fact;

use crate::dice::Dice;
use crate::floor::{self, Log, domain};
use crate::manager;
use crate::sentinel::Sentinel;
use crate::sidecar::{Later, Sidecar, on, transit};

const END: i64 = 100_000;

enum Act {
    Append(Box<Event>),
    Sentinel(usize),
    Sidecar(usize),
    Later(usize, Later),
    Person,
    Approver,
    BrokerClock,
}

pub(crate) struct World {
    pub(crate) seed: u64,
    pub(crate) log: Log,
    pub(crate) sentinels: Vec<Sentinel>,
    pub(crate) sidecars: Vec<Sidecar>,
    pub(crate) oracle: Engine,
    dice: Dice,
    pub(crate) now: i64,
    queue: BinaryHeap<Reverse<(i64, usize)>>,
    acts: BTreeMap<usize, Act>,
    truth: Vec<i64>,
    broker_offset: i64,
    /// What each rollout dances.
    plans: BTreeMap<&'static str, Plan>,
    ids: usize,
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let mut dice = Dice(seed);
        let sentinels = (0..3).map(|k| Sentinel::draw(&mut dice, k)).collect();
        let cast = [
            ("db-0", pavane_sidecar_engine::Trigger::RolloutStarted, EventType::Ready),
            ("users-0", on("db", EventType::Ready), EventType::DeploymentComplete),
            ("users-1", on("db", EventType::Ready), EventType::DeploymentComplete),
            ("chat-0", on("users", EventType::DeploymentComplete), EventType::DeploymentComplete),
        ];
        let sidecars = cast.map(|(name, on, emit)| Sidecar::draw(&mut dice, name, on, emit)).into();
        let mut world = Self {
            seed,
            log: Log::default(),
            sentinels,
            sidecars,
            oracle: Engine::new(domain(), "oracle".to_owned()),
            dice,
            now: 0,
            queue: BinaryHeap::new(),
            acts: BTreeMap::new(),
            truth: Vec::new(),
            broker_offset: 1_000_000,
            plans: BTreeMap::new(),
            ids: 0,
        };
        world.schedule();
        world
    }

    fn schedule(&mut self) {
        for k in 0..3 {
            self.at(i64::try_from(k).expect("small") * 7, Act::Sentinel(k));
        }
        for d in 0..4 {
            self.at(i64::try_from(d).expect("small") * 11, Act::Sidecar(d));
        }
        let (first, second) = (self.start("r1"), self.start("r2"));
        self.at(200, Act::Append(Box::new(first)));
        if self.dice.chance(60) {
            let at = self.dice.between(5_000, 45_000);
            self.at(at, Act::Append(Box::new(second)));
        }
        for _ in 0..self.dice.pick(&[0, 2, 6]) {
            let at = self.dice.between(2_000, 40_000);
            self.at(at, Act::Approver);
        }
        for _ in 0..self.dice.pick(&[0, 1, 1, 2]) {
            let at = self.dice.between(500, 30_000);
            self.at(at, Act::Person);
        }
        if self.dice.chance(35) {
            let at = self.dice.between(500, 20_000);
            self.at(at, Act::BrokerClock);
        }
    }

    pub(crate) fn run(mut self) -> Self {
        while let Some(Reverse((at, id))) = self.queue.pop() {
            if at > END {
                break;
            }
            self.now = at;
            match self.acts.remove(&id).expect("queued once") {
                Act::Append(event) => self.append(*event),
                Act::Sentinel(k) => self.sentinel(k),
                Act::Sidecar(d) => self.sidecar(d),
                Act::Later(d, later) => self.later(d, later),
                Act::Person => self.person(),
                Act::Approver => self.approver(),
                Act::BrokerClock => self.broker_offset += self.dice.pick(&[-60_000, -8_000, 9_000, 60_000]),
            }
        }
        self
    }

    fn at(&mut self, delay: i64, act: Act) {
        self.ids += 1;
        self.acts.insert(self.ids, act);
        self.queue.push(Reverse((self.now + delay, self.ids)));
    }

    /// A producer's append: late at random, and at random twice with one identity. (A sentinel's is lost at times.)
    fn send(&mut self, delay: i64, event: Event) {
        if self.dice.chance(10) {
            let again = delay + self.dice.between(1, 3_000);
            self.at(again, Act::Append(Box::new(event.clone())));
        }
        self.at(delay, Act::Append(Box::new(event)));
    }

    fn append(&mut self, event: Event) {
        self.log.time = self.now + self.broker_offset;
        self.truth.push(self.now);
        let offset = usize::try_from(self.log.append(event)).expect("an offset");
        let _ = self.oracle.handle(self.now, Input::Read(self.log.entries[offset].clone()));
    }

    fn fresh_id(&mut self) -> EventId {
        self.ids += 1;
        EventId::new(format!("w{}", self.ids)).expect("a name")
    }

    /// Writes what `say` puts on a scratch log, under an id of its own.
    fn write(&mut self, say: impl FnOnce(&mut Log) -> i64) -> Event {
        let mut scratch = Log::default();
        say(&mut scratch);
        let Some(Entry::Event(mut record)) = scratch.entries.pop() else { unreachable!("just appended") };
        record.event.envelope.id = self.fresh_id();
        record.event
    }

    fn start(&mut self, rollout: &'static str) -> Event {
        let plan = self.draw_plan();
        let event = self.write(|log| log.start(rollout, &plan));
        self.plans.insert(rollout, plan);
        event
    }

    fn draw_plan(&mut self) -> Plan {
        let mut plan = floor::plan();
        for step in &mut plan.steps {
            step.within = self.dice.pick(&[3_000, 5_000, 8_000]);
            step.started_within = self.dice.pick(&[None, Some(1_500)]);
            step.healthy_for = self.dice.pick(&[0, 0, 1_500, 3_000]);
            step.on_stall =
                self.dice.pick(&[OnStall::Alert, OnStall::Pause, OnStall::Rollback, OnStall::Rollback]);
            step.compensate.within = 6_000;
        }
        let shares = [50, 100].map(|percent| Instances::Share(Share::new(percent).expect("a share")));
        let counts = [1, 2, 2].map(Instances::Count);
        plan.steps[1].instances = self.dice.pick(&[&counts[..], &shares].concat());
        manager::draw(&mut self.dice, &mut plan);
        plan.steps[0].reversible = !self.dice.chance(50);
        plan
    }

    fn sentinel(&mut self, k: usize) {
        let again = self.dice.between(20, 160);
        self.at(again, Act::Sentinel(k));
        let now = self.now;
        let one = &mut self.sentinels[k];
        let (crashes, down) = one.fate.strikes(now);
        if crashes {
            one.reboot();
        }
        if down {
            return;
        }
        let own = (now + one.skew + 30_000).max(0);
        let mut effects = VecDeque::new();
        while one.position < self.log.entries.len() && self.truth[one.position] + one.lag <= now {
            effects.extend(one.engine.handle(own, Input::Read(self.log.entries[one.position].clone())));
            one.position += 1;
        }
        effects.extend(one.engine.handle(own, Input::CaughtUp));
        for sidecar in self.sidecars.iter().filter(|sidecar| now - sidecar.last_beat <= again) {
            let at = Timestamp(sidecar.last_beat + self.broker_offset);
            let mut heartbeat = floor::heartbeat(&sidecar.name, sidecar.engine.phase().word);
            heartbeat.outbox = i64::try_from(sidecar.outbox.len()).expect("short");
            effects.extend(one.engine.handle(own, Input::Heartbeat { heartbeat, offset: 0, at }));
        }
        effects.extend(one.engine.handle(own, Input::Tick));
        let name = one.name.clone();
        while let Some(effect) = effects.pop_front() {
            if let Effect::Measure { query } = effect {
                let value = manager::measure(&mut self.dice);
                effects.extend(self.sentinels[k].engine.handle(own, Input::Measured { query, value }));
            } else if let Effect::Append(draft) = effect {
                let id = draft.id.clone();
                let mut event = self.write(|log| log.draft(&name, *draft));
                event.envelope.id = id.unwrap_or(event.envelope.id);
                if self.dice.chance(3) {
                    continue;
                }
                let proposes = event.body.event_type() == EventType::Proposed;
                let (ask, say) = ([1, 3, 3, 10, 10, 10, 60, 60, 200, 2_500], [1, 5, 30, 200, 2_500]);
                let delays: &[i64] = if proposes { &ask } else { &say };
                let delay = self.dice.pick(delays);
                self.send(delay, event);
            }
        }
    }

    fn sidecar(&mut self, d: usize) {
        let again = self.dice.between(20, 160);
        self.at(again, Act::Sidecar(d));
        let now = self.now;
        let one = &mut self.sidecars[d];
        let (crashes, down) = one.fate.strikes(now);
        if crashes {
            one.reboot();
        }
        if down {
            return;
        }
        if now - one.last_beat >= 1_000 {
            one.last_beat = now;
        }
        let end = *one.end.get_or_insert(self.log.entries.len());
        while self.sidecars[d].position < self.log.entries.len() {
            let one = &self.sidecars[d];
            if self.truth[one.position] + one.lag > now {
                break;
            }
            let entry = self.log.entries[one.position].clone();
            self.sidecars[d].position += 1;
            self.tell(d, Fact::Observed(entry));
            if self.sidecars[d].position == end {
                self.caught_up(d, end);
            }
        }
        if end == 0 && !self.sidecars[d].engine.is_caught_up() {
            self.caught_up(d, end);
        }
        self.tell(d, Fact::Tick);
    }

    fn caught_up(&mut self, d: usize, end: usize) {
        self.tell(d, Fact::CaughtUp { end: i64::try_from(end).expect("short") });
    }

    fn tell(&mut self, d: usize, fact: Fact) {
        let effects = self.sidecars[d].engine.handle(self.now, fact);
        for (delay, later) in self.sidecars[d].perform(&mut self.dice, effects) {
            self.at(delay, Act::Later(d, later));
        }
    }

    fn later(&mut self, d: usize, later: Later) {
        match later {
            Later::Tell(boot, fact) => {
                if self.sidecars[d].boot == boot {
                    self.tell(d, *fact);
                }
            }
            Later::Work(boot, call) => {
                let answer = self.sidecars[d].work(&call);
                if let Some(fact) = answer.filter(|_| self.sidecars[d].boot == boot) {
                    self.tell(d, fact);
                }
            }
            Later::Send => self.drain(d),
        }
    }

    /// First in, first out: the next event goes when the broker has acknowledged the one before.
    fn drain(&mut self, d: usize) {
        if let Some(event) = self.sidecars[d].outbox.pop_front() {
            if self.dice.chance(10) {
                let again = self.dice.between(1, 3_000);
                self.at(again, Act::Append(Box::new(event.clone())));
            }
            self.append(event);
        }
        self.sidecars[d].sending = !self.sidecars[d].outbox.is_empty();
        if self.sidecars[d].sending {
            let delay = transit(&mut self.dice);
            self.at(delay, Act::Later(d, Later::Send));
        }
    }

    /// Someone says yes, or at times no, to a gate that may be open or not.
    fn approver(&mut self) {
        let rollout = self.dice.pick(&["r1", "r1", "r2"]);
        let Some(plan) = self.plans.get(rollout).cloned() else { return };
        let (gate, attempt) = (self.dice.pick(&["first", "second", "third"]), self.dice.pick(&[1, 1, 2]));
        let rejects = self.dice.chance(5);
        let body = if rejects { floor::reject } else { floor::approve }(&plan, gate, attempt);
        let event = self.write(|log| log.person(rollout, body));
        self.send(0, event);
    }

    fn person(&mut self) {
        let rollout = self.dice.pick(&["r1", "r1", "r2"]);
        let later = self.dice.between(500, 9_000);
        let acts = match self.dice.between(0, 9) {
            0..=3 => vec![(0, floor::pause()), (later, floor::resume())],
            4 | 5 => vec![(0, floor::held()), (later, floor::released())],
            6 => vec![(0, floor::abort())],
            7 | 8 => vec![(0, floor::overrides("users"))],
            _ => vec![(0, floor::go_back())],
        };
        for (after, body) in acts {
            let event = self.write(|log| log.person(rollout, body));
            self.send(after, event);
        }
    }
}
