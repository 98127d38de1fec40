//! What the engine need not look at: nearly every record is about one rollout, while nothing else is due.
//!
//! Whenever it has looked at everything, the engine notes until when nothing else can be due: no pulse, no question, no
//! word to be said again, no blindness. A record that comes before changes nothing but what there is to say of its own
//! rollout, and when to look at that one again; mostly it goes as planned, and there is nothing to say.

use pavane_events::{Millis, Timestamp};

use super::{AGAIN, Engine, put_down};
use crate::effect::Effect;
use crate::fold::Touched;
use crate::rollout::Rollout;
use crate::windows::Next;

/// That nothing is due but what rollouts need.
#[derive(Clone, Copy, Debug)]
pub(super) struct Quiet {
    /// Until when, in the replica's own elapsed time.
    pub(super) until: Millis,
    /// Whether a rollout was open: pulses depend on it.
    open: bool,
}

impl Engine {
    /// Whether nothing but rollouts is due for a while, after a look at everything.
    pub(super) fn now_quiet(&self) -> Option<Quiet> {
        let sees = self.caught_up && self.sighted && self.fold.blind.is_none();
        let calm = self.triggers.are_none() && self.leaps.is_empty() && self.fold.clock.leaps().is_empty();
        (sees && calm).then(|| Quiet { until: self.others_due(), open: self.fold.open > 0 })
    }

    /// When anything but a rollout is due.
    pub(super) fn others_due(&self) -> Millis {
        let mut next = self.sight.pulse_due(self.fold.open > 0).max(self.now + 1);
        let mut or = |at: Option<Millis>| next = at.map_or(next, |at| next.min(at));
        if self.sighted {
            or(self.asked.next());
            or(self.saying.next());
        }
        or(self.leaps.values().map(|(_, said)| said + AGAIN).min());
        or(self.watches.next_deadline(self.now));
        or(self.triggers.next_deadline());
        or(self.heartbeats.next_deadline());
        or(self.sight.next_deadline());
        next
    }

    /// Looks at the rollout that a record touched, and says what there is to say, if nothing else can be due: the same as a
    /// look at everything. False where it takes that; nothing is done then.
    pub(super) fn looks_briefly(&mut self, touched: Touched, out: &mut Vec<Effect>) -> bool {
        let (Touched::One(n), Some(quiet)) = (touched, self.quiet) else { return false };
        let estimate = self.estimate();
        let others = self.now >= quiet.until || self.fold.blind.is_some() || !self.fold.short_ways;
        let changed = quiet.open != (self.fold.open > 0) || !self.fold.clock.leaps().is_empty();
        let due = || self.agenda.first().is_some_and(|at| at <= estimate);
        if others || changed || due() {
            return false;
        }
        if !self.passes(n, estimate) {
            // phases are watched, and that is a matter of everything
            let Some(rollout) = self.fold.rollouts.get(n).filter(|rollout| rollout.phases.is_empty()) else {
                return false;
            };
            if rollout.is_decided() {
                self.asked.keep(n, &[]);
            } else {
                self.propose(n, out);
            }
            self.plan_one(n, estimate);
        }
        if !self.fold.decided.is_empty() {
            self.say(out);
        }
        self.drop_stale();
        self.stay_quiet(quiet);
        true
    }

    /// Stays quiet until what has been said meanwhile is to be said again.
    fn stay_quiet(&mut self, quiet: Quiet) {
        let again = [self.asked.next(), self.saying.next()].into_iter().flatten();
        self.quiet = Some(Quiet { until: again.fold(quiet.until, Millis::min), ..quiet });
    }

    /// Passes over those of the rollouts that go as planned.
    pub(super) fn pass(&mut self, candidates: &mut Vec<u64>) {
        let estimate = self.estimate();
        candidates.retain(|&n| !self.passes(n, estimate));
    }

    /// Puts down when to look again at a rollout that goes as planned. False where it takes a closer look.
    fn passes(&mut self, n: u64, estimate: Timestamp) -> bool {
        let on_course = |rollout: &Rollout| {
            if rollout.awaits_nothing() {
                return Some(Next(None));
            }
            rollout.on_course(self.fold.settings.grace(rollout), estimate)
        };
        let Some(Next(next)) = self.fold.rollouts.get(n).and_then(on_course) else { return false };
        if self.sighted {
            self.asked.keep(n, &[]);
        }
        put_down(&mut self.fold.rollouts, &mut self.agenda, n, next);
        true
    }

    /// Drops from the agenda what comes first and no longer holds.
    pub(super) fn drop_stale(&mut self) {
        let rollouts = &self.fold.rollouts;
        self.agenda.drop_stale(|(at, n)| rollouts.next_look(n) == Some(at));
    }
}
