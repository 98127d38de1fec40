//! What a record about one rollout does to it, and which decisions are believed.

use pavane_events::command::RollbackRequested;
use pavane_events::{Body, Record, Service, Speaker, Zone};

use crate::effect::Notice;
use crate::fold::{Fold, duplicate, notice};
use crate::rollout::{Rollout, Status};

/// Why a decision is not believed.
const UNPROVEN: &str = "it is not the sentinel's, or something has taken its ground since it was accepted";

impl Fold {
    /// Takes a record about a known rollout.
    pub(crate) fn of_rollout(&mut self, record: &Record) -> Option<Notice> {
        let from_sentinel = record.event.envelope.source == self.sentinel;
        let own = record.event.envelope.source == self.own;
        let id = record.event.envelope.rollout.as_ref()?;
        let at = self.rollouts.iter().position(|rollout| rollout.id == *id)?;
        let later_touches = self.is_taken_since(at);
        let stopped = self.is_stopped(&self.rollouts[at]);
        let speaker = record.event.body.event_type().speaker();
        if speaker == Speaker::Service && self.rollouts[at].status == Status::Queued {
            return self.keep_early(record.clone());
        }
        let rollout = &mut self.rollouts[at];
        if !rollout.is_new(record) {
            return Some(duplicate(record));
        }
        if speaker == Speaker::Service {
            if own {
                rollout.note_own(record);
            }
            rollout.hear(record, &self.watched, &self.service);
            self.sift(at, record);
            return None;
        }
        if let Body::Proposed(proposed) = &record.event.body {
            if from_sentinel {
                rollout.count_instances(proposed, stopped, record.offset);
            }
            return None;
        }
        if let Body::CommandRefused(body) = &record.event.body
            && from_sentinel
            && body.cites == rollout.started.offset
        {
            self.rollouts.remove(at);
            self.begin_free(record.offset);
            return None;
        }
        let own = Own { service: &self.service, zone: self.zone.as_ref() };
        let notice = obey(rollout, record, from_sentinel, later_touches, own);
        self.sift(at, record);
        self.begin_free(record.offset);
        notice
    }

    /// Whether a later rollout has taken one of the services of the rollout at this place.
    fn is_taken_since(&self, at: usize) -> bool {
        let services = || self.rollouts[at].plan.steps.iter().map(|step| &step.expect.service);
        self.rollouts[at + 1..].iter().any(|later| services().any(|service| later.touches(service)))
    }
}

/// Whom the sidecar stands beside, and where.
#[derive(Clone, Copy)]
struct Own<'a> {
    service: &'a Service,
    zone: Option<&'a Zone>,
}

/// The clocks stop: a person says so, or the sentinel, whose decision has not lost its ground since it was accepted. One
/// that names no offset is from a sentinel that did not name any.
fn pause(
    rollout: &mut Rollout,
    record: &Record,
    from_sentinel: bool,
    accepted: Option<i64>,
) -> Option<Notice> {
    if from_sentinel && accepted.is_some_and(|accepted| !rollout.believes_pause(accepted)) {
        return Some(notice(record, "decision_ignored", UNPROVEN.to_owned()));
    }
    rollout.note_stop(record.offset);
    rollout.paused = true;
    None
}

/// Takes a command or a verdict about a rollout.
fn obey(
    rollout: &mut Rollout,
    record: &Record,
    from_sentinel: bool,
    later_touches: bool,
    own: Own<'_>,
) -> Option<Notice> {
    let open = rollout.status.is_open();
    match &record.event.body {
        Body::RolloutPaused(body) if open => {
            return pause(rollout, record, from_sentinel, body.accepted);
        }
        Body::RolloutResumed(_) if open => rollout.paused = false,
        Body::RolloutAborted(_) if open || rollout.status == Status::Queued => {
            rollout.note_stop(record.offset);
            rollout.status = Status::Aborted;
        }
        Body::PhaseBegun(body) => {
            if !from_sentinel || !rollout.believes_phase(body) {
                return Some(notice(record, "decision_ignored", UNPROVEN.to_owned()));
            }
            rollout.begin_phase(body, record);
        }
        Body::StepOverridden(body) => rollout.override_step(&body.step, record),
        Body::RollbackRequested(body) => {
            return decide(rollout, body, record, from_sentinel, later_touches, own);
        }
        Body::RolloutCompleted(body) => {
            return end(rollout, record, from_sentinel, (body.epoch, body.accepted), Status::Completed);
        }
        Body::RolloutRolledBack(body) => {
            return end(rollout, record, from_sentinel, (body.epoch, body.accepted), Status::RolledBack);
        }
        Body::RolloutPartial(body) => {
            return end(rollout, record, from_sentinel, (body.epoch, body.accepted), Status::Partial);
        }
        Body::RolloutPaused(_)
        | Body::RolloutResumed(_)
        | Body::RolloutAborted(_)
        | Body::Ready(_)
        | Body::DeploymentStarted(_)
        | Body::DeploymentComplete(_)
        | Body::DeploymentFailed(_)
        | Body::Drained(_)
        | Body::RollbackInitiated(_)
        | Body::RollbackComplete(_)
        | Body::RollbackFailed(_)
        | Body::RollbackRefused(_)
        | Body::EventRejected(_)
        | Body::HookUncertain(_)
        | Body::RolloutStarted(_)
        | Body::GateApproved(_)
        | Body::GateRejected(_)
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
    None
}

/// Takes a request to go back: the decision of a person or of the sentinel, or one that is addressed to a service.
fn decide(
    rollout: &mut Rollout,
    body: &RollbackRequested,
    record: &Record,
    from_sentinel: bool,
    later_touches: bool,
    own: Own<'_>,
) -> Option<Notice> {
    let step = body.step.as_ref().and_then(|id| rollout.plan.step(id));
    let elsewhere = step.is_some_and(|step| !step.concerns(own.zone));
    let unproven = |why: &str| Some(notice(record, "decision_ignored", why.to_owned()));
    match (&body.service, body.accepted) {
        (Some(_), _) | (None, Some(_)) if !from_sentinel => {
            unproven("only the domain's sentinel may say this")
        }
        (Some(service), _) if service != own.service || elsewhere => None,
        (Some(_), _) => {
            let fits = rollout.ask(body, record);
            if fits { None } else { unproven("it is not of the decision in force") }
        }
        (None, Some(accepted)) => {
            if !rollout.believes_rollback(body, accepted) {
                return unproven("something has taken its ground since it was accepted");
            }
            rollout.begin_rollback(record.offset);
            None
        }
        (None, None) => {
            rollout.note_person(record.offset);
            match rollout.status {
                Status::Open => rollout.begin_rollback(record.offset),
                Status::Completed if !later_touches => rollout.begin_rollback(record.offset),
                Status::Completed
                | Status::Queued
                | Status::RollingBack
                | Status::RolledBack
                | Status::Partial
                | Status::Aborted => {
                    return unproven("the rollout cannot go back from where it stands");
                }
            }
            None
        }
    }
}

/// Takes the sentinel's word that the rollout has ended.
fn end(
    rollout: &mut Rollout,
    record: &Record,
    from_sentinel: bool,
    (epoch, accepted): (i64, i64),
    status: Status,
) -> Option<Notice> {
    let from = if status == Status::Completed { Status::Open } else { Status::RollingBack };
    if !from_sentinel || rollout.status != from || !rollout.believes_ending(epoch, accepted) {
        return Some(notice(record, "decision_ignored", UNPROVEN.to_owned()));
    }
    rollout.status = status;
    None
}
