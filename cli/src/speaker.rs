//! Who speaks when the command line speaks, and the printed place of what was said.

use clap::Args;
use pavane_bus::Appended;
use pavane_events::identity::hex;
use pavane_events::{Body, Domain, Envelope, Event, EventId, RolloutId, Source};
use serde::Serialize;

/// Who says it, and why.
#[derive(Args, Clone, Debug)]
pub struct Voice {
    /// Who says it; stands on the log.
    #[arg(long, env = "PAVANE_BY", value_name = "NAME", default_value_t = user())]
    pub by: String,
}

/// Where an event stands on the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Said {
    /// The event's id.
    pub id: EventId,
    /// The partition of the lifecycle topic.
    pub partition: i32,
    /// Its place in the partition.
    pub offset: i64,
}

impl Said {
    /// The place of an event that the broker has acknowledged.
    pub const fn new(id: EventId, appended: Appended) -> Self {
        Self { id, partition: appended.partition, offset: appended.offset }
    }
}

/// The envelope of something that a person or CI says through the command line.
pub fn envelope(domain: &Domain, rollout: Option<&RolloutId>) -> Envelope {
    let source = Source::new(format!("/pavane/{domain}/cli")).expect("a domain fits into a source");
    let mut envelope = Envelope::new(domain.clone(), source, fresh_id());
    envelope.time = Some(jiff::Timestamp::now().to_string());
    envelope.subject = Some(match rollout {
        Some(rollout) => format!("rollout/{rollout}"),
        None => format!("domain/{domain}"),
    });
    envelope.rollout = rollout.cloned();
    envelope
}

/// An event that a person or CI says through the command line.
pub fn event(domain: &Domain, rollout: Option<&RolloutId>, body: impl Into<Body>) -> Event {
    Event { envelope: envelope(domain, rollout), body: body.into() }
}

/// An id that nobody else makes.
pub fn fresh_id() -> EventId {
    EventId::new(uuid::Uuid::now_v7().to_string()).expect("a UUID is a name")
}

/// The trace id of a rollout, as tracing tools show it.
pub fn trace_id(rollout: &RolloutId) -> String {
    hex(&pavane_events::identity::trace_id(rollout))
}

fn user() -> String {
    ["USER", "LOGNAME"]
        .iter()
        .find_map(|name| std::env::var(name).ok())
        .unwrap_or_else(|| "unknown".to_owned())
}
