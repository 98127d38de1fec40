//! Whether a plan that came over the log is one that can be judged.
//!
//! A plan that was read from a document always is. One that comes with a `RolloutStarted` was written by
//! whoever may write there, so whoever judges by it checks it first.

use std::collections::{BTreeMap, BTreeSet};

use pavane_events::{Millis, Speaker, StepId, Zone};

use crate::document::MAX_STEPS;
use crate::error::Unsound;
use crate::instances::{Instances, Share};
use crate::maintenance::Maintenance;
use crate::phase::{Bound, Phase, Watch};
use crate::plan::{Expect, Method, Plan, Step};
use crate::yaml::MAX_DURATION;

const DAY: Millis = 24 * 60 * 60 * 1000;

impl Plan {
    /// Checks what a document is checked for, as far as judging relies on it.
    pub fn check(&self) -> Result<(), Unsound> {
        if self.steps.is_empty() || self.steps.len() > MAX_STEPS {
            return Err(Unsound::Steps(self.steps.len()));
        }
        let phases = self.check_phases()?;
        let (mut ids, mut claims) = (BTreeSet::new(), Claims::default());
        for step in &self.steps {
            let here = phases.get(&step.id);
            let behind = step.prerequisites().all(|id| ids.contains(id) && phases.get(id) <= here);
            if !behind || !ids.insert(&step.id) {
                return Err(Unsound::Order(step.id.clone()));
            }
            let cohort = here.and_then(|&phase| self.phases[phase].cohort);
            let said = step.expect.event.speaker() == Speaker::Service;
            if !said || !claims.claim(step, here.copied(), cohort) {
                return Err(Unsound::Expectation(step.id.clone(), step.expect.clone()));
            }
            step.check()?;
        }
        self.check_start()
    }

    /// Checks the phases, and gives for each step the place of the one that opens it.
    fn check_phases(&self) -> Result<BTreeMap<&StepId, usize>, Unsound> {
        if (self.method == Method::Choreography) != self.phases.is_empty() {
            return Err(Unsound::Method(self.method));
        }
        let (mut ids, mut opened) = (BTreeSet::new(), BTreeMap::new());
        for (place, phase) in self.phases.iter().enumerate() {
            let once = phase.steps.iter().all(|step| opened.insert(step, place).is_none());
            let single = self.method != Method::Orchestrated || phase.steps.len() == 1;
            if !once || !single || phase.steps.is_empty() || !ids.insert(&phase.id) {
                return Err(Unsound::Phase(phase.id.clone()));
            }
            phase.check()?;
        }
        let left_out = self.steps.iter().find(|step| !opened.contains_key(&step.id));
        match left_out.filter(|_| !self.phases.is_empty()) {
            Some(step) => Err(Unsound::Order(step.id.clone())),
            None if self.phases.is_empty() || opened.len() == self.steps.len() => Ok(opened),
            None => Err(Unsound::Steps(opened.len())),
        }
    }

    fn check_start(&self) -> Result<(), Unsound> {
        if let Some(trigger) = self.trigger.as_ref().filter(|t| t.on.event.speaker() != Speaker::Service) {
            return Err(Unsound::Trigger(trigger.on.clone()));
        }
        match &self.maintenance {
            Some(maintenance) if !maintenance.is_sound() => Err(Unsound::Maintenance),
            Some(_) | None => Ok(()),
        }
    }
}

impl Maintenance {
    fn is_sound(&self) -> bool {
        let ordered = self.days.windows(2).all(|pair| pair[0] < pair[1]);
        ordered && !self.days.is_empty() && self.from < 24 * 60 && (1..=DAY).contains(&self.length)
    }
}

impl Phase {
    fn check(&self) -> Result<(), Unsound> {
        let within = |range: std::ops::RangeInclusive<Millis>, length: Millis| range.contains(&length);
        let watched = |watch: &Watch| {
            let (Bound::AtMost(bound) | Bound::AtLeast(bound)) = &watch.bound;
            let paced = within(1..=MAX_DURATION, watch.hold) && within(1..=watch.hold, watch.every);
            paced && !watch.query.is_empty() && bound.as_f64().is_some_and(f64::is_finite)
        };
        let some = self.cohort.is_none_or(|cohort| cohort < Share::ALL);
        if within(0..=MAX_DURATION, self.soak) && self.watch.as_ref().is_none_or(watched) && some {
            return Ok(());
        }
        Err(Unsound::Gate(self.id.clone()))
    }
}

/// Which steps await an event: in each zone one, or the growing cohorts of one. With each zone, the phase and the share
/// of whoever claimed it last, when only a cohort moves there.
#[derive(Default)]
struct Claims<'p>(BTreeMap<(&'p Expect, bool), BTreeMap<Option<&'p Zone>, Partly>>);

type Partly = Option<(usize, Share)>;

impl<'p> Claims<'p> {
    /// Claims an event for a step; fails when the log could not say which step it fills. A further step may claim it in
    /// a later phase in which more of the same instances move.
    fn claim(&mut self, step: &'p Step, phase: Option<usize>, cohort: Option<Share>) -> bool {
        let zones = self.0.entry((&step.expect, step.per_rollout)).or_default();
        let zone = step.zone.as_ref();
        let everywhere = zone.is_none() && zones.keys().any(Option::is_some);
        if everywhere || zone.is_some() && zones.contains_key(&None) {
            return false;
        }
        let grows = |(before, share): (usize, Share)| {
            phase.is_some_and(|phase| phase > before) && cohort.is_none_or(|cohort| cohort > share)
        };
        zones.insert(zone, phase.zip(cohort)).is_none_or(|last| last.is_some_and(grows))
    }
}

impl Step {
    fn check(&self) -> Result<(), Unsound> {
        if self.instances == Instances::Count(0) || self.max_parallel == Some(0) {
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
    const PHASED: &str = include_str!("../tests/good/canary.yaml");

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

    #[test]
    fn forged_phases_gates_and_starts_are_found() {
        type Forge = fn(&mut Plan);
        let forged = |forge: Forge| {
            let mut plan = crate::read(PHASED, "canary.yaml").expect("a good document");
            forge(&mut plan);
            plan.check().map_err(|unsound| unsound.to_string())
        };
        assert_eq!(forged(|_| ()), Ok(()));
        let told: [(Forge, &str); 18] = [
            (|plan| plan.method = Method::Choreography, "open the steps: the method choreography"),
            (|plan| plan.method = Method::Orchestrated, "open phase `users-5pct`"),
            (|plan| plan.phases.clear(), "open the steps: the method hybrid"),
            (|plan| plan.phases[1].id = plan.phases[0].id.clone(), "open phase `users-5pct`"),
            (|plan| plan.phases[1].steps = plan.phases[0].steps.clone(), "open phase `users-100pct`"),
            (|plan| plan.phases[2].steps.clear(), "open phase `messaging`"),
            (|plan| drop(plan.phases.pop()), "order the steps: `messaging`"),
            (|plan| plan.phases.swap(0, 1), "order the steps: `users-a-100pct`"),
            (
                |plan| plan.phases[0].steps.push(StepId::new("ghost").expect("a name")),
                "judge a plan of 10 steps",
            ),
            (
                |plan| plan.steps[0].after_any = vec![plan.steps[1].id.clone()],
                "order the steps: `users-a-5pct`",
            ),
            (|plan| plan.phases[0].soak = -1, "pass the gates of phase `users-5pct`"),
            (|plan| plan.phases[0].cohort = Some(Share::ALL), "pass the gates of phase `users-5pct`"),
            (|plan| plan.phases[0].cohort = None, "tell who fills step `users-a-100pct`"),
            (|plan| plan.steps[1].zone = plan.steps[0].zone.clone(), "tell who fills step `users-b-5pct`"),
            (|plan| plan.steps[1].zone = None, "tell who fills step `users-b-5pct`"),
            (|plan| plan.steps[0].max_parallel = Some(0), "fill step `users-a-5pct`"),
            (|plan| plan.maintenance.as_mut().expect("one").days.reverse(), "find the maintenance window"),
            (|plan| plan.maintenance.as_mut().expect("one").length = DAY + 1, "find the maintenance window"),
        ];
        for (forge, wanted) in told {
            let found = forged(forge).expect_err(wanted);
            assert!(found.starts_with(wanted), "{found} is not {wanted}");
        }
    }

    #[test]
    fn a_watch_that_could_never_be_passed_is_found() {
        let forged: [fn(&mut Watch); 4] = [
            |watch| watch.query.clear(),
            |watch| watch.hold = 0,
            |watch| watch.every = watch.hold + 1,
            |watch| watch.every = 0,
        ];
        for forge in forged {
            let mut plan = crate::read(PHASED, "canary.yaml").expect("a good document");
            forge(plan.phases[0].watch.as_mut().expect("a watch"));
            assert!(matches!(plan.check(), Err(Unsound::Gate(_))));
        }
    }

    #[test]
    fn a_trigger_that_no_service_says_is_found() {
        let mut plan = crate::read(PHASED, "canary.yaml").expect("a good document");
        plan.trigger.as_mut().expect("a trigger").on.event = pavane_events::EventType::Pulse;
        assert!(matches!(plan.check(), Err(Unsound::Trigger(_))));
    }

    fn plan() -> Plan {
        crate::read(GOOD, "diamond.yaml").expect("a good document")
    }
}
