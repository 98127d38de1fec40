//! The alerts beside the fold: raised, and not yet known to be delivered to everybody.

use std::collections::BTreeMap;

use pavane_events::{EventId, Timestamp};
use pavane_sentinel_engine::{Alert, AlertStatus};
use serde::{Deserialize, Serialize};

/// The first line of a snapshot's bytes. The rest is the engine's.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Beside {
    pub(super) alerts: Vec<Kept>,
}

/// An alert as it is written.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Kept {
    id: EventId,
    #[serde(default)]
    over: bool,
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
    #[serde(default)]
    since: Option<Timestamp>,
    #[serde(default)]
    deadline: Option<Timestamp>,
    starts_at: Timestamp,
    #[serde(default)]
    ends_at: Option<Timestamp>,
}

impl From<Alert> for Kept {
    fn from(alert: Alert) -> Self {
        let Alert { id, status, labels, annotations, since, deadline, starts_at, ends_at } = alert;
        let over = status == AlertStatus::Resolved;
        Self { id, over, labels, annotations, since, deadline, starts_at, ends_at }
    }
}

impl From<Kept> for Alert {
    fn from(kept: Kept) -> Self {
        let Kept { id, over, labels, annotations, since, deadline, starts_at, ends_at } = kept;
        let status = if over { AlertStatus::Resolved } else { AlertStatus::Firing };
        Self { id, status, labels, annotations, since, deadline, starts_at, ends_at }
    }
}
