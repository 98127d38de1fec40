//! What must come of a scenario.

use pavane_choreography::Severity;
use pavane_events::{Cause, Millis, RolloutId, Service, StepId, Version};
use pavane_sentinel_engine::Status;

use super::Named;

/// One thing that must hold at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// A step stood still.
    Stalled(StallWish),
    /// People were told.
    Alert(AlertWish),
    /// This did not come.
    Never(Box<Wish>),
    /// An event stands on the log, at the latest so many milliseconds after the beginning.
    Said(Named, Option<Millis>),
    /// These events stand on the log, the first of each in this order.
    Order(Vec<Named>),
    /// A rollout ended so, at the latest so many milliseconds after the beginning.
    Ends {
        /// The rollout; the first when none is named.
        rollout: Option<RolloutId>,
        /// How.
        status: Status,
        /// By when.
        by: Option<Millis>,
    },
    /// All instances of a service run a version at the end.
    Version(Service, Version),
    /// All services run the old (false) or the new (true) version at the end.
    AllNew(bool),
}

/// A stall that is wished for. What is not named may be anything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StallWish {
    /// The step.
    pub step: Option<StepId>,
    /// Why it stands still.
    pub cause: Option<Cause>,
    /// How long after its deadline, or after what proves it, it was known at the latest, in milliseconds.
    pub within: Option<Millis>,
}

/// An alert that is wished for. What is not named may be anything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AlertWish {
    /// Its name, e.g. `RolloutStalled`.
    pub name: Option<String>,
    /// The team that is told.
    pub team: Option<String>,
    /// How loudly.
    pub severity: Option<Severity>,
    /// The step that it is about.
    pub step: Option<StepId>,
    /// When it came at the latest, in milliseconds after the beginning.
    pub by: Option<Millis>,
    /// Whether it was over at the end; either when nothing is said.
    pub resolved: Option<bool>,
}
