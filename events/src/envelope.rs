//! The envelope: `CloudEvents` 1.0 attributes, carried as Kafka headers (binary mode).
//!
//! `ce_specversion`, `ce_type`, `ce_dataschema` and `content-type` are not fields here: they follow from the
//! body and are written and checked by the bus.

use crate::{Domain, EventId, Instance, RolloutId, Service, Source, Version, Zone};

/// Who says an event, about which rollout, caused by what.
///
/// The identity of an event is (`source`, `id`): a record whose identity was read before does not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// `ce_id`: unique within the source, over restarts too.
    pub id: EventId,
    /// `ce_source`: names the instance, the tool, or (one for all replicas) the sentinel of the domain.
    pub source: Source,
    /// `ce_partitionkey`: the domain, also the Kafka key.
    pub domain: Domain,
    /// `ce_time`: RFC 3339, when it happened by the speaker's clock. Shown to people, never judged by.
    pub time: Option<String>,
    /// `ce_subject`: what it is about, e.g. `service/user-service`.
    pub subject: Option<String>,
    /// `ce_correlationid`: the rollout.
    pub rollout: Option<RolloutId>,
    /// `ce_causationid`: the id of the event that this one reacts to.
    pub causation: Option<EventId>,
    /// `ce_pavaneservice`: the service that speaks, or that is spoken for.
    pub service: Option<Service>,
    /// `ce_pavaneinstance`: the instance of the service.
    pub instance: Option<Instance>,
    /// `ce_pavanezone`: the zone or region that the instance runs in.
    pub zone: Option<Zone>,
    /// `ce_pavaneversion`: the version that the service runs, or that the event is about.
    pub version: Option<Version>,
    /// `ce_pavaneboot`: the boot of the sidecar that speaks.
    pub boot: Option<String>,
    /// `ce_sequence`: runs from 1 per instance, boot and domain, without gaps; sentinels carry none.
    pub sequence: Option<i64>,
    /// `ce_pavanereplica`: which replica of the sentinel wrote it.
    pub replica: Option<String>,
    /// `traceparent`: the W3C trace context of the hop that wrote the record.
    pub traceparent: Option<String>,
}

impl Envelope {
    /// An envelope with the three attributes that none may lack.
    pub const fn new(domain: Domain, source: Source, id: EventId) -> Self {
        Self {
            id,
            source,
            domain,
            time: None,
            subject: None,
            rollout: None,
            causation: None,
            service: None,
            instance: None,
            zone: None,
            version: None,
            boot: None,
            sequence: None,
            replica: None,
            traceparent: None,
        }
    }
}
