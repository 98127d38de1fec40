//! What can go wrong between bytes and events, each with the place and the next step.

use std::fmt;

use pavane_events::UnreadableReason;

/// One thing that is wrong with a JSON body or with a pair of schemas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// JSON pointer of the field; empty for the whole; `*` stands for any element of an array or map.
    pub pointer: String,
    /// What is wrong, for a person.
    pub message: String,
    /// What to do; empty where the message says it.
    pub help: String,
}

impl Finding {
    /// About the whole of what is looked at.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { pointer: String::new(), message: message.into(), help: String::new() }
    }

    pub(crate) fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = help.into();
        self
    }

    /// The same, seen from one level up: `step` is the field or the place that leads here.
    pub(crate) fn under(mut self, step: impl fmt::Display) -> Self {
        let step = step.to_string().replace('~', "~0").replace('/', "~1");
        self.pointer = format!("/{step}{}", self.pointer);
        self
    }
}

impl From<pavane_contracts::Difference> for Finding {
    fn from(difference: pavane_contracts::Difference) -> Self {
        let pavane_contracts::Difference { field, message, help, .. } = difference;
        Self { pointer: field, message, help }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pointer = if self.pointer.is_empty() { "the whole" } else { &self.pointer };
        write!(f, "{pointer}: {}", self.message)?;
        if self.help.is_empty() { Ok(()) } else { write!(f, " ({})", self.help) }
    }
}

/// A JSON body does not fit its schema; every finding, not only the first.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("fit the body into {record}: {}", listed(.findings))]
pub struct ContractError {
    /// The full name of the record.
    pub record: String,
    /// Every finding, in the order of the body.
    pub findings: Vec<Finding>,
}

fn listed(findings: &[Finding]) -> String {
    findings.iter().map(Finding::to_string).collect::<Vec<_>>().join("; ")
}

fn told(defects: &[pavane_contracts::Defect]) -> String {
    defects.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// A schema that nothing may be read or written by.
#[derive(Debug, thiserror::Error)]
pub enum SchemaRefused {
    /// The text is longer than a schema may be.
    #[error("take a schema of {bytes} bytes: the limit is {limit}")]
    TooLarge {
        /// Its length.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// The text is not an Avro schema.
    #[error("parse the schema: correct it and register it again")]
    Invalid(#[source] Box<apache_avro::Error>),
    /// A named type contains itself: a few bytes could then nest without end.
    #[error("take the schema: {name} contains itself; lifecycle events are flat, so remove the recursion")]
    Recursive {
        /// The named type.
        name: String,
    },
    /// The library takes it, and other readers would not.
    #[error("take the schema: {}", told(.defects))]
    Defective {
        /// Each defect with its place.
        defects: Vec<pavane_contracts::Defect>,
    },
    /// Nested deeper than a lifecycle event may be.
    #[error("take the schema: it nests deeper than {limit} levels; flatten it")]
    TooDeep {
        /// The limit.
        limit: usize,
    },
    /// Items that take no bytes: a few bytes could then claim any number of them.
    #[error("take the schema: an array's items take no bytes; give them a type with content")]
    ZeroWidthItems,
    /// Not a record at the top.
    #[error("take the schema: an event is a record, and this is not one")]
    NotARecord,
    /// Needs other subjects of the registry.
    #[error("take the schema: it refers to other subjects; repeat their types inline")]
    References,
    /// Not Avro.
    #[error("take the schema: it is {found}, and events are AVRO")]
    NotAvro {
        /// The type that the registry names.
        found: String,
    },
}

/// An event that cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    /// The body does not fit the embedded schema of its event.
    #[error("encode {record}: the program and its embedded schema disagree; report this as a defect")]
    Body {
        /// The full name of the record.
        record: String,
        /// What the encoder says.
        #[source]
        source: Box<apache_avro::Error>,
    },
    /// The value is larger than the topic takes.
    #[error("encode {record}: {bytes} bytes, and the limit is {limit}; shorten its texts")]
    TooLarge {
        /// The full name of the record.
        record: String,
        /// Its length.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
}

/// Why one record cannot be read; becomes an `Unreadable` with the record's place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("read the record: {}: {detail}", .reason.as_str())]
pub struct Defect {
    /// The class of the defect.
    pub reason: UnreadableReason,
    /// JSON pointer of the field that differs, where there is one.
    pub field: String,
    /// What is wrong, for a person.
    pub detail: String,
}

impl Defect {
    pub(crate) fn new(reason: UnreadableReason, detail: impl Into<String>) -> Self {
        Self { reason, field: String::new(), detail: detail.into() }
    }

    pub(crate) fn at(reason: UnreadableReason, finding: Finding) -> Self {
        let Finding { pointer, message, help } = finding;
        let detail = if help.is_empty() { message } else { format!("{message} ({help})") };
        Self { reason, field: pointer, detail }
    }
}
