//! Who the sidecar is and what it reacts to: the sidecar's file as it is meant.

use pavane_choreography::Expect;
use pavane_events::{Domain, EventType, Instance, Millis, Service, Source};

/// Everything that the engine must know and that does not stand on the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The domain of the service.
    pub domain: Domain,
    /// The service that the sidecar stands beside.
    pub service: Service,
    /// The instance of the service.
    pub instance: Instance,
    /// The boot of the sidecar: new at each start of the process.
    pub boot: String,
    /// The partition that holds the domain.
    pub partition: i32,
    /// What the waits between attempts are spread by.
    pub seed: u64,
    /// What the service does when an event comes; names are unique.
    pub reactions: Vec<Reaction>,
}

/// One reaction: on an event, run a hook, wait until the service is well, say so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reaction {
    /// What it reacts to.
    pub on: Trigger,
    /// How many distinct instances must have said the event.
    pub instances: u32,
    /// Whether there is a hook; without one the event is said after the readiness check alone.
    pub hook: bool,
    /// How long one attempt of the hook may take, in milliseconds.
    pub timeout: Millis,
    /// How often and how fast a failing hook is tried again.
    pub retry: Retry,
    /// How the service is seen to be well; nothing is waited for when there is none.
    pub ready: Option<Readiness>,
    /// The event that is said when all went well.
    pub emit: EventType,
    /// What is ready, when `emit` is `Ready`.
    pub prerequisite: String,
    /// Whether one instance runs it for the whole service.
    pub once: bool,
}

/// What a reaction reacts to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trigger {
    /// The rollout itself: as soon as all prerequisites of the service's step are full.
    RolloutStarted,
    /// The request to go back.
    RollbackRequested,
    /// An event of a service.
    Event(Expect),
}

/// How often and how fast a failing hook is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// The most attempts, the first included; at least 1.
    pub attempts: u32,
    /// The wait after the first attempt, in milliseconds; doubled after each further one.
    pub first: Millis,
    /// The longest wait, in milliseconds.
    pub cap: Millis,
}

/// How the service is seen to be well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Readiness {
    /// How long after the hook the service must be well, in milliseconds.
    pub within: Millis,
    /// How many checks in a row must pass; at least 1.
    pub successes: u32,
    /// How long to wait between checks, in milliseconds.
    pub every: Millis,
}

impl Trigger {
    /// The name of the trigger as it is written, e.g. `user-db.Ready`; the name of the reaction too.
    pub fn name(&self) -> String {
        match self {
            Self::RolloutStarted => EventType::RolloutStarted.to_string(),
            Self::RollbackRequested => EventType::RollbackRequested.to_string(),
            Self::Event(expect) => expect.to_string(),
        }
    }
}

impl Retry {
    /// How long to wait after this attempt (from 1), in milliseconds: doubled each time, capped, spread over
    /// its upper half by the seed.
    pub fn wait(&self, attempt: u32, seed: u64) -> Millis {
        let doubled = self.first.saturating_mul(1_i64 << attempt.saturating_sub(1).min(30));
        let whole = doubled.clamp(0, self.cap.max(0));
        let half = whole / 2;
        let spread = mix(seed ^ u64::from(attempt)) % (half.unsigned_abs() + 1);
        whole - half + i64::try_from(spread).unwrap_or(0)
    }
}

impl Settings {
    /// Where this sidecar's events come from: `/pavane/<domain>/<service>/<instance>`.
    pub fn source(&self) -> Source {
        Source::new(format!("/pavane/{}/{}/{}", self.domain, self.service, self.instance))
            .expect("three names of at most 64 characters fit into a source")
    }

    /// The reaction with this name.
    pub fn reaction(&self, name: &str) -> Option<&Reaction> {
        self.reactions.iter().find(|reaction| reaction.on.name() == name)
    }
}

/// Scatters the bits of a number (`SplitMix64`).
fn mix(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_cap_and_stay_in_their_upper_half() {
        let retry = Retry { attempts: 9, first: 1_000, cap: 30_000 };
        for (attempt, whole) in [(1, 1_000), (2, 2_000), (3, 4_000), (6, 30_000), (80, 30_000)] {
            for seed in 0..50 {
                let wait = retry.wait(attempt, seed);
                assert!((whole / 2..=whole).contains(&wait), "attempt {attempt}: {wait}");
                assert_eq!(wait, retry.wait(attempt, seed), "the same seed gives the same wait");
            }
        }
        let waits: std::collections::BTreeSet<_> = (0..50).map(|seed| retry.wait(3, seed)).collect();
        assert!(waits.len() > 30, "seeds spread the waits");
    }
}
