//! One event to a record's value and headers, and back.
//!
//! Reading is in two parts, because between them the writer's schema has to be fetched: [`open`] looks at the
//! headers and the first five bytes, [`Sealed::decode`] at the datum.

use apache_avro::types::Value;
use apache_avro::writer::datum::GenericDatumWriter;
use pavane_events::vocabulary::{self, NAMESPACE};
use pavane_events::{Body, Envelope, Event, EventType, Heartbeat, Timestamp, Unreadable, UnreadableReason};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::catalog::{self, HEARTBEAT};
use super::contract::Contract;
use super::error::{ContractError, Defect, EncodeError, Finding};
use super::{datum, headers, json, resolve, show};

/// The largest value that is written to or read from the lifecycle topic, in bytes.
pub const MAX_VALUE: usize = 1024 * 1024;
/// The first byte of the wire format.
const MAGIC: u8 = 0;
/// How many characters of what a stranger wrote are quoted.
const MAX_QUOTE: usize = 1024;

/// A value as it travels, and what goes into `ce_dataschema` with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded {
    /// Magic byte, schema id, datum.
    pub value: Vec<u8>,
    /// The URN of the schema's fingerprint.
    pub dataschema: String,
}

/// Encodes the body of an event by the embedded schema, which the registry knows under `id`.
pub fn encode(body: &Body, id: u32) -> Result<Encoded, EncodeError> {
    encode_as(catalog::of(body.event_type()), body, id)
}

/// Encodes a heartbeat by the embedded schema, which the registry knows under `id`.
pub fn encode_heartbeat(heartbeat: &Heartbeat, id: u32) -> Result<Encoded, EncodeError> {
    encode_as(catalog::heartbeat(), heartbeat, id)
}

/// Encodes a JSON body by a contract, strictly; the registry knows the contract's schema under `id`.
pub fn encode_json(contract: &Contract, id: u32, body: &[u8]) -> Result<Encoded, ContractError> {
    let value = json::read(contract, body)?;
    let mut framed = frame(id);
    datum::write(&value, &mut framed);
    if framed.len() > MAX_VALUE {
        let finding = Finding::new(format!("{} bytes, and the limit is {MAX_VALUE}", framed.len()));
        return Err(ContractError { record: contract.full_name(), findings: vec![finding] });
    }
    Ok(Encoded { value: framed, dataschema: contract.dataschema() })
}

/// The datum behind the first five bytes as plain JSON, by the schema that it was written with.
pub fn to_json(contract: &Contract, value: &[u8]) -> Result<serde_json::Value, Defect> {
    let (_, bytes) = unframe(Some(value))?;
    let value = datum::read(contract, bytes);
    value.map(|value| show::json(&value)).map_err(|finding| Defect::at(UnreadableReason::BadDatum, finding))
}

fn encode_as(contract: &Contract, body: &impl Serialize, id: u32) -> Result<Encoded, EncodeError> {
    let record = || contract.full_name();
    let writer = GenericDatumWriter::builder(contract.root()).build();
    let datum = writer.and_then(|writer| writer.write_ser_to_vec(body));
    let datum = datum.map_err(|source| EncodeError::Body { record: record(), source: Box::new(source) })?;
    let mut value = frame(id);
    value.extend(datum);
    if value.len() > MAX_VALUE {
        return Err(EncodeError::TooLarge { record: record(), bytes: value.len(), limit: MAX_VALUE });
    }
    Ok(Encoded { value, dataschema: contract.dataschema() })
}

fn frame(id: u32) -> Vec<u8> {
    let [a, b, c, d] = id.to_be_bytes();
    vec![MAGIC, a, b, c, d]
}

fn unframe(value: Option<&[u8]>) -> Result<(u32, &[u8]), Defect> {
    let value = value.unwrap_or_default();
    if value.len() > MAX_VALUE {
        let detail = format!("the value has {} bytes, and the limit is {MAX_VALUE}", value.len());
        return Err(Defect::new(UnreadableReason::TooLarge, detail));
    }
    match value {
        [MAGIC, a, b, c, d, datum @ ..] => Ok((u32::from_be_bytes([*a, *b, *c, *d]), datum)),
        [MAGIC, ..] | [] => {
            let detail = format!("the value has {} bytes, and the schema id alone takes five", value.len());
            Err(Defect::new(UnreadableReason::ShortValue, detail))
        }
        [first, ..] => {
            let detail =
                format!("the first byte is {first:#04x}, and Avro behind a schema id begins with 0x00");
            Err(Defect::new(UnreadableReason::BadMagic, detail))
        }
    }
}

/// A record whose headers are sound and whose datum has not been looked at.
#[derive(Clone, Debug)]
pub struct Sealed<'a> {
    envelope: Envelope,
    kind: Kind,
    fingerprint: Option<String>,
    schema_id: u32,
    datum: &'a [u8],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Event(EventType),
    Heartbeat,
}

/// Looks at the headers, the key and the first five bytes of a record on the lifecycle topic. The key must be
/// the domain that `ce_partitionkey` names.
pub fn open<'a>(
    headers: &[(String, Option<Vec<u8>>)],
    key: Option<&[u8]>,
    value: Option<&'a [u8]>,
) -> Result<Sealed<'a>, Defect> {
    let sealed = open_any(headers, value)?;
    if sealed.kind == Kind::Heartbeat {
        let detail = "a heartbeat is no event; it belongs on the heartbeats topic";
        return Err(Defect::new(UnreadableReason::ForeignType, detail));
    }
    if key != Some(sealed.envelope.domain.as_str().as_bytes()) {
        let detail = format!("the key is not the domain {} that the header names", sealed.envelope.domain);
        return Err(Defect::new(UnreadableReason::Misrouted, detail));
    }
    Ok(sealed)
}

/// Looks at the headers and the first five bytes of a record on the heartbeats topic.
pub fn open_heartbeat<'a>(
    headers: &[(String, Option<Vec<u8>>)],
    value: Option<&'a [u8]>,
) -> Result<Sealed<'a>, Defect> {
    let sealed = open_any(headers, value)?;
    match sealed.kind {
        Kind::Heartbeat => Ok(sealed),
        Kind::Event(event) => {
            let detail = format!("{event} is no heartbeat; it belongs on the lifecycle topic");
            Err(Defect::new(UnreadableReason::ForeignType, detail))
        }
    }
}

fn open_any<'a>(
    headers: &[(String, Option<Vec<u8>>)],
    value: Option<&'a [u8]>,
) -> Result<Sealed<'a>, Defect> {
    let (envelope, labels) = headers::read(headers)?;
    let kind = kind_of(&labels.ce_type)?;
    let (schema_id, datum) = unframe(value)?;
    Ok(Sealed { envelope, kind, fingerprint: labels.fingerprint, schema_id, datum })
}

fn kind_of(ce_type: &str) -> Result<Kind, Defect> {
    if let Some(event) = EventType::from_full(ce_type) {
        return Ok(Kind::Event(event));
    }
    if ce_type == catalog::heartbeat().full_name() {
        return Ok(Kind::Heartbeat);
    }
    if ce_type.strip_prefix(NAMESPACE).is_some_and(|rest| rest.starts_with('.')) {
        let detail = format!("{} is not in this program's vocabulary; update the program", quote(ce_type));
        return Err(Defect::new(UnreadableReason::NewerVocabulary, detail));
    }
    let detail = format!("{} is no type of ours", quote(ce_type));
    Err(Defect::new(UnreadableReason::ForeignType, detail))
}

impl Sealed<'_> {
    /// The id under which the registry knows the writer's schema.
    pub const fn schema_id(&self) -> u32 {
        self.schema_id
    }

    /// The fingerprint of the writer's schema, where the headers name it.
    pub(crate) fn fingerprint(&self) -> Option<&str> {
        self.fingerprint.as_deref()
    }

    /// The envelope, which the headers carry.
    pub const fn envelope(&self) -> &Envelope {
        &self.envelope
    }

    /// The event that `ce_type` names; none for a heartbeat.
    pub const fn event_type(&self) -> Option<EventType> {
        match self.kind {
            Kind::Event(event) => Some(event),
            Kind::Heartbeat => None,
        }
    }

    /// Decodes the datum by the writer's contract, which the registry gave for [`Self::schema_id`], and reads it
    /// as our own schema does.
    pub fn decode(self, writer: &Contract) -> Result<Event, Defect> {
        let Kind::Event(event) = self.kind else {
            unreachable!("open refuses heartbeats, and they are decoded by their own function")
        };
        let value = self.value(writer, event.as_str(), catalog::of(event))?;
        let body = Body::decode(event, Datum(&value))?;
        Ok(Event { envelope: self.envelope, body })
    }

    /// Decodes a heartbeat by the writer's contract.
    pub fn decode_heartbeat(self, writer: &Contract) -> Result<Heartbeat, Defect> {
        let value = self.value(writer, HEARTBEAT, catalog::heartbeat())?;
        vocabulary::Decode::decode(Datum(&value))
    }

    fn value(&self, writer: &Contract, name: &str, reader: &Contract) -> Result<Value, Defect> {
        if self.fingerprint.as_deref().is_some_and(|named| named != writer.fingerprint()) {
            let detail = format!(
                "the schema behind id {} has the fingerprint {}, and the header names another",
                self.schema_id,
                writer.fingerprint()
            );
            return Err(Defect::new(UnreadableReason::FingerprintMismatch, detail));
        }
        if writer.name() != name {
            let detail = format!("the header says {name}, and the schema is {}", writer.full_name());
            return Err(Defect::new(UnreadableReason::TypeMismatch, detail));
        }
        writer.readable().map_err(|finding| Defect::at(UnreadableReason::Incompatible, finding))?;
        let value = datum::read(writer, self.datum);
        let value = value.map_err(|finding| Defect::at(UnreadableReason::BadDatum, finding))?;
        let resolved = resolve::resolve(writer, reader, value);
        resolved.map_err(|finding| Defect::at(UnreadableReason::Incompatible, finding))
    }
}

/// A datum in the reader's form, ready to become a body.
struct Datum<'a>(&'a Value);

impl vocabulary::Decode for Datum<'_> {
    type Error = Defect;

    fn decode<T: DeserializeOwned>(self) -> Result<T, Defect> {
        apache_avro::from_value(self.0)
            .map_err(|error| Defect::new(UnreadableReason::BadValue, quote(&error.to_string())))
    }
}

/// Puts a defect into its place, with what the headers say about the record as far as they can be read.
pub fn unreadable(
    offset: i64,
    at: Timestamp,
    headers: &[(String, Option<Vec<u8>>)],
    value: Option<&[u8]>,
    defect: Defect,
) -> Unreadable {
    let hint = |name| headers::hint(headers, name);
    let Defect { reason, field, detail } = defect;
    let framed = value.and_then(|value| unframe(Some(value)).ok());
    Unreadable {
        offset,
        at,
        event_type: hint(headers::TYPE).map(quote),
        id: hint(headers::ID).and_then(|text| text.parse().ok()),
        service: hint(headers::SERVICE).and_then(|text| text.parse().ok()),
        rollout: hint(headers::CORRELATIONID).and_then(|text| text.parse().ok()),
        schema_id: framed.map(|(id, _)| i64::from(id)),
        reason,
        field: quote(&field),
        detail: quote(&detail),
    }
}

/// A stranger's text, short and without control characters.
fn quote(text: &str) -> String {
    text.chars().take(MAX_QUOTE).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}
