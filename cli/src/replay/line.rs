//! A record as one line of JSON, and back: all that judging rests on, and the bytes as they came where they are at hand.
//!
//! A file begins with a [`Head`]. Each further line is a record: `offset`, `at` (the broker's time in milliseconds), and
//! either `type`, `envelope` and `body`, or `unreadable`. `raw` holds key, headers and value in base64.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use pavane_bus::Raw;
use pavane_events::vocabulary::Decode;
use pavane_events::{
    Body, Domain, Entry, Envelope, Event, EventId, EventType, Instance, Record, RolloutId, Service, Source,
    Timestamp, Unreadable, UnreadableReason, Version, Zone,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What the first line of a file says that it is.
pub const FORMAT: &str = "pavane.log/1";
/// The latest time that a record may carry: the end of the year 9999.
const LATEST: i64 = 253_402_300_799_999;

/// The first line of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// `pavane.log/1`.
    pub format: String,
    /// The domain.
    pub domain: Domain,
    /// Its partition.
    pub partition: i32,
    /// The first offset that the partition held when it was written.
    pub begins: i64,
}

#[derive(Serialize, Deserialize)]
struct Line {
    offset: i64,
    at: Timestamp,
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    event: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    envelope: Option<Sheet>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    body: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unreadable: Option<Defect>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    raw: Option<Bytes>,
}

/// An envelope, field by field.
#[derive(Serialize, Deserialize)]
struct Sheet {
    id: EventId,
    source: Source,
    domain: Domain,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    time: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rollout: Option<RolloutId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    causation: Option<EventId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    service: Option<Service>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    instance: Option<Instance>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    zone: Option<Zone>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    version: Option<Version>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    boot: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sequence: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    replica: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    traceparent: Option<String>,
}

/// Why nobody can read a record.
#[derive(Serialize, Deserialize)]
struct Defect {
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    event: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<EventId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    service: Option<Service>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rollout: Option<RolloutId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    schema_id: Option<i64>,
    reason: String,
    #[serde(default)]
    field: String,
    #[serde(default)]
    detail: String,
}

/// A record's bytes as they came, in base64.
#[derive(Serialize, Deserialize)]
struct Bytes {
    key: Option<String>,
    headers: Vec<(String, Option<String>)>,
    value: Option<String>,
}

/// Writes an entry as a line, with its bytes where they are at hand.
pub fn write(entry: &Entry, raw: Option<&Raw>) -> Result<String, serde_json::Error> {
    let (offset, at, raw) = (entry.offset(), entry.at(), raw.map(bytes));
    let line = match entry {
        Entry::Event(record) => Line {
            offset,
            at,
            event: Some(record.event.body.event_type().as_str().to_owned()),
            envelope: Some(sheet(&record.event.envelope)),
            body: Some(serde_json::to_value(&record.event.body)?),
            unreadable: None,
            raw,
        },
        Entry::Unreadable(found) => {
            let unreadable = Some(defect(found));
            Line { offset, at, event: None, envelope: None, body: None, unreadable, raw }
        }
    };
    serde_json::to_string(&line)
}

/// Reads a line as an entry of this domain, or says what is wrong with it.
pub fn read(text: &str, domain: &Domain) -> Result<Entry, String> {
    let line: Line = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let (offset, at) = (line.offset, line.at);
    if offset < 0 || !(0..=LATEST).contains(&at.0) {
        return Err(format!("no record stands at offset {offset} and time {}", at.0));
    }
    match (line.event, line.envelope, line.body, line.unreadable) {
        (Some(event), Some(envelope), Some(body), None) => {
            let event = EventType::from_short(&event)
                .ok_or_else(|| format!("{event} is not an event of the vocabulary"))?;
            if envelope.domain != *domain {
                return Err(format!("it is of domain {}, and the file of {domain}", envelope.domain));
            }
            let body = Body::decode(event, Json(body)).map_err(|error| format!("its {event}: {error}"))?;
            let event = Event { envelope: envelope.into(), body };
            Ok(Entry::Event(Record { offset, at, event }))
        }
        (None, None, None, Some(found)) => unreadable(offset, at, found).map(Entry::Unreadable),
        _ => Err("a record has `type`, `envelope` and `body`, or else `unreadable`".to_owned()),
    }
}

/// The bytes of a record as its line holds them; none where it was written without. `topic` is what they are said to
/// have stood on.
pub fn raw(text: &str, topic: &str, partition: i32) -> Result<Option<Raw>, String> {
    let line: Line = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let Some(bytes) = line.raw else { return Ok(None) };
    let read = |text: Option<String>| {
        let decoded = text.map(|text| BASE64_STANDARD.decode(text)).transpose();
        decoded.map_err(|error| format!("its bytes are no base64: {error}"))
    };
    let headers: Result<_, String> =
        bytes.headers.into_iter().map(|(name, value)| Ok((name, read(value)?))).collect();
    Ok(Some(Raw {
        topic: topic.to_owned(),
        partition,
        offset: line.offset,
        at: line.at,
        key: read(bytes.key)?,
        value: read(bytes.value)?,
        headers: headers?,
    }))
}

/// A body as JSON, to be read as whatever its type says.
struct Json(Value);

impl Decode for Json {
    type Error = serde_json::Error;

    fn decode<T: DeserializeOwned>(self) -> Result<T, Self::Error> {
        serde_json::from_value(self.0)
    }
}

fn sheet(envelope: &Envelope) -> Sheet {
    let envelope = envelope.clone();
    Sheet {
        id: envelope.id,
        source: envelope.source,
        domain: envelope.domain,
        time: envelope.time,
        subject: envelope.subject,
        rollout: envelope.rollout,
        causation: envelope.causation,
        service: envelope.service,
        instance: envelope.instance,
        zone: envelope.zone,
        version: envelope.version,
        boot: envelope.boot,
        sequence: envelope.sequence,
        replica: envelope.replica,
        traceparent: envelope.traceparent,
    }
}

impl From<Sheet> for Envelope {
    fn from(sheet: Sheet) -> Self {
        Self {
            id: sheet.id,
            source: sheet.source,
            domain: sheet.domain,
            time: sheet.time,
            subject: sheet.subject,
            rollout: sheet.rollout,
            causation: sheet.causation,
            service: sheet.service,
            instance: sheet.instance,
            zone: sheet.zone,
            version: sheet.version,
            boot: sheet.boot,
            sequence: sheet.sequence,
            replica: sheet.replica,
            traceparent: sheet.traceparent,
        }
    }
}

fn defect(found: &Unreadable) -> Defect {
    Defect {
        event: found.event_type.clone(),
        id: found.id.clone(),
        service: found.service.clone(),
        rollout: found.rollout.clone(),
        schema_id: found.schema_id,
        reason: found.reason.as_str().to_owned(),
        field: found.field.clone(),
        detail: found.detail.clone(),
    }
}

fn unreadable(offset: i64, at: Timestamp, found: Defect) -> Result<Unreadable, String> {
    let reason = REASONS.into_iter().find(|reason| reason.as_str() == found.reason);
    let reason = reason.ok_or_else(|| format!("{} is no reason why a record is unreadable", found.reason))?;
    Ok(Unreadable {
        offset,
        at,
        event_type: found.event,
        id: found.id,
        service: found.service,
        rollout: found.rollout,
        schema_id: found.schema_id,
        reason,
        field: found.field,
        detail: found.detail,
    })
}

fn bytes(raw: &Raw) -> Bytes {
    let text = |bytes: &Vec<u8>| BASE64_STANDARD.encode(bytes);
    Bytes {
        key: raw.key.as_ref().map(text),
        headers: raw.headers.iter().map(|(key, value)| (key.clone(), value.as_ref().map(text))).collect(),
        value: raw.value.as_ref().map(text),
    }
}

const REASONS: [UnreadableReason; 15] = [
    UnreadableReason::ShortValue,
    UnreadableReason::BadMagic,
    UnreadableReason::BadHeader,
    UnreadableReason::TooLarge,
    UnreadableReason::UnknownSchema,
    UnreadableReason::SchemaNotAllowed,
    UnreadableReason::FingerprintMismatch,
    UnreadableReason::TypeMismatch,
    UnreadableReason::BadDatum,
    UnreadableReason::Incompatible,
    UnreadableReason::BadValue,
    UnreadableReason::NewerVocabulary,
    UnreadableReason::ForeignType,
    UnreadableReason::Misrouted,
    UnreadableReason::Unjudged,
];

#[cfg(test)]
mod tests {
    use super::*;
    use pavane_events::service::DeploymentFailed;

    #[test]
    fn an_entry_survives_the_way_there_and_back() {
        for entry in [event(), garbled()] {
            let line = write(&entry, None).unwrap();
            assert_eq!(read(&line, &domain()).unwrap(), entry, "{line}");
        }
    }

    #[test]
    fn bytes_stand_beside_what_was_read_of_them() {
        let raw = Raw {
            topic: "t".into(),
            partition: 0,
            offset: 7,
            at: Timestamp(9),
            key: Some(b"shop".to_vec()),
            value: Some(vec![0, 255]),
            headers: vec![("ce_id".into(), None)],
        };
        let text = write(&garbled(), Some(&raw)).unwrap();
        let line: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&line["raw"]["value"], &line["raw"]["headers"][0][1]), (&"AP8=".into(), &Value::Null));
        assert_eq!(super::raw(&text, "t", 0).unwrap(), Some(raw));
        assert!(super::raw(&text.replace("AP8=", "?"), "t", 0).unwrap_err().contains("no base64"));
    }

    #[test]
    fn what_is_no_record_is_told_and_never_taken() {
        let good = write(&event(), None).unwrap();
        for (bad, why) in [
            ("{".to_owned(), "EOF"),
            (good.replace("DeploymentFailed", "Healthy"), "not an event of the vocabulary"),
            (good.replace("\"domain\":\"shop\"", "\"domain\":\"other\""), "of domain other"),
            (good.replace("\"offset\":7", "\"offset\":-7"), "no record stands"),
            (good.replace("\"at\":9", "\"at\":9223372036854775807"), "no record stands"),
            (good.replace("\"id\":\"e-1\"", "\"id\":\"e 1\\u0007\""), "is not a name"),
            (good.replace("\"body\":", "\"bodies\":"), "or else `unreadable`"),
            (good.replace("\"attempts\":1", "\"attempts\":\"one\""), "invalid type"),
        ] {
            let found = read(&bad, &domain()).unwrap_err();
            assert!(found.contains(why), "{found}: {bad}");
        }
    }

    fn domain() -> Domain {
        Domain::new("shop").unwrap()
    }

    fn event() -> Entry {
        let mut envelope = Envelope::new(
            domain(),
            Source::new("/pavane/shop/users/users-0").unwrap(),
            EventId::new("e-1").unwrap(),
        );
        envelope.service = Service::new("users").ok();
        envelope.sequence = Some(3);
        let body = DeploymentFailed {
            output: "a\u{1b}[2J\n\"b\"".into(),
            attempts: 1,
            ..DeploymentFailed::default()
        };
        Entry::Event(Record { offset: 7, at: Timestamp(9), event: Event { envelope, body: body.into() } })
    }

    fn garbled() -> Entry {
        Entry::Unreadable(Unreadable {
            offset: 7,
            at: Timestamp(9),
            event_type: Some("io.pavane.lifecycle.v1.Ready".into()),
            id: None,
            service: Service::new("users").ok(),
            rollout: None,
            schema_id: Some(4),
            reason: UnreadableReason::Incompatible,
            field: "/a".into(),
            detail: "no".into(),
        })
    }
}
