//! What the engine tells the shell: orders.

use pavane_events::{Event, Millis, RolloutId, StepId, Unreadable, Version};

use crate::Job;

/// One order.
///
/// All `Write`, `WriteRejected` and `Say` of one call to `handle` are one durable transaction, made before any
/// other effect of that call is carried out.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Put this row into the journal, in place of the one with the same key.
    Write(Box<Job>),
    /// Note in the journal that the record at this offset has been rejected.
    WriteRejected(i64),
    /// Put this event into the outbox. Its sequence number and its trace context are the shell's to add.
    Say(Box<Event>),
    /// Copy a record that cannot be used to the dead letters.
    DeadLetter {
        /// Where it stands, and what is wrong with it.
        unreadable: Box<Unreadable>,
    },
    /// Ask the service for its version.
    ObserveVersion {
        /// What the answer must name.
        ticket: u64,
    },
    /// Call the hook of a reaction.
    RunHook(Box<Call>),
    /// End the hook that runs: the service is asked to go back. It is answered by `HookEnded` all the same.
    CutOff {
        /// The order that the hook was called by.
        ticket: u64,
    },
    /// Ask the service whether it is well, as the reaction says.
    Probe {
        /// What the answer must name.
        ticket: u64,
        /// The name of the reaction.
        reaction: String,
    },
    /// Look at the service's checks anew: what they answered before says nothing of the service as it is. It is answered
    /// by `Assessed`, at once and whenever the verdict changes, until the next such order.
    Assess {
        /// What the answers must name.
        ticket: u64,
    },
    /// Count it and write it to the log of the process.
    Tell(Notice),
}

/// A call of a hook.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// What the answer must name.
    pub ticket: u64,
    /// The name of the reaction.
    pub reaction: String,
    /// The id of the run: the same for all its attempts and calls.
    pub run: String,
    /// Which attempt it is, from 1.
    pub attempt: u32,
    /// How long the call may take, in milliseconds.
    pub limit: Millis,
    /// The rollout.
    pub rollout: RolloutId,
    /// The epoch of the rollout.
    pub epoch: i64,
    /// The step of the plan that the service is at.
    pub step: Option<StepId>,
    /// The version that runs.
    pub from: Option<Version>,
    /// The version that is asked for, where one is named.
    pub to: Option<Version>,
    /// The event that is reacted to.
    pub trigger: Option<Box<Event>>,
}

/// Something that a person may want to know and that changes nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Where the record stands that it is about; -1 when it is about none.
    pub offset: i64,
    /// The class; a metric label.
    pub kind: &'static str,
    /// What happened, for a person.
    pub detail: String,
}
