//! Who the sidecar is and what it reacts to: the sidecar's file as it is meant.

use std::collections::BTreeSet;

use pavane_choreography::Expect;
use pavane_events::{Domain, EventType, Instance, Millis, Service, Source, Zone};

use crate::sieve::Sieve;

/// Everything that the engine must know and that does not stand on the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The domain of the service.
    pub domain: Domain,
    /// The service that the sidecar stands beside.
    pub service: Service,
    /// The instance of the service.
    pub instance: Instance,
    /// The zone or region that the instance runs in; the steps of other zones are not its own.
    pub zone: Option<Zone>,
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
    /// What it lets through of that.
    pub sieve: Sieve,
    /// How many distinct instances must have said the event; each event, where there are several.
    pub instances: u32,
    /// Whether there is a hook; without one the event is said after the readiness check alone.
    pub hook: bool,
    /// How long one attempt of the hook may take, in milliseconds.
    pub timeout: Millis,
    /// How often and how fast a failing hook is tried again.
    pub retry: Retry,
    /// How the service is seen to be well; nothing is waited for when there is none.
    pub ready: Option<Readiness>,
    /// How long the service as a whole must hold well after that; its checks are not looked at when there is none.
    pub hold: Option<Hold>,
    /// The event that is said when all went well.
    pub emit: EventType,
    /// What is ready, when `emit` is `Ready`.
    pub prerequisite: String,
    /// Whether one instance runs it for the whole service.
    pub once: bool,
    /// Over how long a time the instances of the service are spread that could all begin at the same moment, in
    /// milliseconds; 0 spreads nothing.
    pub stagger: Millis,
}

/// What a reaction reacts to. Whatever it is, a reaction that goes forward waits until its step is due and, where
/// the plan has phases, until the phase of its step has begun.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trigger {
    /// The rollout itself: as soon as the step of the service is due.
    RolloutStarted,
    /// The phase that holds the step of the service; never, where the plan has no phases.
    PhaseBegun,
    /// The request to go back.
    RollbackRequested,
    /// An event of a service.
    Event(Expect),
    /// Events that must all have come.
    All(BTreeSet<Expect>),
    /// Events of which one must have come.
    Any(BTreeSet<Expect>),
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
    /// How long to wait after the last attempt before as many begin anew, in milliseconds; none gives up then.
    pub pause: Option<Millis>,
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

/// How the checks of the service as a whole decide on a reaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hold {
    /// How long after the hook the service must be well and have held it, in milliseconds.
    pub within: Millis,
    /// For how long every check must be well without a break, in milliseconds.
    pub healthy_for: Millis,
}

impl Trigger {
    /// All of these events; the event itself when it is one.
    pub fn all(events: impl IntoIterator<Item = Expect>) -> Self {
        Self::single(events.into_iter().collect(), Self::All)
    }

    /// One of these events; the event itself when it is one.
    pub fn any(events: impl IntoIterator<Item = Expect>) -> Self {
        Self::single(events.into_iter().collect(), Self::Any)
    }

    /// The name of the trigger, e.g. `user-db.Ready` or `cache.Ready and user-db.Ready`. It does not depend on the order in which events are written: the journal knows reactions by it.
    pub fn name(&self) -> String {
        let joined = |word: &str, events: &BTreeSet<Expect>| {
            events.iter().map(ToString::to_string).collect::<Vec<_>>().join(word)
        };
        match self {
            Self::RolloutStarted => EventType::RolloutStarted.to_string(),
            Self::PhaseBegun => EventType::PhaseBegun.to_string(),
            Self::RollbackRequested => EventType::RollbackRequested.to_string(),
            Self::Event(expect) => expect.to_string(),
            Self::All(events) => joined(" and ", events),
            Self::Any(events) => joined(" or ", events),
        }
    }

    /// The events of services that it waits for.
    pub fn events(&self) -> Vec<&Expect> {
        match self {
            Self::RolloutStarted | Self::PhaseBegun | Self::RollbackRequested => Vec::new(),
            Self::Event(expect) => vec![expect],
            Self::All(events) | Self::Any(events) => events.iter().collect(),
        }
    }

    fn single(events: BTreeSet<Expect>, several: impl FnOnce(BTreeSet<Expect>) -> Self) -> Self {
        match events.first() {
            Some(only) if events.len() == 1 => Self::Event(only.clone()),
            Some(_) | None => several(events),
        }
    }
}

impl Reaction {
    /// How long the reaction may take from its own announcement on, in milliseconds: every attempt of the hook to its
    /// last moment, the waits between them, and the waits until the service is well.
    pub fn longest(&self) -> Millis {
        let hook = if self.hook { self.retry.longest(self.timeout) } else { 0 };
        let hook = hook.saturating_add(self.stagger);
        let waits = [self.ready.map_or(0, |ready| ready.within), self.hold.map_or(0, |hold| hold.within)];
        waits.into_iter().fold(hook, Millis::saturating_add)
    }
}

impl Retry {
    /// How long all attempts of so many milliseconds and the waits between them may take, in milliseconds.
    pub fn longest(&self, timeout: Millis) -> Millis {
        let waits = (1..self.attempts).map(|attempt| self.whole(attempt));
        let attempts = timeout.saturating_mul(Millis::from(self.attempts));
        waits.fold(attempts, Millis::saturating_add)
    }

    /// How long to wait after this attempt (from 1), in milliseconds: doubled each time, capped, spread over
    /// its upper half by the seed.
    pub fn wait(&self, attempt: u32, seed: u64) -> Millis {
        if let Some(pause) = self.pause.filter(|_| attempt.is_multiple_of(self.attempts.max(1))) {
            return pause;
        }
        let whole = self.whole(attempt);
        let half = whole / 2;
        let spread = mix(seed ^ u64::from(attempt)) % (half.unsigned_abs() + 1);
        whole - half + i64::try_from(spread).unwrap_or(0)
    }

    /// Whether there is another attempt after this one.
    pub const fn goes_on(&self, attempt: u32) -> bool {
        self.pause.is_some() || attempt < self.attempts
    }

    /// The longest wait after this attempt of a series.
    fn whole(&self, attempt: u32) -> Millis {
        let attempt = (attempt.max(1) - 1) % self.attempts.max(1) + 1;
        let doubled = self.first.saturating_mul(1_i64 << attempt.saturating_sub(1).min(30));
        doubled.clamp(0, self.cap.max(0))
    }
}

impl Settings {
    /// How long this instance waits of the time that a reaction is spread over, in milliseconds: by its name, the same at
    /// every start and in every rollout, so that a person can tell it beforehand.
    pub fn turn(&self, stagger: Millis) -> Millis {
        let name = format!("{}/{}/{}", self.domain, self.service, self.instance);
        let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        let whole = stagger.max(0).unsigned_abs();
        i64::try_from(mix(hash) % (whole + 1)).unwrap_or(0)
    }

    /// Where this sidecar's events come from: `/pavane/<domain>/<service>/<instance>`.
    pub fn source(&self) -> Source {
        Source::new(format!("/pavane/{}/{}/{}", self.domain, self.service, self.instance))
            .expect("three names of at most 64 characters fit into a source")
    }

    /// The reaction with this name.
    pub fn reaction(&self, name: &str) -> Option<&Reaction> {
        self.reactions.iter().find(|reaction| reaction.name() == name)
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
        let retry = Retry { attempts: 9, first: 1_000, cap: 30_000, pause: None };
        for (attempt, whole) in [(1, 1_000), (2, 2_000), (3, 4_000), (6, 30_000), (9, 30_000)] {
            for seed in 0..50 {
                let wait = retry.wait(attempt, seed);
                assert!((whole / 2..=whole).contains(&wait), "attempt {attempt}: {wait}");
                assert_eq!(wait, retry.wait(attempt, seed), "the same seed gives the same wait");
            }
        }
        let waits: std::collections::BTreeSet<_> = (0..50).map(|seed| retry.wait(3, seed)).collect();
        assert!(waits.len() > 30, "seeds spread the waits");
        assert_eq!(retry.longest(500), 9 * 500 + 1_000 + 2_000 + 4_000 + 8_000 + 16_000 + 3 * 30_000);
    }

    #[test]
    fn the_name_of_a_reaction_does_not_depend_on_the_order_of_its_events() {
        let event =
            |service: &str| Expect { service: Service::new(service).unwrap(), event: EventType::Ready };
        let names = |trigger: fn(Vec<Expect>) -> Trigger| {
            let orders = [["b", "a", "b"], ["a", "b", "a"]];
            orders.map(|order| trigger(order.map(event).to_vec()).name())
        };
        assert_eq!(names(Trigger::all), ["a.Ready and b.Ready"; 2]);
        assert_eq!(names(Trigger::any), ["a.Ready or b.Ready"; 2]);
        assert_eq!(Trigger::all([event("a")]), Trigger::Event(event("a")));
        assert_eq!(Trigger::any([event("a"), event("a")]).name(), "a.Ready", "as one event is named");
    }
}
