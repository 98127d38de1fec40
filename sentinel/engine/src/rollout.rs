//! One rollout: what its services said, which steps are full, and by when the others must be.

use std::sync::Arc;

use pavane_choreography::{Instances, OnStall, Phase, Step};
use pavane_events::{Cause, EventId, EventType, Evidence, Instance, RolloutId, Service, Timestamp};
use serde::Serialize;

use crate::clock::Mark;
use crate::phase::PhaseState;
use crate::score::Score;
use crate::step::{Proof, Saying, Stall, StepState, Violation, Word};
use crate::view::VerdictView;
use crate::words::Heard;

/// Where a rollout stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It waits for the end of another rollout that owns one of its services.
    Queued,
    /// It goes forward.
    Open,
    /// It goes back.
    RollingBack,
    /// Every step was met.
    Completed,
    /// Every service that had moved is back.
    RolledBack,
    /// Some services are back, some are not.
    Partial,
    /// A person ended it where it stood.
    Aborted,
}

impl Status {
    /// Whether something is still awaited.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Open | Self::RollingBack)
    }

    /// The status in the words of JSON and labels.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Open => "open",
            Self::RollingBack => "rolling_back",
            Self::Completed => "completed",
            Self::RolledBack => "rolled_back",
            Self::Partial => "partial",
            Self::Aborted => "aborted",
        }
    }
}

/// An accepted decision that is not yet said.
#[derive(Clone, Debug)]
pub(crate) struct Pending {
    pub(crate) event: EventType,
    pub(crate) accepted: i64,
    pub(crate) step: Option<usize>,
    pub(crate) id: EventId,
}

/// One rollout, as folded from the log.
#[derive(Clone, Debug)]
pub(crate) struct Rollout {
    pub(crate) id: RolloutId,
    pub(crate) score: Arc<Score>,
    pub(crate) status: Status,
    pub(crate) epoch: i64,
    pub(crate) paused: bool,
    /// When its clocks stopped.
    pub(crate) stopped: Option<Mark>,
    pub(crate) started: Mark,
    /// The broker's time of its `RolloutStarted`, unadjusted.
    pub(crate) started_raw: Timestamp,
    pub(crate) begun_by: EventId,
    pub(crate) steps: Vec<StepState>,
    pub(crate) phases: Vec<PhaseState>,
    /// When the maintenance window closes in which it began.
    pub(crate) closes: Option<Timestamp>,
    /// The attempt of the next decision on the whole rollout.
    pub(crate) attempt: i64,
    pub(crate) pending: Option<Pending>,
    pub(crate) ended: Option<Timestamp>,
    /// The offset at which the decision to go back took force.
    pub(crate) decision: Option<i64>,
    pub(crate) verdicts: Vec<VerdictView>,
}

/// What a word changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counted {
    /// The step whose count it completed.
    pub(crate) filled: Option<usize>,
    /// The step whose stall it lifted.
    pub(crate) lifted: Option<usize>,
}

impl Rollout {
    pub(crate) fn new(
        id: RolloutId,
        score: Arc<Score>,
        begun_by: EventId,
        mark: Mark,
        raw: Timestamp,
    ) -> Self {
        let steps = score.plan.steps.iter().map(|_| StepState::new(None)).collect();
        let phases = score.phases.iter().map(|_| PhaseState::default()).collect();
        Self {
            id,
            score,
            status: Status::Queued,
            epoch: 1,
            paused: false,
            stopped: None,
            started: mark,
            started_raw: raw,
            begun_by,
            steps,
            phases,
            closes: None,
            attempt: 1,
            pending: None,
            ended: None,
            decision: None,
            verdicts: Vec::new(),
        }
    }

    /// Begins: whatever waits for nothing opens here.
    pub(crate) fn begin(&mut self, mark: Mark, closes: Option<Timestamp>) {
        self.status = Status::Open;
        self.closes = closes;
        for i in 0..self.steps.len() {
            self.open(i, mark);
        }
    }

    /// Whether a service takes part.
    pub(crate) fn touches(&self, service: &Service) -> bool {
        self.score.of(service).next().is_some()
    }

    /// The step of the plan with this index.
    pub(crate) fn plan_step(&self, i: usize) -> &Step {
        &self.score.plan.steps[i]
    }

    /// Takes the word of an instance about some steps, and works out what it changes.
    pub(crate) fn hear(&mut self, heard: Heard, mark: Mark) -> Vec<Counted> {
        let Heard { steps, instance, words } = heard;
        let old = |i: usize| self.steps[i].words.get(&instance);
        if steps.iter().all(|i| self.steps[*i].anchor.is_none())
            && let (Some(&i), Some(word)) = (steps.first(), words.first())
            && !old(i).is_some_and(|old| old.is_later_than(word))
        {
            self.note_violation(i, &instance, word);
        }
        let told = steps.into_iter().zip(words);
        told.map(|(i, word)| self.word(i, instance.clone(), word, mark)).collect()
    }

    fn word(&mut self, i: usize, instance: Instance, mut word: Word, mark: Mark) -> Counted {
        let before = self.steps[i].words.get(&instance);
        if before.is_some_and(|old| old.is_later_than(&word)) {
            return Counted::default();
        }
        word.from = word.from.or_else(|| before.and_then(|old| old.from.clone()));
        word.moved |= before.is_some_and(|old| old.moved);
        if self.status == Status::RollingBack && !matches!(word.saying, Saying::Failed | Saying::Drained) {
            self.steps[i].answers.remove(&instance);
        }
        self.steps[i].words.insert(instance, word);
        if self.status == Status::Open { self.count(i, mark) } else { Counted::default() }
    }

    /// Counts a step again after a word or an override.
    pub(crate) fn count(&mut self, i: usize, mark: Mark) -> Counted {
        let wanted = self.wanted(i);
        let state = &mut self.steps[i];
        let said = state.words.values().filter(|word| word.saying == Saying::Awaited).count();
        let enough = wanted.is_some_and(|wanted| said >= wanted as usize);
        let (was, full) = (state.full.is_some(), state.overridden || enough);
        let mut counted = Counted::default();
        if full && !was {
            state.full = Some(mark);
            state.rejection = None;
            state.taint = None;
            counted.filled = Some(i);
        } else if was && !full {
            state.full = None;
            state.anchor = Some(mark);
            state.attempt += 1;
        }
        let started = |stall: &Stall| stall.proof == Proof::NotStarted && !state.words.is_empty();
        let lifts = |stall: &Stall| match stall.proof {
            Proof::Breach => state.overridden,
            Proof::NotStarted | Proof::NotFinished | Proof::Cited | Proof::Compensation => {
                full || started(stall)
            }
        };
        if state.stall.as_ref().is_some_and(lifts) {
            state.stall = None;
            state.attempt += 1;
            counted.lifted = Some(i);
        }
        self.open_dependants(i, mark);
        counted
    }

    /// Dependants' windows open when what they wait for is there, and close again when it is taken back.
    fn open_dependants(&mut self, i: usize, mark: Mark) {
        let score = Arc::clone(&self.score);
        for &d in &score.dependants[i] {
            if self.is_due(d) {
                self.open(d, mark);
            } else if self.steps[d].full.is_none() {
                self.steps[d].anchor = None;
                self.steps[d].stall = None;
            }
        }
    }

    /// Opens the window of a step that waits for nothing any more.
    pub(crate) fn open(&mut self, i: usize, mark: Mark) {
        if self.steps[i].anchor.is_none() && self.is_due(i) {
            self.steps[i].anchor = Some(mark);
        }
    }

    /// Whether nothing stands before a step: its prerequisites are full and its phase has begun.
    fn is_due(&self, i: usize) -> bool {
        let begun = self.score.phase_of[i].is_none_or(|phase| self.phases[phase].begun.is_some());
        begun && self.score.is_due(i, |a| self.steps[a].full.is_some())
    }

    /// How many instances a step wants; none while a share of them has not been counted.
    pub(crate) fn wanted(&self, i: usize) -> Option<u32> {
        match self.plan_step(i).instances {
            Instances::Count(count) => Some(count),
            Instances::Share(_) => self.steps[i].counted,
        }
    }

    /// What the plan asks for where this step stands still.
    pub(crate) fn remedy(&self, i: usize) -> OnStall {
        let watch = self.breach(i).and_then(|phase| phase.watch.as_ref());
        watch.map_or(self.plan_step(i).on_stall, |watch| watch.on_breach)
    }

    /// The phase whose broken bound this step tells of.
    pub(crate) fn breach(&self, i: usize) -> Option<&Phase> {
        let breached = self.steps[i].stall.as_ref().is_some_and(|stall| stall.proof == Proof::Breach);
        self.score.phase_of[i].filter(|_| breached).map(|k| self.plan_phase(k))
    }

    /// A word before any instance of a prerequisite has come breaks the sequence; it is kept all the same.
    fn note_violation(&mut self, i: usize, instance: &Instance, word: &Word) {
        let speaks = matches!(word.saying, Saying::Started | Saying::Awaited);
        if self.status != Status::Open || !speaks || self.steps[i].violation.is_some() {
            return;
        }
        let missing = self.missing_before(i);
        if !missing.is_empty() {
            let (offset, instance) = (word.offset, instance.clone());
            self.steps[i].violation = Some(Violation { offset, instance, missing, accepted: false });
        }
    }

    /// What should have come before a step and of which nothing has: events as plans write them, and its phase.
    fn missing_before(&self, i: usize) -> Vec<String> {
        let (score, came) = (&self.score, |a: usize| self.steps[a].has_come());
        let expected = |a: &usize| self.plan_step(*a).expect.to_string();
        let mut missing: Vec<String> = score.after[i].iter().filter(|a| !came(**a)).map(expected).collect();
        let any = &score.after_any[i];
        if !any.is_empty() && !any.iter().any(|a| came(*a)) {
            missing.push(any.iter().map(expected).collect::<Vec<_>>().join(" or "));
        }
        let phase = score.phase_of[i].filter(|phase| self.phases[*phase].begun.is_none());
        missing.extend(phase.map(|phase| format!("PhaseBegun {}", score.plan.phases[phase].id)));
        missing
    }

    /// What an accepted stall of this step is called.
    pub(crate) fn stall_name(&self) -> &'static str {
        if self.status == Status::RollingBack { "RollbackStalled" } else { "RolloutStalled" }
    }

    /// What the step is missing, as plans write it.
    pub(crate) fn missing(&self, i: usize) -> String {
        let step = self.plan_step(i);
        if let Some(missing) = self.steps[i].stall.as_ref().and_then(|stall| stall.missing.as_ref()) {
            return missing.clone();
        }
        match self.status {
            Status::RollingBack => step.compensate.expect.to_string(),
            Status::Queued
            | Status::Open
            | Status::Completed
            | Status::RolledBack
            | Status::Partial
            | Status::Aborted => {
                let unstarted = step.started_within.is_some() && self.steps[i].words.is_empty();
                if unstarted {
                    format!("{}.DeploymentStarted", step.expect.service)
                } else {
                    step.expect.to_string()
                }
            }
        }
    }

    /// The cause that the log alone gives a stall by its deadline, refined by what was quoted.
    pub(crate) fn cause(&self, i: usize, evidence: &[Evidence]) -> Cause {
        let state = &self.steps[i];
        if state.taint.is_some() || state.rejection.is_some() {
            return Cause::ContractBroken;
        }
        let by_words = if state.words.is_empty() { Cause::NotStarted } else { Cause::NotFinished };
        let quoted = evidence.iter().map(|seen| seen.cause).max().unwrap_or_default();
        if matches!(quoted, Cause::NotStarted | Cause::NotFinished) { by_words } else { quoted }
    }
}
