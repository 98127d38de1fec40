//! What must survive a crash: one row for each reaction, rollout and epoch.

use std::collections::{BTreeMap, BTreeSet};

use pavane_events::{EventId, Millis, RolloutId, Version};
use serde::{Deserialize, Serialize};

/// What the journal held when the sidecar started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// The rows.
    pub jobs: BTreeMap<JobKey, Job>,
    /// The offsets of the records that have been rejected.
    pub rejected: BTreeSet<i64>,
    /// The rows whose hook was cut short where it may be run once more: nothing of it had begun, or it is declared to
    /// be idempotent.
    pub repeatable: BTreeSet<JobKey>,
}

/// What a reaction is done once for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct JobKey {
    /// The rollout.
    pub rollout: RolloutId,
    /// The name of the reaction.
    pub reaction: String,
    /// The epoch of the rollout; 1 for every reaction that goes forward.
    pub epoch: i64,
}

/// How far a reaction has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// What it is done once for.
    pub key: JobKey,
    /// How far it has come.
    pub stage: Stage,
    /// The version that ran before.
    pub from: Option<Version>,
    /// The version to go back to, when it goes back.
    pub target: Option<Version>,
    /// The id of the event with which it was announced; none when nothing had to be announced.
    pub announced: Option<EventId>,
    /// The id of the event that is reacted to.
    pub causation: Option<EventId>,
    /// The attempts that were begun.
    pub attempts: u32,
    /// The boot of the sidecar that announced it; none where nothing was announced.
    #[serde(default)]
    pub boot: Option<String>,
}

/// How far a reaction has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// The announcement is in the outbox; the hook waits until it has been read back.
    Announced,
    /// The hook may have been called, and its answer is not known.
    Running,
    /// The hook has said that it works on, and may be called again for its result, or tell it by itself.
    Working {
        /// After how long it wants to be called again, in milliseconds.
        after: Millis,
        /// How much of the attempt's time was left then, in milliseconds.
        left: Millis,
    },
    /// The hook has asked to be tried again.
    Resting,
    /// The hook has done its work; the service is being looked at.
    Checking,
    /// It is over.
    Over(Ending),
}

/// How a reaction came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// All went well.
    Succeeded,
    /// The hook or a check failed.
    Failed,
    /// It would not go back.
    Refused,
    /// Nobody can say whether the hook did its work.
    Uncertain,
    /// It was no longer wanted before its hook began.
    Superseded,
    /// Another instance runs it for the whole service.
    Yielded,
    /// All had gone well, and then the service was not well any more.
    Sickened,
}

impl Ending {
    /// The ending as a metric label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Refused => "refused",
            Self::Uncertain => "uncertain",
            Self::Superseded => "superseded",
            Self::Yielded => "yielded",
            Self::Sickened => "sickened",
        }
    }
}
