//! What a record about one rollout does to it.

use pavane_choreography::OnStall;
use pavane_events::command::{RollbackRequested, RolloutPaused, StepOverridden};
use pavane_events::service::{EventRejected, HookUncertain};
use pavane_events::{Body, EventType, Record, Speaker};

use crate::alert::{About, Concern};
use crate::clock::Mark;
use crate::effect::{Counter, Effect};
use crate::fold::Fold;
use crate::rollout::{Counted, Pending, Rollout, Status};
use crate::step::{Answer, Overriding, Rejection};
use crate::words;

impl Fold {
    /// Takes a record about a known rollout.
    pub(crate) fn speak(&mut self, n: u64, record: &Record, out: &mut Vec<Effect>) {
        let Some(rollout) = self.rollouts.get(n) else { return };
        let ours = self.is_by_sentinel(record);
        if rollout.pending.as_ref().is_some_and(|pending| takes_ground(pending, record, ours)) {
            self.withdraw(n, out);
        }
        if self.queued.contains(&n) && is_no_order_for_queued(&record.event.body) {
            let why = "the rollout waits for another one and has not begun; abort it, or wait".to_owned();
            self.refuse(record, "queued", why);
            return;
        }
        let mark = self.mark();
        match &record.event.body {
            Body::Ready(_)
            | Body::DeploymentStarted(_)
            | Body::DeploymentComplete(_)
            | Body::DeploymentFailed(_)
            | Body::Drained(_) => self.word(n, record, mark, out),
            Body::RollbackComplete(body) => self.answer(n, record, body.epoch, Answer::Complete, out),
            Body::RollbackFailed(body) => self.answer(n, record, body.epoch, Answer::Failed, out),
            Body::RollbackRefused(body) => self.answer(n, record, body.epoch, Answer::Refused, out),
            Body::EventRejected(body) => self.rejected(n, record, body, out),
            Body::RolloutPaused(body) => self.pause(n, record, body, out),
            Body::RolloutResumed(_) => self.resume(n, out),
            Body::RolloutAborted(_) => {
                if self.awaits(n) {
                    self.end(n, Status::Aborted, record.at, out);
                }
            }
            Body::StepOverridden(body) => {
                let step = self.rollouts.get(n).and_then(|r| r.score.place(&body.step));
                match step.filter(|_| self.status(n) == Some(Status::Open)) {
                    Some(i) => self.overridden(n, i, record, body, out),
                    None => self.refuse(record, "unknown_step", format!("no step {} is open", body.step)),
                }
            }
            Body::RollbackRequested(body) => self.rollback(n, record, body, out),
            Body::RolloutCompleted(_) => self.said(n, record, Status::Completed, out),
            Body::RolloutRolledBack(_) => self.said(n, record, Status::RolledBack, out),
            Body::RolloutPartial(_) => self.said(n, record, Status::Partial, out),
            Body::PhaseBegun(body) => self.phase_begun(n, record, body, out),
            Body::GateApproved(body) => self.approved(n, record, body, out),
            Body::GateRejected(body) => self.disapproved(n, record, body, out),
            Body::HookUncertain(body) => self.uncertain(n, record, body, out),
            Body::RollbackInitiated(_)
            | Body::RolloutStarted(_)
            | Body::DomainHeld(_)
            | Body::DomainReleased(_)
            | Body::RolloutStalled(_)
            | Body::SequenceViolated(_)
            | Body::CommandRefused(_)
            | Body::Proposed(_)
            | Body::Pulse(_)
            | Body::Progress(_)
            | Body::ClockStepped(_)
            | Body::DomainConfigured(_)
            | Body::TrustChanged(_) => {}
        }
        self.owe_turns(n);
    }

    fn status(&self, n: u64) -> Option<Status> {
        self.rollouts.get(n).map(|rollout| rollout.status)
    }

    fn awaits(&self, n: u64) -> bool {
        self.status(n).is_some_and(|status| status.is_open() || status == Status::Queued)
    }

    /// A service's word about the step that it is at.
    fn word(&mut self, n: u64, record: &Record, mark: Mark, out: &mut Vec<Effect>) {
        let Some(rollout) = self.rollouts.get_mut(n) else { return };
        let heard = words::read(rollout, record);
        if !rollout.status.is_open() {
            self.late(n, record, heard.as_ref(), out);
            return;
        }
        let Some(heard) = heard else {
            out.push(Effect::Count(Counter::Stranger));
            return;
        };
        let superfluous = rollout.went_back_for(&heard);
        rollout.note_early(&heard);
        for i in heard.steps() {
            let Some(rollout) = self.rollouts.get_mut(n) else { return };
            let counted = rollout.hear(i, &heard, mark);
            self.counted(n, &counted, out);
        }
        if superfluous {
            self.late(n, record, Some(&heard), out);
        }
    }

    /// A person counts a step as met. Who and why stays with it.
    fn overridden(
        &mut self,
        n: u64,
        i: usize,
        record: &Record,
        said: &StepOverridden,
        out: &mut Vec<Effect>,
    ) {
        let mark = self.mark();
        let Some(rollout) = self.rollouts.get_mut(n) else { return };
        let (by, reason, offset, at) = (said.by.clone(), said.reason.clone(), record.offset, record.at);
        rollout.steps[i].overridden = true;
        rollout.steps[i].overridden_by = Some(Overriding { by, reason, offset, at });
        let counted = rollout.count(i, mark);
        self.counted(n, &counted, out);
    }

    /// What follows from a count: a rollback on its way loses its ground, an alert is over.
    pub(crate) fn counted(&mut self, n: u64, counted: &Counted, out: &mut Vec<Effect>) {
        let pending = self.rollouts.get(n).and_then(|rollout| rollout.pending.as_ref());
        let undone = |pending: &Pending| {
            pending.event == EventType::RollbackRequested && pending.step == counted.filled
        };
        if let (Some(i), Some(pending)) = (counted.filled, pending.filter(|pending| undone(pending))) {
            let accepted = pending.accepted;
            let superseded = format!("the rollback that was accepted at offset {accepted} is not asked for");
            if let Some(alert) = self.burning.get_mut(&(n, About::Step(i, Concern::Stall))) {
                alert.say("superseded", superseded);
            }
            self.withdraw(n, out);
        }
        for i in counted.lifted.or(counted.filled).into_iter().chain(counted.closed.iter().copied()) {
            self.resolve(n, i, out);
        }
    }

    /// A service's answer to the request to go back.
    fn answer(&mut self, n: u64, record: &Record, epoch: i64, answer: Answer, out: &mut Vec<Effect>) {
        let mark = self.mark();
        let Some(rollout) = self.rollouts.get_mut(n) else { return };
        if rollout.status != Status::RollingBack || epoch != rollout.epoch {
            out.push(Effect::Count(Counter::Late("after_end")));
            return;
        }
        let envelope = &record.event.envelope;
        let Some(service) = &envelope.service else { return };
        let instance = words::speaker(record);
        let steps: Vec<usize> = rollout.steps_of(service).collect();
        let mut lifted = Vec::new();
        for i in steps {
            if rollout.steps[i].words.contains_key(&instance) {
                lifted.extend(rollout.answer(i, instance.clone(), answer, mark));
            }
        }
        for i in lifted {
            self.resolve(n, i, out);
        }
    }

    /// An event that a service waits for came, and it could not read it.
    fn rejected(&mut self, n: u64, record: &Record, body: &EventRejected, out: &mut Vec<Effect>) {
        let Some(rollout) = self.rollouts.get_mut(n).filter(|rollout| rollout.status == Status::Open) else {
            out.push(Effect::Count(Counter::Late("after_end")));
            return;
        };
        let event = EventType::from_short(&body.event);
        let open = |i: &usize| rollout.steps[*i].full.is_none() && !rollout.steps[*i].overridden;
        let awaited =
            body.producer.as_ref().zip(event).and_then(|(p, event)| rollout.awaiting(p, event).find(open));
        let envelope = &record.event.envelope;
        let own = envelope.service.as_ref();
        let own = own.and_then(|service| words::current(rollout, service, envelope.zone.as_ref()));
        if own.is_some()
            && let Some(i) = awaited.or(own.filter(open))
        {
            rollout.steps[i].rejection = Some(Rejection::of(record, body));
        }
    }

    /// A sidecar does not know what became of its hook: someone must look, whatever the windows say.
    fn uncertain(&mut self, n: u64, record: &Record, body: &HookUncertain, out: &mut Vec<Effect>) {
        let envelope = &record.event.envelope;
        let Some(rollout) = self.rollouts.get(n).filter(|rollout| rollout.status.is_open()) else {
            out.push(Effect::Count(Counter::Late("after_end")));
            return;
        };
        let service = envelope.service.as_ref();
        let step = service.and_then(|service| words::current(rollout, service, envelope.zone.as_ref()));
        match step {
            Some(i) => self.raise_uncertain(n, i, record, body, out),
            None => out.push(Effect::Count(Counter::Stranger)),
        }
    }

    fn pause(&mut self, n: u64, record: &Record, said: &RolloutPaused, out: &mut Vec<Effect>) {
        let mark = self.mark();
        let ours = self.takes_force(n, record);
        if !ours && self.is_by_sentinel(record) {
            // what was withdrawn before it was said pauses nothing
            return;
        }
        let step = self.rollouts.get(n).and_then(|rollout| rollout.pending.as_ref()?.step).filter(|_| ours);
        if ours {
            self.note_decision(n, record);
        }
        let Some(rollout) = self.rollouts.get_mut(n).filter(|rollout| rollout.status.is_open()) else {
            out.push(Effect::Count(Counter::Late("after_end")));
            return;
        };
        if ours {
            rollout.attempt += 1;
        }
        rollout.take_pending();
        rollout.paused = true;
        rollout.halt(true, mark);
        if !self.is_by_sentinel(record) {
            self.raise_paused(n, record, said, out);
        }
        let Some(rollout) = self.rollouts.get_mut(n) else { return };
        let Some(i) = step else { return };
        let withheld = rollout.is_left_to_the_plan(i, OnStall::Rollback);
        if let Some(stall) = rollout.steps[i].stall.as_mut() {
            stall.in_hand = true;
        }
        if withheld {
            self.raise_withheld(n, i, record, said, out);
        }
    }

    fn resume(&mut self, n: u64, out: &mut Vec<Effect>) {
        self.resolve_withheld(n, out);
        self.resolve_paused(n, out);
        let open = |rollout: &&mut Rollout| rollout.status.is_open() && rollout.paused;
        if let Some(rollout) = self.rollouts.get_mut(n).filter(open) {
            rollout.paused = false;
        }
        self.set_clocks(n);
    }

    /// The decision to go back: a person's at once, the sentinel's when it is the one that was accepted.
    fn rollback(&mut self, n: u64, record: &Record, body: &RollbackRequested, out: &mut Vec<Effect>) {
        if body.service.is_some() {
            return;
        }
        let mark = self.mark();
        if record.event.envelope.source == self.sentinel {
            if self.takes_force(n, record) {
                self.note_decision(n, record);
                self.begin_rollback(n, mark);
            }
            return;
        }
        if body.accepted.is_some() {
            let why = "it names an accepted proposal, and only the domain's sentinel may".to_owned();
            self.refuse(record, "not_authorised", why);
            return;
        }
        match self.status(n) {
            Some(Status::Open) => {
                self.resolve_withheld(n, out);
                self.note_decision(n, record);
                self.begin_rollback(n, mark);
            }
            Some(Status::Completed) => self.late_rollback(n, record, out),
            Some(status) => {
                let why =
                    format!("the rollout is {}; a rollback goes from open or completed", status.as_str());
                self.refuse(record, "ended", why);
            }
            None => {}
        }
    }

    fn begin_rollback(&mut self, n: u64, mark: Mark) {
        if let Some(rollout) = self.rollouts.get_mut(n) {
            rollout.begin_rollback(mark);
        }
    }

    /// A rollback after completion is the next epoch, unless a later rollout has taken one of the services.
    fn late_rollback(&mut self, n: u64, record: &Record, out: &mut Vec<Effect>) {
        let mark = self.mark();
        let Some(rollout) = self.rollouts.get(n) else { return };
        let steps = 0..rollout.steps.len();
        let services: Vec<_> = steps.map(|i| rollout.service(i).into_owned()).collect();
        let touches = |other: &&Rollout| services.iter().any(|service| other.touches(service));
        let later = self.rollouts.after(n).find(touches);
        if let Some(later) = later {
            let why = format!("rollout {} has moved one of its services since; roll that one back", later.id);
            self.refuse(record, "conflict", why);
            return;
        }
        self.own(n);
        self.settle_drift(n, out);
        if let Some(rollout) = self.rollouts.get_mut(n) {
            rollout.epoch += 1;
            rollout.begin_rollback(mark);
        }
        self.set_clocks(n);
    }

    /// A named ending takes force only if it is the decision that was accepted and nothing took its ground.
    fn said(&mut self, n: u64, record: &Record, status: Status, out: &mut Vec<Effect>) {
        if self.takes_force(n, record) {
            self.note_decision(n, record);
            self.end(n, status, record.at, out);
            match status {
                Status::Partial => self.raise_partial(n, record, out),
                Status::Completed => self.resolve_leftovers(n, out),
                Status::Queued
                | Status::Open
                | Status::RollingBack
                | Status::RolledBack
                | Status::Aborted => {}
            }
            if matches!(status, Status::RolledBack | Status::Partial) {
                self.raise_frozen(n, record, out);
            }
        }
    }

    fn is_by_sentinel(&self, record: &Record) -> bool {
        record.event.envelope.source == self.sentinel
    }

    pub(crate) fn takes_force(&self, n: u64, record: &Record) -> bool {
        let pending = self.rollouts.get(n).and_then(|rollout| rollout.pending.as_ref());
        let envelope = &record.event.envelope;
        envelope.source == self.sentinel && pending.is_some_and(|pending| pending.id == envelope.id)
    }
}

/// Whether a rollout that has not begun cannot follow this.
fn is_no_order_for_queued(body: &Body) -> bool {
    let event = body.event_type();
    event.speaker() == Speaker::Command && event != EventType::RolloutAborted
}

/// Whether a record that lies between accepted and said takes the ground from the decision.
fn takes_ground(pending: &Pending, record: &Record, by_sentinel: bool) -> bool {
    let by_person = |service: bool, accepted: Option<i64>| !service && accepted.is_none();
    match &record.event.body {
        // a pause by the sentinel is the pending one, or was withdrawn before it was said
        Body::RolloutPaused(_) => !by_sentinel,
        Body::RolloutAborted(_) | Body::StepOverridden(_) => true,
        Body::RollbackRequested(body) => by_person(body.service.is_some(), body.accepted),
        Body::DeploymentStarted(_)
        | Body::DeploymentComplete(_)
        | Body::DeploymentFailed(_)
        | Body::Drained(_) => {
            use EventType::{PhaseBegun, RollbackRequested, RolloutPaused};
            !matches!(pending.event, RollbackRequested | RolloutPaused | PhaseBegun)
        }
        Body::Ready(_)
        | Body::RollbackInitiated(_)
        | Body::RollbackComplete(_)
        | Body::RollbackFailed(_)
        | Body::RollbackRefused(_)
        | Body::EventRejected(_)
        | Body::HookUncertain(_)
        | Body::RolloutStarted(_)
        | Body::PhaseBegun(_)
        | Body::RolloutResumed(_)
        | Body::GateApproved(_)
        | Body::GateRejected(_)
        | Body::DomainHeld(_)
        | Body::DomainReleased(_)
        | Body::RolloutStalled(_)
        | Body::SequenceViolated(_)
        | Body::RolloutCompleted(_)
        | Body::RolloutRolledBack(_)
        | Body::RolloutPartial(_)
        | Body::CommandRefused(_)
        | Body::Proposed(_)
        | Body::Pulse(_)
        | Body::Progress(_)
        | Body::ClockStepped(_)
        | Body::DomainConfigured(_)
        | Body::TrustChanged(_) => false,
    }
}
