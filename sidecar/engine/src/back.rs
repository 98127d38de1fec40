//! The way back: only on the request that is addressed to the service, and only from the version it expects.

use pavane_events::command::RollbackRequested;
use pavane_events::service::{RollbackInitiated, RollbackRefused};
use pavane_events::{Body, Version};

use crate::effect::Effect;
use crate::engine::Engine;
use crate::input::Failure;
use crate::journal::{Ending, Job, JobKey, Stage};
use crate::rollout::Status;
use crate::settings::{Reaction, Retry, Trigger};
use crate::work::{Observed, Purpose, Wait, Work};

/// What a request asks: from which version to which.
struct Request {
    expected: Option<Version>,
    target: Option<Version>,
}

impl Engine {
    /// The way back, when the service is asked and this instance has moved.
    pub(crate) fn asked(&self) -> Option<Work> {
        let rollout = self.fold.owner().filter(|rollout| !self.fold.is_stopped(rollout))?;
        let (record, body) = rollout.request()?;
        if rollout.status != Status::RollingBack {
            return None;
        }
        let reaction = Trigger::RollbackRequested.name();
        let key = JobKey { rollout: rollout.id.clone(), reaction, epoch: rollout.epoch };
        let moved = rollout.has_moved(&self.settings.service, &self.settings.instance);
        if !moved || self.memory.jobs.contains_key(&key) {
            return None;
        }
        let job = Job {
            key,
            stage: Stage::Announced,
            from: None,
            target: body.target.clone(),
            announced: None,
            causation: Some(record.event.envelope.id.clone()),
            attempts: 0,
        };
        let found = self.settings.reaction(&Trigger::RollbackRequested.name());
        let reaction = found.cloned().unwrap_or_else(no_reaction);
        Some(Work::new(job, reaction, self.now, Wait::version(Purpose::Before)))
    }

    /// The version before: back already, go, or refuse.
    pub(crate) fn turn_back(&mut self, mut work: Work, observed: &Observed, out: &mut Vec<Effect>) {
        let still = self.asked().is_some_and(|asked| asked.job.key == work.job.key);
        let Some(request) = self.request_of(&work).filter(|_| still) else { return };
        let service = &self.settings.service;
        let rollout = self.fold.find(&work.job.key.rollout);
        let arrived = rollout.is_some_and(|rollout| rollout.has_arrived(service, &self.settings.instance));
        work.job.from = observed.as_ref().ok().cloned();
        let there = request.target.is_some() && work.job.from == request.target;
        if there {
            self.succeed(work, out);
            return;
        }
        if let Some(reason) = refusal(&request, observed, arrived) {
            let (epoch, expected, observed) = (work.job.key.epoch, request.expected, work.job.from.clone());
            let event = self.event_of(&work, RollbackRefused { epoch, expected, observed, reason });
            self.conclude(work, Ending::Refused, Some(event), out);
            return;
        }
        if self.settings.reaction(&work.job.key.reaction).is_none() {
            let reason = "the sidecar's file has no reaction on RollbackRequested".to_owned();
            self.fail(work, "hook", Failure { reason, ..Failure::default() }, out);
            return;
        }
        let body =
            RollbackInitiated { epoch: work.job.key.epoch, from: work.job.from.clone(), to: request.target };
        let event = self.event_of(&work, body);
        self.announce(work, event, out);
    }

    /// The version after: back, or not.
    pub(crate) fn come_back(&mut self, work: Work, observed: &Observed, out: &mut Vec<Effect>) {
        let reason = match observed {
            Ok(version) if Some(version) == work.job.target.as_ref() => None,
            Ok(version) => Some(format!("the service runs {version}")),
            Err(error) => Some(format!("the version cannot be observed: {error}")),
        };
        match reason {
            Some(reason) => self.fail(work, "version", Failure { reason, ..Failure::default() }, out),
            None => self.succeed(work, out),
        }
    }

    /// The version after a hook that was cut short: back, or nobody knows.
    pub(crate) fn recover_back(&mut self, work: Work, observed: &Observed, out: &mut Vec<Effect>) {
        let back = observed.as_ref().ok().is_some_and(|version| Some(version) == work.job.target.as_ref());
        if back {
            self.check(work, out);
            return;
        }
        let why = match observed {
            Ok(version) => format!("the service runs {version}"),
            Err(error) => format!("its version cannot be observed: {error}"),
        };
        let expected = work.job.target.clone();
        let event = self.uncertainty(&work, expected, &why);
        self.conclude(work, Ending::Uncertain, Some(event), out);
    }

    fn request_of(&self, work: &Work) -> Option<Request> {
        let rollout = self.fold.find(&work.job.key.rollout)?;
        let (_, RollbackRequested { expected, target, .. }) = rollout.request()?;
        Some(Request { expected: expected.clone(), target: target.clone() })
    }
}

/// Why a request is not followed: the version that runs is not the one that it expects.
fn refusal(request: &Request, observed: &Observed, arrived: bool) -> Option<String> {
    let Some(target) = &request.target else {
        return Some("the request names no version to go back to".to_owned());
    };
    match (observed, &request.expected) {
        (Ok(version), Some(expected)) if version != expected => {
            Some(format!("the service runs {version}: neither {expected}, which is expected, nor {target}"))
        }
        (Err(error), Some(expected)) if arrived => {
            Some(format!("the version cannot be observed ({error}), so it cannot be seen to be {expected}"))
        }
        (Ok(_) | Err(_), Some(_) | None) => None,
    }
}

/// What stands in for a reaction that the file does not have: it is asked for the version alone.
fn no_reaction() -> Reaction {
    Reaction {
        on: Trigger::RollbackRequested,
        instances: 1,
        hook: false,
        timeout: 0,
        retry: Retry { attempts: 1, first: 0, cap: 0, pause: None },
        ready: None,
        hold: None,
        emit: Body::from(pavane_events::service::RollbackComplete::default()).event_type(),
        prerequisite: String::new(),
        once: false,
        stagger: 0,
    }
}
