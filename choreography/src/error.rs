//! Why a plan that came over the log cannot be judged by. Defects of files are diagnostics, not errors.

use pavane_events::{Millis, StepId};

use crate::document::MAX_STEPS;
use crate::plan::Expect;

/// Why a plan cannot be judged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsound {
    /// There is nothing to await, or more than is judged.
    #[error("judge a plan of {0} steps: it must be 1 to {MAX_STEPS}")]
    Steps(usize),
    /// Two steps have one id, or a step does not stand behind all that it waits for.
    #[error("order the steps: `{0}` does not stand once, behind all that it waits for")]
    Order(StepId),
    /// An event that is awaited by two steps, or that no service says.
    #[error("tell who fills step `{0}`: {1} is awaited twice or is not said by a service")]
    Expectation(StepId, Expect),
    /// A count of zero.
    #[error("fill step `{0}`: it asks for no instance")]
    Instances(StepId),
    /// A window that is empty or longer than the log is kept.
    #[error("measure step `{0}`: a window of {1} ms")]
    Window(StepId, Millis),
}
