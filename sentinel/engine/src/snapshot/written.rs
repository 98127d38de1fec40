//! The lines of a snapshot as they are written. Fields are added here, never changed and never taken away.

use std::collections::{BTreeMap, BTreeSet};

use pavane_events::{
    Cause, Domain, EventId, Evidence, Instance, RolloutId, Service, Source, Timestamp, Version, Zone,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::rollout::Status;
use crate::spoken::Saying;
use crate::step::{Answer, Overriding, Proof};

use super::domain;
pub(super) use super::number::{Number, Point, length};
use super::number::{is_one, one};

/// The newest format that this program reads, and the one that it writes.
pub const FORMAT: u32 = 1;

/// The first line.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Head {
    /// The format.
    pub(super) pavane_snapshot: u32,
    /// The newest rules that anything below was judged by.
    pub(super) rules: i64,
    pub(super) domain: Domain,
    /// The offset of the entry that was read last.
    pub(super) offset: i64,
}

/// Any other line: one of these. A program reads past what it does not know.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Line {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) clock: Option<Clock>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) held: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) hold_told: Option<Box<domain::Hold>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) blind: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) own: Option<Box<domain::Own>>,
    /// A plan, in front of the first rollout that dances it; and the rules that it is judged by, none for the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) plan: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) rules: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) rollout: Option<Box<Rollout>>,
    /// The places among the rollouts above of those that ended, in that order; -1 for one that is forgotten.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ended: Option<Vec<i64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) burning: Option<Box<Burning>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) owed: Option<Box<Draft>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) early: Option<Box<Record>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sequence: Option<Sequence>,
    /// Identities, 16 bytes each, in the order in which they were read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) seen: Option<String>,
    /// The last line: how many lines there are, with this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) end: Option<u64>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Clock {
    pub(super) now: Timestamp,
    pub(super) last: Option<Timestamp>,
    pub(super) adjust: Number,
    pub(super) grace: Option<Number>,
    /// Offset and length.
    pub(super) leaps: Vec<(Number, Number)>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Rollout {
    pub(super) id: RolloutId,
    /// The name of its plan: the digest, and the rules behind it where they are not the first.
    pub(super) plan: String,
    pub(super) status: Status,
    pub(super) started: Point,
    pub(super) started_raw: Timestamp,
    pub(super) begun_by: EventId,
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub(super) epoch: Number,
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub(super) attempt: Number,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) steps: Vec<Step>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) paused: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) stopped: Option<Point>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) phases: Vec<Phase>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) closes: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) pending: Option<Pending>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) ended: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) decision: Option<Number>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) verdicts: Vec<Verdict>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Step {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) words: Vec<Word>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) anchor: Option<Point>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) full: Option<Point>,
    /// How often it was judged already: its attempt less 1.
    #[serde(skip_serializing_if = "is_default")]
    pub(super) attempts: Number,
    #[serde(skip_serializing_if = "is_default")]
    pub(super) overridden: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) overridden_by: Option<Overriding>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) stall: Option<Stall>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) rejection: Option<Rejection>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) taint: Option<(Number, String)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) taint_schema: Option<i64>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) taint_field: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) violation: Option<Violation>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) turn: Option<Point>,
    #[serde(skip_serializing_if = "is_default")]
    pub(super) turns: Number,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) answers: BTreeMap<Instance, Answer>,
    #[serde(skip_serializing_if = "is_default")]
    pub(super) goes_back: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) counted: Option<u32>,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub(super) members: BTreeSet<Instance>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Word {
    pub(super) by: Instance,
    pub(super) said: Saying,
    pub(super) offset: Number,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) moved: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) version: Option<Version>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) from: Option<Version>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) detail: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) exit: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) boot: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) sequence: Option<i64>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Stall {
    pub(super) proof: Proof,
    pub(super) cause: Cause,
    pub(super) raw: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) missing: Option<String>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) in_hand: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) metric: Option<Evidence>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Rejection {
    pub(super) offset: Number,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) unread: Option<Number>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) instance: Option<Instance>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) producer: Option<Service>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) schema_id: Option<i64>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) field: String,
    pub(super) detail: String,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Violation {
    pub(super) offset: Number,
    pub(super) instance: Instance,
    pub(super) missing: Vec<String>,
    pub(super) accepted: bool,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Phase {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) begun: Option<Point>,
    /// How often its gate was rejected.
    #[serde(skip_serializing_if = "is_default")]
    pub(super) rejected: Number,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) approved: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) missing: Option<String>,
    #[serde(skip_serializing_if = "is_default")]
    pub(super) unheard: bool,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Pending {
    /// The short name of the event that will say it.
    pub(super) event: String,
    pub(super) accepted: Number,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) step: Option<usize>,
    pub(super) id: EventId,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Verdict {
    pub(super) kind: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) step: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) gate: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) cause: Option<Cause>,
    pub(super) offset: Number,
}

/// An alert that burns.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Burning {
    /// The place of its rollout among those above.
    pub(super) rollout: usize,
    /// What it is about, in a word.
    pub(super) concern: String,
    /// The place of the step or phase.
    pub(super) of: usize,
    pub(super) id: EventId,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) annotations: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) since: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) deadline: Option<Timestamp>,
    pub(super) starts_at: Timestamp,
}

/// What was decided and is not yet said.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Draft {
    pub(super) id: EventId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) rollout: Option<RolloutId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) causation: Option<EventId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) service: Option<Service>,
    pub(super) event: String,
    pub(super) body: Value,
}

/// An event of a rollout that has not started.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) offset: Number,
    pub(super) at: Timestamp,
    pub(super) id: EventId,
    pub(super) source: Source,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) time: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) subject: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) rollout: Option<RolloutId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) causation: Option<EventId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) service: Option<Service>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) instance: Option<Instance>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) zone: Option<Zone>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) version: Option<Version>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) boot: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) sequence: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) replica: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) traceparent: Option<String>,
    pub(super) event: String,
    pub(super) body: Value,
}

/// How far a source has counted its events.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Sequence {
    pub(super) source: Source,
    pub(super) boot: String,
    pub(super) number: u64,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) skipped: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) left_out: Option<(Number, Number)>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) unreadable: Number,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) before: Option<String>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) forked: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) read: Number,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
