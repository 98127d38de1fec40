//! What the shell tells the engine: facts.

use std::collections::BTreeSet;

use pavane_events::{Entry, Millis, Version};

use crate::health::Verdict;

/// One fact.
#[expect(clippy::large_enum_variant, reason = "nearly every input is an entry")]
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// The next entry of the domain on the log, in order.
    Observed(Entry),
    /// Everything that stood on the log at the start has been read.
    CaughtUp {
        /// The offset after the last record that stood there.
        end: i64,
    },
    /// The service was asked for its version.
    VersionObserved {
        /// The order that this answers.
        ticket: u64,
        /// The version, or why it could not be learnt.
        version: Result<Version, String>,
    },
    /// A call of a hook has come to its end.
    HookEnded {
        /// The order that this answers.
        ticket: u64,
        /// How it ended.
        outcome: HookOutcome,
    },
    /// A hook has told its result by itself.
    HookReported {
        /// The run that it was called for.
        run: String,
        /// How it ended, or that it works on.
        outcome: HookOutcome,
    },
    /// The versions of the service that have completed a rollout, as the log's table of services tells them.
    KnownGood(BTreeSet<Version>),
    /// The service was asked whether it is well.
    Probed {
        /// The order that this answers.
        ticket: u64,
        /// Nothing, or what is wrong.
        result: Result<(), String>,
    },
    /// What follows from the service's checks has changed.
    Assessed {
        /// The order to look at them anew that this answers; 0 for what held before the first.
        ticket: u64,
        /// What follows from them.
        verdict: Verdict,
    },
    /// Time has passed.
    Tick,
}

/// How a call of a hook ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HookOutcome {
    /// It has done its work.
    Done,
    /// It works on; it wants to be called again.
    InProgress {
        /// When to call again, in milliseconds from here.
        after: Millis,
    },
    /// It could not, and may be tried again.
    Retry(Failure),
    /// It could not.
    Failed(Failure),
}

/// What a failed hook leaves behind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Failure {
    /// Why, for a person.
    pub reason: String,
    /// The exit code of an exec hook.
    pub exit_code: Option<i64>,
    /// The end of what it wrote or answered; at most 4 KiB.
    pub output: String,
}
