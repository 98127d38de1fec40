//! The topics, and how each has to be set up.
//!
//! A topic that is set up otherwise breaks verdicts in silence (a producer's clock instead of the broker's,
//! a log that forgets). So there is one table, `pavane topics apply` carries it out, and everybody who
//! connects compares it with what the broker says.

mod apply;
mod verify;

pub use apply::{ApplyOptions, TopicAction, TopicOutcome, apply_topics};
pub use verify::verify_topics;
pub(crate) use verify::{Clock, Survey, survey, theirs};

/// A topic of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Topic {
    /// The log: everything that changes a rollout, keyed by domain.
    Lifecycle,
    /// What sidecars say about themselves every second, keyed by instance.
    Heartbeats,
    /// Published choreographies, by name.
    Choreographies,
    /// The schemas that readers may trust, by fingerprint.
    Schemas,
    /// Which versions of a service completed a rollout.
    Services,
    /// What a sentinel starts from.
    Snapshots,
    /// Which alert was delivered to whom.
    Notifications,
    /// Records that could not be used, by the place where they stand.
    DeadLetters,
}

/// What a setting has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// This and nothing else.
    Exactly(&'static str),
    /// This set of comma-separated words, in any order.
    Words(&'static str),
    /// This number or more; -1 is no limit.
    AtLeast(i64),
    /// This number or less, and a limit at all.
    AtMost(i64),
}

const HOUR: i64 = 60 * 60 * 1000;
const DAY: i64 = 24 * HOUR;
const MIB: i64 = 1024 * 1024;

const BROKER_TIME: (&str, Need) = ("message.timestamp.type", Need::Exactly("LogAppendTime"));
const COMPACT: (&str, Need) = ("cleanup.policy", Need::Exactly("compact"));
const DELETE: (&str, Need) = ("cleanup.policy", Need::Exactly("delete"));

const LIFECYCLE: &[(&str, Need)] = &[
    BROKER_TIME,
    DELETE,
    ("retention.ms", Need::AtLeast(90 * DAY)),
    ("retention.bytes", Need::Exactly("-1")),
    ("max.message.bytes", Need::Exactly("1048576")),
    ("unclean.leader.election.enable", Need::Exactly("false")),
];
/// The last segment is never cleaned, so segments are short where the time to live is.
const HEARTBEATS: &[(&str, Need)] = &[
    BROKER_TIME,
    ("cleanup.policy", Need::Words("compact,delete")),
    ("retention.ms", Need::AtMost(DAY)),
    ("segment.ms", Need::AtMost(HOUR)),
];
const TABLE: &[(&str, Need)] =
    &[BROKER_TIME, COMPACT, ("unclean.leader.election.enable", Need::Exactly("false"))];
const DEAD_LETTERS: &[(&str, Need)] = &[
    BROKER_TIME,
    DELETE,
    ("retention.ms", Need::AtLeast(14 * DAY)),
    ("retention.bytes", Need::AtMost(256 * MIB)),
    ("segment.bytes", Need::AtMost(16 * MIB)),
    ("max.message.bytes", Need::Exactly("2097152")),
];

/// A topic that only the embedded broker has. By it other processes know what they talk to.
pub(crate) fn embedded_marker(prefix: &str) -> String {
    format!("{prefix}.embedded")
}

impl Topic {
    /// Every topic there is.
    pub const ALL: [Self; 8] = [
        Self::Lifecycle,
        Self::Heartbeats,
        Self::Choreographies,
        Self::Schemas,
        Self::Services,
        Self::Snapshots,
        Self::Notifications,
        Self::DeadLetters,
    ];

    /// The topic's name behind a prefix, e.g. `pavane.lifecycle`.
    pub fn name(self, prefix: &str) -> String {
        let name = match self {
            Self::Lifecycle => "lifecycle",
            Self::Heartbeats => "heartbeats",
            Self::Choreographies => "choreographies",
            Self::Schemas => "schemas",
            Self::Services => "services",
            Self::Snapshots => "snapshots",
            Self::Notifications => "notifications",
            Self::DeadLetters => "dlq",
        };
        format!("{prefix}.{name}")
    }

    /// Whether the topic keeps the newest row of each key for ever.
    pub const fn is_table(self) -> bool {
        match self {
            Self::Choreographies | Self::Schemas | Self::Services | Self::Snapshots | Self::Notifications => {
                true
            }
            Self::Lifecycle | Self::Heartbeats | Self::DeadLetters => false,
        }
    }

    /// How the topic has to be set up.
    pub(crate) const fn needs(self) -> &'static [(&'static str, Need)] {
        match self {
            Self::Lifecycle => LIFECYCLE,
            Self::Heartbeats => HEARTBEATS,
            Self::Choreographies | Self::Schemas | Self::Services | Self::Snapshots | Self::Notifications => {
                TABLE
            }
            Self::DeadLetters => DEAD_LETTERS,
        }
    }

    /// How many partitions it is made with: as many as the log where there is much, else one. One for the dead
    /// letters too, since their size cap holds for each partition.
    pub(crate) const fn partitions(self, of_the_log: i32) -> i32 {
        match self {
            Self::Lifecycle | Self::Heartbeats => of_the_log,
            Self::Choreographies
            | Self::Schemas
            | Self::Services
            | Self::Snapshots
            | Self::Notifications
            | Self::DeadLetters => 1,
        }
    }
}

impl Need {
    /// The value that `apply` writes.
    pub(crate) fn value(self) -> String {
        match self {
            Self::Exactly(value) | Self::Words(value) => value.to_owned(),
            Self::AtLeast(value) | Self::AtMost(value) => value.to_string(),
        }
    }

    /// The need in words, for an error.
    pub(crate) fn in_words(self) -> String {
        match self {
            Self::Exactly(value) | Self::Words(value) => value.to_owned(),
            Self::AtLeast(value) => format!("{value} or more"),
            Self::AtMost(value) => format!("{value} or less"),
        }
    }

    /// Whether what the broker says meets it.
    pub(crate) fn is_met_by(self, found: &str) -> bool {
        match self {
            Self::Exactly(value) => found == value,
            Self::Words(value) => words(found) == words(value),
            Self::AtLeast(least) => found.parse::<i64>().is_ok_and(|found| found == -1 || found >= least),
            Self::AtMost(most) => found.parse::<i64>().is_ok_and(|found| (0..=most).contains(&found)),
        }
    }
}

fn words(list: &str) -> std::collections::BTreeSet<&str> {
    list.split(',').map(str::trim).filter(|word| !word.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_apply_writes_is_what_verify_accepts() {
        for topic in Topic::ALL {
            for (setting, need) in topic.needs() {
                assert!(need.is_met_by(&need.value()), "{topic:?} {setting}");
            }
        }
    }

    #[test]
    fn every_topic_has_the_brokers_time() {
        for topic in Topic::ALL {
            assert!(topic.needs().contains(&BROKER_TIME), "{topic:?}");
        }
    }

    #[test]
    fn longer_than_needed_is_long_enough_and_no_limit_is_no_cap() {
        assert!(Need::AtLeast(90).is_met_by("-1"));
        assert!(Need::AtLeast(90).is_met_by("91"));
        assert!(!Need::AtLeast(90).is_met_by("89"));
        assert!(!Need::AtMost(5).is_met_by("-1"));
        assert!(Need::Words("compact,delete").is_met_by("delete, compact"));
        assert!(!Need::Words("compact,delete").is_met_by("compact"));
        assert!(!Need::Exactly("LogAppendTime").is_met_by("CreateTime"));
    }
}
