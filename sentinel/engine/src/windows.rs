//! The windows of a rollout: when each step's ends, and how a pause or a leap of the broker's clock moves them.

use pavane_events::{Millis, Timestamp};

use crate::clock::Mark;
use crate::reminder::UNHEARD;
use crate::rollout::{Rollout, Status};
use crate::step::StepState;

/// When to look at a rollout again, if ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Next(pub(crate) Option<Timestamp>);

impl Rollout {
    /// What its clocks show: where they stood still, or partition time.
    pub(crate) fn time(&self, now: Timestamp) -> Timestamp {
        self.stopped.map_or(now, |stopped| stopped.at)
    }

    /// The deadline of a step, derived from state alone; none when nothing is awaited of it.
    pub(crate) fn deadline(&self, i: usize) -> Option<Timestamp> {
        let (state, step) = (&self.steps[i], self.plan_step(i));
        match self.status {
            Status::RollingBack => {
                let turn = state.turn.filter(|_| !state.answered())?;
                Some(turn.at.plus(step.compensate.within))
            }
            Status::Open => {
                let anchor = state.anchor.filter(|_| !state.overridden && state.full.is_none())?;
                let end = anchor.at.plus(step.within);
                let start = step.started_within.filter(|_| state.words.is_empty());
                let end = start.map_or(end, |within| end.min(anchor.at.plus(within)));
                Some(self.closes.map_or(end, |closes| end.min(closes)))
            }
            Status::Queued | Status::Completed | Status::RolledBack | Status::Partial | Status::Aborted => {
                None
            }
        }
    }

    /// Whether a step is met at this time: its count is full and has held long enough.
    pub(crate) fn met(&self, i: usize, now: Timestamp) -> bool {
        let state = &self.steps[i];
        let held = |full: Mark| now >= full.at.plus(self.plan_step(i).healthy_for);
        state.overridden || state.full.is_some_and(held)
    }

    /// Whether nothing can be proposed about it any more, nor yet: it has ended, or has not begun, and has no phases that
    /// somebody watches.
    pub(crate) fn awaits_nothing(&self) -> bool {
        !self.status.is_open() && self.phases.is_empty()
    }

    /// Whether every step is settled and a decision waits to be said: nothing can be proposed meanwhile.
    pub(crate) fn is_decided(&self) -> bool {
        let settled = |state: &StepState| state.is_plain() && state.full.is_some();
        self.status == Status::Open
            && self.pending.is_some()
            && !self.score.has_shares
            && self.steps.are_full()
            && self.steps.known().all(settled)
    }

    /// When to look again at a rollout that goes as planned: there is nothing to propose about it at `now`, nor before
    /// that time without another record. None where it takes a closer look to say so.
    pub(crate) fn on_course(&self, grace: Millis, now: Timestamp) -> Option<Next> {
        if self.status != Status::Open || !self.is_plain() || self.score.has_shares || self.steps.are_full() {
            return None;
        }
        let mut next: Option<Timestamp> = None;
        for (state, step) in self.steps.known().zip(&self.score.plan.steps) {
            if !state.is_plain() {
                return None;
            }
            let speaks_up = || state.words.values().any(|word| self.score.tells(word.saying));
            let at = match (state.full, state.anchor) {
                (Some(full), _) => full.at.plus(step.healthy_for),
                (None, _) if speaks_up() => return None,
                (None, Some(anchor)) => {
                    let started = step.started_within.filter(|_| state.words.is_empty());
                    let within = started.map_or(step.within, |within| step.within.min(within));
                    let passes = anchor.at.plus(within).plus(grace + 1);
                    if passes <= now {
                        return None;
                    }
                    passes
                }
                (None, None) => continue,
            };
            if at > now {
                next = Some(next.map_or(at, |next| next.min(at)));
            }
        }
        Some(Next(next))
    }

    /// The earliest partition time later than `after` at which something could be proposed without another record.
    pub(crate) fn next_time(&self, grace: Millis, after: Timestamp) -> Option<Timestamp> {
        if self.stopped.is_some() || !self.status.is_open() {
            return None;
        }
        let open = self.status == Status::Open;
        let steps = (0..self.steps.touched()).filter_map(|i| {
            let state = &self.steps[i];
            if state.is_plain()
                && let Some(full) = state.full.filter(|_| open && !state.overridden)
            {
                return Some(full.at.plus(self.plan_step(i).healthy_for)).filter(|at| *at > after);
            }
            self.step_time(i, grace, after)
        });
        let next = steps.min();
        if self.phases.is_empty() || !open {
            return next;
        }
        let gates = (0..self.phases.len()).flat_map(|k| {
            [self.phase_met(k), self.phase_soaked(k), self.watch_ends(k), self.cohort_missed(k)]
        });
        gates.flatten().filter(|at| *at > after).chain(next).min()
    }

    fn step_time(&self, i: usize, grace: Millis, after: Timestamp) -> Option<Timestamp> {
        let state = &self.steps[i];
        let deadline = self.deadline(i).filter(|_| state.stall.is_none()).map(|d| d.plus(grace + 1));
        let full = state.full.filter(|_| self.status == Status::Open && !state.overridden);
        let met = full.map(|full| full.at.plus(self.plan_step(i).healthy_for));
        let given_up = self.gives_up(i, grace).filter(|_| self.status == Status::RollingBack);
        deadline.into_iter().chain(met).chain(given_up).filter(|at| *at > after).min()
    }

    /// When someone is told that a phase of which a share moves waits for heartbeats.
    fn cohort_missed(&self, k: usize) -> Option<Timestamp> {
        let waits = self.plan_phase(k).cohort.is_some() && self.phases[k].begun.is_none();
        self.gate_opens(k).filter(|_| waits).map(|opens| opens.plus(UNHEARD))
    }

    fn watch_ends(&self, k: usize) -> Option<Timestamp> {
        let watch = self.plan_phase(k).watch.as_ref()?;
        Some(self.phase_met(k)?.plus(watch.hold))
    }

    /// Stops its clocks, or lets them run on with what was left.
    pub(crate) fn halt(&mut self, stop: bool, mark: Mark) {
        match (stop, self.stopped) {
            (true, None) => self.stopped = Some(mark),
            (false, Some(since)) => {
                self.stopped = None;
                let left = mark.at.since(since.at);
                self.shift(|old| if old.offset() <= since.offset() { old.at.plus(left) } else { mark.at });
            }
            (true, Some(_)) | (false, None) => {}
        }
    }

    /// Moves what was set at or after a leap by the part of the leap that was no time.
    pub(crate) fn step_clock(&mut self, leap: i64, by: Millis) {
        let moved = |old: Mark| if old.offset() >= leap { old.at.plus(-by) } else { old.at };
        self.shift(moved);
        if let Some(stopped) = self.seldom_mut().and_then(|seldom| seldom.stopped.as_mut()) {
            stopped.at = moved(*stopped);
        }
    }

    fn shift(&mut self, moved: impl Fn(Mark) -> Timestamp) {
        for state in self.steps.touched_mut() {
            for mark in [&mut state.anchor, &mut state.full].into_iter().flatten() {
                mark.at = moved(*mark);
            }
            if let Some(mark) = state.seldom_mut().and_then(|seldom| seldom.turn.as_mut()) {
                mark.at = moved(*mark);
            }
        }
        let phases = self.seldom_mut().map(|seldom| &mut seldom.phases);
        for mark in phases.into_iter().flatten().filter_map(|phase| phase.begun.as_mut()) {
            mark.at = moved(*mark);
        }
    }
}
