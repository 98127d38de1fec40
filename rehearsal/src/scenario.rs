//! A scenario: what happens to a plan while it is danced, and what must come of it.

mod cue;
mod reading;
mod wish;
mod writing;

use std::collections::BTreeMap;

use pavane_choreography::Expect;
use pavane_events::{EventType, Millis, RolloutId, Service};
use pavane_sentinel_engine::Status;

use crate::clock::WeekTime;

pub use cue::{Cue, Fault, How, Moment, Order, What, When, Whom};
pub use reading::{Library, read, tests};
pub use wish::{AlertWish, StallWish, Wish};
pub use writing::write;

/// A scenario as it is meant.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scenario {
    /// Its name: a sentence.
    pub name: String,
    /// The plan that is played, as the scenario names it; the choreography that holds the scenario when none.
    pub plan: Option<String>,
    /// How many instances a service has; where it says nothing, as many as the plan wants, or 4 of a share.
    pub fleet: BTreeMap<Service, u32>,
    /// How long the hook of a service takes, in milliseconds; a tenth of its window where nothing is said.
    pub takes: BTreeMap<Service, Millis>,
    /// How many sentinels watch: 1 or 2. 2 when the scenario crashes one.
    pub sentinels: u32,
    /// When it begins by the broker's clock, for plans with a maintenance window.
    pub begins: Option<WeekTime>,
    /// What happens.
    pub timeline: Vec<Cue>,
    /// What must come of it.
    pub expect: Vec<Wish>,
}

impl Scenario {
    /// A scenario in which a plan is started and nothing goes wrong.
    pub fn of_start(name: impl Into<String>) -> Self {
        Self { name: name.into(), sentinels: 1, timeline: vec![Cue::start()], ..Self::default() }
    }

    /// Whether something happens that only a row of heartbeats tells.
    pub(crate) fn is_told_by_heartbeats(&self) -> bool {
        let told = |cue: &Cue| {
            matches!(cue.what, What::Fault(Fault::Lose(_) | Fault::Fail { how: How::Twin | How::Drift, .. }))
        };
        self.timeline.iter().any(told)
    }

    /// The plans beside the own one that its timeline starts, as it names them.
    pub fn other_plans(&self) -> impl Iterator<Item = &str> {
        self.timeline.iter().filter_map(|cue| match &cue.what {
            What::Start { plan, .. } => plan.as_deref(),
            What::Fault(_) | What::Order { .. } | What::Say { .. } | What::Metric { .. } => None,
        })
    }
}

/// The word for an ending in scenarios.
pub(crate) const ENDINGS: [(&str, Status); 5] = [
    ("completed", Status::Completed),
    ("rolled_back", Status::RolledBack),
    ("partial", Status::Partial),
    ("aborted", Status::Aborted),
    ("open", Status::Open),
];

/// An event as a scenario names it: of a service, or any of its type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Named {
    /// An event of a service, e.g. `user-db.Ready`.
    Of(Expect),
    /// An event by its type alone, e.g. `RolloutPaused`.
    Any(EventType),
}

impl std::fmt::Display for Named {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Of(expect) => expect.fmt(f),
            Self::Any(event) => event.fmt(f),
        }
    }
}

/// A rollout of a scenario, by the name that the scenario gives it.
pub(crate) fn first_rollout() -> RolloutId {
    RolloutId::new("first").expect("a name")
}
