//! Two domains in virtual time: their partitions, three sentinels that watch both, six instances with sidecars,
//! people, receivers of alerts, and everything that goes wrong.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use pavane_events::{Event, EventId, EventType};
use pavane_sidecar_engine::Trigger;

use crate::board::Board;
use crate::dice::Dice;
use crate::fault::{Faults, Kind, NEVER};
use crate::group::{Group, News};
use crate::herald::Post;
use crate::partition::Partition;
use crate::sentinel::Sentinel;
use crate::sidecar::{Later, Mood, Sidecar, on};
use crate::watchman::Watchman;

/// How long a run is, in milliseconds of virtual time.
pub(crate) const END: i64 = 100_000;

/// Something that happens.
pub(crate) enum Act {
    Append(usize, Box<Event>),
    Sentinel(usize),
    /// The first order of a sentinel for a partition has reached the broker, or has not.
    Wrote(usize, usize, u32),
    Sidecar(usize),
    Later(usize, Later),
    Coordinate,
    /// The group tells a sentinel whether it owns a partition.
    Assigned(usize, usize, News),
    Start(usize, &'static str),
    Person,
    Approver,
    Forger,
    BrokerClock,
    Strike(usize),
    Look,
}

pub(crate) struct World {
    /// Whether it tells what happens.
    pub(crate) loud: bool,
    /// Whether nothing goes wrong but one thing, and what.
    pub(crate) lasting: Option<(Kind, usize)>,
    pub(crate) partitions: Vec<Partition>,
    pub(crate) sentinels: Vec<Sentinel>,
    pub(crate) sidecars: Vec<Sidecar>,
    pub(crate) group: Group,
    pub(crate) post: Post,
    pub(crate) faults: Faults,
    pub(crate) struck: BTreeSet<Kind>,
    pub(crate) watchman: Watchman,
    pub(crate) board: Board,
    pub(crate) dice: Dice,
    pub(crate) now: i64,
    pub(crate) broker_offset: i64,
    pub(crate) ids_forged: usize,
    queue: BinaryHeap<Reverse<(i64, usize)>>,
    acts: BTreeMap<usize, Act>,
    ids: usize,
}

impl World {
    /// A run of a seed in which anything may go wrong.
    pub(crate) fn new(seed: u64, loud: bool) -> Self {
        let mut dice = Dice(seed);
        let faults = Faults::draw(&mut dice);
        let mut world = Self::with(loud, dice, faults);
        world.moods();
        world.schedule();
        world
    }

    /// A run of a seed in which one thing goes wrong, for ever, and nothing else does.
    pub(crate) fn lasting(seed: u64, kind: Kind, who: usize, loud: bool) -> Self {
        let mut dice = Dice(seed);
        let faults = Faults::lasting(kind, who, dice.between(1_000, 12_000));
        let mut world = Self::with(loud, dice, faults);
        world.lasting = Some((kind, who));
        world.quiet();
        world
    }

    fn with(loud: bool, mut dice: Dice, faults: Faults) -> Self {
        let partitions = vec![Partition::new("shop"), Partition::new("yard")];
        let same = faults.any(Kind::SameName, 0);
        let name = |k: usize| if same && k == 1 { "s0".to_owned() } else { format!("s{k}") };
        let sentinels = (0..3).map(|k| Sentinel::draw(&mut dice, name(k), &partitions)).collect();
        let sidecars = cast(&partitions);
        Self {
            loud,
            lasting: None,
            partitions,
            sentinels,
            sidecars,
            group: Group::default(),
            post: Post::default(),
            faults,
            struck: BTreeSet::new(),
            watchman: Watchman::default(),
            board: Board::default(),
            dice,
            now: 0,
            broker_offset: 1_000_000,
            ids_forged: 0,
            queue: BinaryHeap::new(),
            acts: BTreeMap::new(),
            ids: 0,
        }
    }

    /// How each service takes it when it is told to move, and how late each reads.
    fn moods(&mut self) {
        for (d, sidecar) in self.sidecars.iter_mut().enumerate() {
            sidecar.lag = self.dice.pick(&[0, 5, 30, 150]);
            let drawn = self
                .dice
                .chance(8)
                .then(|| self.dice.pick(&[Mood::Slow, Mood::Fails, Mood::Hangs, Mood::NoRevert]));
            let moods = [
                (Kind::ServiceSlow, Mood::Slow),
                (Kind::ServiceFails, Mood::Fails),
                (Kind::ServiceHangs, Mood::Hangs),
                (Kind::ServiceStays, Mood::NoRevert),
            ];
            let of_fault = moods.iter().find(|(kind, _)| self.faults.on(*kind, d, 0));
            sidecar.mood = of_fault.map(|(_, mood)| *mood).or(drawn).unwrap_or(Mood::Well);
        }
        for (k, sentinel) in self.sentinels.iter_mut().enumerate() {
            if self.faults.on(Kind::SentinelClock, k, 0) {
                sentinel.rate = self.dice.pick(&[985, 995, 1_005, 1_015]);
            }
        }
    }

    /// What begins of itself in every run.
    pub(crate) fn begin(&mut self) {
        for k in 0..self.sentinels.len() {
            self.at(i64::try_from(k).expect("small") * 7, Act::Sentinel(k));
        }
        for d in 0..self.sidecars.len() {
            self.at(i64::try_from(d).expect("small") * 11, Act::Sidecar(d));
        }
        for place in 0..self.faults.0.len() {
            self.at(self.faults.0[place].from, Act::Strike(place));
        }
        self.at(50, Act::Coordinate);
        self.at(400, Act::Look);
    }

    fn schedule(&mut self) {
        self.begin();
        self.at(200, Act::Start(0, "r1"));
        for (percent, partition, rollout) in [(60, 0, "r2"), (70, 1, "y1"), (30, 1, "y2")] {
            if self.dice.chance(percent) {
                let at = self.dice.between(3_000, 45_000);
                self.at(at, Act::Start(partition, rollout));
            }
        }
        for _ in 0..self.dice.pick(&[0, 2, 6]) {
            let at = self.dice.between(2_000, 40_000);
            self.at(at, Act::Approver);
        }
        for _ in 0..self.dice.pick(&[0, 1, 1, 2]) {
            let at = self.dice.between(500, 30_000);
            self.at(at, Act::Person);
        }
    }

    pub(crate) fn run(mut self) -> Self {
        while let Some(Reverse((at, id))) = self.queue.pop() {
            if at > END {
                break;
            }
            self.now = at;
            match self.acts.remove(&id).expect("queued once") {
                Act::Append(p, event) => self.arrive(p, *event),
                Act::Sentinel(k) => self.sentinel(k),
                Act::Wrote(k, p, boot) => self.wrote(k, p, boot),
                Act::Sidecar(d) => self.sidecar(d),
                Act::Later(d, later) => self.later(d, later),
                Act::Coordinate => self.coordinate(),
                Act::Assigned(k, p, news) => self.assigned(k, p, news),
                Act::Start(p, rollout) => self.start(p, rollout),
                Act::Person => self.person(),
                Act::Approver => self.approver(),
                Act::Forger => self.forger(),
                Act::BrokerClock => {
                    self.broker_offset += self.dice.pick(&[-60_000, -8_000, 9_000, 60_000]);
                    self.tell(|world| format!("the broker's clock is {} ms off", world.broker_offset));
                }
                Act::Strike(place) => self.strike(place),
                Act::Look => self.look(),
            }
        }
        self.now = END;
        self
    }

    pub(crate) fn at(&mut self, delay: i64, act: Act) {
        self.ids += 1;
        self.acts.insert(self.ids, act);
        self.queue.push(Reverse((self.now + delay, self.ids)));
    }

    pub(crate) fn fresh_id(&mut self) -> EventId {
        self.ids += 1;
        EventId::new(format!("w{}", self.ids)).expect("a name")
    }

    /// Says what happens, in a run that is told.
    pub(crate) fn tell(&self, what: impl FnOnce(&Self) -> String) {
        if self.loud {
            crate::say(&format!("{:>7.3}  {}", self.seconds(), what(self)));
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "a run is a hundred seconds long")]
    fn seconds(&self) -> f64 {
        self.now as f64 / 1_000.0
    }

    /// Sends a record on its way: late at random, and at random twice with one identity.
    pub(crate) fn send(&mut self, p: usize, delay: i64, event: Event) {
        let many = if self.faults.any(Kind::Duplicates, self.now) { 60 } else { 4 };
        let many = if self.lasting.is_some() && many == 4 { 0 } else { many };
        if self.dice.chance(many) {
            let again = delay + self.dice.between(1, 3_000);
            self.at(again, Act::Append(p, Box::new(event.clone())));
        }
        let late = self.faults.any(Kind::Delays, self.now) && self.dice.chance(40);
        let delay = if late { delay + self.dice.between(500, 4_000) } else { delay };
        self.at(delay, Act::Append(p, Box::new(event)));
    }

    /// A record reaches the broker, which takes it as soon as it can.
    fn arrive(&mut self, p: usize, event: Event) {
        let at = self.faults.reachable_at(p, self.now);
        if at > self.now {
            if at < NEVER {
                let delay = at - self.now + self.dice.between(1, 50);
                self.at(delay, Act::Append(p, Box::new(event)));
            }
            return;
        }
        self.append(p, event);
    }

    /// Puts a record on the log.
    pub(crate) fn append(&mut self, p: usize, event: Event) {
        self.tell(|world| crate::transcript::record(&world.partitions[p], &event));
        let at = self.now + self.broker_offset;
        self.partitions[p].append(self.now, at, event, &mut self.board);
    }

    fn strike(&mut self, place: usize) {
        let fault = self.faults.0[place];
        if self.partitions.iter().any(|partition| partition.oracle.open_rollouts() > 0) || fault.from == 0 {
            self.struck.insert(fault.kind);
        }
        if fault.kind == Kind::BrokerClock {
            self.at(0, Act::BrokerClock);
        }
        if fault.kind == Kind::Forger {
            for _ in 0..4 {
                let at = self.dice.between(0, (fault.until - fault.from).min(20_000));
                self.at(at, Act::Forger);
            }
        }
        let until =
            if fault.until == NEVER { "for ever".to_owned() } else { format!("until {}", fault.until) };
        self.tell(|_| format!("*** {:?} of {} {until}", fault.kind, fault.who));
    }
}

/// Who dances in which domain.
fn cast(partitions: &[Partition]) -> Vec<Sidecar> {
    let ready = |service| on(service, EventType::Ready);
    let cast = [
        (0, "db-0", Trigger::RolloutStarted, EventType::Ready),
        (0, "users-0", ready("db"), EventType::DeploymentComplete),
        (0, "users-1", ready("db"), EventType::DeploymentComplete),
        (0, "chat-0", on("users", EventType::DeploymentComplete), EventType::DeploymentComplete),
        (1, "stock-0", Trigger::RolloutStarted, EventType::Ready),
        (1, "cart-0", ready("stock"), EventType::DeploymentComplete),
    ];
    let enter =
        |(p, name, on, emit): (usize, &str, _, _)| Sidecar::enter(p, &partitions[p].domain, name, on, emit);
    cast.into_iter().map(enter).collect()
}
