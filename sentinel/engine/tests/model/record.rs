//! What a record does to the model.

use pavane_events::command::{PhaseBegun, RollbackRequested};
use pavane_events::{Body, EventType, Record, Speaker, Unreadable};
use pavane_sentinel_engine::Status;

use super::Model;
use super::rollout::Pending;
use crate::floor::domain;

/// What a service says of itself on the way forward.
const STEPS_ON: [EventType; 4] = [
    EventType::DeploymentStarted,
    EventType::DeploymentComplete,
    EventType::DeploymentFailed,
    EventType::Drained,
];

impl Model {
    /// Takes a record that was not read before. The kind of the proposal that it is, if the log accepts it.
    pub(crate) fn event(&mut self, record: &Record) -> Option<&'static str> {
        match &record.event.body {
            Body::Proposed(proposed) => return self.proposed(record, proposed),
            Body::DomainConfigured(settings) => self.settings = settings.clone(),
            Body::RolloutStarted(started) => self.start(record, started),
            Body::DomainHeld(_) => self.hold(true),
            Body::DomainReleased(_) => self.hold(false),
            body if body.event_type().speaker() != Speaker::Control => self.about(record),
            _ => {}
        }
        None
    }

    /// A record about one rollout; what a service says before it begins is kept.
    fn about(&mut self, record: &Record) {
        let by_service = record.event.body.event_type().speaker() == Speaker::Service;
        let Some(id) = &record.event.envelope.rollout else { return };
        match self.place(id.as_str()) {
            Some(n) if self.rollouts[n].status != Status::Queued => self.speak(n, record),
            Some(n) if record.event.body.event_type() == EventType::RolloutAborted => {
                self.end(n, Status::Aborted);
            }
            _ if by_service => {
                let old = self.clock.now - 600_000;
                self.early.retain(|early| early.at.0 >= old);
                self.early.push(record.clone());
            }
            _ => {}
        }
    }

    fn hold(&mut self, held: bool) {
        let mark = self.mark();
        self.held = held;
        for n in 0..self.rollouts.len() {
            if self.rollouts[n].is_open() {
                if held {
                    self.withdraw(n);
                }
                let stop = held || self.rollouts[n].paused;
                self.set_clocks(n, stop, mark);
            }
        }
    }

    /// Clocks that stood still run on when every leap of the broker's clock is explained.
    fn set_clocks(&mut self, n: usize, stop: bool, mark: super::Mark) {
        if stop || self.clock.leaps.is_empty() {
            self.rollouts[n].halt(stop, mark);
        }
    }

    /// What was accepted loses its ground; it does not count against the budget either.
    fn withdraw(&mut self, n: usize) {
        let accepted = self.rollouts[n].pending.as_ref().map(|pending| pending.accepted);
        self.rollouts[n].withdraw();
        self.automatic.retain(|mark| Some(mark.offset) != accepted);
    }

    pub(crate) fn speak(&mut self, n: usize, record: &Record) {
        let mark = self.mark();
        let before = self.rollouts[n].pending.clone();
        if before.as_ref().is_some_and(|pending| takes_ground(pending, record)) {
            self.withdraw(n);
        }
        let rollout = &mut self.rollouts[n];
        let is_it = |pending: &Option<Pending>| {
            pending.as_ref().is_some_and(|pending| pending.id == record.event.envelope.id)
        };
        match &record.event.body {
            Body::RollbackComplete(body) => self.answer(n, record, body.epoch),
            Body::RollbackFailed(body) => self.answer(n, record, body.epoch),
            Body::RollbackRefused(body) => self.answer(n, record, body.epoch),
            Body::EventRejected(body) => self.rejected(n, record, body),
            Body::RolloutPaused(_) if rollout.is_open() && (!is_by_sentinel(record) || is_it(&before)) => {
                let said = self.takes_force(n, record);
                let rollout = &mut self.rollouts[n];
                if let Some(i) = said.and_then(|pending| pending.step)
                    && let Some(stall) = &mut rollout.steps[i].stall
                {
                    stall.in_hand = true;
                }
                rollout.paused = true;
                rollout.halt(true, mark);
            }
            Body::RolloutResumed(_) if rollout.is_open() => {
                rollout.paused = false;
                let held = self.held;
                self.set_clocks(n, held, mark);
            }
            Body::RolloutAborted(_) if rollout.is_open() => self.end(n, Status::Aborted),
            Body::StepOverridden(body) if rollout.status == Status::Open => {
                if let Some(i) = rollout.named(Some(body.step.as_str())) {
                    rollout.steps[i].overridden = true;
                    rollout.count(i, mark);
                }
            }
            Body::RollbackRequested(body) => self.rollback(n, record, body),
            Body::RolloutCompleted(_) => self.ends(n, record, Status::Completed),
            Body::RolloutRolledBack(_) => self.ends(n, record, Status::RolledBack),
            Body::RolloutPartial(_) => self.ends(n, record, Status::Partial),
            Body::PhaseBegun(body) => self.phase_begins(n, record, body),
            Body::GateApproved(body) => self.gate(n, record, (&body.gate, &body.plan_digest, body.attempt)),
            Body::GateRejected(body) => self.gate(n, record, (&body.gate, &body.plan_digest, body.attempt)),
            _ => self.word(n, record),
        }
        let accepted = before.filter(|pending| pending.event == EventType::RollbackRequested);
        let lost = self.rollouts[n].pending.is_none() && self.rollouts[n].status == Status::Open;
        if let Some(pending) = accepted.filter(|_| lost) {
            self.automatic.retain(|mark| mark.offset != pending.accepted);
        }
        self.remember_who_was_asked(n);
    }

    /// The decision that takes force with this record, if it is the one that was accepted.
    fn takes_force(&mut self, n: usize, record: &Record) -> Option<Pending> {
        let envelope = &record.event.envelope;
        let by_sentinel = is_by_sentinel(record);
        let rollout = &mut self.rollouts[n];
        let pending = rollout.pending.clone().filter(|pending| by_sentinel && pending.id == envelope.id)?;
        let cause = pending.step.and_then(|i| rollout.steps[i].stall.as_ref()).map(|stall| stall.cause);
        rollout.note(pending.event.as_str(), pending.step, cause, pending.accepted);
        rollout.pending = None;
        if matches!(pending.event, EventType::RolloutPaused | EventType::PhaseBegun) {
            rollout.attempt += 1;
        }
        Some(pending)
    }

    fn ends(&mut self, n: usize, record: &Record, status: Status) {
        if self.takes_force(n, record).is_some() {
            self.end(n, status);
        }
    }

    fn phase_begins(&mut self, n: usize, record: &Record, said: &PhaseBegun) {
        let mark = self.mark();
        if self.takes_force(n, record).is_none() {
            return;
        }
        let rollout = &mut self.rollouts[n];
        let Some(k) = rollout.gate(said.phase.as_str()) else { return };
        rollout.gates[k].begun = Some(mark);
        for i in rollout.steps_in(k) {
            let step = &rollout.plan.steps[i];
            let members = said.cohort.iter().filter(|member| member.service == step.expect.service).count();
            if step.instances.share().is_some() && members > 0 {
                rollout.steps[i].counted = u32::try_from(members).ok();
            }
            rollout.open(i, mark);
            rollout.count(i, mark);
        }
    }

    /// A person's word about a gate counts once it is open, and the first one does.
    fn gate(&mut self, n: usize, record: &Record, (gate, digest, attempt): (&str, &str, i64)) {
        let rollout = &mut self.rollouts[n];
        // a soak stands still while the rollout does
        let now = rollout.stopped.map_or(self.clock.now, |stopped| stopped.at);
        let Some(k) = rollout.gate(gate) else { return };
        let asks = rollout.plan.phases[k].approval.is_some() && !rollout.gates[k].approved;
        let open = rollout.status == Status::Open && rollout.gate_is_open(k, now);
        if asks && open && *digest == rollout.digest && attempt == rollout.gates[k].attempt {
            let kind = record.event.body.event_type();
            match kind {
                EventType::GateApproved => rollout.gates[k].approved = true,
                _ => rollout.gates[k].attempt += 1,
            }
            rollout.note(kind.as_str(), None, None, record.offset);
        }
    }

    fn rollback(&mut self, n: usize, record: &Record, said: &RollbackRequested) {
        let mark = self.mark();
        let sentinel = record.event.envelope.source == pavane_events::identity::sentinel_source(&domain());
        if said.service.is_some() {
            return;
        }
        if sentinel {
            if self.takes_force(n, record).is_some() {
                self.rollouts[n].begin_rollback(mark);
            }
        } else if said.accepted.is_none() {
            match self.rollouts[n].status {
                Status::Open => {
                    self.rollouts[n].note("RollbackRequested", None, None, record.offset);
                    self.rollouts[n].begin_rollback(mark);
                }
                Status::Completed => self.rollback_after_completion(n),
                _ => {}
            }
        }
    }

    /// It is the next epoch, unless a later rollout has taken one of the services.
    fn rollback_after_completion(&mut self, n: usize) {
        let (mark, held) = (self.mark(), self.held);
        let services: Vec<_> = self.rollouts[n].plan.steps.iter().map(|step| &step.expect.service).collect();
        let taken = |other: &super::Rollout| services.iter().any(|service| other.touches(service.as_str()));
        if !self.rollouts[n + 1..].iter().any(taken) {
            let rollout = &mut self.rollouts[n];
            rollout.epoch += 1;
            rollout.begin_rollback(mark);
            let stop = held || rollout.paused;
            self.set_clocks(n, stop, mark);
        }
    }

    /// Who is asked back, and to what, from its turn on.
    fn remember_who_was_asked(&mut self, n: usize) {
        let rollout = &self.rollouts[n];
        if rollout.status != Status::RollingBack {
            return;
        }
        for i in (0..rollout.steps.len()).filter(|i| !rollout.is_answered(*i)) {
            let step = &rollout.steps[i];
            let target = step.words.values().find_map(|word| word.from.clone());
            if let Some(turn) = step.turn.filter(|_| step.goes_back) {
                self.asked.insert((rollout.plan.steps[i].expect.service.to_string(), target), turn);
            }
        }
    }

    /// A reader cannot read what a step awaits.
    fn rejected(&mut self, n: usize, record: &Record, said: &pavane_events::service::EventRejected) {
        let rollout = &mut self.rollouts[n];
        let reader = record.event.envelope.service.as_ref().and_then(|own| rollout.step_of(own.as_str()));
        let open = |i: &usize| rollout.steps[*i].full.is_none() && !rollout.steps[*i].overridden;
        let producer = said.producer.as_ref().and_then(|service| rollout.step_of(service.as_str()));
        let awaited = |i: &usize| rollout.plan.steps[*i].expect.event.as_str() == said.event;
        let step = producer.filter(awaited).filter(open).or(reader.filter(open));
        if let (Status::Open, Some(_), Some(i)) = (rollout.status, reader, step) {
            rollout.steps[i].rejected = Some(record.offset);
        }
    }

    /// What nobody can read may be what is awaited.
    pub(crate) fn unreadable(&mut self, unreadable: &Unreadable) {
        let n = unreadable.rollout.as_ref().and_then(|id| self.place(id.as_str()));
        let event = unreadable.event_type.as_deref().and_then(EventType::from_full);
        let (Some(n), Some(service)) = (n, &unreadable.service) else { return };
        let rollout = &mut self.rollouts[n];
        if let Some(i) = rollout.step_of(service.as_str()).filter(|_| rollout.status == Status::Open)
            && Some(rollout.plan.steps[i].expect.event) == event
            && rollout.steps[i].full.is_none()
        {
            rollout.steps[i].tainted = true;
        }
    }
}

fn is_by_sentinel(record: &Record) -> bool {
    record.event.envelope.source == pavane_events::identity::sentinel_source(&domain())
}

/// Whether a record between accepted and said takes the ground from a decision.
fn takes_ground(pending: &Pending, record: &Record) -> bool {
    let event = record.event.body.event_type();
    let ends = matches!(
        pending.event,
        EventType::RolloutCompleted | EventType::RolloutRolledBack | EventType::RolloutPartial
    );
    match &record.event.body {
        Body::RolloutPaused(_) => !is_by_sentinel(record),
        Body::RolloutAborted(_) | Body::StepOverridden(_) => true,
        Body::RollbackRequested(said) => said.service.is_none() && said.accepted.is_none(),
        _ => ends && STEPS_ON.contains(&event),
    }
}
