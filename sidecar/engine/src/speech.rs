//! What the sidecar says, with its envelope.

use pavane_choreography::Step;
use pavane_events::service::{
    DeploymentComplete, DeploymentFailed, DeploymentStarted, Drained, EventRejected, HookUncertain, Ready,
    RollbackComplete, RollbackFailed,
};
use pavane_events::{Body, Envelope, Event, EventId, EventType, RolloutId, Unreadable, Version};

use crate::engine::Engine;
use crate::input::Failure;
use crate::work::Work;

impl Engine {
    /// An event of this sidecar, all but its sequence number and its trace context.
    pub(crate) fn event(
        &mut self,
        rollout: Option<RolloutId>,
        causation: Option<EventId>,
        body: impl Into<Body>,
    ) -> Event {
        self.said += 1;
        let settings = &self.settings;
        let id = EventId::new(format!("{}-{}", settings.boot, self.said)).expect("a boot id is a name");
        let mut envelope = Envelope::new(settings.domain.clone(), settings.source(), id);
        envelope.subject = Some(format!("service/{}", settings.service));
        envelope.rollout = rollout;
        envelope.causation = causation;
        envelope.service = Some(settings.service.clone());
        envelope.instance = Some(settings.instance.clone());
        envelope.zone.clone_from(&settings.zone);
        envelope.version.clone_from(&self.version);
        envelope.boot = Some(settings.boot.clone());
        Event { envelope, body: body.into() }
    }

    /// An event about the reaction under way.
    pub(crate) fn event_of(&mut self, work: &Work, body: impl Into<Body>) -> Event {
        self.event(Some(work.job.key.rollout.clone()), work.job.causation.clone(), body)
    }

    /// The event that says that a reaction went well.
    pub(crate) fn success(&mut self, work: &Work) -> Event {
        let took_ms = self.now - work.began;
        let body: Body = if work.goes_back() {
            RollbackComplete { epoch: work.job.key.epoch, took_ms }.into()
        } else if work.reaction.emit == EventType::Ready {
            let prerequisite = work.reaction.prerequisite.clone();
            Ready { prerequisite, detail: String::new() }.into()
        } else if work.reaction.emit == EventType::Drained {
            Drained::default().into()
        } else {
            DeploymentComplete { from: work.job.from.clone(), took_ms }.into()
        };
        self.event_of(work, body)
    }

    /// The event that says that a reaction failed.
    pub(crate) fn failure(&mut self, work: &Work, stage: &str, failure: Failure) -> Event {
        let Failure { reason, exit_code, output } = failure;
        let body: Body = if work.goes_back() {
            let reason = format!("{stage}: {reason}");
            RollbackFailed { epoch: work.job.key.epoch, reason, exit_code, output }.into()
        } else {
            let (stage, attempts) = (stage.to_owned(), i64::from(work.job.attempts));
            DeploymentFailed { stage, reason, exit_code, output, attempts }.into()
        };
        self.event_of(work, body)
    }

    /// The event that says that nobody knows what a hook did.
    pub(crate) fn uncertainty(&mut self, work: &Work, expected: Option<Version>, why: &str) -> Event {
        let detail = format!(
            "the hook was cut short ({why}): look at the service, mend it by hand, then override the step or roll \
             back; the hook is not run again"
        );
        let (reaction, observed) = (work.job.key.reaction.clone(), self.version.clone());
        self.event_of(work, HookUncertain { reaction, expected, observed, detail })
    }

    /// The event that says that an event the service depends on cannot be read.
    pub(crate) fn rejection(&mut self, unreadable: &Unreadable) -> Event {
        let event = unreadable.event_type.as_deref().and_then(EventType::from_full);
        let body = EventRejected {
            producer: unreadable.service.clone(),
            event: event.map_or_else(String::new, |event| event.to_string()),
            partition: i64::from(self.settings.partition),
            offset: unreadable.offset,
            schema_id: unreadable.schema_id,
            reason: unreadable.reason.as_str().to_owned(),
            field: unreadable.field.clone(),
            detail: unreadable.detail.clone(),
        };
        self.event(unreadable.rollout.clone(), unreadable.id.clone(), body)
    }

    /// The announcement of a reaction that goes forward.
    pub(crate) fn announcement(&mut self, work: &Work, step: Option<&Step>) -> Event {
        let (from, to) = (work.job.from.clone(), step.and_then(exact));
        let mut event = self.event_of(work, DeploymentStarted { from, to });
        if work.reaction.once {
            let (key, service) = (&work.job.key, &self.settings.service);
            event.envelope.id = pavane_events::identity::claim_id(&key.rollout, service, &key.reaction, 1);
        }
        event
    }
}

/// The version that a step asks for, when it asks for exactly one.
pub(crate) fn exact(step: &Step) -> Option<Version> {
    let text = step.version.as_ref()?.to_string();
    let version = text.strip_prefix('=')?;
    let whole = version.split(['-', '+']).next()?.split('.').count() == 3;
    if whole && !version.contains(',') { Version::new(version).ok() } else { None }
}
