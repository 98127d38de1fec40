//! What the shell must carry out: orders.

use std::collections::BTreeMap;
use std::sync::Arc;

use pavane_events::{Body, EventId, RolloutId, Service, ServiceRow, Timestamp};

use crate::input::BlindCause;
use crate::rollout::Status;

/// One thing to do. An effect that is not carried out is lost.
///
/// Most are counts, and they are handed over in lists: whatever is large lies apart.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Append an event to the domain's partition. Shared with the engine, which keeps what it owes until it is read back.
    Append(Arc<Draft>),
    /// Tell people. Raised on every replica and in replay too, always with the same id and text: whoever
    /// delivers looks first at what was delivered already.
    Raise(Box<Alert>),
    /// Set a record that nobody can read aside.
    DeadLetter {
        /// Its place in the partition.
        offset: i64,
    },
    /// The sentinel cannot see the domain: tell people straight away, by another way than the log.
    Blind {
        /// Why.
        cause: BlindCause,
        /// What to tell.
        alert: Box<Alert>,
    },
    /// The sentinel sees the domain again.
    Sighted {
        /// What to tell.
        alert: Box<Alert>,
    },
    /// Ask the metrics for the value of a query, and bring it as [`Input::Measured`](crate::Input::Measured). It is
    /// asked again when it is wanted again.
    Measure {
        /// The query in the language of Prometheus.
        query: String,
    },
    /// Write the row of a service to the table of services; the newest counts. All rows are handed out again to whoever
    /// begins to speak, so one that is lost is written by the next.
    Remember(Box<ServiceRow>),
    /// A rollout ended.
    Ended(Box<Ended>),
    /// Something to count.
    Count(Counter),
}

/// An event to append. Everything else of its envelope is the shell's.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    /// Its id; none where any unique one will do.
    pub id: Option<EventId>,
    /// The rollout that it is about.
    pub rollout: Option<RolloutId>,
    /// The event that it follows from.
    pub causation: Option<EventId>,
    /// The service that it is about.
    pub service: Option<Service>,
    /// What it says.
    pub body: Body,
}

/// Something that people must know, or need no longer worry about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    /// The id of the decision that it tells: the same on every replica.
    pub id: EventId,
    /// Whether it burns.
    pub status: AlertStatus,
    /// What it is about: `alertname`, `domain`, `rollout`, `step`, `service`, `cause`, `severity`, `owner`.
    pub labels: BTreeMap<String, String>,
    /// What to know and to do: `summary`, `description`, `runbook_url`, `missing`, `since`, `evidence`, …
    pub annotations: BTreeMap<String, String>,
    /// When the step's window began, in partition time.
    pub since: Option<Timestamp>,
    /// When the step's window ended, in partition time.
    pub deadline: Option<Timestamp>,
    /// When the alert began: the broker's time of the accepted proposal.
    pub starts_at: Timestamp,
    /// When it was resolved: the broker's time of the record that resolved it.
    pub ends_at: Option<Timestamp>,
}

/// Whether an alert burns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AlertStatus {
    /// It burns.
    Firing,
    /// It is over.
    Resolved,
}

impl AlertStatus {
    /// The status as Alertmanager writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Firing => "firing",
            Self::Resolved => "resolved",
        }
    }
}

/// How a rollout ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// The rollout.
    pub rollout: RolloutId,
    /// The name of its choreography, which all that dance it share.
    pub choreography: Arc<str>,
    /// The end.
    pub status: Status,
    /// When it started: the broker's time of its `RolloutStarted`.
    pub started: Timestamp,
    /// When it ended: the broker's time of the record that ended it.
    pub ended: Timestamp,
}

/// Something to count. None of it carries a rollout id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Counter {
    /// A proposal that the log accepted.
    ProposalAccepted(&'static str),
    /// A proposal that the log voided: harmless.
    ProposalVoid(&'static str),
    /// An accepted decision whose ground was taken before it was said.
    Withdrawn(&'static str),
    /// A verdict, by its cause.
    Verdict(&'static str, &'static str),
    /// A record whose identity was read before.
    Duplicate,
    /// An event of a rollout that is not known.
    Stranger,
    /// An event that came too late, by what it came after: `after_stall`, `after_decision`, `after_end`.
    Late(&'static str),
    /// An event that would start a plan of which a rollout is under way.
    TriggerRepeated,
    /// A record that cannot be read, by its reason.
    Unreadable(&'static str),
}
