//! A plan as the sidecars of a rollout follow it: read and checked once, its steps at hand by service.
//!
//! A plan is what its text says and nothing else, so whoever has read the text before may hand the score on: all that
//! is compared is the text itself.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::Arc;

use pavane_choreography::{Plan, Step};
use pavane_events::command::RolloutStarted;
use pavane_events::identity::sha256_hex;
use pavane_events::{RolloutId, Service};

/// A plan that was read from its text; it can be shared by any number of engines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Score {
    text: String,
    digest: String,
    plan: Plan,
    places: BTreeMap<Service, Vec<usize>>,
}

impl Score {
    /// Reads the plan that a start carries; or says in words why nobody can dance it.
    pub fn read(started: &RolloutStarted) -> Result<Self, String> {
        let digest = sha256_hex(&started.plan);
        if digest != started.plan_digest {
            return Err(format!("the plan's digest is {digest}, not {}", started.plan_digest));
        }
        let plan =
            Plan::from_json(&started.plan).map_err(|error| format!("the plan cannot be read: {error}"))?;
        plan.check().map_err(|error| format!("the plan cannot be followed: {error}"))?;
        Ok(Self { text: started.plan.clone(), digest, places: places(&plan), plan })
    }

    /// The score as one rollout dances it: every service by its own name.
    pub(crate) fn bound_to(score: Arc<Self>, rollout: &RolloutId) -> Result<Arc<Self>, String> {
        if score.plan.steps.iter().all(|step| !step.per_rollout) {
            return Ok(score);
        }
        let plan = score.plan.clone().bound_to(rollout).map_err(|error| error.to_string())?;
        plan.check().map_err(|error| format!("the plan cannot be followed: {error}"))?;
        let (text, digest) = (score.text.clone(), score.digest.clone());
        Ok(Arc::new(Self { text, digest, places: places(&plan), plan }))
    }

    /// Whether a start carries this very plan.
    pub fn is_of(&self, started: &RolloutStarted) -> bool {
        self.digest == started.plan_digest && self.text == started.plan
    }

    /// Whether a service takes part.
    pub(crate) fn touches(&self, service: &Service) -> bool {
        self.places.contains_key(service)
    }

    /// The steps of a service, in the order of the plan.
    pub(crate) fn steps_of(&self, service: &Service) -> impl DoubleEndedIterator<Item = &Step> {
        self.places.get(service).into_iter().flatten().map(|place| &self.plan.steps[*place])
    }
}

fn places(plan: &Plan) -> BTreeMap<Service, Vec<usize>> {
    let mut places: BTreeMap<Service, Vec<usize>> = BTreeMap::new();
    for (place, step) in plan.steps.iter().enumerate() {
        places.entry(step.expect.service.clone()).or_default().push(place);
    }
    places
}

impl Deref for Score {
    type Target = Plan;

    fn deref(&self) -> &Plan {
        &self.plan
    }
}

#[cfg(test)]
mod tests {
    use pavane_choreography::Expect;
    use pavane_events::{EventType, StepId};

    use super::*;

    #[test]
    fn a_score_is_of_the_text_that_it_was_read_from_and_of_no_other() {
        let started = start(60_000);
        let score = Score::read(&started).expect("a sound plan");
        assert!(score.is_of(&started));
        assert!(!score.is_of(&start(60_001)), "another window");
        let forged = RolloutStarted { plan: start(60_001).plan, ..started.clone() };
        assert!(!score.is_of(&forged), "another text under the same digest");
        assert!(Score::read(&forged).is_err_and(|why| why.starts_with("the plan's digest is ")));
        assert!(score.touches(&service("users")) && !score.touches(&service("orders")));
        assert_eq!(score.steps_of(&service("users")).count(), 1);
    }

    #[test]
    fn a_step_per_rollout_is_of_the_service_with_the_rollouts_id() {
        let mut plan = Plan::from_json(&start(60_000).plan).unwrap();
        plan.steps[0].per_rollout = true;
        let (text, plan_digest) = (plan.to_json(), plan.digest());
        let started = RolloutStarted { plan: text, plan_digest, ..start(60_000) };
        let score = Arc::new(Score::read(&started).expect("a sound plan"));
        let rollout = |id: &str| RolloutId::new(id).unwrap();
        let bound = Score::bound_to(Arc::clone(&score), &rollout("r-1")).expect("a name that fits");
        assert!(bound.touches(&service("users-r-1")) && bound.is_of(&started));
        assert!(!bound.touches(&service("users")) && !bound.touches(&service("users-r-2")));
        assert!(Score::bound_to(score, &rollout(&"r".repeat(60))).is_err(), "the name gets too long");
    }

    fn start(within: i64) -> RolloutStarted {
        let expect = Expect { service: service("users"), event: EventType::DeploymentComplete };
        let step = Step::new(StepId::new("users").unwrap(), expect, within, "identity");
        let plan = Plan::new("users-v2", "identity", vec![step]);
        let (plan, plan_digest) = (plan.to_json(), plan.digest());
        let (by, reason) = ("ana".to_owned(), String::new());
        RolloutStarted { choreography: "users-v2".to_owned(), plan, plan_digest, rules: 1, by, reason }
    }

    fn service(name: &str) -> Service {
        Service::new(name).unwrap()
    }
}
