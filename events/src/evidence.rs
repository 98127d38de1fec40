//! Why a step stands still, and what was seen of it.

use serde::{Deserialize, Serialize};

use crate::{Instance, Timestamp, Version};

/// Why a step stands still. Ordered from the strongest evidence to the weakest: the weakest cause among the
/// instances that owe the event is the step's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// An explicit failure event.
    Failed,
    /// Started, alive, and the window is over.
    NotFinished,
    /// Nobody picked it up, though the sidecar is alive.
    NotStarted,
    /// It came before what must come first.
    OutOfOrder,
    /// Two rollouts, versions or identities disagree.
    Conflict,
    /// The event came and could not be read.
    ContractBroken,
    /// The sidecar has the event in its outbox still.
    Undelivered,
    /// The sidecar says that the broker has it, and the log does not hold it.
    Gap,
    /// No heartbeat around the deadline or after it.
    Unreachable,
    /// No evidence at hand.
    #[default]
    Unknown,
}

impl Cause {
    /// Every cause there is, from the strongest evidence to the weakest.
    pub const ALL: [Self; 10] = [
        Self::Failed,
        Self::NotFinished,
        Self::NotStarted,
        Self::OutOfOrder,
        Self::Conflict,
        Self::ContractBroken,
        Self::Undelivered,
        Self::Gap,
        Self::Unreachable,
        Self::Unknown,
    ];

    /// Whether a plan may let the sentinel ask for a rollback by itself on this cause.
    pub const fn allows_rollback(self) -> bool {
        matches!(self, Self::Failed | Self::NotFinished | Self::NotStarted)
    }

    /// The cause in the words of alerts, JSON and labels.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::NotFinished => "not_finished",
            Self::NotStarted => "not_started",
            Self::OutOfOrder => "out_of_order",
            Self::Conflict => "conflict",
            Self::ContractBroken => "contract_broken",
            Self::Undelivered => "undelivered",
            Self::Gap => "gap",
            Self::Unreachable => "unreachable",
            Self::Unknown => "unknown",
        }
    }
}

/// What kind of thing was seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EvidenceKind {
    /// A heartbeat of the instance.
    Heartbeat,
    /// No heartbeat where one should be.
    Silence,
    /// A failure event on the log.
    Failure,
    /// An `EventRejected` on the log.
    Rejection,
    /// A record on the log that nobody can read.
    DeadLetter,
    /// An event on the log that came out of order.
    Early,
    /// A value of a metric that a phase is watched by.
    Metric,
    /// Something a newer program knows.
    #[default]
    Unknown,
}

/// One thing that was seen, quoted in the record that it justifies.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Evidence {
    /// What kind of thing.
    pub kind: EvidenceKind,
    /// The cause that it speaks for.
    pub cause: Cause,
    /// The instance that it is about.
    pub instance: Option<Instance>,
    /// The version that the instance reports.
    pub version: Option<Version>,
    /// What the instance says it is doing.
    pub phase: String,
    /// Where it stands: the offset on the lifecycle topic, or on the heartbeats topic for a heartbeat.
    pub offset: Option<i64>,
    /// When the broker appended it, unadjusted.
    pub at: Option<Timestamp>,
    /// How many events the instance has not yet brought to the broker.
    pub outbox: i64,
    /// How many records of its domain the instance had not read.
    pub behind: i64,
    /// The value of a metric, as a decimal number; empty for any other kind.
    pub value: String,
    /// What was seen, for a person.
    pub detail: String,
}
