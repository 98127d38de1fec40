//! What everybody puts on the log, with the envelope that belongs to it.

use pavane_choreography::Plan;
use pavane_events::command::RolloutStarted;
use pavane_events::{
    Body, Domain, Envelope, Event, EventId, Heartbeat, Instance, RolloutId, Service, Source, identity,
};
use pavane_sentinel_engine::{Draft, RULES};

/// What a sentinel writes, whichever says it.
pub(crate) fn of_sentinel(domain: &Domain, replica: &str, draft: Draft, id: EventId) -> Event {
    let id = draft.id.unwrap_or(id);
    let mut envelope = Envelope::new(domain.clone(), identity::sentinel_source(domain), id);
    envelope.rollout = draft.rollout;
    envelope.causation = draft.causation;
    envelope.service = draft.service;
    envelope.replica = Some(replica.to_owned());
    Event { envelope, body: draft.body }
}

/// What a person says about a rollout.
pub(crate) fn of_person(domain: &Domain, rollout: &str, body: impl Into<Body>, id: EventId) -> Event {
    let source = Source::new(format!("/pavane/{domain}/cli/ann")).expect("a name");
    let mut envelope = Envelope::new(domain.clone(), source, id);
    envelope.rollout = Some(RolloutId::new(rollout).expect("a name"));
    Event { envelope, body: body.into() }
}

/// The start of a rollout.
pub(crate) fn start(plan: &Plan) -> RolloutStarted {
    let (choreography, plan_digest) = (plan.name.clone(), plan.digest());
    RolloutStarted {
        choreography,
        plan: plan.to_json(),
        plan_digest,
        rules: RULES,
        by: String::new(),
        reason: String::new(),
    }
}

/// The heartbeat of an instance that is called after its service.
pub(crate) fn heartbeat(domain: &Domain, instance: &str, boot: &str, phase: &str) -> Heartbeat {
    let service = instance.rsplit_once('-').map_or(instance, |(service, _)| service);
    Heartbeat {
        domain: domain.clone(),
        service: Service::new(service).expect("a name"),
        instance: Instance::new(instance).expect("a name"),
        zone: None,
        boot: boot.to_owned(),
        version: None,
        phase: phase.to_owned(),
        rollout: None,
        acknowledged: 0,
        outbox: 0,
        position: 0,
    }
}
