//! Who takes part: a sidecar's file as far as it can be held against plans.
//!
//! How the service is changed stays with the service; what is here is when it moves, what it says, and how long that
//! may take.

use pavane_choreography::Expect;
use pavane_choreography::diagnostic::Place;
use pavane_contracts::Schema;
use pavane_events::{Domain, EventType, Millis, Service, Zone};
use semver::VersionReq;

/// A service as its sidecar's file tells of it.
#[derive(Clone, Debug)]
pub struct Participant {
    /// The file as it is named to the reader.
    pub file: String,
    /// The service.
    pub service: Service,
    /// Where the service's name stands.
    pub place: Place,
    /// The domain of the service.
    pub domain: Domain,
    /// The team that owns the service; empty when none is named.
    pub team: String,
    /// The zone of the instance; none when none is named.
    pub zone: Option<Zone>,
    /// What the service does when an event comes.
    pub reactions: Vec<Reaction>,
    /// What the service reads of other services' events, as far as it says so.
    pub consumes: Vec<Consumed>,
}

/// An event of another service that a service reads.
#[derive(Clone, Debug)]
pub struct Consumed {
    /// The event.
    pub event: Expect,
    /// Where it is named.
    pub place: Place,
    /// What of it is read.
    pub reads: Reads,
}

/// What of an event is read.
#[derive(Clone, Debug)]
pub enum Reads {
    /// These fields.
    Fields(Vec<String>),
    /// All that a schema holds.
    Schema {
        /// The file as it is named to the reader.
        file: String,
        /// The schema, or why there is none.
        schema: Result<Schema, String>,
    },
}

/// What a service does when an event comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reaction {
    /// What it reacts to.
    pub on: On,
    /// Where that stands.
    pub place: Place,
    /// The versions of who speaks that count; any when none is asked for.
    pub version: Option<VersionReq>,
    /// From how many instances each event must come.
    pub instances: u32,
    /// What it says when all went well.
    pub emit: EventType,
    /// The hook; none when the service is only looked at.
    pub hook: Option<Hook>,
    /// How long the service may take to be well after the hook, in milliseconds; 0 when nobody looks.
    pub ready_within: Millis,
}

/// What a reaction reacts to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum On {
    /// The rollout: as soon as the service's step is due.
    Due,
    /// The phase that holds the service's step; never, where the plan has no phases.
    Phase,
    /// The request to go back.
    RollbackRequested,
    /// Events of services, all of which must have come.
    AllOf(Vec<Expect>),
    /// Events of services, one of which must have come.
    AnyOf(Vec<Expect>),
}

/// How long a hook may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hook {
    /// How long one attempt may take, in milliseconds.
    pub timeout: Millis,
    /// The most attempts, the first included.
    pub attempts: u32,
    /// How long all waits between the attempts take together at most, in milliseconds.
    pub waits: Millis,
}

impl Participant {
    /// The reactions that bring the service forward.
    pub fn forward(&self) -> impl Iterator<Item = &Reaction> {
        self.reactions.iter().filter(|reaction| reaction.on != On::RollbackRequested)
    }

    /// The reaction that takes the service back.
    pub fn back(&self) -> Option<&Reaction> {
        self.reactions.iter().find(|reaction| reaction.on == On::RollbackRequested)
    }
}

impl Reaction {
    /// How long it takes at most when the first attempt of the hook is the last, in milliseconds.
    pub fn once(&self) -> Millis {
        self.hook.map_or(0, |hook| hook.timeout) + self.ready_within
    }

    /// How long it takes at most with every attempt, in milliseconds.
    pub fn longest(&self) -> Millis {
        let hook = self.hook.map_or(0, |hook| hook.timeout * Millis::from(hook.attempts) + hook.waits);
        hook + self.ready_within
    }
}

impl On {
    /// The events that it waits for, in the order of the file.
    pub fn events(&self) -> &[Expect] {
        match self {
            Self::Due | Self::Phase | Self::RollbackRequested => &[],
            Self::AllOf(events) | Self::AnyOf(events) => events,
        }
    }
}
