//! What a service says, through its sidecar, CI or a deploy tool.
//!
//! Service, instance and version stand in the envelope; the bodies hold what is said beyond that.

use serde::{Deserialize, Serialize};

use crate::{Service, Version};

/// A prerequisite is there: a schema, a migration, a cache.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Ready {
    /// What is ready, e.g. `schema-v2`.
    pub prerequisite: String,
    /// Anything a person may want to know.
    pub detail: String,
}

/// The service has picked the rollout up and begins to change itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DeploymentStarted {
    /// The version that runs before; what a rollback goes back to.
    pub from: Option<Version>,
    /// The version that is asked for.
    pub to: Option<Version>,
}

/// The new version runs and has passed its checks. The version stands in the envelope, as observed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DeploymentComplete {
    /// The version that ran before.
    pub from: Option<Version>,
    /// How long the hook and the checks took, in milliseconds.
    pub took_ms: i64,
}

/// The service could not reach the new version, or fell ill after it had.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DeploymentFailed {
    /// Where it failed: `hook`, `readiness`, `version`.
    pub stage: String,
    /// Why, for a person.
    pub reason: String,
    /// The exit code of an exec hook.
    pub exit_code: Option<i64>,
    /// The last lines that the hook wrote, or the body of the hook's answer; at most 4 KiB.
    pub output: String,
    /// How often the hook was tried.
    pub attempts: i64,
}

/// The old version has ended its work and takes no more.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Drained {
    /// Anything a person may want to know.
    pub detail: String,
}

/// The service begins to go back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RollbackInitiated {
    /// The epoch of the rollback.
    pub epoch: i64,
    /// The version that runs.
    pub from: Option<Version>,
    /// The version to go back to.
    pub to: Option<Version>,
}

/// The service is back on the version that it was asked to go back to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RollbackComplete {
    /// The epoch of the rollback.
    pub epoch: i64,
    /// How long it took, in milliseconds; 0 when it was there already.
    pub took_ms: i64,
}

/// The service could not go back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RollbackFailed {
    /// The epoch of the rollback.
    pub epoch: i64,
    /// Why, for a person.
    pub reason: String,
    /// The exit code of an exec hook.
    pub exit_code: Option<i64>,
    /// The last lines that the hook wrote; at most 4 KiB.
    pub output: String,
}

/// The service will not go back: it runs a version that the request does not expect.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RollbackRefused {
    /// The epoch of the rollback.
    pub epoch: i64,
    /// The version that the request expected.
    pub expected: Option<Version>,
    /// The version that runs.
    pub observed: Option<Version>,
    /// Why, for a person.
    pub reason: String,
}

/// An event that this service depends on came, and it cannot read it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct EventRejected {
    /// The service that said the event.
    pub producer: Option<Service>,
    /// The short name of the event, e.g. `Ready`.
    pub event: String,
    /// Where it stands on the lifecycle topic.
    pub partition: i64,
    /// Where it stands on the lifecycle topic.
    pub offset: i64,
    /// The schema id that it carries.
    pub schema_id: Option<i64>,
    /// The class of the defect, e.g. `incompatible`.
    pub reason: String,
    /// JSON pointer of the field that differs.
    pub field: String,
    /// What is wrong, for a person.
    pub detail: String,
}

/// A hook was cut short and nobody can say whether it did its work.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HookUncertain {
    /// The reaction whose hook it was, e.g. `user-db.Ready`.
    pub reaction: String,
    /// The version that was expected after it.
    pub expected: Option<Version>,
    /// The version that runs.
    pub observed: Option<Version>,
    /// What to do, for a person.
    pub detail: String,
}
