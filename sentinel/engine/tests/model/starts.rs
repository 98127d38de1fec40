//! How rollouts of the model start, wait for each other, and end.

use pavane_choreography::{Concurrency, Plan};
use pavane_events::command::RolloutStarted;
use pavane_events::{Record, RolloutId};
use pavane_sentinel_engine::Status;

use super::Model;
use super::rollout::{Gate, Rollout, Step};

impl Model {
    /// The first start on the log owns its services; a later one that touches them is refused, or waits.
    pub(crate) fn start(&mut self, record: &Record, started: &RolloutStarted) {
        let Some(id) = &record.event.envelope.rollout else { return };
        let Ok(plan) = Plan::from_json(&started.plan) else { return };
        if self.place(id.as_str()).is_some() || plan.digest() != started.plan_digest {
            return;
        }
        let waits = self.is_in_the_way(&plan, self.rollouts.len());
        if waits && plan.concurrency == Concurrency::Refuse {
            return;
        }
        let (mark, grace) = (self.mark(), self.settings.grace_ms);
        let step = Step {
            words: std::collections::BTreeMap::new(),
            anchor: None,
            full: None,
            attempt: 1,
            overridden: false,
            stall: None,
            rejected: None,
            tainted: false,
            violation: None,
            counted: None,
            goes_back: false,
            turn: None,
            answers: std::collections::BTreeMap::new(),
        };
        self.rollouts.push(Rollout {
            id: id.to_string(),
            digest: plan.digest(),
            rules: started.rules,
            grace,
            status: Status::Queued,
            started: mark,
            paused: false,
            stopped: None,
            epoch: 1,
            attempt: 1,
            pending: None,
            steps: vec![step; plan.steps.len()],
            gates: vec![Gate { begun: None, approved: false, attempt: 1 }; plan.phases.len()],
            verdicts: Vec::new(),
            plan,
        });
        if !waits {
            self.begin(self.rollouts.len() - 1);
        }
    }

    /// Whether a rollout before this place owns, or waits for, one of the services of a plan.
    fn is_in_the_way(&self, plan: &Plan, place: usize) -> bool {
        let touches = |other: &Rollout| plan.steps.iter().any(|s| other.touches(s.expect.service.as_str()));
        let open = self.rollouts.iter().any(|other| other.is_open() && touches(other));
        let queued =
            self.rollouts[..place].iter().any(|other| other.status == Status::Queued && touches(other));
        open || queued
    }

    fn begin(&mut self, n: usize) {
        let mark = self.mark();
        let rollout = &mut self.rollouts[n];
        (rollout.status, rollout.started) = (Status::Open, mark);
        for i in 0..rollout.steps.len() {
            rollout.open(i, mark);
        }
        if self.held {
            rollout.halt(true, mark);
        }
        let id = rollout.id.clone();
        let mine = |early: &Record| early.event.envelope.rollout.as_ref().map(RolloutId::as_str) == Some(&id);
        let (mine, others) = std::mem::take(&mut self.early).into_iter().partition(mine);
        self.early = others;
        let mine: Vec<Record> = mine;
        for early in &mine {
            self.speak(n, early);
        }
    }

    /// Ends a rollout. Who waited for it begins, in the order in which they came.
    pub(crate) fn end(&mut self, n: usize, status: Status) {
        self.rollouts[n].status = status;
        self.rollouts[n].pending = None;
        for n in 0..self.rollouts.len() {
            let free = !self.is_in_the_way(&self.rollouts[n].plan, n);
            if self.rollouts[n].status == Status::Queued && free {
                self.begin(n);
            }
        }
    }
}
