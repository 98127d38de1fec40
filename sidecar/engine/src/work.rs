//! What the sidecar is busy with: one reaction at a time, and what it waits for.

use pavane_events::{Millis, Version};

use crate::input::Failure;
use crate::journal::{Job, Stage};
use crate::settings::{Reaction, Trigger};

/// A reaction that is under way.
#[derive(Clone, Debug)]
pub(crate) struct Work {
    pub(crate) job: Job,
    pub(crate) reaction: Reaction,
    pub(crate) began: Millis,
    pub(crate) wait: Wait,
    /// When it is this instance's turn to begin, once everything else lets it.
    pub(crate) turn: Option<Millis>,
    /// Why the last attempt failed.
    pub(crate) failure: Failure,
}

/// What a reaction waits for.
#[derive(Clone, Debug)]
pub(crate) enum Wait {
    /// The service's version.
    Version { ticket: u64, tries: u32, again: Option<Millis>, purpose: Purpose },
    /// The own announcement, read back from the log.
    Barrier,
    /// The hook's answer.
    Hook { ticket: u64, until: Millis, cut: bool },
    /// The time to call a hook again that works on.
    Call { at: Millis, until: Millis },
    /// The time to try a failed hook again.
    Rest { at: Millis },
    /// The service to be well.
    Well { ticket: Option<u64>, at: Millis, until: Millis, passed: u32, last: String },
    /// All checks of the service to hold. The ticket is none until they are looked at anew.
    Hold { ticket: Option<u64>, until: Millis },
}

/// What the version is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To know where it starts from, and whether to begin at all.
    Before,
    /// To know whether it has arrived.
    After,
    /// To know what became of a hook that was cut short.
    Recovery,
}

impl Work {
    pub(crate) fn new(job: Job, reaction: Reaction, now: Millis, wait: Wait) -> Self {
        Self { job, reaction, began: now, wait, turn: None, failure: Failure::default() }
    }

    /// Whether it takes the service back.
    pub(crate) fn goes_back(&self) -> bool {
        self.reaction.on == Trigger::RollbackRequested
    }

    /// When it must be looked at again.
    pub(crate) fn deadline(&self) -> Option<Millis> {
        match &self.wait {
            Wait::Version { again, .. } => *again,
            Wait::Barrier => self.turn,
            Wait::Hook { .. } => None,
            Wait::Hold { until, .. } => Some(*until),
            Wait::Call { at, .. } | Wait::Rest { at } => Some(*at),
            Wait::Well { ticket, at, until, .. } => {
                Some(if ticket.is_some() { *until } else { (*at).min(*until) })
            }
        }
    }

    /// The word of the heartbeat for it.
    pub(crate) fn phase(&self) -> &'static str {
        let back = self.goes_back();
        match self.job.stage {
            Stage::Over(_) => "idle",
            _ if back => "reverting",
            Stage::Announced => "announced",
            Stage::Running | Stage::Working { .. } | Stage::Resting => "hook",
            Stage::Checking => "readiness",
        }
    }
}

/// An answer to the question for the version.
pub(crate) type Observed = Result<Version, String>;
