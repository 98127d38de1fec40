//! What a person, CI or the manager says; the sentinel too, where the plan asks for it.

use serde::{Deserialize, Serialize};

use crate::{Evidence, Instance, PhaseId, Service, StepId, Version};

/// The newest version of the rules that this program judges and takes part by. A rollout keeps the version that it
/// started under; a program that does not know it judges nothing of its domain.
///
/// | version | what is new |
/// |---|---|
/// | 1 | the first |
/// | 2 | the awaited event of a version that the step does not count is told at once as a conflict, not when its window ends |
pub const RULES: i64 = 2;

/// A rollout begins. It carries the resolved plan, so that the log alone replays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RolloutStarted {
    /// The name of the choreography.
    pub choreography: String,
    /// The resolved plan, as canonical JSON.
    pub plan: String,
    /// SHA-256 of `plan`, in hexadecimal.
    pub plan_digest: String,
    /// The version of the rules that this rollout is judged by.
    #[serde(default = "first")]
    pub rules: i64,
    /// Who asked for it.
    #[serde(default)]
    pub by: String,
    /// Why.
    #[serde(default)]
    pub reason: String,
}

const fn first() -> i64 {
    1
}

/// A phase of a hybrid or orchestrated rollout is open: who has a step in it may move.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhaseBegun {
    /// The phase.
    pub phase: PhaseId,
    /// The epoch of the rollout.
    #[serde(default)]
    pub epoch: i64,
    /// The attempt of the decision.
    #[serde(default)]
    pub attempt: i64,
    /// The instances that may move in this phase, where the plan asks for a share of them; empty: all of them.
    #[serde(default)]
    pub cohort: Vec<Member>,
    /// What was seen, e.g. the metric that the phase before was watched by.
    #[serde(default)]
    pub evidence: Vec<Evidence>,
    /// The offset at which the decision was accepted, when the sentinel says it.
    #[serde(default)]
    pub accepted: Option<i64>,
}

/// An instance of a service that was picked for a cohort.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Member {
    /// The service.
    pub service: Service,
    /// The instance.
    pub instance: Instance,
}

/// The clocks of all its steps stop.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RolloutPaused {
    /// Who says it.
    pub by: String,
    /// Why.
    pub reason: String,
    /// The offset at which the decision was accepted, when the sentinel says it.
    pub accepted: Option<i64>,
}

macro_rules! by_and_reason {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(default)]
        pub struct $name {
            /// Who says it.
            pub by: String,
            /// Why.
            pub reason: String,
        }
    )*};
}

by_and_reason! {
    /// The clocks of all its steps run on with what was left.
    RolloutResumed;
    /// The rollout ends where it stands.
    RolloutAborted;
    /// The clocks of all rollouts of the domain stop.
    DomainHeld;
    /// The clocks of all rollouts of the domain run on.
    DomainReleased;
}

/// A gate is open for this attempt.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct GateApproved {
    /// The gate.
    pub gate: String,
    /// The digest of the plan that the approval is for.
    pub plan_digest: String,
    /// The attempt that it is for.
    pub attempt: i64,
    /// Who says it.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// A gate stays shut for this attempt.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct GateRejected {
    /// The gate.
    pub gate: String,
    /// The digest of the plan that the rejection is for.
    pub plan_digest: String,
    /// The attempt that it is for.
    pub attempt: i64,
    /// Who says it.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// A step counts as met, whatever its service says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepOverridden {
    /// The step.
    pub step: StepId,
    /// Who says it.
    #[serde(default)]
    pub by: String,
    /// Why.
    #[serde(default)]
    pub reason: String,
}

/// Go back.
///
/// Without `service` it is the decision for the whole rollout, by a person or (with `accepted`) by the sentinel.
/// With `service` it is the part of one service, written by the sentinel when the turn of its step has come.
/// It carries no command, path or image: what to do stands in the service's own sidecar file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RollbackRequested {
    /// The epoch of the rollback: 1, or the next one when asked for after completion.
    pub epoch: i64,
    /// The step that stands still (decision), or whose turn it is (addressed).
    pub step: Option<StepId>,
    /// The service that is asked to go back; nobody in particular in the decision.
    pub service: Option<Service>,
    /// The version that the service is expected to run.
    pub expected: Option<Version>,
    /// The version to go back to: the `from` of the service's `DeploymentStarted` in this rollout.
    pub target: Option<Version>,
    /// The attempt of the decision.
    pub attempt: i64,
    /// The offset at which the decision was accepted; none when a person decides.
    pub accepted: Option<i64>,
    /// The offset at which the decision stands on the log (addressed).
    pub decision: Option<i64>,
    /// What was seen.
    pub evidence: Vec<Evidence>,
    /// Who says it.
    pub by: String,
    /// Why.
    pub reason: String,
}
