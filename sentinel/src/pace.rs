//! How long steps take: what they took last month is what they are held against today.
//!
//! A label must not be whatever a record says, so steps are counted by the names of the choreographies that are published;
//! what is started without being published is counted together.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use pavane_choreography::Plan;
use pavane_events::Domain;
use pavane_sentinel_engine::{RolloutView, StepView};

use crate::telemetry::step_took;

/// What stands for a choreography or a step that is not published.
const OTHER: &str = "other";

/// The steps of the choreographies that are published, by name.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    published: BTreeMap<String, BTreeSet<String>>,
}

impl Pace {
    /// Notes what is published under a name; none when it was taken back.
    pub(crate) fn published(&mut self, name: &str, plan: Option<&Plan>) {
        let Some(plan) = plan else {
            self.published.remove(name);
            return;
        };
        let steps = plan.steps.iter().map(|step| step.id.to_string()).collect();
        self.published.insert(name.to_owned(), steps);
    }

    /// Counts how long the steps of a rollout took that were met, once it has ended.
    pub(crate) fn ended(&self, domain: &Domain, rollout: &RolloutView) {
        for step in &rollout.steps {
            let Some(took) = took(step) else { continue };
            let (choreography, step) = self.labels(&rollout.choreography, &step.id);
            step_took(domain, choreography, step, took);
        }
    }

    fn labels<'a>(&'a self, choreography: &'a str, step: &'a str) -> (&'a str, &'a str) {
        match self.published.get(choreography) {
            Some(steps) if steps.contains(step) => (choreography, step),
            Some(_) => (choreography, OTHER),
            None => (OTHER, OTHER),
        }
    }
}

/// From the beginning of its window to when it was met; none where it was not, or a person counted it.
fn took(step: &StepView) -> Option<Duration> {
    let (since, met) = (step.since?, step.met_at.filter(|_| step.overridden_by.is_none())?);
    u64::try_from(met.since(since)).ok().map(Duration::from_millis)
}

#[cfg(test)]
mod tests {
    use pavane_choreography::{Expect, Step};
    use pavane_events::{EventType, Service, StepId};

    use super::*;

    #[test]
    fn what_is_not_published_is_counted_together() {
        let expect =
            Expect { service: Service::new("users").expect("a name"), event: EventType::DeploymentComplete };
        let step = Step::new(StepId::new("users").expect("a name"), expect, 1_000, "identity");
        let plan = Plan::new("users-v2", "identity", vec![step]);
        let mut pace = Pace::default();
        pace.published("users-v2", Some(&plan));
        assert_eq!(pace.labels("users-v2", "users"), ("users-v2", "users"));
        assert_eq!(pace.labels("users-v2", "x"), ("users-v2", OTHER));
        assert_eq!(pace.labels("users-v3", "users"), (OTHER, OTHER));
        pace.published("users-v2", None);
        assert_eq!(pace.labels("users-v2", "users"), (OTHER, OTHER));
    }
}
