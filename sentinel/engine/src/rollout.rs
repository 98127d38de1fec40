//! One rollout: what its services said, which steps are full, and by when the others must be.

use std::collections::BTreeMap;
use std::sync::Arc;

use pavane_choreography::Step;
use pavane_events::{Cause, EventId, EventType, Evidence, Instance, RolloutId, Timestamp, Version};
use serde::Serialize;

use crate::clock::Mark;
use crate::score::Score;
use crate::view::VerdictView;

/// Where a rollout stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
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
            Self::Open => "open",
            Self::RollingBack => "rolling_back",
            Self::Completed => "completed",
            Self::RolledBack => "rolled_back",
            Self::Partial => "partial",
            Self::Aborted => "aborted",
        }
    }
}

/// What an instance said last about a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Saying {
    Started,
    /// The awaited event.
    Awaited,
    /// The awaited event, of a version that does not count.
    WrongVersion,
    Failed,
    Drained,
}

/// The last word of one instance about a step.
#[derive(Clone, Debug)]
pub(crate) struct Word {
    pub(crate) saying: Saying,
    pub(crate) offset: i64,
    pub(crate) version: Option<Version>,
    pub(crate) from: Option<Version>,
    pub(crate) detail: String,
    /// Whether the instance has begun to change itself in this rollout: one that only said `Ready` has nothing to
    /// go back from.
    pub(crate) moved: bool,
    pub(crate) boot: Option<String>,
    pub(crate) sequence: Option<i64>,
}

impl Word {
    /// Whether this word was said after another of the same boot, whichever came to the log first.
    fn is_later_than(&self, other: &Self) -> bool {
        self.boot.is_some() && self.boot == other.boot && self.sequence > other.sequence
    }
}

/// What an instance answered to the request to go back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Complete,
    Failed,
    Refused,
}

/// Why a step is taken to stand still, by what proves it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Proof {
    /// The deadline passed and no instance had said anything.
    NotStarted,
    /// The deadline passed and the count was not full.
    NotFinished,
    /// A record on the log says so.
    Cited,
    /// The deadline of its compensation passed.
    Compensation,
}

/// A step that stands still.
#[derive(Clone, Debug)]
pub(crate) struct Stall {
    pub(crate) proof: Proof,
    pub(crate) cause: Cause,
    /// The unadjusted append time of the accepted proposal: a heartbeat that justifies a rollback is later.
    pub(crate) raw: Timestamp,
}

/// An event that a service which waits for the step could not read.
#[derive(Clone, Debug)]
pub(crate) struct Rejection {
    pub(crate) offset: i64,
    pub(crate) instance: Option<Instance>,
    pub(crate) detail: String,
}

/// An event of the step that came before any of its prerequisites.
#[derive(Clone, Debug)]
pub(crate) struct Violation {
    pub(crate) offset: i64,
    pub(crate) instance: Instance,
    pub(crate) missing: Vec<String>,
    pub(crate) accepted: bool,
}

/// What is known of one step.
#[derive(Clone, Debug)]
pub(crate) struct StepState {
    pub(crate) words: BTreeMap<Instance, Word>,
    /// When its window began.
    pub(crate) anchor: Option<Mark>,
    /// When its count was complete.
    pub(crate) full: Option<Mark>,
    pub(crate) stall: Option<Stall>,
    pub(crate) attempt: i64,
    pub(crate) overridden: bool,
    pub(crate) rejection: Option<Rejection>,
    /// The offset of a record that nobody can read and that could have been the awaited event.
    pub(crate) taint: Option<(i64, String)>,
    pub(crate) violation: Option<Violation>,
    /// When its turn to go back came.
    pub(crate) turn: Option<Mark>,
    pub(crate) turns: i64,
    pub(crate) answers: BTreeMap<Instance, Answer>,
    /// Whether it is part of the way back.
    pub(crate) goes_back: bool,
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
        let opens = |i: usize| score.after[i].is_empty().then_some(mark);
        let steps = (0..score.plan.steps.len()).map(|i| StepState::new(opens(i))).collect();
        Self {
            id,
            score,
            status: Status::Open,
            epoch: 1,
            paused: false,
            stopped: None,
            started: mark,
            started_raw: raw,
            begun_by,
            steps,
            attempt: 1,
            pending: None,
            ended: None,
            decision: None,
            verdicts: Vec::new(),
        }
    }

    /// The step of the plan with this index.
    pub(crate) fn plan_step(&self, i: usize) -> &Step {
        &self.score.plan.steps[i]
    }

    /// Takes the word of an instance about a step, and works out what it changes.
    pub(crate) fn word(&mut self, i: usize, instance: Instance, mut word: Word, mark: Mark) -> Counted {
        let before = self.steps[i].words.get(&instance);
        if before.is_some_and(|old| old.is_later_than(&word)) {
            return Counted::default();
        }
        word.from = word.from.or_else(|| before.and_then(|old| old.from.clone()));
        word.moved |= before.is_some_and(|old| old.moved);
        if self.status == Status::RollingBack && !matches!(word.saying, Saying::Failed | Saying::Drained) {
            self.steps[i].answers.remove(&instance);
        }
        self.note_violation(i, &instance, &word);
        self.steps[i].words.insert(instance, word);
        if self.status == Status::Open { self.count(i, mark) } else { Counted::default() }
    }

    /// Counts a step again after a word or an override.
    pub(crate) fn count(&mut self, i: usize, mark: Mark) -> Counted {
        let wanted = self.plan_step(i).instances.count().unwrap_or(u32::MAX) as usize;
        let state = &mut self.steps[i];
        let said = state.words.values().filter(|word| word.saying == Saying::Awaited).count();
        let (was, full) = (state.full.is_some(), state.overridden || said >= wanted);
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
        if state.stall.as_ref().is_some_and(|stall| full || started(stall)) {
            state.stall = None;
            state.attempt += 1;
            counted.lifted = Some(i);
        }
        self.open_dependants(i, mark);
        counted
    }

    /// Dependants' windows open when all they wait for is full, and close again when it is taken back.
    fn open_dependants(&mut self, i: usize, mark: Mark) {
        let score = Arc::clone(&self.score);
        for &d in &score.dependants[i] {
            let ready = score.after[d].iter().all(|&a| self.steps[a].full.is_some());
            let state = &mut self.steps[d];
            if ready && state.anchor.is_none() {
                state.anchor = Some(mark);
            } else if !ready && state.full.is_none() {
                state.anchor = None;
                state.stall = None;
            }
        }
    }

    /// A word before any instance of a prerequisite has come breaks the sequence; it is kept all the same.
    fn note_violation(&mut self, i: usize, instance: &Instance, word: &Word) {
        let speaks = matches!(word.saying, Saying::Started | Saying::Awaited);
        if self.status != Status::Open
            || !speaks
            || self.steps[i].anchor.is_some()
            || self.steps[i].violation.is_some()
        {
            return;
        }
        let came = |a: &usize| {
            let state = &self.steps[*a];
            state.overridden || state.words.values().any(|word| word.saying == Saying::Awaited)
        };
        let missing = self.score.after[i].iter().filter(|a| !came(a));
        let missing: Vec<String> = missing.map(|&a| self.plan_step(a).expect.to_string()).collect();
        if !missing.is_empty() {
            let (offset, instance) = (word.offset, instance.clone());
            self.steps[i].violation = Some(Violation { offset, instance, missing, accepted: false });
        }
    }

    /// What an accepted stall of this step is called.
    pub(crate) fn stall_name(&self) -> &'static str {
        if self.status == Status::RollingBack { "RollbackStalled" } else { "RolloutStalled" }
    }

    /// What the step is missing, as plans write it.
    pub(crate) fn missing(&self, i: usize) -> String {
        let step = self.plan_step(i);
        match self.status {
            Status::RollingBack => step.compensate.expect.to_string(),
            Status::Open | Status::Completed | Status::RolledBack | Status::Partial | Status::Aborted => {
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

impl StepState {
    fn new(anchor: Option<Mark>) -> Self {
        Self {
            words: BTreeMap::new(),
            anchor,
            full: None,
            stall: None,
            attempt: 1,
            overridden: false,
            rejection: None,
            taint: None,
            violation: None,
            turn: None,
            turns: 0,
            answers: BTreeMap::new(),
            goes_back: false,
        }
    }

    /// The instances that have something to go back from.
    pub(crate) fn moved(&self) -> impl Iterator<Item = &Instance> {
        self.words.iter().filter(|(_, word)| word.moved).map(|(instance, _)| instance)
    }

    /// Whether every instance that moved has answered the request to go back.
    pub(crate) fn answered(&self) -> bool {
        self.moved().all(|instance| self.answers.contains_key(instance))
    }

    /// Whether every instance that moved is back.
    pub(crate) fn compensated(&self) -> bool {
        self.moved().all(|instance| self.answers.get(instance) == Some(&Answer::Complete))
    }
}
