//! What reaches a domain's loop, from every task that works for it, in one queue.

use pavane_bus::Raw;
use pavane_choreography::Plan;
use pavane_events::{Entry, Heartbeat, RolloutId, Timestamp};
use pavane_sentinel_engine::{Alert, BlindCause, Engine, Folded, RolloutView};
use tokio::sync::oneshot;

use crate::witness::Witness;

/// How many happenings may wait for a domain's loop.
pub(crate) const QUEUE: usize = 1024;

/// Something that happened.
#[expect(clippy::large_enum_variant, reason = "nearly every happening is an entry")]
pub(crate) enum Happening {
    /// An entry of the partition was read.
    Read { entry: Entry, raw: Raw },
    /// The log was found, with the domain in this partition of so many. Comes first.
    Opened { partition: i32, partitions: i32 },
    /// There is a snapshot to go on from. Comes before anything is read.
    Resumed { engine: Box<Engine>, alerts: Vec<Alert>, last: Witness },
    /// The partition was read to the end that was seen at the start.
    CaughtUp,
    /// A heartbeat of the domain was read.
    Heartbeat { heartbeat: Heartbeat, offset: i64, at: Timestamp },
    /// A choreography was published; without a plan, withdrawn.
    Published { name: String, plan: Option<Box<Plan>> },
    /// The metrics were asked for the value of a query.
    Measured { query: String, value: Result<f64, String> },
    /// The reader, the writer or the registry failed.
    Lost(BlindCause),
    /// Somebody asks how the domain stands.
    Asked(Question),
}

impl Happening {
    /// The entry that was read, if one was.
    pub(crate) const fn entry(&self) -> Option<&Entry> {
        if let Self::Read { entry, .. } = self { Some(entry) } else { None }
    }
}

/// Somebody asks how the domain stands.
pub(crate) enum Question {
    /// The whole domain: a copy of it, for whoever asks to look at elsewhere.
    Domain(oneshot::Sender<Folded>),
    /// One rollout.
    Rollout(RolloutId, oneshot::Sender<Option<RolloutView>>),
}
