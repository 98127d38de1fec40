//! A run in lines, for whoever looks for what went wrong.

use pavane_events::{Body, Event, RolloutId};

use crate::partition::Partition;

/// A record as it is appended.
pub(crate) fn record(partition: &Partition, event: &Event) -> String {
    let envelope = &event.envelope;
    let rollout = envelope.rollout.as_ref().map_or("-", RolloutId::as_str);
    let who = envelope.replica.as_deref().or(envelope.instance.as_ref().map(pavane_events::Instance::as_str));
    let what = if let Body::RolloutStarted(body) = &event.body {
        format!("RolloutStarted {}", body.choreography)
    } else {
        format!("{:?}", event.body)
    };
    format!("{}#{} {rollout} {}: {what}", partition.domain, partition.end(), who.unwrap_or("a person"))
}
