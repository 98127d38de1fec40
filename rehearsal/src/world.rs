//! One domain in virtual time: a log, real sentinels and real sidecars beside it, and what happens to them.
//!
//! Time jumps from one event to the next. Whatever changes the world goes through the engines' own inputs and
//! effects; the world decides nothing about a rollout.

mod broker;
mod cues;
mod floor;
mod gallery;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use pavane_choreography::Expect;
use pavane_events::{Entry, Event, EventId, Millis, RolloutId, Timestamp};
use pavane_sentinel_engine::Ended;
use pavane_sentinel_engine::diagnosis::Beat;
use pavane_sidecar_engine::{Call, Input as Fact, Score};

use crate::cast::{Cast, Role, Sidecars};
use crate::dancer::Dancer;
use crate::dice::Dice;
use crate::performance::{Note, Noted, Performance, Runs, Told};
use crate::scenario::When;
use crate::script::Script;
use crate::watcher::Watcher;

/// The longest rehearsal, in milliseconds: 30 days.
const LONGEST: Millis = 30 * 24 * 60 * 60 * 1_000;
/// How long nothing new must have come after the last ending, in milliseconds.
const SETTLED: Millis = 3_000;

/// A scenario with its cast, ready to be played with any seed.
#[derive(Clone, Debug)]
pub struct Stage {
    script: Script,
    cast: Cast,
    roles: Vec<Arc<Role>>,
    /// The plans as sidecars read them, read once for all.
    scores: Vec<Arc<Score>>,
    /// After so long without anything new, nothing more will come.
    patience: Millis,
}

impl Stage {
    /// Prepares a scenario. Services without a sidecar's file get one made up from the plan.
    pub fn new(script: Script, sidecars: &Sidecars) -> Self {
        let cast = Cast::of(&script, sidecars);
        let roles = cast.roles.iter().cloned().map(Arc::new).collect();
        let scores = script.pieces().filter_map(|piece| piece.score.clone()).collect();
        let patience = script.patience();
        Self { script, cast, roles, scores, patience }
    }

    /// The scenario.
    pub const fn script(&self) -> &Script {
        &self.script
    }

    /// Plays it. The same seed is the same rehearsal for ever.
    pub fn play(&self, seed: u64) -> Performance {
        World::new(self, seed).run()
    }
}

/// What happens next.
enum Act {
    Append(Box<Event>),
    Watcher(usize),
    Dancer(usize),
    Tell(usize, u32, Box<Fact>),
    Work(usize, u32, Box<Call>),
    Send(usize),
    Cue(usize),
    Over(Over),
    Measured(usize, String),
    Beats,
}

/// What is over.
enum Over {
    Registry,
    Broker,
    Dancer(usize),
    Mend(crate::scenario::Whom, crate::scenario::How),
    Watcher(usize),
    Handover(usize),
}

/// What the broker does to the next event of a kind.
#[derive(Default)]
struct Fates {
    lose: Vec<Expect>,
    delay: Vec<(Expect, Millis)>,
    duplicate: Vec<Expect>,
    schema: BTreeSet<Expect>,
}

struct World<'s> {
    stage: &'s Stage,
    seed: u64,
    dice: Dice,
    begins: Timestamp,
    now: Millis,
    queue: BTreeMap<(Millis, u64), Act>,
    acts: u64,
    log: Vec<Entry>,
    /// When each entry was appended, in the world's own time.
    came: Vec<Millis>,
    /// When the broker's clock leapt, and by how much.
    leaps: Vec<(Millis, Millis)>,
    dancers: Vec<Dancer>,
    watchers: Vec<Watcher>,
    fates: Fates,
    broker_away: Millis,
    registry_away: Millis,
    /// The cues that wait for something else to happen.
    waiting: VecDeque<usize>,
    /// The cues that stand in the queue.
    cues_due: usize,
    metrics: Vec<(String, Option<f64>)>,
    rejections: BTreeMap<(RolloutId, String), i64>,
    ids: u64,
    beats: i64,
    beating: bool,
    /// When something new came last.
    news: Millis,
    notes: Vec<Note>,
    told: Vec<Told>,
    known: BTreeSet<(EventId, bool, Millis)>,
    endings: Vec<Ended>,
    odd_windows: bool,
    counts_the_living: bool,
}

impl<'s> World<'s> {
    fn new(stage: &'s Stage, seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let dancers = stage.roles.iter().map(|role| Dancer::new(role, &stage.scores, &mut dice)).collect();
        let watch = |number| Watcher::new(&stage.cast.domain, number, &mut dice);
        let watchers = (1..=stage.script.scenario.sentinels.max(1)).map(watch).collect();
        Self {
            stage,
            seed,
            dice,
            begins: stage.script.begins(),
            now: 0,
            queue: BTreeMap::new(),
            acts: 0,
            log: Vec::new(),
            came: Vec::new(),
            leaps: Vec::new(),
            dancers,
            watchers,
            fates: Fates::default(),
            broker_away: 0,
            registry_away: 0,
            waiting: VecDeque::new(),
            cues_due: 0,
            metrics: Vec::new(),
            rejections: BTreeMap::new(),
            ids: 0,
            beats: 0,
            beating: false,
            news: 0,
            notes: Vec::new(),
            told: Vec::new(),
            known: BTreeSet::new(),
            endings: Vec::new(),
            odd_windows: stage.script.pieces().any(|piece| piece.has_odd_windows()),
            counts_the_living: stage.script.pieces().any(|piece| piece.counts_the_living())
                || stage.script.scenario.is_told_by_heartbeats(),
        }
    }

    fn run(mut self) -> Performance {
        for k in 0..self.watchers.len() {
            self.boot_watcher(k);
        }
        for d in 0..self.dancers.len() {
            self.catch_up(d);
        }
        if self.counts_the_living {
            self.beat();
        }
        for (number, cue) in self.stage.script.scenario.timeline.iter().enumerate() {
            match cue.when {
                When::At(at) => self.cue_in(at, number),
                When::After(..) => self.waiting.push_back(number),
            }
        }
        while let Some(((at, _), act)) = self.queue.pop_first() {
            if at > LONGEST || self.is_over(at) {
                break;
            }
            self.now = at;
            self.act(act);
        }
        self.close()
    }

    fn act(&mut self, act: Act) {
        match act {
            Act::Append(event) => self.append(*event),
            Act::Watcher(k) => self.look(k),
            Act::Dancer(d) => self.rouse(d),
            Act::Tell(d, boot, fact) => self.answer(d, boot, *fact),
            Act::Work(d, boot, call) => self.work(d, boot, &call),
            Act::Send(d) => self.send(d),
            Act::Cue(number) => self.cue(number),
            Act::Over(over) => self.over(over),
            Act::Measured(k, query) => self.measured(k, query),
            Act::Beats => self.beat(),
        }
    }

    /// Puts something into the queue. All but a sentinel's own wakes falls on an even millisecond: so do its pulses,
    /// and a deadline with its grace never does.
    fn later(&mut self, delay: Millis, act: Act) {
        let at = self.now + delay;
        let at = if matches!(act, Act::Watcher(_)) { at } else { at + at % 2 };
        self.acts += 1;
        self.queue.insert((at, self.acts), act);
    }

    fn cue_in(&mut self, delay: Millis, number: usize) {
        self.cues_due += 1;
        self.later(delay, Act::Cue(number));
    }

    /// Whether nothing more can come: nothing is left to happen, and nobody has said anything new for longer than
    /// anything may last.
    fn is_over(&self, at: Millis) -> bool {
        let quiet = at - self.news;
        if self.cues_due > 0 || quiet <= SETTLED {
            return false;
        }
        let open = self.watchers.iter().any(|one| !one.up || one.engine.open_rollouts() > 0);
        !open || quiet > self.stage.patience
    }

    fn note(&mut self, what: Noted) {
        self.notes.push(Note { at: self.now, below: self.log.len(), what });
    }

    /// A moment of the world by the broker's clock.
    fn broker_time(&self, at: Millis) -> Timestamp {
        let leapt = self.leaps.iter().filter(|(when, _)| *when <= at).map(|(_, by)| by).sum::<Millis>();
        self.begins.plus(at + leapt)
    }

    fn close(self) -> Performance {
        let beats = self.dancers.iter().map(|dancer| Beat {
            heartbeat: dancer.heartbeat(),
            offset: self.beats,
            at: self.broker_time(dancer.last_beat(self.now)),
        });
        let (beats, ends) = (beats.collect(), self.broker_time(self.now));
        let runs = self.dancers.iter().map(|dancer| Runs {
            service: dancer.role.settings.service.clone(),
            instance: dancer.role.settings.instance.clone(),
            zone: dancer.role.zone.clone(),
            version: dancer.version.clone(),
            alive: dancer.is_alive(),
        });
        let view = self.watchers.iter().find(|one| one.up).unwrap_or(&self.watchers[0]).engine.view();
        Performance {
            seed: self.seed,
            begins: self.begins,
            runs: runs.collect(),
            view,
            beats,
            ends,
            length: self.now,
            log: self.log,
            notes: self.notes,
            told: self.told,
            endings: self.endings,
        }
    }
}
