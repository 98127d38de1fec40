//! Whether a plan that came over the log is one that can be judged.
//!
//! A plan that was read from a document always is. One that comes with a `RolloutStarted` was written by
//! whoever may write there, so whoever judges by it checks it first.

use std::collections::BTreeSet;

use pavane_events::Speaker;

use crate::document::MAX_STEPS;
use crate::error::Unsound;
use crate::instances::Instances;
use crate::plan::{Plan, Step};
use crate::yaml::MAX_DURATION;

impl Plan {
    /// Checks what a document is checked for, as far as judging relies on it.
    pub fn check(&self) -> Result<(), Unsound> {
        if self.steps.is_empty() || self.steps.len() > MAX_STEPS {
            return Err(Unsound::Steps(self.steps.len()));
        }
        let (mut ids, mut awaited) = (BTreeSet::new(), BTreeSet::new());
        for step in &self.steps {
            let behind = step.after.iter().all(|id| ids.contains(id));
            if !behind || !ids.insert(&step.id) {
                return Err(Unsound::Order(step.id.clone()));
            }
            let said = step.expect.event.speaker() == Speaker::Service;
            if !said || !awaited.insert(&step.expect) {
                return Err(Unsound::Expectation(step.id.clone(), step.expect.clone()));
            }
            step.check()?;
        }
        Ok(())
    }
}

impl Step {
    fn check(&self) -> Result<(), Unsound> {
        if self.instances == Instances::Count(0) {
            return Err(Unsound::Instances(self.id.clone()));
        }
        let windows = [Some(self.within), self.started_within, Some(self.compensate.within)];
        let window = windows.into_iter().flatten().find(|window| !(1..=MAX_DURATION).contains(window));
        let healthy = (!(0..=MAX_DURATION).contains(&self.healthy_for)).then_some(self.healthy_for);
        match window.or(healthy) {
            Some(window) => Err(Unsound::Window(self.id.clone(), window)),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = include_str!("../tests/good/diamond.yaml");

    #[test]
    fn a_plan_from_a_document_is_sound_and_a_forged_one_is_not() {
        assert_eq!(plan().check(), Ok(()));
        let forged = |forge: fn(&mut Plan)| {
            let mut plan = plan();
            forge(&mut plan);
            plan.check().expect_err("a forged plan").to_string()
        };
        let told = [
            (forged(|plan| plan.steps.clear()), "judge a plan of 0 steps"),
            (forged(|plan| plan.steps.reverse()), "order the steps: `moved`"),
            (forged(|plan| plan.steps[1].id = plan.steps[0].id.clone()), "order the steps: `base`"),
            (forged(|plan| plan.steps[0].after = vec![plan.steps[0].id.clone()]), "order the steps: `base`"),
            (
                forged(|plan| plan.steps[1].expect = plan.steps[0].expect.clone()),
                "tell who fills step `right`",
            ),
            (forged(|plan| plan.steps[2].instances = Instances::Count(0)), "fill step `left`"),
            (forged(|plan| plan.steps[2].within = i64::MAX), "measure step `left`: a window of 9223"),
            (forged(|plan| plan.steps[2].started_within = Some(0)), "measure step `left`: a window of 0"),
            (forged(|plan| plan.steps[2].compensate.within = -1), "measure step `left`: a window of -1"),
            (forged(|plan| plan.steps[2].healthy_for = -7), "measure step `left`: a window of -7"),
        ];
        for (found, wanted) in told {
            assert!(found.starts_with(wanted), "{found} is not {wanted}");
        }
    }

    fn plan() -> Plan {
        crate::read(GOOD, "diamond.yaml").expect("a good document")
    }
}
