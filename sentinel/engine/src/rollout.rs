//! One rollout: what its services said, which steps are full, and by when the others must be.

use std::borrow::Cow;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use pavane_choreography::{Instances, OnStall, Phase, Step};
use pavane_events::control::Proposed;
use pavane_events::{EventId, EventType, Instance, RolloutId, Service, Timestamp};
use serde::{Deserialize, Serialize};

use crate::clock::Mark;
use crate::few::Few;
use crate::phase::PhaseState;
use crate::score::Score;
use crate::spoken::{Saying, Word};
use crate::step::{Proof, Stall, Steps, Violation};
use crate::view::Verdict;
use crate::words::Heard;

/// Where a rollout stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
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
///
/// There may be very many of them, and most go as planned: what few have lies [apart](Seldom), read and written as if it
/// did not.
#[derive(Clone, Debug)]
pub(crate) struct Rollout {
    pub(crate) id: RolloutId,
    pub(crate) score: Arc<Score>,
    pub(crate) status: Status,
    /// How many of its alerts burn.
    pub(crate) burning: u32,
    /// Whether it is put down when to remind people of it. It follows from the rest.
    pub(crate) reminded: bool,
    pub(crate) epoch: i64,
    pub(crate) started: Mark,
    /// The broker's time of its `RolloutStarted`, unadjusted.
    pub(crate) started_raw: Timestamp,
    pub(crate) begun_by: EventId,
    pub(crate) steps: Steps,
    /// The attempt of the next decision on the whole rollout.
    pub(crate) attempt: i64,
    seldom: Option<Box<Seldom>>,
}

/// What few rollouts have while they go forward.
#[derive(Clone, Debug)]
pub(crate) struct Seldom {
    pub(crate) paused: bool,
    /// When its clocks stopped.
    pub(crate) stopped: Option<Mark>,
    pub(crate) phases: Vec<PhaseState>,
    /// When the maintenance window closes in which it began.
    pub(crate) closes: Option<Timestamp>,
    pub(crate) pending: Option<Pending>,
    pub(crate) ended: Option<Timestamp>,
    /// The offset at which the decision to go back took force.
    pub(crate) decision: Option<i64>,
    /// What was decided, in order.
    pub(crate) verdicts: Few<Verdict>,
}

impl Seldom {
    const NOTHING: Self = Self {
        paused: false,
        stopped: None,
        phases: Vec::new(),
        closes: None,
        pending: None,
        ended: None,
        decision: None,
        verdicts: Few::None,
    };
}

impl Deref for Rollout {
    type Target = Seldom;

    fn deref(&self) -> &Seldom {
        static NOTHING: Seldom = Seldom::NOTHING;
        self.seldom.as_deref().unwrap_or(&NOTHING)
    }
}

impl DerefMut for Rollout {
    fn deref_mut(&mut self) -> &mut Seldom {
        self.seldom.get_or_insert_with(|| Box::new(Seldom::NOTHING))
    }
}

/// What a word changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counted {
    /// The step whose count it completed.
    pub(crate) filled: Option<usize>,
    /// The step whose stall it lifted.
    pub(crate) lifted: Option<usize>,
    /// The steps whose stalls ended with their windows, which closed.
    pub(crate) closed: Vec<usize>,
}

impl Rollout {
    pub(crate) fn new(
        id: RolloutId,
        score: Arc<Score>,
        begun_by: EventId,
        mark: Mark,
        raw: Timestamp,
    ) -> Self {
        let steps = Steps::untouched(score.plan.steps.len());
        let phases: Vec<_> = score.phases.iter().map(|_| PhaseState::default()).collect();
        let apart = || Box::new(Seldom { phases, ..Seldom::NOTHING });
        let seldom = if score.phases.is_empty() { None } else { Some(apart()) };
        Self {
            id,
            score,
            status: Status::Queued,
            burning: 0,
            reminded: false,
            epoch: 1,
            started: mark,
            started_raw: raw,
            begun_by,
            steps,
            attempt: 1,
            seldom,
        }
    }

    /// Begins: whatever waits for nothing opens here.
    pub(crate) fn begin(&mut self, mark: Mark, closes: Option<Timestamp>) {
        self.status = Status::Open;
        if closes.is_some() {
            self.closes = closes;
        }
        for place in 0..self.score.roots.len() {
            self.open(self.score.roots[place], mark);
        }
    }

    /// Whether a service takes part.
    pub(crate) fn touches(&self, service: &Service) -> bool {
        self.steps_of(service).next().is_some()
    }

    /// The steps of a service, in the order of the plan.
    pub(crate) fn steps_of<'a>(
        &'a self,
        service: &'a Service,
    ) -> impl DoubleEndedIterator<Item = usize> + 'a {
        let steps = self.score.plan.steps.iter().enumerate();
        steps.filter(move |(_, step)| step.is_of(service, &self.id)).map(|(i, _)| i)
    }

    /// The steps that await exactly this event.
    pub(crate) fn awaiting<'a>(
        &'a self,
        service: &'a Service,
        event: EventType,
    ) -> impl DoubleEndedIterator<Item = usize> + 'a {
        self.steps_of(service).filter(move |&i| self.plan_step(i).expect.event == event)
    }

    /// The service of a step, by its own name.
    pub(crate) fn service(&self, i: usize) -> Cow<'_, Service> {
        self.plan_step(i).service(&self.id).expect("looked at when the rollout started")
    }

    /// The event that a step awaits, as plans write it.
    pub(crate) fn expects(&self, i: usize) -> String {
        format!("{}.{}", self.service(i), self.plan_step(i).expect.event)
    }

    /// Whether it has nothing but steps that go as planned.
    pub(crate) const fn is_plain(&self) -> bool {
        self.seldom.is_none()
    }

    /// Fetches what it holds in place; what it returns means nothing.
    pub(crate) fn fetch(&self) -> i64 {
        self.epoch ^ self.attempt ^ self.started.at.0 ^ self.started_raw.0 ^ i64::from(self.is_plain())
    }

    /// What few rollouts have, if this one has it.
    pub(crate) fn seldom_mut(&mut self) -> Option<&mut Seldom> {
        self.seldom.as_deref_mut()
    }

    /// Takes back the decision that is not yet said.
    pub(crate) fn take_pending(&mut self) -> Option<Pending> {
        self.seldom.as_mut().and_then(|seldom| seldom.pending.take())
    }

    /// The step of the plan with this index.
    pub(crate) fn plan_step(&self, i: usize) -> &Step {
        &self.score.plan.steps[i]
    }

    /// Notes it when a word comes before any of its steps has opened. It is taken all the same.
    pub(crate) fn note_early(&mut self, heard: &Heard) {
        if heard.steps().all(|i| self.steps[i].anchor.is_none())
            && let Some(i) = heard.steps().next()
        {
            let (word, old) = (heard.word(self, i), self.steps[i].words.get(&heard.instance));
            if !old.is_some_and(|old| old.is_later_than(&word)) {
                self.note_violation(i, &heard.instance, &word);
            }
        }
    }

    /// Takes the word of an instance about one of its steps, and works out what it changes.
    pub(crate) fn hear(&mut self, i: usize, heard: &Heard, mark: Mark) -> Counted {
        let mut word = heard.word(self, i);
        if let Some(before) = self.steps[i].words.get(&heard.instance) {
            if before.is_later_than(&word) {
                return Counted::default();
            }
            word.follow(before);
        }
        let over = self.is_turn_over(i);
        if self.status == Status::RollingBack && !matches!(word.saying, Saying::Failed | Saying::Drained) {
            self.steps[i].answers.remove(&heard.instance);
        }
        self.steps[i].words.insert(heard.instance.clone(), word);
        if over && !self.is_turn_over(i) {
            self.reopen_turn(i, mark);
        }
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
            if let Some(seldom) = state.seldom_mut() {
                seldom.rejection = None;
                seldom.taint = None;
            }
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
        counted.closed = self.open_dependants(i, mark);
        counted
    }

    /// Dependants' windows open when what they wait for is there, and close again when it is taken back. Returns the
    /// steps that had let a window pass which is closed by it.
    pub(crate) fn open_dependants(&mut self, i: usize, mark: Mark) -> Vec<usize> {
        let mut closed = Vec::new();
        for place in 0..self.score.dependants[i].len() {
            let d = self.score.dependants[i][place];
            if self.is_due(d) {
                self.steps[d].anchor.get_or_insert(mark);
            } else if let Some(state) = self.steps.get_mut(d).filter(|state| state.full.is_none()) {
                state.anchor = None;
                let passed = |stall: &Stall| matches!(stall.proof, Proof::NotStarted | Proof::NotFinished);
                if state.stall.as_ref().is_some_and(passed) {
                    state.stall = None;
                    state.attempt += 1;
                    closed.push(d);
                }
            }
        }
        closed
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

    /// Whether a step stands still, the plan asks for this remedy, and nobody has taken the matter in hand since.
    pub(crate) fn is_left_to_the_plan(&self, i: usize, remedy: OnStall) -> bool {
        let stall = self.steps[i].stall.as_ref();
        stall.is_some_and(|stall| !stall.in_hand) && self.remedy(i) == remedy
    }

    /// Whether a pause that is proposed stands for a rollback that a brake keeps from being asked for.
    pub(crate) fn is_braked(&self, proposed: &Proposed) -> bool {
        let step = proposed.step.as_ref().and_then(|id| self.score.place(id));
        step.is_some_and(|i| self.remedy(i) == OnStall::Rollback)
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
}
