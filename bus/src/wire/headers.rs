//! The envelope as Kafka headers: `CloudEvents` 1.0 in binary mode.

use pavane_events::{Envelope, EventId, Instance, RolloutId, Service, UnreadableReason, Version, Zone};

use super::contract::URN;
use super::error::Defect;

/// The media type of the value.
pub const CONTENT_TYPE: &str = "content-type";
/// What `content-type` is.
pub const AVRO: &str = "application/avro";
/// The version of `CloudEvents`.
pub const SPECVERSION: &str = "ce_specversion";
/// The id of the event.
pub const ID: &str = "ce_id";
/// Who says it.
pub const SOURCE: &str = "ce_source";
/// The full name of the event's record.
pub const TYPE: &str = "ce_type";
/// When it happened by the speaker's clock.
pub const TIME: &str = "ce_time";
/// What it is about.
pub const SUBJECT: &str = "ce_subject";
/// The fingerprint of the writer's schema.
pub const DATASCHEMA: &str = "ce_dataschema";
/// The domain.
pub const PARTITIONKEY: &str = "ce_partitionkey";
/// The rollout.
pub const CORRELATIONID: &str = "ce_correlationid";
/// The event that this one reacts to.
pub const CAUSATIONID: &str = "ce_causationid";
/// The number within source, boot and domain: 19 digits, so that it sorts as text.
pub const SEQUENCE: &str = "ce_sequence";
/// The service.
pub const SERVICE: &str = "ce_pavaneservice";
/// The instance of the service.
pub const INSTANCE: &str = "ce_pavaneinstance";
/// The zone or region of the instance.
pub const ZONE: &str = "ce_pavanezone";
/// The version of the service.
pub const VERSION: &str = "ce_pavaneversion";
/// The boot of the sidecar.
pub const BOOT: &str = "ce_pavaneboot";
/// The replica of the sentinel.
pub const REPLICA: &str = "ce_pavanereplica";
/// The W3C trace context of the hop that wrote the record.
pub const TRACEPARENT: &str = "traceparent";

/// The longest header of ours that is read, in bytes.
const MAX_HEADER: usize = 1024;

/// Headers as they travel, in order.
pub type Headers = Vec<(String, Option<Vec<u8>>)>;

/// Writes the headers of one record. `ce_type` is the full name of the event's record.
pub fn write(envelope: &Envelope, ce_type: &str, dataschema: &str) -> Headers {
    let add = |mut headers: Headers, name: &str, value: &str| {
        headers.push((name.to_owned(), Some(value.as_bytes().to_vec())));
        headers
    };
    fold(envelope, ce_type, dataschema, envelope.traceparent.as_deref(), Headers::new(), add)
}

/// Adds the headers of one record in their order. The trace context is not the envelope's: each hop has its own.
pub(crate) fn fold<T>(
    envelope: &Envelope,
    ce_type: &str,
    dataschema: &str,
    traceparent: Option<&str>,
    first: T,
    mut add: impl FnMut(T, &'static str, &str) -> T,
) -> T {
    let sequence = envelope.sequence.map(|sequence| format!("{sequence:019}"));
    let all = [
        (CONTENT_TYPE, Some(AVRO)),
        (SPECVERSION, Some("1.0")),
        (ID, Some(envelope.id.as_str())),
        (SOURCE, Some(envelope.source.as_str())),
        (TYPE, Some(ce_type)),
        (TIME, envelope.time.as_deref()),
        (SUBJECT, envelope.subject.as_deref()),
        (DATASCHEMA, Some(dataschema)),
        (PARTITIONKEY, Some(envelope.domain.as_str())),
        (CORRELATIONID, envelope.rollout.as_ref().map(RolloutId::as_str)),
        (CAUSATIONID, envelope.causation.as_ref().map(EventId::as_str)),
        (SEQUENCE, sequence.as_deref()),
        (SERVICE, envelope.service.as_ref().map(Service::as_str)),
        (INSTANCE, envelope.instance.as_ref().map(Instance::as_str)),
        (ZONE, envelope.zone.as_ref().map(Zone::as_str)),
        (VERSION, envelope.version.as_ref().map(Version::as_str)),
        (BOOT, envelope.boot.as_deref()),
        (REPLICA, envelope.replica.as_deref()),
        (TRACEPARENT, traceparent),
    ];
    let present = all.into_iter().filter_map(|(name, value)| Some((name, value?)));
    present.fold(first, |headers, (name, value)| add(headers, name, value))
}

/// What the headers say besides the envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Labels {
    /// `ce_type`.
    pub(crate) ce_type: String,
    /// The fingerprint in `ce_dataschema`.
    pub(crate) fingerprint: Option<String>,
}

/// Reads the envelope and the labels; refuses what is missing, doubled, too long or malformed.
pub(crate) fn read(headers: &[(String, Option<Vec<u8>>)]) -> Result<(Envelope, Labels), Defect> {
    let found = Found(headers);
    found.expect_is(CONTENT_TYPE, AVRO)?;
    found.expect_is(SPECVERSION, "1.0")?;
    let mut envelope =
        Envelope::new(found.required(PARTITIONKEY)?, found.required(SOURCE)?, found.required(ID)?);
    envelope.time = found.plain(TIME)?;
    envelope.subject = found.plain(SUBJECT)?;
    envelope.rollout = found.parsed(CORRELATIONID)?;
    envelope.causation = found.parsed(CAUSATIONID)?;
    envelope.service = found.parsed(SERVICE)?;
    envelope.instance = found.parsed(INSTANCE)?;
    envelope.zone = found.parsed(ZONE)?;
    envelope.version = found.parsed(VERSION)?;
    envelope.boot = found.plain(BOOT)?;
    envelope.sequence = found.parsed::<Sequence>(SEQUENCE)?.map(|sequence| sequence.0);
    envelope.replica = found.plain(REPLICA)?;
    envelope.traceparent = found.parsed::<Traceparent>(TRACEPARENT)?.map(|parent| parent.0);
    let ce_type = found.plain(TYPE)?.ok_or_else(|| bad(TYPE, "is missing"))?;
    let fingerprint = found.parsed::<Fingerprint>(DATASCHEMA)?.map(|fingerprint| fingerprint.0);
    Ok((envelope, Labels { ce_type, fingerprint }))
}

/// One header as text, without judging it; for saying what a record that cannot be read claims to be.
pub(crate) fn hint<'a>(headers: &'a [(String, Option<Vec<u8>>)], name: &str) -> Option<&'a str> {
    let value = headers.iter().find(|(found, _)| found.eq_ignore_ascii_case(name))?.1.as_deref()?;
    std::str::from_utf8(value).ok().filter(|text| text.len() <= MAX_HEADER)
}

struct Found<'a>(&'a [(String, Option<Vec<u8>>)]);

impl<'a> Found<'a> {
    fn text(&self, name: &str) -> Result<Option<&'a str>, Defect> {
        let mut with_name = self.0.iter().filter(|(found, _)| found.eq_ignore_ascii_case(name));
        let Some((_, value)) = with_name.next() else { return Ok(None) };
        if with_name.next().is_some() {
            return Err(bad(name, "comes twice"));
        }
        let value = value.as_deref().ok_or_else(|| bad(name, "has no value"))?;
        if value.len() > MAX_HEADER {
            return Err(bad(name, &format!("has {} bytes, and the limit is {MAX_HEADER}", value.len())));
        }
        std::str::from_utf8(value).map(Some).map_err(|_| bad(name, "is not UTF-8"))
    }

    fn plain(&self, name: &str) -> Result<Option<String>, Defect> {
        let text = self.text(name)?;
        if text.is_some_and(|text| text.chars().any(char::is_control)) {
            return Err(bad(name, "holds a control character"));
        }
        Ok(text.map(str::to_owned))
    }

    fn parsed<T: std::str::FromStr<Err: ToString>>(&self, name: &str) -> Result<Option<T>, Defect> {
        let parse = |text: &str| {
            text.parse().map_err(|error: T::Err| bad(name, &format!("is refused: {}", error.to_string())))
        };
        self.text(name)?.map(parse).transpose()
    }

    fn required<T: std::str::FromStr<Err: ToString>>(&self, name: &str) -> Result<T, Defect> {
        self.parsed(name)?.ok_or_else(|| bad(name, "is missing"))
    }

    fn expect_is(&self, name: &str, expected: &str) -> Result<(), Defect> {
        match self.text(name)? {
            Some(text) if text.eq_ignore_ascii_case(expected) => Ok(()),
            Some(text) => Err(bad(name, &format!("is {text:?}, and {expected} is asked for"))),
            None => Err(bad(name, "is missing")),
        }
    }
}

fn bad(name: &str, what: &str) -> Defect {
    Defect::new(UnreadableReason::BadHeader, format!("the header {name} {what}"))
}

/// Decimal digits that fit 63 bits.
struct Sequence(i64);

impl std::str::FromStr for Sequence {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.bytes().all(|byte| byte.is_ascii_digit()).then_some(text);
        digits.and_then(|digits| digits.parse().ok()).map(Self).ok_or("it is no decimal number of 63 bits")
    }
}

/// `00-<32 hex>-<16 hex>-<2 hex>`, as far as its shape goes.
struct Traceparent(String);

impl std::str::FromStr for Traceparent {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts: Vec<_> = text.split('-').map(|part| is_hex(part).then_some(part.len())).collect();
        let known = matches!(parts[..], [Some(2), Some(32), Some(16), Some(2), ..]);
        known.then(|| Self(text.to_owned())).ok_or("it is no W3C trace context")
    }
}

/// What stands behind our URN.
struct Fingerprint(String);

impl std::str::FromStr for Fingerprint {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let hex = text.strip_prefix(URN).filter(|hex| hex.len() == 64 && is_hex(hex));
        hex.map(|hex| Self(hex.to_owned()))
            .ok_or("it is not urn:pavane:schema:sha256: and 64 lower-case hexadecimal digits")
    }
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}
