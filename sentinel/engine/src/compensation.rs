//! The way back: in reverse order of the DAG, parallel where it may be, each step with its own window.
//!
//! An irreversible step is never asked back: it and all below it stay. A step's turn comes when all above it are
//! compensated; a failure or a refusal above keeps the turn from coming, and the rollout ends in part.

use crate::clock::Mark;
use crate::rollout::{Rollout, Status};
use crate::step::{Answer, StepState};
use pavane_events::Instance;

impl Rollout {
    /// Begins to go back. The decision takes force at `mark`.
    pub(crate) fn begin_rollback(&mut self, mark: Mark) {
        self.status = Status::RollingBack;
        self.ended = None;
        self.take_pending();
        self.attempt += 1;
        self.decision = Some(mark.offset);
        let mut stays = vec![false; self.steps.len()];
        for i in 0..self.steps.len() {
            if !self.plan_step(i).reversible && !self.steps[i].words.is_empty() {
                self.score.below(i, &mut stays);
            }
        }
        for (i, stays) in stays.into_iter().enumerate() {
            let state = &mut self.steps[i];
            if state.stall.take().is_some() {
                // its way back is judged anew, under an id of its own
                state.attempt += 1;
            }
            state.turn = None;
            state.answers.clear();
            state.goes_back = !stays;
        }
        self.open_turns(mark);
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

    /// Opens every turn that has come. The steps stand after their prerequisites, so one walk from the end does.
    fn open_turns(&mut self, mark: Mark) {
        for i in (0..self.steps.len()).rev() {
            let clear = |d: usize| {
                let above: &StepState = &self.steps[d];
                !above.goes_back || (above.turn.is_some() && above.compensated())
            };
            let comes = self.steps[i].goes_back && self.score.above(i).all(clear);
            let state = &mut self.steps[i];
            if comes && state.turn.is_none() {
                state.turn = Some(mark);
                state.turns += 1;
            }
        }
    }

    /// Whether every step that goes back is back.
    pub(crate) fn is_back(&self) -> bool {
        self.going_back().all(|state| state.turn.is_some() && state.compensated())
    }

    /// Whether an instance failed or refused, and every turn that has come is answered.
    pub(crate) fn is_partly_back(&self) -> bool {
        let bad = |state: &StepState| state.answers.values().any(|answer| *answer != Answer::Complete);
        self.going_back().any(bad) && self.going_back().all(|state| state.turn.is_none() || state.answered())
    }

    fn going_back(&self) -> impl Iterator<Item = &StepState> {
        self.steps.iter().filter(|state| state.goes_back)
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
                    None => "was not asked",
                };
                lines.push(format!("{}: {} {instance}: {what}", step.id, self.service(i)));
            }
        }
        lines
    }
}
