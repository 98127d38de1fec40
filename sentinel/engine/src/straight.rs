//! The short way of what is ordinary: nearly every record says that the one instance which a step waits for has come, in a
//! rollout that goes as planned.
//!
//! Such a word can be about no other step, break no sequence, lift no stall and take the ground from no decision, so none
//! of that is looked at. It changes what the long way would change and nothing else, which a test holds on random histories.

use pavane_choreography::Instances;
use pavane_events::{Body, EventType, Record};

use crate::clock::Mark;
use crate::fold::Fold;
use crate::rollout::{Rollout, Status};
use crate::spoken::Words;
use crate::words;

impl Fold {
    /// Takes what a service says of a rollout, if it is the ordinary word. False where it takes the long way; nothing is
    /// changed then.
    pub(crate) fn goes_straight(&mut self, n: u64, record: &Record) -> bool {
        let mark = self.mark();
        self.short_ways && self.rollouts.get_mut(n).is_some_and(|rollout| rollout.goes_straight(record, mark))
    }
}

impl Rollout {
    fn goes_straight(&mut self, record: &Record, mark: Mark) -> bool {
        let on_course = self.status == Status::Open && self.is_plain() && self.burning == 0;
        if !on_course || !self.score.one_step_each {
            return false;
        }
        let (event, moved, from) = if let Body::DeploymentComplete(body) = &record.event.body {
            (EventType::DeploymentComplete, true, body.from.as_ref())
        } else if let Body::Ready(_) = &record.event.body {
            (EventType::Ready, false, None)
        } else {
            return false;
        };
        let Some(i) = self.filled_by(event, record) else { return false };
        let word = words::awaited(record, moved, from);
        let state = &mut self.steps[i];
        state.words = Words::one(words::speaker(record), word);
        state.full = Some(mark);
        // where nothing burns, nothing can be over with the windows that close
        self.open_dependants(i, mark);
        true
    }

    /// The step that wants one instance of any version, of which nothing was said yet and which this event fills.
    fn filled_by(&self, event: EventType, record: &Record) -> Option<usize> {
        let envelope = &record.event.envelope;
        let service = envelope.service.as_ref()?;
        let is_filled = |i: &usize| {
            let (step, state) = (self.plan_step(*i), &self.steps[*i]);
            state.awaits_first_word()
                && step.expect.event == event
                && step.instances == Instances::Count(1)
                && step.version.is_none()
                && step.is_of(service, &self.id)
                && step.concerns(envelope.zone.as_ref())
        };
        (0..self.steps.touched()).rev().find(is_filled)
    }
}
