//! What can go wrong between us, the broker and the registry; each with its place and the next step.

use std::path::PathBuf;

use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use crate::registry::RegistryError;
use crate::wire::{ContractError, EncodeError, SchemaRefused};

/// Why the bus could not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The broker does not answer.
    #[error(
        "reach Kafka at {kafka} ({doing}): {why}; check the address, the network and the TLS or SASL settings"
    )]
    Unreachable {
        /// The bootstrap addresses.
        kafka: String,
        /// What was being asked.
        doing: &'static str,
        /// What the client said, as precisely as it did.
        why: String,
        /// The error of the request itself.
        source: Box<KafkaError>,
    },
    /// A client setting is not one, or one that is not for users to change.
    #[error("use the Kafka client setting `{key}`: {why}")]
    Setting {
        /// The name of the setting.
        key: String,
        /// What is wrong with it, and what to do.
        why: String,
    },
    /// A line of a client settings file cannot be understood.
    #[error("read {file}, line {line}: {why}")]
    SettingsFile {
        /// The file.
        file: String,
        /// The line, from 1.
        line: usize,
        /// What is wrong, and what is expected.
        why: String,
    },
    /// A file with a secret or a certificate cannot be read.
    #[error("read {path} (named by `{key}`): {source}")]
    SecretFile {
        /// The setting that names the file.
        key: String,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A client could not be made from its settings.
    #[error("make the Kafka client for {purpose}: {source}")]
    Client {
        /// What it was for.
        purpose: String,
        /// What the library said.
        source: KafkaError,
    },
    /// A thread could not be started.
    #[error("start the thread {name}: {source}")]
    Thread {
        /// The name of the thread.
        name: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// A topic is not there.
    #[error("find the topic {topic}: it does not exist; run `pavane topics apply`")]
    TopicMissing {
        /// The topic.
        topic: String,
    },
    /// A topic is not set up as the log needs it.
    #[error("trust the topic {topic}: {setting} is {found}, expected {expected}; run `pavane topics apply`")]
    TopicConfig {
        /// The topic.
        topic: String,
        /// The setting.
        setting: String,
        /// What the log needs.
        expected: String,
        /// What the broker says, or what a record shows.
        found: String,
    },
    /// The broker refused to create or change a topic, or to say how it is set up.
    #[error("{doing} the topic {topic}: {why}")]
    TopicAdmin {
        /// The topic.
        topic: String,
        /// `create`, `alter` or `describe`.
        doing: &'static str,
        /// What the broker said.
        why: String,
    },
    /// The record is surely not on the log.
    #[error("append to {topic}/{partition}: {source}; the record is not on the log")]
    Append {
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
        /// What the client said.
        source: KafkaError,
    },
    /// The record may or may not be on the log: append it again with the same id, readers drop the second.
    #[error("learn whether {topic}/{partition} took the record: {why}; append it again with the same id")]
    OutcomeUnknown {
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
        /// What the client said.
        why: String,
    },
    /// The producer can append nothing any more; the process has to start anew.
    #[error("append to {topic}: the producer has failed for good ({why}); restart the process")]
    ProducerDead {
        /// The topic.
        topic: String,
        /// What the client said.
        why: String,
    },
    /// Appended records were still unanswered when the time was up.
    #[error("flush {unanswered} records within {limit_ms} ms: {source}")]
    Flush {
        /// How many records the broker has not answered for.
        unanswered: i32,
        /// The time that was given, in milliseconds.
        limit_ms: u128,
        /// What the client said.
        source: KafkaError,
    },
    /// The broker does not let us do it. It may again as soon as somebody grants the right.
    #[error(
        "use {what}: the broker does not allow it ({source}); grant what docs/operations.md says that each program needs"
    )]
    Denied {
        /// The topic, with its partition where there is one.
        what: String,
        /// What the client said.
        source: KafkaError,
    },
    /// Reading met an error; the next call goes on where it stands.
    #[error("read {topic}: {source}")]
    Read {
        /// The topic, with its partition where there is one.
        topic: String,
        /// What the client said.
        source: KafkaError,
    },
    /// The log does not hold the offset that was to be read next. It stays so until another offset is sought.
    #[error(
        "read {topic}/{partition} at offset {offset}: the log does not hold it (any more); \
         retention was shorter than the absence, or the topic was made anew"
    )]
    HistoryLost {
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
        /// The offset that was asked for.
        offset: i64,
    },
    /// A record came that stands before what was read already: the log is not the one that was read.
    #[error("go on reading {topic}/{partition}: offset {expected} was to come next, and offset {found} came")]
    LogRewound {
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
        /// The offset that was to be read next, or one after it.
        expected: i64,
        /// The offset that came.
        found: i64,
    },
    /// A schema that this program writes by is not in the registry.
    #[error(
        "find the schema {subject} in the registry: it is not there in this form; run `pavane schemas push`"
    )]
    SchemaMissing {
        /// The subject.
        subject: String,
    },
    /// The registry is away or answers with an error of its own; the same call may succeed later.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// An event cannot be written.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// A JSON body does not fit the schema of its event.
    #[error(transparent)]
    Contract(#[from] ContractError),
    /// A service has published a schema that nothing may be written by.
    #[error(transparent)]
    Schema(#[from] SchemaRefused),
    /// A thread that reads for us has ended.
    #[error("go on with {what}: its thread has ended ({why}); restart the process")]
    Stopped {
        /// Whose thread it was.
        what: String,
        /// Why it ended.
        why: String,
    },
}

impl Error {
    /// What it is that reading met an error.
    pub(crate) fn reading(topic: String, source: KafkaError) -> Self {
        if is_denial(&source) { Self::Denied { what: topic, source } } else { Self::Read { topic, source } }
    }

    /// Whether the registry serves something else under an id than what is known to be there.
    pub const fn is_tamper(&self) -> bool {
        matches!(self, Self::Registry(RegistryError::Tampered { .. }))
    }

    /// Whether the same call may succeed later without anyone changing a setting.
    pub const fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. }
            | Self::OutcomeUnknown { .. }
            | Self::Append { .. }
            | Self::Flush { .. }
            | Self::Denied { .. }
            | Self::Read { .. } => true,
            Self::Registry(error) => error.is_transient(),
            Self::Setting { .. }
            | Self::SettingsFile { .. }
            | Self::SecretFile { .. }
            | Self::Client { .. }
            | Self::Thread { .. }
            | Self::TopicMissing { .. }
            | Self::TopicConfig { .. }
            | Self::TopicAdmin { .. }
            | Self::ProducerDead { .. }
            | Self::HistoryLost { .. }
            | Self::LogRewound { .. }
            | Self::SchemaMissing { .. }
            | Self::Encode(_)
            | Self::Contract(_)
            | Self::Schema(_)
            | Self::Stopped { .. } => false,
        }
    }

    /// The class of the error: the label `error.type` of metrics and spans.
    pub const fn class(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } => "unreachable",
            Self::Denied { .. } => "denied",
            Self::Setting { .. } | Self::SettingsFile { .. } | Self::SecretFile { .. } => "settings",
            Self::Client { .. } => "client",
            Self::Thread { .. } | Self::Stopped { .. } => "stopped",
            Self::TopicMissing { .. } => "topic_missing",
            Self::TopicConfig { .. } => "topic_config",
            Self::TopicAdmin { .. } => "topic_admin",
            Self::Append { .. } => "append_refused",
            Self::OutcomeUnknown { .. } => "outcome_unknown",
            Self::ProducerDead { .. } => "producer_dead",
            Self::Flush { .. } => "flush",
            Self::Read { .. } => "read",
            Self::HistoryLost { .. } => "history_lost",
            Self::LogRewound { .. } => "log_rewound",
            Self::SchemaMissing { .. } | Self::Registry(_) => "registry",
            Self::Encode(_) | Self::Contract(_) | Self::Schema(_) => "contract",
        }
    }
}

/// Whether the broker knows who asks and does not allow it.
pub(crate) fn is_denial(error: &KafkaError) -> bool {
    let denials = [
        RDKafkaErrorCode::TopicAuthorizationFailed,
        RDKafkaErrorCode::GroupAuthorizationFailed,
        RDKafkaErrorCode::ClusterAuthorizationFailed,
    ];
    error.rdkafka_error_code().is_some_and(|code| denials.contains(&code))
}
