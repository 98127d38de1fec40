//! The way back: only on the request that is addressed to the service, and only from the version it expects.

use pavane_events::command::RollbackRequested;
use pavane_events::service::{RollbackInitiated, RollbackRefused};
use pavane_events::{Body, Millis, Version};

use crate::effect::Effect;
use crate::engine::Engine;
use crate::input::Failure;
use crate::journal::{Ending, Job, JobKey, Stage};
use crate::rollout::Status;
use crate::settings::{Reaction, Retry, Trigger};
use crate::sieve::Sieve;
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
            boot: None,
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
        let refused = refusal(&request, observed, arrived).or_else(|| self.distrust(&work, &request));
        if let Some(reason) = refused {
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
        if self.memory.repeatable.remove(&work.job.key) {
            return self.repeat(work, out);
        }
        let why = match observed {
            Ok(version) => format!("the service runs {version}"),
            Err(error) => format!("its version cannot be observed: {error}"),
        };
        let expected = work.job.target.clone();
        let event = self.uncertainty(&work, expected, &why);
        self.conclude(work, Ending::Uncertain, Some(event), out);
    }

    /// Why a request is not followed although the version that runs is the one that it expects: nobody has the authority,
    /// it is too old, or it leads where nobody knows that it is good.
    fn distrust(&self, work: &Work, request: &Request) -> Option<String> {
        let (record, body) = self.fold.find(&work.job.key.rollout)?.request()?;
        if let Authority::Denied(why) = authority(body) {
            return Some(why);
        }
        let age = self.fold.time.0.saturating_sub(record.at.0);
        if age > LASTS {
            return Some(format!("the request is {age} ms old, and none older than {LASTS} ms is followed"));
        }
        let target = request.target.as_ref()?;
        if self.kept(target) || self.known_good.as_ref().is_some_and(|known| known.contains(target)) {
            return None;
        }
        let known = match &self.known_good {
            None => "the list of known good versions could not be read".to_owned(),
            Some(known) if known.is_empty() => "no version of the service is known to be good".to_owned(),
            Some(known) => {
                let names: Vec<_> = known.iter().map(Version::as_str).collect();
                format!("known to be good are {}", names.join(", "))
            }
        };
        Some(format!("{target} is not known to be good: this sidecar never saw it run, and {known}"))
    }

    /// Whether this sidecar's own journal knows a version as the one that ran before a rollout, or that arrived by one.
    fn kept(&self, target: &Version) -> bool {
        self.memory
            .jobs
            .values()
            .any(|job| job.key.epoch == 1 && job.target.is_none() && job.from.as_ref() == Some(target))
    }

    fn request_of(&self, work: &Work) -> Option<Request> {
        let rollout = self.fold.find(&work.job.key.rollout)?;
        let (_, RollbackRequested { expected, target, .. }) = rollout.request()?;
        Some(Request { expected: expected.clone(), target: target.clone() })
    }
}

/// Whether the one who asks may ask it. One place decides, and what it decides by is told as [`AUTHORITY`].
fn authority(_request: &RollbackRequested) -> Authority {
    Authority::Off
}

/// What is found of the authority of a request.
#[expect(dead_code, reason = "nothing is denied while nothing is asked for")]
enum Authority {
    /// Nothing is asked for: whoever may write to the topic may ask.
    Off,
    /// It may not be asked, and why.
    Denied(String),
}

/// By what the authority of a request to go back is judged: `off` is by who may write to the topic alone.
pub const AUTHORITY: &str = "off";
/// For how long a request may be followed, in milliseconds of the log's time.
const LASTS: Millis = 86_400_000;

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
        sieve: Sieve::default(),
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
