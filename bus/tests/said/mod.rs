//! Events that tests say.

use pavane_events::service::Ready;
use pavane_events::{Body, Domain, Envelope, Event, EventId, RolloutId, Service, Source};

pub(crate) fn domain(name: &str) -> Domain {
    Domain::new(name).expect("a name")
}

/// The n-th thing that `user-db` says in a domain.
pub(crate) fn ready(domain_name: &str, n: i64) -> Event {
    let source = Source::new(format!("/pavane/{domain_name}/user-db/user-db-0")).expect("a name");
    let mut envelope =
        Envelope::new(domain(domain_name), source, EventId::new(format!("e-{n}")).expect("a name"));
    envelope.rollout = Some(RolloutId::new("r-1").expect("a name"));
    envelope.service = Some(Service::new("user-db").expect("a name"));
    envelope.sequence = Some(n + 1);
    Event { envelope, body: Body::Ready(Ready::default()) }
}
