//! An event, and an event as it stands on the log.

use crate::{Body, Envelope, EventId, RolloutId, Service, Timestamp};

/// Something that was said: who, about what, and what.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Who says it, about which rollout, caused by what.
    pub envelope: Envelope,
    /// What is said.
    pub body: Body,
}

/// An event as it stands on the log.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Its place in the domain's partition.
    pub offset: i64,
    /// When the broker appended it.
    pub at: Timestamp,
    /// What was said.
    pub event: Event,
}

/// A record whose value cannot be read. It is never dropped in silence: it may be the very event that is awaited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// Its place in the domain's partition.
    pub offset: i64,
    /// When the broker appended it.
    pub at: Timestamp,
    /// The type that its header names, as it stands there.
    pub event_type: Option<String>,
    /// Its id, when the header could be read.
    pub id: Option<EventId>,
    /// Who said it, when the header could be read.
    pub service: Option<Service>,
    /// Which rollout it is about, when the header could be read.
    pub rollout: Option<RolloutId>,
    /// The schema id in its first five bytes.
    pub schema_id: Option<i64>,
    /// The class of the defect.
    pub reason: UnreadableReason,
    /// JSON pointer of the field that differs, where there is one.
    pub field: String,
    /// What is wrong, for a person.
    pub detail: String,
}

/// The class of a record's defect; the label of the metric and of the dead letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum UnreadableReason {
    /// No value at all, or fewer than the five bytes of the wire format.
    ShortValue,
    /// The first byte is not the magic byte of the wire format.
    BadMagic,
    /// A header that every event carries is missing or malformed.
    BadHeader,
    /// The value is larger than the limit.
    TooLarge,
    /// The registry does not know the schema id.
    UnknownSchema,
    /// The schema is not one that readers have been told of.
    SchemaNotAllowed,
    /// The schema behind the id is not the one that the header names.
    FingerprintMismatch,
    /// The schema is of another event than the header says.
    TypeMismatch,
    /// The bytes are not a datum of the schema, or claim more than they hold.
    BadDatum,
    /// The datum is sound, yet cannot be read as the event that it claims to be.
    Incompatible,
    /// A value is out of its bounds.
    BadValue,
    /// A type of our namespace that this program does not know.
    NewerVocabulary,
    /// A type outside our namespace.
    ForeignType,
    /// The record is in the wrong partition, or its key is another domain.
    Misrouted,
    /// It can be read, and the condition of a reaction that waits for it cannot be judged by what it says.
    Unjudged,
}

impl UnreadableReason {
    /// Every reason there is.
    pub const ALL: [Self; 15] = [
        Self::ShortValue,
        Self::BadMagic,
        Self::BadHeader,
        Self::TooLarge,
        Self::UnknownSchema,
        Self::SchemaNotAllowed,
        Self::FingerprintMismatch,
        Self::TypeMismatch,
        Self::BadDatum,
        Self::Incompatible,
        Self::BadValue,
        Self::NewerVocabulary,
        Self::ForeignType,
        Self::Misrouted,
        Self::Unjudged,
    ];

    /// The reason as a metric label and a dead letter's header.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ShortValue => "short_value",
            Self::BadMagic => "bad_magic",
            Self::BadHeader => "bad_header",
            Self::TooLarge => "too_large",
            Self::UnknownSchema => "unknown_schema",
            Self::SchemaNotAllowed => "schema_not_allowed",
            Self::FingerprintMismatch => "fingerprint_mismatch",
            Self::TypeMismatch => "type_mismatch",
            Self::BadDatum => "bad_datum",
            Self::Incompatible => "incompatible",
            Self::BadValue => "bad_value",
            Self::NewerVocabulary => "newer_vocabulary",
            Self::ForeignType => "foreign_type",
            Self::Misrouted => "misrouted",
            Self::Unjudged => "unjudged",
        }
    }
}

/// What stands at one offset of the domain's partition.
#[expect(clippy::large_enum_variant, reason = "nearly every entry is an event")]
#[derive(Clone, Debug, PartialEq)]
pub enum Entry {
    /// An event that can be read.
    Event(Record),
    /// One that cannot.
    Unreadable(Unreadable),
}

impl Entry {
    /// The place in the partition.
    pub const fn offset(&self) -> i64 {
        match self {
            Self::Event(record) => record.offset,
            Self::Unreadable(unreadable) => unreadable.offset,
        }
    }

    /// When the broker appended it.
    pub const fn at(&self) -> Timestamp {
        match self {
            Self::Event(record) => record.at,
            Self::Unreadable(unreadable) => unreadable.at,
        }
    }
}
