//! What the sentinel says, each with the offset at which the log accepted it.

use serde::{Deserialize, Serialize};

use crate::{Cause, EventId, Evidence, Instance, Service, StepId, Timestamp};

/// A step stands still.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RolloutStalled {
    /// The epoch of the rollout.
    pub epoch: i64,
    /// The step.
    pub step: StepId,
    /// The attempt of the step.
    pub attempt: i64,
    /// The offset of the accepted proposal.
    pub accepted: i64,
    /// The service that owes the event.
    pub service: Service,
    /// The event that is missing, e.g. `user-service.DeploymentComplete`.
    pub missing: String,
    /// When the step's window began, in partition time.
    pub since: Option<Timestamp>,
    /// When it ended; none for a verdict that needs no deadline.
    pub deadline: Option<Timestamp>,
    /// Why.
    pub cause: Cause,
    /// The team that owns the step.
    #[serde(default)]
    pub owner: String,
    /// What was seen.
    #[serde(default)]
    pub evidence: Vec<Evidence>,
}

/// An event came before what must come first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SequenceViolated {
    /// The step whose event came.
    pub step: StepId,
    /// The instance that said it.
    pub instance: Option<Instance>,
    /// The offset of the event that came too early.
    pub cites: i64,
    /// The offset of the accepted proposal.
    pub accepted: i64,
    /// The prerequisites of which no instance has come.
    #[serde(default)]
    pub missing: Vec<String>,
}

macro_rules! endings {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(default)]
        pub struct $name {
            /// The epoch of the rollout.
            pub epoch: i64,
            /// The attempt of the decision.
            pub attempt: i64,
            /// The offset of the accepted proposal.
            pub accepted: i64,
        }
    )*};
}

endings! {
    /// Every step is met.
    RolloutCompleted;
    /// Every service that had moved is back.
    RolloutRolledBack;
}

/// A rollback that did not succeed everywhere: some services are back, some are not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RolloutPartial {
    /// The epoch of the rollout.
    pub epoch: i64,
    /// The attempt of the decision.
    pub attempt: i64,
    /// The offset of the accepted proposal.
    pub accepted: i64,
    /// The steps that are not back, each as `step: service instance: what it answered`.
    pub failed: Vec<String>,
}

/// A command that has no effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandRefused {
    /// The id of the command.
    pub command: EventId,
    /// The short name of the command, e.g. `RolloutStarted`.
    pub event: String,
    /// The offset of the command.
    pub cites: i64,
    /// The class of the reason: `conflict`, `unknown_rollout`, `unknown_step`, `ended`,
    /// `bad_plan`, `not_authorised`.
    pub code: String,
    /// Why, for a person, with the next step.
    pub reason: String,
}
