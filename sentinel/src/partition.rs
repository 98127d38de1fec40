//! The loop of one domain: what happens goes into the engine, what the engine orders is carried out.

use std::time::Duration;

use pavane_bus::Raw;
use pavane_events::{Domain, Entry};
use pavane_sentinel_engine::{Effect, Ended, Engine, Input};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tracing::Span;

use crate::change::{self, Start};
use crate::clock::Clock;
use crate::dead_man::Frontier;
use crate::happening::{Happening, Question};
use crate::perform::Hands;
use crate::snapshot::archive::Archive;
use crate::span;
use crate::telemetry::{self, Stand};
use crate::watchdog::Turns;

/// How often the open rollouts are counted, in seconds.
const COUNT: u32 = 15;

/// How many happenings are taken together, so that the engine fetches once what all of them are about.
const AT_ONCE: usize = 64;

/// How the sentinel sees a domain; what `/readyz` answers by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Sight {
    /// It has not read to the end yet, or has not read back a pulse of its own.
    CatchingUp,
    /// It sees.
    Sighted,
    /// It does not, and has told people so.
    Blind(&'static str),
}

/// One domain, as this replica watches it.
pub(crate) struct Partition {
    pub(crate) domain: Domain,
    pub(crate) engine: Engine,
    pub(crate) clock: Clock,
    pub(crate) happenings: mpsc::Receiver<Happening>,
    pub(crate) speaks: watch::Receiver<bool>,
    pub(crate) sight: watch::Sender<Sight>,
    pub(crate) hands: Hands,
    pub(crate) archive: Archive,
    /// Whether somebody is told of what changed.
    pub(crate) tells_changes: bool,
    pub(crate) turns: Turns,
    pub(crate) frontier: Frontier,
}

impl Partition {
    /// Watches the domain until it is told to stop.
    pub(crate) async fn run(mut self, stop: CancellationToken) -> anyhow::Result<()> {
        let mut second = interval(Duration::from_secs(1));
        second.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut seconds, mut stand, mut waiting) = (0, Stood::new(), Vec::with_capacity(AT_ONCE));
        let speaks = *self.speaks.borrow_and_update();
        self.handle(Input::Speaks(speaks));
        loop {
            self.turns.turn();
            tokio::select! {
                () = stop.cancelled() => {
                    self.keep(true);
                    return Ok(());
                }
                1.. = self.happenings.recv_many(&mut waiting, AT_ONCE) => {
                    self.engine.look_ahead(waiting.iter().filter_map(Happening::entry));
                    for happening in waiting.drain(..) {
                        stand.read(&happening);
                        self.happen(happening);
                    }
                }
                Ok(()) = self.speaks.changed() => {
                    let speaks = *self.speaks.borrow_and_update();
                    self.handle(Input::Speaks(speaks));
                }
                () = self.clock.until(self.engine.next_deadline()) => self.handle(Input::Tick),
                _ = second.tick() => {
                    stand.tell(&self.domain, &self.sight.borrow());
                    self.frontier.set(stand.read.elapsed());
                    if seconds % COUNT == 0 {
                        self.count();
                    }
                    self.keep(false);
                    seconds += 1;
                }
            }
        }
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Read { entry, raw } => self.read(entry, raw),
            Happening::Opened { partition, partitions } => self.archive.opened(partition, partitions),
            Happening::Resumed { engine, alerts, last } => {
                self.engine.resume_from(*engine);
                self.hands.resume(last.offset, alerts);
                self.archive.resumed(last);
            }
            Happening::CaughtUp => {
                tracing::info!(domain = %self.domain, "the log has been read to its end");
                self.hands.live();
                self.handle(Input::CaughtUp);
            }
            Happening::Heartbeat { heartbeat, offset, at } => {
                self.handle(Input::Heartbeat { heartbeat, offset, at });
            }
            Happening::Published { name, plan } => {
                self.hands.pace.published(&name, plan.as_deref());
                self.handle(Input::Published { name, plan });
            }
            Happening::Measured { query, value } => self.handle(Input::Measured { query, value }),
            Happening::Lost(cause) => self.handle(Input::Lost(cause)),
            // Whoever asked may have gone meanwhile.
            Happening::Asked(Question::Domain(to)) => drop(to.send(self.engine.folded())),
            Happening::Asked(Question::Rollout(id, to)) => drop(to.send(self.engine.rollout(&id))),
        }
    }

    fn read(&mut self, entry: Entry, raw: Raw) {
        let span = match &entry {
            Entry::Event(record) if self.hands.is_live() && *self.speaks.borrow() => {
                span::process(record, &raw)
            }
            Entry::Event(_) | Entry::Unreadable(_) => Span::none(),
        };
        self.archive.read(&entry);
        self.hands.follow(&entry, raw);
        let start = Start::of(&entry).filter(|_| self.tells_changes);
        span.in_scope(|| self.handle(Input::Read(entry)));
        if let Some(start) = start {
            let view = self.engine.rollout(&start.rollout);
            let change = view.and_then(|view| start.change(&self.domain, &view));
            if let Some(change) = change {
                self.hands.tell(change);
            }
        }
    }

    fn handle(&mut self, input: Input) {
        let mut effects = self.engine.handle(self.clock.now(), input);
        while let Some(lost) = self.carry_out(effects) {
            effects = self.engine.handle(self.clock.now(), lost);
        }
        self.look();
    }

    /// Carries effects out; gives what went wrong with it back to the engine, once.
    fn carry_out(&mut self, effects: Vec<Effect>) -> Option<Input> {
        let mut lost = None;
        for effect in effects {
            if let Effect::Ended(ended) = &effect {
                self.ended(ended);
            }
            lost = self.hands.perform(effect, &self.sight).or(lost);
        }
        lost.map(Input::Lost)
    }

    /// A rollout has ended; while history is read again, that is told and counted already.
    fn ended(&mut self, ended: &Ended) {
        let view = self.engine.rollout(&ended.rollout).filter(|_| self.tells_changes || self.hands.is_live());
        if let Some(view) = view.as_ref().filter(|_| self.tells_changes) {
            self.hands.tell(change::ended(&self.domain, view, ended, self.engine.position()));
        }
        self.hands.ended(ended, view.as_ref());
    }

    /// Notes whether the engine sees.
    fn look(&self) {
        let sighted = self.engine.is_sighted();
        self.sight.send_if_modified(|sight| match (sighted, &*sight) {
            (true, Sight::CatchingUp) => {
                *sight = Sight::Sighted;
                true
            }
            (false, Sight::Sighted) => {
                *sight = Sight::CatchingUp;
                true
            }
            (true, Sight::Sighted | Sight::Blind(_)) | (false, Sight::CatchingUp | Sight::Blind(_)) => false,
        });
    }

    /// Has a snapshot written when one is due, or when the process ends and it would be begun from. Only who owns the
    /// partition does, and only of what it sees: what was folded of a log that cannot be judged is worth nothing.
    fn keep(&mut self, last: bool) {
        let sees = *self.sight.borrow() == Sight::Sighted && self.engine.blindness().is_none();
        let may = *self.speaks.borrow() && sees && self.hands.has_set_all_aside();
        if may && self.archive.is_due(last) {
            let begun = Instant::now();
            let (fold, alerts) = (self.engine.folded(), self.hands.undelivered());
            telemetry::snapshot_took(&self.domain, begun.elapsed());
            self.archive.hand_over(begun, &self.domain, fold, alerts);
        }
    }

    fn count(&self) {
        telemetry::open_rollouts(&self.domain, self.engine.open_rollouts());
        telemetry::drifting(&self.domain, self.engine.drifting());
        telemetry::skewed(&self.domain, self.engine.skewed());
    }
}

/// How the domain stood a second ago.
struct Stood {
    told: Instant,
    read: Instant,
}

impl Stood {
    fn new() -> Self {
        Self { told: Instant::now(), read: Instant::now() }
    }

    fn read(&mut self, happening: &Happening) {
        if matches!(happening, Happening::Read { .. }) {
            self.read = Instant::now();
        }
    }

    fn tell(&mut self, domain: &Domain, sight: &Sight) {
        let since = self.told.elapsed();
        self.told = Instant::now();
        let blind_for = if matches!(sight, Sight::Blind(_)) { since } else { Duration::ZERO };
        let sighted = *sight == Sight::Sighted;
        Stand { domain, sighted, blind_for, unread_for: self.read.elapsed() }.emit();
    }
}
