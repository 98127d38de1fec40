//! Why a plan that came over the log cannot be judged by. Defects of files are diagnostics, not errors.

use pavane_events::{Millis, PhaseId, StepId};

use crate::document::MAX_STEPS;
use crate::plan::{Expect, Method};

/// Why a plan cannot be judged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsound {
    /// There is nothing to await, or more than is judged.
    #[error("judge a plan of {0} steps: it must be 1 to {MAX_STEPS}")]
    Steps(usize),
    /// Two steps have one id, or a step does not stand behind all that it waits for.
    #[error(
        "order the steps: `{0}` does not stand once, in a phase if there are any, behind all that it waits for"
    )]
    Order(StepId),
    /// An event that is awaited by two steps, or that no service says.
    #[error("tell who fills step `{0}`: {1} is awaited twice or is not said by a service")]
    Expectation(StepId, Expect),
    /// A count of zero, or none that may move at a time.
    #[error("fill step `{0}`: it asks for no instance, or lets none move")]
    Instances(StepId),
    /// A window that is empty or longer than the log is kept.
    #[error("measure step `{0}`: a window of {1} ms")]
    Window(StepId, Millis),
    /// Phases under the method `choreography`, or none under another.
    #[error("open the steps: the method {} and the phases do not go together", method(*.0))]
    Method(Method),
    /// A phase that opens nothing, more than one step where each has its own, or what another one opens.
    #[error("open phase `{0}`: it does not stand once, with steps of its own")]
    Phase(PhaseId),
    /// A soak, watch or cohort that cannot be measured.
    #[error("pass the gates of phase `{0}`: its soak, watch or cohort is out of range")]
    Gate(PhaseId),
    /// A trigger that no service says.
    #[error("start at {0}: no service says it")]
    Trigger(Expect),
    /// A maintenance window that never opens or never closes.
    #[error("find the maintenance window: it never opens or never closes")]
    Maintenance,
}

const fn method(method: Method) -> &'static str {
    match method {
        Method::Choreography => "choreography",
        Method::Hybrid => "hybrid",
        Method::Orchestrated => "orchestrated",
    }
}
