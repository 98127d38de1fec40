//! What people are told although nobody says it: that a rollout waits for them, cannot go on, or is forgotten.
//!
//! A reminder is a condition, not a verdict: it is told while it holds, and is over when it no longer does. All of it is
//! folded from the log, and looked at where partition time has come: every replica tells the same under the same id, once,
//! and one that was restored still knows what it has told. While the clocks of a rollout stand still, what held when they
//! stopped goes on to hold.

mod words;

use std::collections::{BTreeMap, BTreeSet};

use pavane_events::{Millis, Timestamp};

use crate::alert::{About, Concern, Matter, Wait};
use crate::effect::Effect;
use crate::fold::{Fold, Touched};
use crate::rollout::{Rollout, Status};
use words::reminder;

/// How long there may be no value of a metric before someone is told.
pub(crate) const BLIND: Millis = 60_000;
/// How long a phase may wait for heartbeats before someone is told.
pub(crate) const UNHEARD: Millis = 10_000;

/// When to look at which rollout. It follows from the rest of the fold.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reminders {
    due: BTreeSet<(Timestamp, u64)>,
    at: BTreeMap<u64, Timestamp>,
}

impl Reminders {
    fn put(&mut self, n: u64, at: Option<Timestamp>) {
        if let Some(old) = self.at.remove(&n) {
            self.due.remove(&(old, n));
        }
        if let Some(at) = at {
            self.at.insert(n, at);
            self.due.insert((at, n));
        }
    }
}

impl Fold {
    /// Tells what holds of the rollouts that a record changed or whose time has come, and what no longer does.
    pub(crate) fn remind(&mut self, touched: Touched, out: &mut Vec<Effect>) {
        // while nobody knows what time it is, nothing is late
        if !self.clock.leaps().is_empty() {
            return;
        }
        match touched {
            Touched::Nothing => {}
            Touched::One(n) => self.look(n, out),
            Touched::All => {
                for n in self.remindable() {
                    self.look(n, out);
                }
            }
        }
        while let Some(&(at, n)) = self.reminders.due.first()
            && at <= self.clock.now()
        {
            self.look(n, out);
        }
    }

    /// Puts down when to look at whom, after a restart.
    pub(crate) fn remind_again(&mut self) {
        for n in self.remindable() {
            let next = self.rollouts.get(n).and_then(|rollout| next_time(self, rollout));
            self.remind_at(n, next);
        }
    }

    fn remind_at(&mut self, n: u64, at: Option<Timestamp>) {
        self.reminders.put(n, at);
        if let Some(rollout) = self.rollouts.get_mut(n) {
            rollout.reminded = at.is_some();
        }
    }

    fn remindable(&self) -> Vec<u64> {
        self.rollouts.iter().filter(|(_, rollout)| may_wait(rollout)).map(|(n, _)| n).collect()
    }

    fn look(&mut self, n: u64, out: &mut Vec<Effect>) {
        let Some(rollout) = self.rollouts.get(n).filter(|rollout| may_wait(rollout)) else {
            // nearly every rollout goes as planned, and is in no table then
            if self.rollouts.get(n).is_none_or(|rollout| rollout.reminded) {
                self.remind_at(n, None);
            }
            return;
        };
        let (wanted, next) = (conditions(self, rollout), next_time(self, rollout));
        let of_rollout = || self.burning.range((n, About::FIRST)..(n + 1, About::FIRST));
        let burning: Vec<About> = if rollout.burning == 0 {
            Vec::new()
        } else {
            of_rollout().map(|((_, about), _)| *about).filter(|about| about.is_reminder()).collect()
        };
        for about in burning.iter().filter(|about| !wanted.contains(about)) {
            self.over(n, *about, out);
        }
        for about in wanted.into_iter().filter(|about| !burning.contains(about)) {
            let alert = reminder(self, &self.rollouts[n], about);
            self.burn(n, about, alert, out);
        }
        self.remind_at(n, next);
    }
}

/// Whether something of a rollout may wait for people: one that goes as planned has nothing of the kind, whatever has been
/// decided about it.
fn may_wait(rollout: &Rollout) -> bool {
    let stands = || rollout.stopped.is_some() || rollout.steps.known().any(|state| !state.is_plain());
    let waits = || !rollout.phases.is_empty() || rollout.closes.is_some() || rollout.burning > 0 || stands();
    rollout.status == Status::Queued || rollout.status.is_open() && !rollout.is_plain() && waits()
}

/// Partition time, as far as the clocks of a rollout have run.
fn time_of(fold: &Fold, rollout: &Rollout) -> Timestamp {
    let now = fold.clock.now();
    rollout.stopped.map_or(now, |stopped| stopped.at.min(now))
}

/// What holds of a rollout.
fn conditions(fold: &Fold, rollout: &Rollout) -> Vec<About> {
    let (now, time) = (fold.clock.now(), time_of(fold, rollout));
    let mut hold = Vec::new();
    if rollout.status == Status::Open {
        let next = rollout.phase_next().filter(|k| rollout.gate_is_open(*k, time));
        hold.extend(next.and_then(|k| gate(rollout, k, time)));
        let blind = |k: &usize| rollout.phases[*k].missing.is_some() && rollout.is_watched(*k, time);
        hold.extend(rollout.phase_open().filter(blind).map(|k| About::Phase(k, Wait::Metric)));
    }
    let since = stands_since(rollout, time);
    let forgotten = |since: Timestamp| now >= since.plus(fold.settings.newest().orphan_after_ms);
    if since.is_some_and(forgotten) {
        hold.push(About::Whole(Matter::Orphan));
    } else {
        let stalled =
            (0..rollout.steps.touched()).filter_map(|i| Some((i, stalled_since(fold, rollout, i)?)));
        let stalled = stalled.filter(|(_, since)| forgotten(*since));
        hold.extend(stalled.map(|(i, _)| About::Step(i, Concern::Orphan)));
    }
    hold
}

/// Why a phase whose gate is open does not begin by itself.
fn gate(rollout: &Rollout, k: usize, time: Timestamp) -> Option<About> {
    if rollout.closes.is_some_and(|closes| time >= closes) {
        return Some(About::Phase(k, Wait::Maintenance));
    }
    if rollout.awaits_approval(k) {
        return Some(About::Phase(k, Wait::Approval));
    }
    rollout.phases[k].unheard.then_some(About::Phase(k, Wait::Cohort))
}

/// Since when no clock of a rollout runs: it waits for another one, stands still, or asks for someone's word.
fn stands_since(rollout: &Rollout, time: Timestamp) -> Option<Timestamp> {
    if rollout.status == Status::Queued {
        return Some(rollout.started.at);
    }
    let awaited = |k: &usize| rollout.gate_is_open(*k, time) && rollout.awaits_approval(*k);
    let asked = rollout.phase_next().filter(|_| rollout.status == Status::Open).filter(awaited);
    let asked = asked.and_then(|k| rollout.gate_opens(k));
    rollout.stopped.map(|stopped| stopped.at).into_iter().chain(asked).min()
}

/// Since when a step has stood still, where the clocks of its rollout run.
fn stalled_since(fold: &Fold, rollout: &Rollout, i: usize) -> Option<Timestamp> {
    let stall = rollout.steps[i].stall.as_ref().filter(|_| rollout.stopped.is_none())?;
    Some(fold.clock.adjusted(stall.raw))
}

/// When to look next, if nothing else happens.
fn next_time(fold: &Fold, rollout: &Rollout) -> Option<Timestamp> {
    let (now, time) = (fold.clock.now(), time_of(fold, rollout));
    let later = |at: Timestamp| at.plus(fold.settings.newest().orphan_after_ms);
    let gate = rollout.phase_next().filter(|_| rollout.status == Status::Open && rollout.stopped.is_none());
    let opens = gate.and_then(|k| rollout.gate_opens(k));
    let met = rollout.phase_open().filter(|_| gate.is_some() || rollout.phase_next().is_none());
    let met = met.and_then(|k| rollout.phase_met(k)).filter(|_| rollout.stopped.is_none());
    let closes = rollout.closes.filter(|_| gate.is_some());
    let stands = stands_since(rollout, time).map(later);
    let stalls = (0..rollout.steps.touched()).filter_map(|i| stalled_since(fold, rollout, i).map(later));
    let all = [opens, met, closes, stands].into_iter().flatten().chain(stalls);
    all.filter(|at| *at > now).min()
}
