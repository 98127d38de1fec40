//! Bookkeeping of the log. Services skip these; sentinels judge by them.

use serde::{Deserialize, Serialize};

use crate::command::Member;
use crate::{Cause, Evidence, Instance, Millis, PhaseId, RolloutId, Service, StepId, Timestamp, Version};

/// What a sentinel may propose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProposalKind {
    /// A step stands still.
    RolloutStalled,
    /// An event came before what must come first.
    SequenceViolated,
    /// Go back.
    RollbackRequested,
    /// Stop the clocks, because the plan says so on a stall.
    RolloutPaused,
    /// Every step is met.
    RolloutCompleted,
    /// Every service that had moved is back.
    RolloutRolledBack,
    /// A rollback that did not succeed everywhere.
    RolloutPartial,
    /// A phase is open.
    PhaseBegun,
    /// So many instances are there of which a step wants a share. It is never said: it changes state where it is
    /// accepted.
    InstancesCounted,
    /// The broker's clock leapt.
    ClockStepped,
    /// Something a newer program knows.
    #[default]
    Unknown,
}

impl ProposalKind {
    /// The short name of the event that is said when the proposal is accepted.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RolloutStalled => "RolloutStalled",
            Self::SequenceViolated => "SequenceViolated",
            Self::RollbackRequested => "RollbackRequested",
            Self::RolloutPaused => "RolloutPaused",
            Self::RolloutCompleted => "RolloutCompleted",
            Self::RolloutRolledBack => "RolloutRolledBack",
            Self::RolloutPartial => "RolloutPartial",
            Self::PhaseBegun => "PhaseBegun",
            Self::InstancesCounted => "InstancesCounted",
            Self::ClockStepped => "ClockStepped",
            Self::Unknown => "Unknown",
        }
    }
}

/// A sentinel proposes; the log accepts or voids it where it stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Proposed {
    /// What is proposed.
    pub kind: ProposalKind,
    /// The epoch of the rollout.
    pub epoch: i64,
    /// The step that it is about.
    pub step: Option<StepId>,
    /// The phase that it is about.
    pub phase: Option<PhaseId>,
    /// The attempt of the step, or of the decision.
    pub attempt: i64,
    /// The deadline that has passed, in partition time.
    pub deadline: Option<Timestamp>,
    /// The offset of the record that is cited, for a verdict that needs no deadline.
    pub cites: Option<i64>,
    /// The instance that said the cited record.
    pub instance: Option<Instance>,
    /// How many instances a step wants, where the plan asks for a share of them.
    pub count: Option<i64>,
    /// The instances that may move in a phase, where the plan asks for a share of them.
    pub cohort: Vec<Member>,
    /// The offset of the leap that is explained.
    pub leap: Option<i64>,
    /// How much of the leap was no time, in milliseconds.
    pub by_ms: Millis,
    /// The cause, as the proposer sees it.
    pub cause: Cause,
    /// What was seen.
    pub evidence: Vec<Evidence>,
}

/// A sentinel proves its sight: it appends a pulse and reads it back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Pulse {
    /// The sender's own elapsed time when it sent the pulse, in milliseconds since its start.
    pub sent_ms: Millis,
    /// Where a sidecar without a journal begins to read: the `RolloutStarted` of the oldest open rollout, or a
    /// `DomainHeld` that is in force. None when there is neither.
    pub open_from: Option<i64>,
    /// What the sentinel that speaks for the domain sees beside the log, where people are told of it.
    pub sightings: Vec<Sighting>,
}

/// What a sentinel sees beside the log and people are told of. It moves no deadline and no verdict.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Sighting {
    /// What is seen.
    pub kind: SightingKind,
    /// The rollout whose phase is watched.
    pub rollout: Option<RolloutId>,
    /// The phase that is watched.
    pub phase: Option<PhaseId>,
    /// The service that runs another version, or one that does not run with another service.
    pub service: Option<Service>,
    /// The instance that runs it.
    pub instance: Option<Instance>,
    /// The version that is reported.
    pub version: Option<Version>,
    /// The other service that runs beside it.
    pub with: Option<Service>,
    /// The version of that one.
    pub with_version: Option<Version>,
    /// The offset of the ending that left the version that is expected.
    pub cites: Option<i64>,
    /// What was seen, for a person.
    pub detail: String,
}

/// What a sentinel sees beside the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SightingKind {
    /// A phase is watched by a metric that has had no value for a while.
    MetricMissing,
    /// The metric has a value again.
    MetricBack,
    /// A phase asks for a share of the instances of a service of which nobody is heard.
    CohortUnheard,
    /// Somebody is heard again.
    CohortHeard,
    /// An instance reports another version than the last rollout of its service left.
    Drifted,
    /// It reports that version again, or is gone.
    Reconciled,
    /// Versions of two services run together that a plan does not let run together.
    Skewed,
    /// They do so no more.
    Aligned,
    /// Something a newer program knows.
    #[default]
    Unknown,
}

/// A part of a deployment went forward. It moves `why`, never a deadline.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Progress {
    /// The part: `pull`, `schedule`, `network`.
    pub part: String,
    /// Anything a person may want to know.
    pub detail: String,
}

/// The broker's clock leapt, and this much of it was no time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ClockStepped {
    /// The offset of the leap.
    pub leap: i64,
    /// How much of it was no time, in milliseconds.
    pub by_ms: Millis,
    /// The offset of the accepted proposal.
    pub accepted: i64,
}

/// What holds for the whole domain from here on. The record is the whole of it: what it does not say is as by default.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DomainConfigured {
    /// How long after a deadline a stall may be proposed, in milliseconds: 250 and the declared broker skew. A rollout
    /// keeps the one that was in force where it started.
    pub grace_ms: Millis,
    /// Who says it.
    pub by: String,
    /// How many rollbacks the sentinel may ask for by itself within `rollback_window_ms`; 3 by default, none at 0.
    pub rollback_budget: i64,
    /// The time over which they are counted, in milliseconds; an hour by default.
    pub rollback_window_ms: Millis,
    /// How long after a service was asked back to a version the sentinel does not ask it back to the same one by itself,
    /// in milliseconds; ten minutes by default.
    pub cool_down_ms: Millis,
    /// How long a rollout may stand without a running clock, and a step without a result, before people are reminded, in
    /// milliseconds; a day by default.
    pub orphan_after_ms: Millis,
    /// How long an instance must report another version than its last rollout left, or versions must be heard together
    /// that do not run together, before people are told, in milliseconds; a minute by default.
    pub drift_after_ms: Millis,
    /// Why.
    pub reason: String,
}

impl Default for DomainConfigured {
    fn default() -> Self {
        Self {
            grace_ms: 250,
            by: String::new(),
            rollback_budget: 3,
            rollback_window_ms: 3_600_000,
            cool_down_ms: 600_000,
            orphan_after_ms: 86_400_000,
            drift_after_ms: 60_000,
            reason: String::new(),
        }
    }
}

/// Who may sign what from here on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TrustChanged {
    /// The version of the trust file.
    pub version: i64,
    /// SHA-256 of the trust file, in hexadecimal.
    pub digest: String,
    /// Who says it.
    pub by: String,
}
