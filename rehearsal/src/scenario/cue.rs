//! What happens in a scenario, and when.

use pavane_choreography::Expect;
use pavane_events::{Millis, PhaseId, RolloutId, Service, StepId, Version};
use pavane_sentinel_engine::Status;

use super::Named;

/// One thing that happens.
#[derive(Clone, Debug, PartialEq)]
pub struct Cue {
    /// When.
    pub when: When,
    /// What.
    pub what: What,
}

/// When something happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum When {
    /// So many milliseconds after the beginning.
    At(Millis),
    /// So many milliseconds after the first time that something else happened.
    After(Moment, Millis),
}

/// Something that a cue waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Moment {
    /// A rollout ends so.
    Ended(Status),
    /// A step stands still; any when none is named.
    Stalled(Option<StepId>),
    /// A phase waits for somebody's approval; any when none is named.
    Awaits(Option<PhaseId>),
    /// An event stands on the log.
    Said(Named),
}

/// What happens.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// A person starts a rollout.
    Start {
        /// Of this plan; of the scenario's own when none is named.
        plan: Option<String>,
        /// Under this name; `first` when none is given.
        rollout: RolloutId,
        /// Who.
        by: String,
    },
    /// Something breaks.
    Fault(Fault),
    /// A person gives an order.
    Order {
        /// Which.
        order: Order,
        /// About this rollout.
        rollout: RolloutId,
        /// Who.
        by: String,
        /// Why.
        reason: String,
    },
    /// A tool, such as CI, says an event of a service.
    Say {
        /// The event.
        event: Expect,
        /// Under this rollout.
        rollout: RolloutId,
        /// The version that it is about.
        version: Option<Version>,
    },
    /// From here on a query has this value; none when the metrics do not answer.
    Metric {
        /// A part of the text of the plan's query.
        query: String,
        /// The value.
        value: Option<f64>,
    },
}

/// Something that breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A service fails in some way.
    Fail {
        /// Which of its instances.
        whom: Whom,
        /// In which way.
        how: How,
        /// For so long; for good when none is given, but for a crashed sidecar, which is back after five seconds.
        lasting: Option<Millis>,
    },
    /// The service is well again, whatever failed.
    Mend(Whom),
    /// From here on the service says this event in a schema that its readers do not know.
    Schema(Expect),
    /// The schema registry does not answer for so long.
    Registry(Millis),
    /// The broker does not answer for so long.
    Broker(Millis),
    /// The broker takes nothing and gives nothing for so long, and nobody is told that it does not.
    Frozen(Millis),
    /// The broker's clock leaps ahead by so much.
    Leap(Millis),
    /// The next such event is acknowledged and never stands on the log.
    Lose(Expect),
    /// The next such event waits for so long in the outbox.
    Delay(Expect, Millis),
    /// The next such event stands on the log twice.
    Duplicate(Expect),
    /// A sentinel dies, and is back after so long.
    Sentinel(u32, Millis),
}

/// The instances of a service that something happens to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Whom {
    /// The service.
    pub service: Service,
    /// Its instance with this number, from 0; all when none is given.
    pub instance: Option<u32>,
}

/// How a service fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum How {
    /// It does not begin: the sidecar lives and hears nothing of the log.
    Start,
    /// Its hook fails.
    Hook,
    /// It is never well after its hook.
    Ready,
    /// Its hook does not end.
    Hang,
    /// Its sidecar dies, and is back with its journal.
    Crash,
    /// It and its host die.
    Die,
    /// Its way back fails.
    Revert,
    /// Its way back does not end.
    Stuck,
    /// Its hook is killed because it runs out of memory.
    Memory,
    /// Its hook brings another version than the one that is asked for.
    Version,
    /// It changes to another version behind everyone's back, at once.
    Drift,
    /// It falls ill after it was well: its checks are bad from here on.
    Sick,
    /// A second sidecar says that it is this one, so neither acts.
    Twin,
    /// Its clock is an hour slow.
    Clock,
}

/// An order of a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// Stop the clocks.
    Pause,
    /// Let them run on.
    Resume,
    /// End it where it stands.
    Abort,
    /// Take all back.
    Rollback,
    /// Stop the clocks of the whole domain.
    Hold,
    /// Let them run on.
    Release,
    /// Let a step count as met.
    Override(StepId),
    /// Let a phase begin.
    Approve(PhaseId),
    /// Keep a phase from beginning.
    Reject(PhaseId),
}

impl Cue {
    /// A person starts the scenario's own plan at once.
    pub fn start() -> Self {
        let (plan, rollout, by) = (None, super::first_rollout(), "ann".to_owned());
        Self { when: When::At(0), what: What::Start { plan, rollout, by } }
    }
}

impl How {
    /// The ways with the words for them.
    pub const ALL: [(&'static str, Self); 14] = [
        ("start", Self::Start),
        ("hook", Self::Hook),
        ("ready", Self::Ready),
        ("hang", Self::Hang),
        ("crash", Self::Crash),
        ("die", Self::Die),
        ("revert", Self::Revert),
        ("stuck", Self::Stuck),
        ("memory", Self::Memory),
        ("version", Self::Version),
        ("drift", Self::Drift),
        ("sick", Self::Sick),
        ("twin", Self::Twin),
        ("clock", Self::Clock),
    ];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(_, how)| *how == self).map_or("", |(word, _)| word)
    }
}

impl std::fmt::Display for Whom {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.instance {
            Some(number) => write!(f, "{}-{number}", self.service),
            None => self.service.fmt(f),
        }
    }
}
