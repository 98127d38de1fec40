//! What can happen to an engine: facts, in the past tense.

use pavane_choreography::Plan;
use pavane_events::{Entry, Heartbeat, Timestamp};

/// One thing that happened.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "nearly every input is an entry of the log")]
pub enum Input {
    /// An entry of the domain's partition was read, in order.
    Read(Entry),
    /// A heartbeat was read.
    Heartbeat {
        /// What it says.
        heartbeat: Heartbeat,
        /// Where it stands on the heartbeats topic.
        offset: i64,
        /// When the broker appended it.
        at: Timestamp,
    },
    /// A choreography was published, or withdrawn: the latest word of its name. Only its trigger matters here.
    Published {
        /// The name of the choreography.
        name: String,
        /// The plan; none when it was withdrawn.
        plan: Option<Box<Plan>>,
    },
    /// The answer to an [`Effect::Measure`](crate::Effect::Measure).
    Measured {
        /// The query, as it was asked for.
        query: String,
        /// The value; why there is none otherwise, for a person.
        value: Result<f64, String>,
    },
    /// The partition was read to the end that was seen at the start. Nothing is proposed or said before.
    CaughtUp,
    /// Whether this replica owns the partition, and so speaks first.
    Speaks(bool),
    /// The reader, the writer or the registry failed; the next entry that is read ends it.
    Lost(BlindCause),
    /// Time went by.
    Tick,
}

/// Why a sentinel cannot see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum BlindCause {
    /// A pulse was not read back in time.
    NoSight,
    /// The broker does not answer.
    Broker,
    /// Kafka does not let the sentinel read or write its log.
    Denied,
    /// The registry does not answer.
    Registry,
    /// The registry serves another schema under an id than the one that is known to be there.
    RegistryTamper,
    /// The topic does not stamp records with the broker's time.
    TopicConfig,
    /// The log no longer holds what would have to be read next.
    HistoryLost,
    /// Another record stands where one was read: the topic was made anew.
    LogReplaced,
    /// The log ends before what was read of it.
    LogRewound,
    /// The log has another number of partitions, and a domain may lie in another one.
    PartitionsChanged,
    /// An event of our namespace that this program does not know.
    NewerVocabulary,
    /// A rollout that is judged by rules that this program does not know.
    NewerRules,
}

impl BlindCause {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::NoSight,
        Self::Broker,
        Self::Denied,
        Self::Registry,
        Self::RegistryTamper,
        Self::TopicConfig,
        Self::HistoryLost,
        Self::LogReplaced,
        Self::LogRewound,
        Self::PartitionsChanged,
        Self::NewerVocabulary,
        Self::NewerRules,
    ];

    /// The cause in the words of alerts and labels.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoSight => "no_sight",
            Self::Broker => "broker",
            Self::Denied => "denied",
            Self::Registry => "registry",
            Self::RegistryTamper => "registry_tamper",
            Self::TopicConfig => "topic_config",
            Self::HistoryLost => "history_lost",
            Self::LogReplaced => "log_replaced",
            Self::LogRewound => "log_rewound",
            Self::PartitionsChanged => "partitions_changed",
            Self::NewerVocabulary => "newer_vocabulary",
            Self::NewerRules => "newer_rules",
        }
    }

    /// Whether reading on cannot heal it: only a newer program, or an operator, can.
    pub const fn lasts(self) -> bool {
        match self {
            Self::NewerVocabulary
            | Self::NewerRules
            | Self::HistoryLost
            | Self::LogReplaced
            | Self::LogRewound
            | Self::PartitionsChanged => true,
            Self::NoSight
            | Self::Broker
            | Self::Denied
            | Self::Registry
            | Self::RegistryTamper
            | Self::TopicConfig => false,
        }
    }
}
