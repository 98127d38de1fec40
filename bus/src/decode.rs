//! A record as it came to an entry as it is judged: headers, schema, trust, datum, in this order.
//!
//! What is wrong with a record becomes an entry; what is wrong with the world (registry or broker away) becomes
//! an error, and the same record is tried again. The two must never be mixed up: a registry that is down for a
//! minute would otherwise turn a minute of events into dead letters.

use std::sync::Arc;

use pavane_events::{Entry, Event, Heartbeat, Record, Unreadable, UnreadableReason};

use crate::wire::{self, Contract, Defect, Sealed, catalog, compat};
use crate::{Bus, Error, Policy, Raw, tamper};

/// Reads a record of the log.
pub(crate) async fn entry(bus: &Bus, raw: &Raw, policy: Policy) -> Result<Entry, Error> {
    Ok(match event(bus, raw, policy).await? {
        Ok(event) => Entry::Event(Record { offset: raw.offset, at: raw.at, event }),
        Err(defect) => Entry::Unreadable(unreadable(raw, defect)),
    })
}

/// Reads a record of the heartbeats; none when it is not one, which is counted.
pub(crate) async fn heartbeat(bus: &Bus, raw: &Raw) -> Result<Option<Heartbeat>, Error> {
    let defect = match wire::open_heartbeat(&raw.headers, raw.value.as_deref()) {
        Ok(sealed) => match contract_of(bus, &sealed).await? {
            Ok(writer) => match sealed.decode_heartbeat(&writer) {
                Ok(heartbeat) => return Ok(Some(heartbeat)),
                Err(defect) => defect,
            },
            Err(defect) => defect,
        },
        Err(defect) => defect,
    };
    bus.metrics().unreadable(&raw.topic, defect.reason);
    tracing::debug!(offset = raw.offset, partition = raw.partition, %defect, "a heartbeat cannot be read");
    Ok(None)
}

/// Puts a defect into the place of its record.
pub(crate) fn unreadable(raw: &Raw, defect: Defect) -> Unreadable {
    wire::unreadable(raw.offset, raw.at, &raw.headers, raw.value.as_deref(), defect)
}

/// Looks at a record; or says what is wrong with it.
pub(crate) async fn event(bus: &Bus, raw: &Raw, policy: Policy) -> Result<Result<Event, Defect>, Error> {
    let sealed = match wire::open(&raw.headers, raw.key.as_deref(), raw.value.as_deref()) {
        Ok(sealed) => sealed,
        Err(defect) => return Ok(Err(defect)),
    };
    let writer = match contract_of(bus, &sealed).await? {
        Ok(writer) => writer,
        Err(defect) => return Ok(Err(defect)),
    };
    if !is_trusted(bus, &sealed, &writer, policy).await? {
        return Ok(Err(untrusted(&sealed, &writer)));
    }
    Ok(sealed.decode(&writer))
}

/// Nobody was told of this schema. Where it also differs from what is read, the field that differs is the news.
fn untrusted(sealed: &Sealed<'_>, writer: &Contract) -> Defect {
    let told = format!(
        "the schema {} (fingerprint {}) is neither built in nor published; publish it with `pavane schemas push`",
        writer.full_name(),
        writer.fingerprint()
    );
    let differences = sealed.event_type().map(|event| compat::can_read(writer, catalog::of(event)));
    match differences.unwrap_or_default().into_iter().next() {
        Some(first) => Defect {
            reason: UnreadableReason::Incompatible,
            field: first.pointer,
            detail: format!("{}; {told}", first.message),
        },
        None => Defect { reason: UnreadableReason::SchemaNotAllowed, field: String::new(), detail: told },
    }
}

async fn contract_of(bus: &Bus, sealed: &Sealed<'_>) -> Result<Result<Arc<Contract>, Defect>, Error> {
    let found = bus.registry().contract_or_kept(sealed.schema_id(), sealed.fingerprint()).await?;
    tamper::refuse(bus, sealed, found).await
}

async fn is_trusted(
    bus: &Bus,
    sealed: &Sealed<'_>,
    writer: &Contract,
    policy: Policy,
) -> Result<bool, Error> {
    match (policy, sealed.event_type()) {
        (Policy::Structural, _) | (Policy::AllowList, None) => Ok(true),
        (Policy::AllowList, Some(event)) => bus.trust().allows(bus, event, writer).await,
    }
}
