//! The engine: one way in, one way out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use pavane_events::control::Proposed;
use pavane_events::{Body, Domain, Entry, Millis, Record, RolloutId, Timestamp};

use crate::agenda::Agenda;
use crate::asked::{AGAIN, Asked};
use crate::clock::PULSE;
use crate::drift::Drifts;
use crate::effect::{Counter, Draft, Effect};
use crate::fold::{Fold, Touched};
use crate::heartbeats::Heartbeats;
use crate::input::{BlindCause, Input};
use crate::rollout::{Rollout, Status};
use crate::rollouts::Rollouts;
use crate::saying::Saying;
use crate::sight::Sight;
use crate::skew::Skews;
use crate::trigger::Triggers;
use crate::view::{RolloutView, View};
use crate::watch::Watches;

mod ear;
mod quiet;
mod voice;

/// How much longer a replica that does not own the partition waits before it speaks.
const STANDBY: Millis = 2 * PULSE;

/// One domain, as one replica sees it. A copy goes on by itself.
#[derive(Clone, Debug)]
pub struct Engine {
    replica: String,
    fold: Fold,
    heartbeats: Heartbeats,
    sight: Sight,
    watches: Watches,
    triggers: Triggers,
    drifts: Drifts,
    skews: Skews,
    /// The open rollouts that have phases.
    phased: BTreeSet<u64>,
    now: Millis,
    last_read: Millis,
    caught_up: bool,
    speaks: bool,
    sighted: bool,
    /// When a rollout is due next, in partition time.
    agenda: Agenda,
    /// The rollouts that were worth the last look; kept for its room alone.
    candidates: Vec<u64>,
    /// What was wanted of the last one; kept for its room alone.
    wanted: Vec<Proposed>,
    asked: Asked,
    saying: Saying,
    /// What was said last, kept for its room alone: as long as one draft is there, the allocator keeps its page of drafts,
    /// and does not put it away and fetch it again for the next one.
    newest_said: Option<Arc<Draft>>,
    /// When a leap was first seen, by its offset, and when it was last explained.
    leaps: BTreeMap<i64, (Millis, Millis)>,
    /// Until when nothing but the rollouts themselves is due; see [`quiet`].
    quiet: Option<quiet::Quiet>,
}

impl Engine {
    /// An engine that has read nothing. `replica` must differ between the sentinels of a domain.
    pub fn new(domain: Domain, replica: String) -> Self {
        Self::with(Fold::new(domain), replica)
    }

    /// An engine that has folded so far, and of which nothing else is known.
    pub(crate) fn with(fold: Fold, replica: String) -> Self {
        Self {
            replica,
            fold,
            heartbeats: Heartbeats::default(),
            sight: Sight::default(),
            watches: Watches::default(),
            triggers: Triggers::default(),
            drifts: Drifts::default(),
            skews: Skews::default(),
            phased: BTreeSet::new(),
            now: 0,
            last_read: 0,
            caught_up: false,
            speaks: false,
            sighted: false,
            agenda: Agenda::default(),
            candidates: Vec::new(),
            wanted: Vec::new(),
            asked: Asked::default(),
            saying: Saying::default(),
            newest_said: None,
            leaps: BTreeMap::new(),
            quiet: None,
        }
    }

    /// Takes the long way with whatever is read, as if nothing were ordinary. What comes of it is the same, and a test
    /// holds both against each other.
    pub fn take_long_ways(&mut self) {
        self.fold.short_ways = false;
    }

    /// The same engine as a program has it that knows the rules up to this version: what stands beside a newer one while an
    /// upgrade is under way.
    #[must_use]
    pub fn knowing(mut self, rules: i64) -> Self {
        self.fold.knows = rules;
        self
    }

    /// Takes one input. `now` is the replica's own elapsed time in milliseconds: it decides when to look and to
    /// speak, never what is true.
    #[must_use = "an effect that is not carried out is lost"]
    pub fn handle(&mut self, now: Millis, input: Input) -> Vec<Effect> {
        self.now = self.now.max(now);
        let mut out = Vec::new();
        let anew = matches!(input, Input::CaughtUp | Input::Speaks(true));
        let touched = match input {
            // read where it lies: a record is large
            Input::Read(ref entry) => {
                self.read_into(now, entry, &mut out);
                return out;
            }
            Input::Heartbeat { heartbeat, offset, at } => self.hear(heartbeat, offset, at),
            Input::CaughtUp => {
                self.caught_up = true;
                self.saying.restart(&mut self.fold);
                Touched::All
            }
            Input::Speaks(speaks) => {
                self.speaks = speaks;
                self.saying.restart(&mut self.fold);
                self.asked.clear();
                Touched::All
            }
            Input::Lost(cause) => {
                self.sight.lose(self.now, cause);
                Touched::Nothing
            }
            Input::Published { name, plan } => {
                self.triggers.published(name, plan.map(|plan| *plan));
                Touched::Nothing
            }
            Input::Measured { query, value } => {
                self.watches.measured(&query, &value, self.now);
                Touched::Nothing
            }
            Input::Tick => Touched::Nothing,
        };
        self.remember(anew, &mut out);
        self.act(touched, &mut out);
        out
    }

    /// Takes an entry of the log that stays the caller's: the same as [`Input::Read`].
    #[must_use = "an effect that is not carried out is lost"]
    pub fn read(&mut self, now: Millis, entry: &Entry) -> Vec<Effect> {
        let mut out = Vec::new();
        self.read_into(now, entry, &mut out);
        out
    }

    /// Takes an entry of the log that stays the caller's and adds to a list what is to be done: the same as
    /// [`Engine::read`] without a list for each record.
    pub fn read_into(&mut self, now: Millis, entry: &Entry, out: &mut Vec<Effect>) {
        self.now = self.now.max(now);
        let touched = self.take(entry, out);
        if !self.fold.services.changed.is_empty() {
            self.remember(false, out);
        }
        if !self.looks_briefly(touched, out) {
            self.act(touched, out);
        }
    }

    /// Fetches from memory what the next entries are about, where several are at hand before they are read. It is a hint:
    /// nothing is changed, and what is not announced is read all the same.
    pub fn look_ahead<'a>(&self, entries: impl Iterator<Item = &'a Entry>) {
        self.fold.look_ahead(entries);
    }

    /// When to call again at the latest, in the replica's own elapsed time. An earlier or a needless call is harmless.
    pub fn next_deadline(&self) -> Option<Millis> {
        if !self.caught_up {
            return self.sight.next_deadline();
        }
        let agenda = self.agenda.first().map(|at| self.last_read + at.since(self.fold.clock.now()).max(0));
        let others = self.quiet.as_ref().map_or_else(|| self.others_due(), |quiet| quiet.until);
        Some(agenda.map_or(others, |agenda| agenda.min(others)))
    }

    /// The domain as it stands.
    pub fn view(&self) -> View {
        self.fold.view()
    }

    /// How many rollouts are open.
    pub fn open_rollouts(&self) -> usize {
        self.fold.open
    }

    /// One rollout as it stands.
    pub fn rollout(&self, id: &RolloutId) -> Option<RolloutView> {
        let n = self.fold.find(id)?;
        self.fold.rollouts.get(n).map(|rollout| self.fold.show(rollout))
    }

    /// The offset of the entry that was read last; -1 before the first.
    pub fn position(&self) -> i64 {
        self.fold.offset
    }

    /// Why nothing more can be judged of this log by this program, whatever is read of it: a newer program must.
    pub fn blindness(&self) -> Option<BlindCause> {
        self.fold.blind
    }

    pub(crate) fn take_fold(&mut self, from: Self) {
        debug_assert_eq!(self.fold.offset, -1, "what was read is not forgotten");
        self.fold = from.fold;
    }

    /// What is folded from the log, and nothing else.
    pub(crate) fn fold(&self) -> &Fold {
        &self.fold
    }

    /// Partition time: the running maximum of the append times that were read, with leaps taken out.
    pub fn time(&self) -> Timestamp {
        self.fold.clock.now()
    }

    /// Whether the engine sees its partition: it has caught up and has read back a pulse of its own.
    pub fn is_sighted(&self) -> bool {
        self.caught_up && self.sight.is_sighted(self.now)
    }

    fn take(&mut self, entry: &Entry, out: &mut Vec<Effect>) -> Touched {
        self.last_read = self.now;
        self.sight.read();
        if let Entry::Event(record) = entry {
            let envelope = &record.event.envelope;
            if let Body::Pulse(pulse) = &record.event.body
                && envelope.source == self.fold.sentinel
                && envelope.replica.as_ref() == Some(&self.replica)
            {
                self.sight.back(pulse.sent_ms, self.now, record.at, record.offset);
            }
            if self.triggers.is_repeated(&self.fold, record) {
                out.push(Effect::Count(Counter::TriggerRepeated));
            }
        }
        let touched = self.fold.apply(entry, out);
        if let Entry::Event(record) = entry
            && let Body::Proposed(proposed) = &record.event.body
        {
            self.answered(record, proposed, touched);
        }
        if let Some(cause) = self.fold.blind {
            self.sight.lose(self.now, cause);
        }
        touched
    }

    /// A proposal stands on the log, of whichever replica.
    fn answered(&mut self, record: &Record, proposed: &Proposed, touched: Touched) {
        let n = match touched {
            Touched::One(n) => Some(n),
            Touched::Nothing | Touched::All => {
                record.event.envelope.rollout.as_ref().and_then(|id| self.fold.find(id))
            }
        };
        if let Some(n) = n {
            self.asked.answered(n, proposed);
        }
    }

    /// Looks at what may have changed, and speaks where it is time to.
    fn act(&mut self, touched: Touched, out: &mut Vec<Effect>) {
        if let Some(news) = self.sight.news(self.now) {
            out.push(self.sight_effect(news));
        }
        if !self.caught_up {
            self.fold.decided.clear();
            return;
        }
        self.pulse(out);
        let sighted = self.sight.is_sighted(self.now);
        let anew = self.heartbeats.is_newly_complete(self.now) || sighted && !self.sighted;
        let touched = if anew { Touched::All } else { touched };
        if sighted && !self.sighted {
            self.asked.clear();
        }
        self.sighted = sighted;
        let mut candidates = self.candidates(touched);
        self.pass(&mut candidates);
        self.look(&candidates, out);
        if sighted {
            self.explain_leaps(out);
            for &n in &candidates {
                self.propose(n, out);
            }
            self.say(out);
            let patience = if self.speaks { 0 } else { STANDBY };
            self.triggers.start(&self.fold, self.now, patience, AGAIN, out);
        }
        self.plan(&candidates);
        self.candidates = candidates;
        self.quiet = self.now_quiet();
    }

    /// Asks for the metrics that matter, and notes which rollouts have phases.
    fn look(&mut self, candidates: &[u64], out: &mut Vec<Effect>) {
        let estimate = self.estimate();
        for &n in candidates {
            let rollout = self.fold.rollouts.get(n);
            if rollout.is_some_and(|rollout| rollout.phases.is_empty()) {
                continue;
            }
            let moves = rollout.filter(|rollout| rollout.status.is_open() && rollout.stopped.is_none());
            let watched = moves.and_then(|rollout| {
                rollout.phase_open().filter(|k| self.speaks && rollout.is_watched(*k, estimate))
            });
            self.watches.follow(n, rollout, watched, self.now);
            if rollout.is_some_and(|rollout| rollout.status == Status::Open) {
                self.phased.insert(n);
            } else {
                self.phased.remove(&n);
            }
        }
        self.watches.ask(self.now, out);
    }

    /// Puts down when to look at these rollouts again.
    fn plan(&mut self, candidates: &[u64]) {
        let estimate = self.estimate();
        for &n in candidates {
            self.plan_one(n, estimate);
        }
        self.drop_stale();
    }

    fn plan_one(&mut self, n: u64, estimate: Timestamp) {
        let grace = |rollout: &Rollout| self.fold.settings.grace(rollout);
        let next = self.fold.rollouts.get(n).and_then(|rollout| rollout.next_time(grace(rollout), estimate));
        put_down(&mut self.fold.rollouts, &mut self.agenda, n, next);
    }

    /// Partition time as it is likely to be: what was read, and what has gone by since.
    fn estimate(&self) -> Timestamp {
        self.fold.clock.now().plus(self.now - self.last_read)
    }

    /// The rollouts that are worth a look: touched, due, or asked about and not answered.
    fn candidates(&mut self, touched: Touched) -> Vec<u64> {
        let (estimate, rollouts) = (self.estimate(), &self.fold.rollouts);
        let mut candidates = std::mem::take(&mut self.candidates);
        candidates.clear();
        let holds = |(at, n)| rollouts.next_look(n) == Some(at);
        self.agenda.take_due(estimate, holds, &mut candidates);
        for &n in &candidates {
            self.fold.rollouts.look_at(n, None);
        }
        if self.sighted {
            self.asked.take_due(self.now, &mut candidates);
        }
        self.watches.worth_a_look(self.now, &mut candidates);
        match touched {
            Touched::Nothing => {}
            Touched::One(n) => candidates.push(n),
            Touched::All => candidates.extend(self.fold.open()),
        }
        if candidates.len() > 1 {
            candidates.sort_unstable();
            candidates.dedup();
        }
        candidates
    }
}

/// Puts down when to look at a rollout again.
fn put_down(rollouts: &mut Rollouts, agenda: &mut Agenda, n: u64, next: Option<Timestamp>) {
    if rollouts.look_at(n, next)
        && let Some(next) = next
    {
        agenda.put(next, n, |(at, n)| rollouts.next_look(n) == Some(at));
    }
}
