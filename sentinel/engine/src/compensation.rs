//! The way back: in reverse order of the DAG, parallel where it may be, each step with its own window.
//!
//! An irreversible step is never asked back: it and all below it stay. A step's turn comes when all above it are
//! compensated; a failure or a refusal above keeps the turn from coming, and the rollout ends in part.

use crate::clock::Mark;
use crate::rollout::{Rollout, Status};
use crate::spoken::Saying;
use crate::step::{Answer, StepState};
use crate::view::{Deed, Verdict};
use crate::words::Heard;
use pavane_events::{EventType, Instance, Millis, Timestamp, Version};

impl Rollout {
    /// Begins to go back. The decision takes force at `mark`.
    pub(crate) fn begin_rollback(&mut self, mark: Mark) {
        self.status = Status::RollingBack;
        self.ended = None;
        self.take_pending();
        self.attempt += 1;
        self.decision = Some(mark.offset());
        for (i, goes_back) in self.would_go_back().into_iter().enumerate() {
            let state = &mut self.steps[i];
            if state.stall.take().is_some() {
                // its way back is judged anew, under an id of its own
                state.attempt += 1;
            }
            state.turn = None;
            state.answers.clear();
            state.goes_back = goes_back;
        }
        self.open_turns(mark);
    }

    /// Which steps would be part of the way back: all but the irreversible ones that have begun, and what is below them.
    pub(crate) fn would_go_back(&self) -> Vec<bool> {
        let mut stays = vec![false; self.steps.len()];
        for i in (0..self.steps.len()).filter(|i| self.is_frozen(*i)) {
            self.score.below(i, &mut stays);
        }
        stays.into_iter().map(|stays| !stays).collect()
    }

    /// Whether a step can never be asked back: it is irreversible, and something was said of it.
    pub(crate) fn is_frozen(&self, i: usize) -> bool {
        !self.plan_step(i).reversible && !self.steps[i].words.is_empty()
    }

    /// Whether a word brings the very event for whose absence the rollout goes back.
    pub(crate) fn went_back_for(&self, heard: &Heard) -> bool {
        let decided = |verdict: &&Verdict| verdict.kind == EventType::RollbackRequested.as_str();
        let decision = self.verdicts.all().iter().rev().find(decided);
        let about = |i: usize| decision.is_some_and(|verdict| verdict.deed == Deed::Step(i));
        self.status == Status::RollingBack
            && heard.steps().any(|i| about(i) && heard.word(self, i).saying == Saying::Awaited)
    }

    /// The version that a step goes back to: what ran before, as its instances said.
    pub(crate) fn target(&self, i: usize) -> Option<&Version> {
        self.steps[i].words.values().find_map(|word| word.from())
    }

    /// Takes the answer of an instance to the request to go back. Returns the step whose stall it lifted.
    pub(crate) fn answer(
        &mut self,
        i: usize,
        instance: Instance,
        answer: Answer,
        mark: Mark,
    ) -> Option<usize> {
        let state = &mut self.steps[i];
        state.answers.insert(instance, answer);
        let lifted = state.answered() && state.stall.take().is_some();
        if lifted {
            state.attempt += 1;
        }
        self.open_turns(mark);
        lifted.then_some(i)
    }

    /// Whether the turn of a step has come, and everybody has answered.
    pub(crate) fn is_turn_over(&self, i: usize) -> bool {
        let state = &self.steps[i];
        self.status == Status::RollingBack && state.turn.is_some() && state.answered()
    }

    /// An instance has moved after its step had answered: it is asked too, and has a window for it.
    pub(crate) fn reopen_turn(&mut self, i: usize, mark: Mark) {
        let state = &mut self.steps[i];
        state.turn = Some(mark);
        state.turns += 1;
    }

    /// Opens every turn that has come: all that stands above is back, however far above. The steps stand after their
    /// prerequisites, so one walk from the end does.
    fn open_turns(&mut self, mark: Mark) {
        let mut back = vec![true; self.steps.len()];
        for i in (0..self.steps.len()).rev() {
            let clear = self.score.above(i).all(|d| back[d]);
            let state = &mut self.steps[i];
            if clear && state.goes_back && state.turn.is_none() {
                state.turn = Some(mark);
                state.turns += 1;
            }
            back[i] = clear && (!state.goes_back || (state.turn.is_some() && state.compensated()));
        }
    }

    /// Whether every step that goes back is back.
    pub(crate) fn is_back(&self) -> bool {
        self.going_back().all(|state| state.turn.is_some() && state.compensated())
    }

    /// Whether an instance failed, refused or never answered, and nothing more is to come of the turns that have begun.
    pub(crate) fn is_partly_back(&self, grace: Millis, now: Timestamp) -> bool {
        let goes_back = || (0..self.steps.len()).filter(|i| self.steps[*i].goes_back);
        let silent = |i: usize| self.gives_up(i, grace).is_some_and(|at| now >= at);
        let bad = |answer: &Answer| *answer != Answer::Complete;
        let lost = |i: usize| self.steps[i].answers.values().any(bad) || silent(i);
        let over = |i: usize| self.steps[i].turn.is_none() || self.steps[i].answered() || silent(i);
        goes_back().any(lost) && goes_back().all(over)
    }

    /// When nobody waits for the answer of a step any more: it was asked, its window passed, people were told, and as
    /// long again has gone by.
    pub(crate) fn gives_up(&self, i: usize, grace: Millis) -> Option<Timestamp> {
        let state = &self.steps[i];
        let turn = state.turn.filter(|_| state.stall.is_some() && state.goes_back && !state.answered())?;
        Some(turn.at.plus(2 * self.plan_step(i).compensate.within + grace + 1))
    }

    fn going_back(&self) -> impl Iterator<Item = &StepState> {
        self.steps.iter().filter(|state| state.goes_back)
    }

    /// The step for which the sentinel decided to go back; none where a person did.
    pub(crate) fn went_back_from(&self) -> Option<usize> {
        let decided = |verdict: &&Verdict| verdict.kind == EventType::RollbackRequested.as_str();
        match self.verdicts.all().iter().rev().find(decided)?.deed {
            Deed::Step(i) => Some(i),
            Deed::Rollout | Deed::Gate(_) => None,
        }
    }

    /// The first step in the order of the way back of which somebody is not back.
    pub(crate) fn first_not_back(&self) -> Option<usize> {
        let back = |answer: Option<&Answer>| answer == Some(&Answer::Complete);
        let is_not = |i: &usize| {
            let state = &self.steps[*i];
            state.goes_back && state.moved().any(|instance| !back(state.answers.get(instance)))
        };
        (0..self.steps.len()).rev().find(is_not)
    }

    /// The steps that are not back, for a person.
    pub(crate) fn not_back(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for (i, state) in self.steps.iter().enumerate().filter(|(_, state)| state.goes_back) {
            let step = self.plan_step(i);
            for instance in state.moved() {
                let what = match state.answers.get(instance) {
                    Some(Answer::Complete) => continue,
                    Some(Answer::Failed) => "RollbackFailed",
                    Some(Answer::Refused) => "RollbackRefused",
                    None if state.turn.is_some() => "did not answer",
                    None => "was not asked",
                };
                lines.push(format!("{}: {} {instance}: {what}", step.id, self.service(i)));
            }
        }
        lines
    }
}
