//! One step of a rollout: what its instances said, and what follows from it.

use std::collections::{BTreeMap, BTreeSet};

use pavane_events::{Cause, Evidence, Instance, Timestamp, Version};

use crate::clock::Mark;

/// What an instance said last about a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Saying {
    Started,
    /// The awaited event.
    Awaited,
    /// The awaited event, of a version that does not count.
    WrongVersion,
    Failed,
    Drained,
}

/// The last word of one instance about a step.
#[derive(Clone, Debug)]
pub(crate) struct Word {
    pub(crate) saying: Saying,
    pub(crate) offset: i64,
    pub(crate) version: Option<Version>,
    pub(crate) from: Option<Version>,
    pub(crate) detail: String,
    /// Whether the instance has begun to change itself in this rollout: one that only said `Ready` has nothing to
    /// go back from.
    pub(crate) moved: bool,
    pub(crate) boot: Option<String>,
    pub(crate) sequence: Option<i64>,
}

impl Word {
    /// Whether this word was said after another of the same boot, whichever came to the log first.
    pub(crate) fn is_later_than(&self, other: &Self) -> bool {
        self.boot.is_some() && self.boot == other.boot && self.sequence > other.sequence
    }
}

/// What an instance answered to the request to go back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Complete,
    Failed,
    Refused,
}

/// Why a step is taken to stand still, by what proves it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Proof {
    /// The deadline passed and no instance had said anything.
    NotStarted,
    /// The deadline passed and the count was not full.
    NotFinished,
    /// A record on the log says so.
    Cited,
    /// The deadline of its compensation passed.
    Compensation,
    /// The metric that its phase is watched by broke its bound.
    Breach,
}

/// A step that stands still.
#[derive(Clone, Debug)]
pub(crate) struct Stall {
    pub(crate) proof: Proof,
    pub(crate) cause: Cause,
    /// The unadjusted append time of the accepted proposal: a heartbeat that justifies a rollback is later.
    pub(crate) raw: Timestamp,
    /// What is missing, where it is no event.
    pub(crate) missing: Option<String>,
    /// The value that broke the bound of its phase.
    pub(crate) metric: Option<Evidence>,
}

/// An event that a service which waits for the step could not read.
#[derive(Clone, Debug)]
pub(crate) struct Rejection {
    pub(crate) offset: i64,
    pub(crate) instance: Option<Instance>,
    pub(crate) detail: String,
}

/// An event of the step that came before any of its prerequisites.
#[derive(Clone, Debug)]
pub(crate) struct Violation {
    pub(crate) offset: i64,
    pub(crate) instance: Instance,
    pub(crate) missing: Vec<String>,
    pub(crate) accepted: bool,
}

/// What is known of one step.
#[derive(Clone, Debug)]
pub(crate) struct StepState {
    pub(crate) words: BTreeMap<Instance, Word>,
    /// When its window began.
    pub(crate) anchor: Option<Mark>,
    /// When its count was complete.
    pub(crate) full: Option<Mark>,
    pub(crate) stall: Option<Stall>,
    pub(crate) attempt: i64,
    pub(crate) overridden: bool,
    pub(crate) rejection: Option<Rejection>,
    /// The offset of a record that nobody can read and that could have been the awaited event.
    pub(crate) taint: Option<(i64, String)>,
    pub(crate) violation: Option<Violation>,
    /// When its turn to go back came.
    pub(crate) turn: Option<Mark>,
    pub(crate) turns: i64,
    pub(crate) answers: BTreeMap<Instance, Answer>,
    /// Whether it is part of the way back.
    pub(crate) goes_back: bool,
    /// How many instances it wants, where the plan asks for a share of them and they have been counted.
    pub(crate) counted: Option<u32>,
    /// The instances that may move, where its phase picked some.
    pub(crate) members: BTreeSet<Instance>,
}

impl StepState {
    pub(crate) fn new(anchor: Option<Mark>) -> Self {
        Self {
            words: BTreeMap::new(),
            anchor,
            full: None,
            stall: None,
            attempt: 1,
            overridden: false,
            rejection: None,
            taint: None,
            violation: None,
            turn: None,
            turns: 0,
            answers: BTreeMap::new(),
            goes_back: false,
            counted: None,
            members: BTreeSet::new(),
        }
    }

    /// Whether an instance has come: it has said the awaited event last, or a person says so.
    pub(crate) fn has_come(&self) -> bool {
        self.overridden || self.words.values().any(|word| word.saying == Saying::Awaited)
    }

    /// The instances that have something to go back from.
    pub(crate) fn moved(&self) -> impl Iterator<Item = &Instance> {
        self.words.iter().filter(|(_, word)| word.moved).map(|(instance, _)| instance)
    }

    /// Whether every instance that moved has answered the request to go back.
    pub(crate) fn answered(&self) -> bool {
        self.moved().all(|instance| self.answers.contains_key(instance))
    }

    /// Whether every instance that moved is back.
    pub(crate) fn compensated(&self) -> bool {
        self.moved().all(|instance| self.answers.get(instance) == Some(&Answer::Complete))
    }
}
