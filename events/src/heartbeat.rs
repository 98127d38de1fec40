//! What a sidecar says about itself every second, on a topic that sentinels alone read.

use serde::{Deserialize, Serialize};

use crate::{Domain, Instance, RolloutId, Service, Version, Zone};

/// A sidecar's heartbeat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// The domain of the service.
    pub domain: Domain,
    /// The service that the sidecar stands beside.
    pub service: Service,
    /// The instance of the service.
    pub instance: Instance,
    /// The zone or region that the instance runs in.
    #[serde(default)]
    pub zone: Option<Zone>,
    /// The boot of the sidecar.
    pub boot: String,
    /// The version that the service was last seen to run.
    pub version: Option<Version>,
    /// What the sidecar is doing: `idle`, `announced`, `waiting` (for its turn: as many instances as may move at the
    /// same time are at it), `hook`, `readiness`, `reverting`, `done`, `failed`, `draining`.
    pub phase: String,
    /// The rollout that it takes part in.
    pub rollout: Option<RolloutId>,
    /// The highest `ce_sequence` that the broker acknowledged in this boot; 0 before the first.
    pub acknowledged: i64,
    /// How many events wait for the broker.
    pub outbox: i64,
    /// The offset up to which it has read the domain's partition; -1 before the first record.
    pub position: i64,
}
