//! One rollout of the model: its steps, its gates, its clocks, its way back.

use std::collections::BTreeMap;

use pavane_choreography::{Instances, Plan};
use pavane_events::{Cause, EventId, EventType};
use pavane_sentinel_engine::Status;

use super::Mark;

/// The last word of an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Word {
    pub(crate) said: Said,
    pub(crate) offset: i64,
    /// Whether the instance has ever said anything but `Ready`.
    pub(crate) moved: bool,
    pub(crate) from: Option<String>,
    pub(crate) number: Option<(String, i64)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    Started,
    Awaited,
    OtherVersion,
    Failed,
    Drained,
}

#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each says one thing of it")]
pub(crate) struct Stall {
    /// Whether it was by a deadline that passed; else by a record or a metric.
    pub(crate) by_deadline: bool,
    /// Whether it was by a record that needs no deadline.
    pub(crate) at_once: bool,
    pub(crate) not_started: bool,
    pub(crate) breach: bool,
    pub(crate) cause: Cause,
    pub(crate) raw: i64,
    /// Whether the plan's remedy has been taken.
    pub(crate) in_hand: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) words: BTreeMap<String, Word>,
    pub(crate) anchor: Option<Mark>,
    pub(crate) full: Option<Mark>,
    pub(crate) attempt: i64,
    pub(crate) overridden: bool,
    pub(crate) stall: Option<Stall>,
    pub(crate) rejected: Option<i64>,
    pub(crate) tainted: bool,
    /// The offset of the word that came before its time, and whether that was accepted.
    pub(crate) violation: Option<(i64, bool)>,
    pub(crate) counted: Option<u32>,
    pub(crate) goes_back: bool,
    pub(crate) turn: Option<Mark>,
    pub(crate) answers: BTreeMap<String, EventType>,
}

/// An accepted decision that is not in force.
#[derive(Clone, Debug)]
pub(crate) struct Pending {
    pub(crate) event: EventType,
    pub(crate) id: EventId,
    pub(crate) accepted: i64,
    pub(crate) step: Option<usize>,
}

#[derive(Clone, Debug)]
pub(crate) struct Gate {
    pub(crate) begun: Option<Mark>,
    pub(crate) approved: bool,
    pub(crate) attempt: i64,
}

pub(crate) struct Rollout {
    pub(crate) id: String,
    pub(crate) plan: Plan,
    pub(crate) digest: String,
    pub(crate) rules: i64,
    pub(crate) grace: i64,
    pub(crate) status: Status,
    pub(crate) started: Mark,
    pub(crate) paused: bool,
    pub(crate) stopped: Option<Mark>,
    pub(crate) epoch: i64,
    pub(crate) attempt: i64,
    pub(crate) pending: Option<Pending>,
    pub(crate) steps: Vec<Step>,
    pub(crate) gates: Vec<Gate>,
    pub(crate) verdicts: Vec<String>,
}

impl Rollout {
    pub(crate) fn is_open(&self) -> bool {
        matches!(self.status, Status::Open | Status::RollingBack)
    }

    pub(crate) fn step_of(&self, service: &str) -> Option<usize> {
        self.plan.steps.iter().position(|step| step.expect.service.as_str() == service)
    }

    pub(crate) fn touches(&self, service: &str) -> bool {
        self.step_of(service).is_some()
    }

    pub(crate) fn named(&self, step: Option<&str>) -> Option<usize> {
        self.plan.steps.iter().position(|other| Some(other.id.as_str()) == step)
    }

    pub(crate) fn gate(&self, phase: &str) -> Option<usize> {
        self.plan.phases.iter().position(|other| other.id.as_str() == phase)
    }

    /// The phase of a step.
    fn phase_of(&self, i: usize) -> Option<usize> {
        self.plan.phases.iter().position(|phase| phase.steps.contains(&self.plan.steps[i].id))
    }

    pub(crate) fn steps_in(&self, k: usize) -> Vec<usize> {
        (0..self.steps.len()).filter(|i| self.phase_of(*i) == Some(k)).collect()
    }

    /// The place of a step that another waits for.
    fn index(&self, id: &pavane_events::StepId) -> usize {
        self.plan.steps.iter().position(|step| step.id == *id).expect("a step of the plan")
    }

    pub(crate) fn waits_for(&self, d: usize, i: usize) -> bool {
        self.plan.steps[d].prerequisites().any(|id| self.index(id) == i)
    }

    pub(crate) fn want(&self, i: usize) -> Option<u32> {
        match self.plan.steps[i].instances {
            Instances::Count(count) => Some(count),
            Instances::Share(_) => self.steps[i].counted,
        }
    }

    pub(crate) fn have(&self, i: usize) -> usize {
        self.steps[i].words.values().filter(|word| word.said == Said::Awaited).count()
    }

    /// Whether a step may open: its phase has begun and what it waits for is full.
    fn is_due(&self, i: usize) -> bool {
        let begun = self.phase_of(i).is_none_or(|k| self.gates[k].begun.is_some());
        begun && self.plan.steps[i].is_due(|id| self.steps[self.index(id)].full.is_some())
    }

    /// Whether something should have come before a step of which nothing has.
    pub(crate) fn is_early(&self, i: usize) -> bool {
        let came = |id: &pavane_events::StepId| {
            let before = self.index(id);
            self.steps[before].overridden || self.have(before) > 0
        };
        let shut = self.phase_of(i).is_some_and(|k| self.gates[k].begun.is_none());
        shut || !self.plan.steps[i].is_due(came)
    }

    /// Opens what is due.
    pub(crate) fn open(&mut self, i: usize, mark: Mark) {
        if self.steps[i].anchor.is_none() && self.is_due(i) {
            self.steps[i].anchor = Some(mark);
        }
    }

    /// Counts a step again, and what waits for it.
    pub(crate) fn count(&mut self, i: usize, mark: Mark) {
        let enough = self.want(i).is_some_and(|want| self.have(i) >= want as usize);
        let step = &mut self.steps[i];
        let (was, full) = (step.full.is_some(), enough || step.overridden);
        if full && !was {
            step.full = Some(mark);
            (step.rejected, step.tainted) = (None, false);
            let taken =
                |pending: &Pending| pending.event == EventType::RollbackRequested && pending.step == Some(i);
            if self.pending.as_ref().is_some_and(taken) {
                self.withdraw();
            }
        } else if was && !full {
            (step.full, step.anchor) = (None, Some(mark));
            step.attempt += 1;
        }
        let step = &mut self.steps[i];
        let lifted = step.stall.as_ref().is_some_and(|stall| {
            let begun = stall.not_started && !step.words.is_empty();
            if stall.breach { step.overridden } else { full || begun }
        });
        if lifted {
            step.stall = None;
            step.attempt += 1;
        }
        for d in (0..self.steps.len()).filter(|d| self.waits_for(*d, i)).collect::<Vec<_>>() {
            if self.is_due(d) {
                self.open(d, mark);
            } else if self.steps[d].full.is_none() {
                self.steps[d].anchor = None;
                if self.steps[d].stall.as_ref().is_some_and(|stall| stall.by_deadline) {
                    self.steps[d].stall = None;
                    self.steps[d].attempt += 1;
                }
            }
        }
    }

    pub(crate) fn withdraw(&mut self) {
        if self.pending.take().is_some() {
            self.attempt += 1;
        }
    }

    pub(crate) fn deadline(&self, i: usize) -> Option<i64> {
        let (step, plan) = (&self.steps[i], &self.plan.steps[i]);
        match self.status {
            Status::RollingBack if !self.is_answered(i) => Some(step.turn?.at + plan.compensate.within),
            Status::Open if step.full.is_none() && !step.overridden => {
                let anchor = step.anchor?.at;
                let start = plan.started_within.filter(|_| step.words.is_empty());
                Some(start.map_or(anchor + plan.within, |start| anchor + start.min(plan.within)))
            }
            _ => None,
        }
    }

    /// When a step is met, in the future while it must hold.
    pub(crate) fn met(&self, i: usize) -> Option<i64> {
        let (step, plan) = (&self.steps[i], &self.plan.steps[i]);
        let hold = if step.overridden { 0 } else { plan.healthy_for };
        Some(step.full?.at + hold)
    }

    /// When all steps of a phase are met.
    pub(crate) fn phase_met(&self, k: usize) -> Option<i64> {
        let mut latest = self.gates[k].begun?.at;
        for i in self.steps_in(k) {
            latest = latest.max(self.met(i)?);
        }
        Some(latest)
    }

    pub(crate) fn phase_soaked(&self, k: usize) -> Option<i64> {
        Some(self.phase_met(k)? + self.plan.phases[k].soak)
    }

    pub(crate) fn gate_is_open(&self, k: usize, now: i64) -> bool {
        let next = self.gates.iter().position(|gate| gate.begun.is_none());
        let opens = if k == 0 { Some(self.started.at) } else { self.phase_soaked(k - 1) };
        next == Some(k) && opens.is_some_and(|opens| opens <= now)
    }

    /// Whether everybody who moved at a step has answered.
    pub(crate) fn is_answered(&self, i: usize) -> bool {
        let step = &self.steps[i];
        step.words.iter().all(|(who, word)| !word.moved || step.answers.contains_key(who))
    }

    pub(crate) fn is_back(&self, i: usize) -> bool {
        let step = &self.steps[i];
        let back = |who: &String| step.answers.get(who) == Some(&EventType::RollbackComplete);
        step.words.iter().all(|(who, word)| !word.moved || back(who))
    }

    pub(crate) fn goes_back(&self) -> Vec<usize> {
        let mut stays = vec![false; self.steps.len()];
        for i in (0..self.steps.len()).rev() {
            let frozen = !self.plan.steps[i].reversible && !self.steps[i].words.is_empty();
            stays[i] |= frozen || (0..self.steps.len()).any(|d| stays[d] && self.is_above(d, i));
        }
        (0..self.steps.len()).filter(|i| !stays[*i]).collect()
    }

    /// Whether a step stands above another: it waits for it, or is in a later phase.
    fn is_above(&self, d: usize, i: usize) -> bool {
        let later = self.phase_of(d).zip(self.phase_of(i)).is_some_and(|(d, i)| d > i);
        later || self.waits_for(d, i)
    }

    pub(crate) fn begin_rollback(&mut self, mark: Mark) {
        self.status = Status::RollingBack;
        self.pending = None;
        self.attempt += 1;
        let goes_back = self.goes_back();
        for (i, step) in self.steps.iter_mut().enumerate() {
            step.attempt += i64::from(step.stall.take().is_some());
            (step.turn, step.goes_back) = (None, goes_back.contains(&i));
            step.answers.clear();
        }
        self.turns(mark);
    }

    /// The turn of a step comes when all that stand above it are back, however far above.
    pub(crate) fn turns(&mut self, mark: Mark) {
        for i in (0..self.steps.len()).rev() {
            if self.steps[i].goes_back && self.steps[i].turn.is_none() && self.is_clear_above(i) {
                self.steps[i].turn = Some(mark);
            }
        }
    }

    fn is_clear_above(&self, i: usize) -> bool {
        let back = |d: usize| !self.steps[d].goes_back || self.steps[d].turn.is_some() && self.is_back(d);
        let above = (0..self.steps.len()).filter(|d| *d != i && self.is_above(*d, i));
        above.into_iter().all(|d| back(d) && self.is_clear_above(d))
    }

    /// Stops the clocks, or lets them run on with what was left.
    pub(crate) fn halt(&mut self, stop: bool, mark: Mark) {
        if stop {
            self.stopped = self.stopped.or(Some(mark));
        } else if let Some(since) = self.stopped.take() {
            let gone = mark.at - since.at;
            self.shift(|old| if old.offset <= since.offset { old.at + gone } else { mark.at });
        }
    }

    pub(crate) fn shift(&mut self, moved: impl Fn(Mark) -> i64) {
        let steps = self.steps.iter_mut().flat_map(|step| [&mut step.anchor, &mut step.full, &mut step.turn]);
        for mark in steps.chain(self.gates.iter_mut().map(|gate| &mut gate.begun)).flatten() {
            mark.at = moved(*mark);
        }
    }

    pub(crate) fn note(&mut self, kind: &str, step: Option<usize>, cause: Option<Cause>, offset: i64) {
        let step = step.map_or("-", |i| self.plan.steps[i].id.as_str());
        let cause = cause.map_or("-", |cause| cause.as_str());
        self.verdicts.push(format!("{kind} {step} {cause} {offset}"));
    }
}
