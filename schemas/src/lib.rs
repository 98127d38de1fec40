//! The wire contract as data: every schema that is built into the program, with one example of each.
//!
//! The files stand beside this crate so that other languages read them too; here they are embedded, because a
//! program that looks its schema up under "latest" would write what somebody else decided.

/// One embedded schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Embedded {
    /// The short name of the event, e.g. `Ready`; `Heartbeat` for the heartbeat.
    pub event: &'static str,
    /// The subject in the registry, which is the full name of the record.
    pub subject: &'static str,
    /// The Avro schema, as it stands in the file.
    pub schema: &'static str,
    /// One datum of the schema as plain JSON.
    pub example: &'static str,
}

macro_rules! embedded {
    ($($namespace:literal in $folder:literal: $($event:literal)*;)*) => {
        /// Every schema there is: the events of the lifecycle, then the heartbeat.
        pub const ALL: &[Embedded] = &[$($(Embedded {
            event: $event,
            subject: concat!($namespace, ".", $event),
            schema: include_str!(concat!("../", $folder, "/", $event, ".avsc")),
            example: include_str!(concat!("../", $folder, "/", $event, ".example.json")),
        },)*)*];
    };
}

embedded! {
    "io.pavane.lifecycle.v1" in "lifecycle/v1":
        "Ready" "DeploymentStarted" "DeploymentComplete" "DeploymentFailed" "Drained" "RollbackInitiated"
        "RollbackComplete" "RollbackFailed" "RollbackRefused" "EventRejected" "HookUncertain"
        "RolloutStarted" "PhaseBegun" "RolloutPaused" "RolloutResumed" "GateApproved" "GateRejected"
        "StepOverridden" "RollbackRequested" "RolloutAborted" "DomainHeld" "DomainReleased" "RolloutStalled"
        "SequenceViolated" "RolloutCompleted" "RolloutRolledBack" "RolloutPartial" "CommandRefused"
        "Proposed" "Pulse" "Progress" "ClockStepped" "DomainConfigured" "TrustChanged";
    "io.pavane.heartbeat.v1" in "heartbeat/v1": "Heartbeat";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_are_distinct_and_end_in_their_event() {
        for (place, embedded) in ALL.iter().enumerate() {
            assert!(embedded.subject.ends_with(&format!(".{}", embedded.event)), "{}", embedded.subject);
            assert!(
                ALL[..place].iter().all(|other| other.subject != embedded.subject),
                "{}",
                embedded.subject
            );
        }
    }

    #[test]
    fn the_embedded_record_is_the_one_that_the_subject_names() {
        for embedded in ALL {
            let (namespace, name) = embedded.subject.rsplit_once('.').expect("a full name");
            assert!(embedded.schema.contains(&format!("\"name\": \"{name}\"")), "{}", embedded.subject);
            assert!(
                embedded.schema.contains(&format!("\"namespace\": \"{namespace}\"")),
                "{}",
                embedded.subject
            );
        }
    }
}
