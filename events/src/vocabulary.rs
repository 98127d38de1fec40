//! The closed vocabulary: every event there is, and who may say it.
//!
//! `ce_type` is the full name of the Avro record, `io.pavane.lifecycle.v1.<Event>`; the short name stands in
//! plans (`user-db.Ready`). Nothing outside this list is ever acted on.

use std::fmt;

use serde::de::DeserializeOwned;
use serde::{Serialize, Serializer};

use crate::command::{
    DomainHeld, DomainReleased, GateApproved, GateRejected, PhaseBegun, RollbackRequested, RolloutAborted,
    RolloutPaused, RolloutResumed, RolloutStarted, StepOverridden,
};
use crate::control::{ClockStepped, DomainConfigured, Progress, Proposed, Pulse, TrustChanged};
use crate::service::{
    DeploymentComplete, DeploymentFailed, DeploymentStarted, Drained, EventRejected, HookUncertain, Ready,
    RollbackComplete, RollbackFailed, RollbackInitiated, RollbackRefused,
};
use crate::verdict::{
    CommandRefused, RolloutCompleted, RolloutPartial, RolloutRolledBack, RolloutStalled, SequenceViolated,
};

/// The namespace of our records; the prefix of every `ce_type` of ours.
pub const NAMESPACE: &str = "io.pavane.lifecycle.v1";

/// Who says an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speaker {
    /// A service: its sidecar, CI or a deploy tool on its behalf.
    Service,
    /// A person, CI or the manager; the sentinel too, where the plan asks for it.
    Command,
    /// The sentinel.
    Verdict,
    /// Bookkeeping of the log, not lifecycle.
    Control,
}

/// Turns one encoded body into the type that is asked for; lets a decoder work without knowing the list.
pub trait Decode {
    /// What can go wrong.
    type Error;
    /// Decodes the body as `T`.
    fn decode<T: DeserializeOwned>(self) -> Result<T, Self::Error>;
}

macro_rules! vocabulary {
    ($($name:ident: $speaker:ident,)*) => {
        /// The type of an event: `ce_type` without our namespace.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum EventType {
            $(#[doc = concat!("`", stringify!($name), "`")] $name,)*
        }

        /// What is said.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Body {
            $(#[doc = concat!("`", stringify!($name), "`")] $name($name),)*
        }

        impl EventType {
            /// Every event there is.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The short name, as it stands in plans.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }

            /// Who may say it.
            pub const fn speaker(self) -> Speaker {
                match self { $(Self::$name => Speaker::$speaker,)* }
            }
        }

        impl Body {
            /// Which event this is the body of.
            pub const fn event_type(&self) -> EventType {
                match self { $(Self::$name(_) => EventType::$name,)* }
            }

            /// Decodes the body of an event of the given type.
            pub fn decode<D: Decode>(event_type: EventType, decoder: D) -> Result<Self, D::Error> {
                match event_type { $(EventType::$name => decoder.decode::<$name>().map(Self::$name),)* }
            }
        }

        $(impl From<$name> for Body {
            fn from(body: $name) -> Self { Self::$name(body) }
        })*

        impl Serialize for Body {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                match self { $(Self::$name(body) => body.serialize(serializer),)* }
            }
        }
    };
}

vocabulary! {
    Ready: Service,
    DeploymentStarted: Service,
    DeploymentComplete: Service,
    DeploymentFailed: Service,
    Drained: Service,
    RollbackInitiated: Service,
    RollbackComplete: Service,
    RollbackFailed: Service,
    RollbackRefused: Service,
    EventRejected: Service,
    HookUncertain: Service,
    RolloutStarted: Command,
    PhaseBegun: Command,
    RolloutPaused: Command,
    RolloutResumed: Command,
    GateApproved: Command,
    GateRejected: Command,
    StepOverridden: Command,
    RollbackRequested: Command,
    RolloutAborted: Command,
    DomainHeld: Command,
    DomainReleased: Command,
    RolloutStalled: Verdict,
    SequenceViolated: Verdict,
    RolloutCompleted: Verdict,
    RolloutRolledBack: Verdict,
    RolloutPartial: Verdict,
    CommandRefused: Verdict,
    Proposed: Control,
    Pulse: Control,
    Progress: Control,
    ClockStepped: Control,
    DomainConfigured: Control,
    TrustChanged: Control,
}

impl EventType {
    /// The event with this short name.
    pub fn from_short(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|event| event.as_str() == name)
    }

    /// The event with this `ce_type`.
    pub fn from_full(name: &str) -> Option<Self> {
        Self::from_short(name.strip_prefix(NAMESPACE)?.strip_prefix('.')?)
    }

    /// The `ce_type`, which is the full name of the Avro record.
    pub fn full_name(self) -> String {
        format!("{NAMESPACE}.{}", self.as_str())
    }
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_back_to_their_event() {
        for &event in EventType::ALL {
            assert_eq!(EventType::from_short(event.as_str()), Some(event));
            assert_eq!(EventType::from_full(&event.full_name()), Some(event));
        }
    }

    #[test]
    fn the_vocabulary_is_closed() {
        for stranger in ["Healthy", "ready", "", "io.pavane.lifecycle.v1.", "io.pavane.lifecycle.v2.Ready"] {
            assert_eq!(EventType::from_short(stranger), None);
            assert_eq!(EventType::from_full(stranger), None);
        }
        let by = |speaker| EventType::ALL.iter().filter(|event| event.speaker() == speaker).count();
        assert_eq!(
            [by(Speaker::Service), by(Speaker::Command), by(Speaker::Verdict), by(Speaker::Control)],
            [11, 11, 6, 6]
        );
    }
}
