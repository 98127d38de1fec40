//! When each step opens and ends, at the earliest and at the latest, and the chain of windows that decides the end.
//!
//! A window begins when what the step waits for is full, not when it has held: so `healthy_for` counts where a
//! phase or the whole rollout ends. Of `after_any` the one that is full first counts. A phase begins when the
//! one before has met all its steps, has soaked and was watched. The earliest takes every event as coming at
//! once, the latest as coming just in time. What a person takes to approve is in neither.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use pavane_choreography::{Phase, Plan, Step};
use pavane_events::{Millis, StepId};
use serde::Serialize;

/// When a step opens and ends, in milliseconds from the start of the rollout.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Window {
    /// How long the event may take.
    pub within: Millis,
    /// How long the count must hold.
    pub healthy_for: Millis,
    /// When it opens at the earliest.
    pub opens_from: Millis,
    /// When it opens at the latest.
    pub opens_by: Millis,
    /// When its count is full at the latest: its dependants open then.
    pub full_by: Millis,
    /// When it is met at the latest.
    pub met_by: Millis,
}

/// The chain of windows that is as long as the rollout may take.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Critical {
    /// How long the rollout takes at the latest, in milliseconds, without what people take to approve.
    pub total: Millis,
    /// What it is made of, from the start to the end.
    pub legs: Vec<Leg>,
    /// How many approvals are waited for beside it.
    pub approvals: usize,
}

/// One stretch of the critical path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Leg {
    /// What takes the time: the window of a step, its health, a soak or a watch.
    pub what: String,
    /// The step; none for the soak and the watch of a phase.
    pub step: Option<String>,
    /// How long it takes, in milliseconds.
    pub lasts: Millis,
}

/// The windows of a plan's steps in their order, the critical path, and the steps on it.
pub(super) struct Schedule {
    pub(super) windows: Vec<Window>,
    pub(super) critical: Critical,
    pub(super) chain: Vec<usize>,
}

/// What decided when a step opened.
#[derive(Clone, Copy)]
enum Cause {
    Start,
    Step(usize),
    Gate(usize),
}

struct Walk<'p> {
    plan: &'p Plan,
    places: BTreeMap<&'p StepId, usize>,
    phase_of: Vec<Option<usize>>,
    windows: Vec<Window>,
    causes: Vec<Cause>,
}

pub(super) fn of(plan: &Plan) -> Schedule {
    let mut walk = Walk::new(plan);
    let (mut begun, start) = ((0, 0), (0, Cause::Start));
    for step in walk.steps_of(None) {
        walk.open(step, 0, start);
    }
    for phase in 0..plan.phases.len() {
        let gate = if phase == 0 { start } else { (begun.1, Cause::Gate(phase)) };
        for step in walk.steps_of(Some(phase)) {
            walk.open(step, begun.0, gate);
        }
        begun = walk.complete(phase, begun);
    }
    let total = walk.windows.iter().map(|window| window.met_by).max().unwrap_or(0).max(begun.1);
    let (legs, chain) = walk.trace();
    let approvals = plan.phases.iter().filter(|phase| phase.approval.is_some()).count();
    Schedule { windows: walk.windows, critical: Critical { total, legs, approvals }, chain }
}

impl<'p> Walk<'p> {
    fn new(plan: &'p Plan) -> Self {
        let places = plan.steps.iter().enumerate().map(|(at, step)| (&step.id, at)).collect();
        let phases: BTreeMap<&StepId, usize> = plan
            .phases
            .iter()
            .enumerate()
            .flat_map(|(at, phase)| phase.steps.iter().map(move |step| (step, at)))
            .collect();
        let phase_of = plan.steps.iter().map(|step| phases.get(&step.id).copied()).collect();
        let count = plan.steps.len();
        Self {
            plan,
            places,
            phase_of,
            windows: vec![Window::default(); count],
            causes: vec![Cause::Start; count],
        }
    }

    /// The steps of a phase, or those in none, each after those that it waits for.
    fn steps_of(&self, phase: Option<usize>) -> Vec<usize> {
        let belongs = |(at, of): (usize, &Option<usize>)| (*of == phase).then_some(at);
        self.phase_of.iter().enumerate().filter_map(belongs).collect()
    }

    /// When a phase that begins at this time is complete, at the earliest and at the latest.
    fn complete(&self, phase: usize, begun: (Millis, Millis)) -> (Millis, Millis) {
        let Phase { steps, soak, watch, .. } = &self.plan.phases[phase];
        let still = soak + watch.as_ref().map_or(0, |watch| watch.hold);
        let windows = || steps.iter().filter_map(|step| Some(&self.windows[*self.places.get(step)?]));
        let soonest = windows().map(|window| window.opens_from + window.healthy_for).max();
        let latest = windows().map(|window| window.met_by).max();
        (soonest.unwrap_or(0).max(begun.0) + still, latest.unwrap_or(0).max(begun.1) + still)
    }

    /// Opens a step when what it waits for is there, and not before its phase begins.
    fn open(&mut self, place: usize, begins_from: Millis, begins_by: (Millis, Cause)) {
        let step = &self.plan.steps[place];
        let full = |id: &StepId| self.places.get(id).map(|&at| (self.windows[at].full_by, at));
        let all = step.after.iter().filter_map(full).max_by_key(|&(by, at)| (by, Reverse(at)));
        let any = step.after_any.iter().filter_map(full).min();
        let waited = [all, any].into_iter().flatten().map(|(by, at)| (by, Cause::Step(at)));
        let (opens_by, cause) =
            waited.fold(begins_by, |most, next| if next.0 > most.0 { next } else { most });
        let full_by = opens_by + step.within;
        let window = Window {
            within: step.within,
            healthy_for: step.healthy_for,
            opens_from: self.soonest(step).max(begins_from),
            opens_by,
            full_by,
            met_by: full_by + step.healthy_for,
        };
        self.causes[place] = cause;
        self.windows[place] = window;
    }

    fn soonest(&self, step: &Step) -> Millis {
        let opens = |id: &StepId| self.places.get(id).map(|&at| self.windows[at].opens_from);
        let all = step.after.iter().filter_map(opens).max();
        let any = step.after_any.iter().filter_map(opens).min();
        all.max(any).unwrap_or(0)
    }

    /// The way back from what ends last to the start.
    fn trace(&self) -> (Vec<Leg>, Vec<usize>) {
        let (mut legs, mut chain) = (Vec::new(), Vec::new());
        let mut ending = match self.plan.phases.len() {
            0 => (0..self.plan.steps.len()).max_by_key(|&at| (self.windows[at].met_by, Reverse(at))),
            phases => self.rest_of(phases - 1, &mut legs),
        };
        if let Some(at) = ending {
            self.hold_of(at, &mut legs);
        }
        while let Some(at) = ending {
            let step = &self.plan.steps[at];
            chain.push(at);
            legs.push(Leg { what: step.id.to_string(), step: Some(step.id.to_string()), lasts: step.within });
            ending = match self.causes[at] {
                Cause::Start => None,
                Cause::Step(before) => Some(before),
                Cause::Gate(phase) => {
                    let last = self.rest_of(phase - 1, &mut legs);
                    if let Some(at) = last {
                        self.hold_of(at, &mut legs);
                    }
                    last
                }
            };
        }
        legs.reverse();
        chain.reverse();
        (legs, chain)
    }

    fn hold_of(&self, at: usize, legs: &mut Vec<Leg>) {
        let step = &self.plan.steps[at];
        if step.healthy_for > 0 {
            let what = format!("{} healthy", step.id);
            legs.push(Leg { what, step: Some(step.id.to_string()), lasts: step.healthy_for });
        }
    }

    /// Notes the watch and the soak of a phase, and finds its last step.
    fn rest_of(&self, phase: usize, legs: &mut Vec<Leg>) -> Option<usize> {
        let phase = &self.plan.phases[phase];
        if let Some(watch) = &phase.watch {
            legs.push(Leg { what: format!("watch of {}", phase.id), step: None, lasts: watch.hold });
        }
        if phase.soak > 0 {
            legs.push(Leg { what: format!("soak of {}", phase.id), step: None, lasts: phase.soak });
        }
        let places = phase.steps.iter().filter_map(|step| self.places.get(step).copied());
        places.max_by_key(|&at| (self.windows[at].met_by, Reverse(at)))
    }
}

#[cfg(test)]
mod tests {
    use pavane_choreography::{Approval, Bound, OnStall, Watch};

    use super::*;
    use crate::graph::network::tests::{phase, plan, step};

    fn legs(plan: &Plan) -> Vec<(String, Millis)> {
        of(plan).critical.legs.into_iter().map(|leg| (leg.what, leg.lasts)).collect()
    }

    #[test]
    fn the_longest_chain_of_windows_decides_and_health_counts_at_the_end_alone() {
        let mut plan =
            plan(&[("a", &[], &[]), ("b", &["a"], &[]), ("c", &["a"], &[]), ("d", &["b", "c"], &[])]);
        for (at, within) in [1_000, 20_000, 30_000, 4_000].into_iter().enumerate() {
            plan.steps[at].within = within;
            plan.steps[at].healthy_for = 500;
        }
        let expected = [("a", 1_000), ("c", 30_000), ("d", 4_000), ("d healthy", 500)];
        assert_eq!(legs(&plan), expected.map(|(what, lasts)| (what.to_owned(), lasts)));
        let schedule = of(&plan);
        assert_eq!(schedule.critical.total, 35_500);
        assert_eq!((schedule.windows[3].opens_by, schedule.windows[3].full_by), (31_000, 35_000));
        assert_eq!(schedule.chain, [0, 2, 3]);
    }

    #[test]
    fn of_those_of_which_one_is_enough_the_soonest_counts() {
        let mut plan = plan(&[("a", &[], &[]), ("b", &[], &[]), ("c", &[], &["a", "b"])]);
        (plan.steps[0].within, plan.steps[1].within, plan.steps[2].within) = (9_000, 2_000, 1_000);
        assert_eq!(of(&plan).windows[2].opens_by, 2_000);
        assert_eq!(of(&plan).critical.total, 9_000);
        plan.steps[2].within = 8_000;
        assert_eq!(legs(&plan), [("b".to_owned(), 2_000), ("c".to_owned(), 8_000)]);
    }

    #[test]
    fn a_phase_waits_for_the_soak_and_the_watch_of_the_one_before() {
        let mut plan = plan(&[("a", &[], &[]), ("b", &[], &[]), ("c", &[], &[])]);
        plan.phases = vec![phase("one", &["a", "b"]), phase("two", &["c"])];
        plan.steps[1].within = 70_000;
        plan.steps[1].healthy_for = 5_000;
        plan.phases[0].soak = 3_000;
        plan.phases[0].watch = Some(Watch {
            query: "errors".into(),
            bound: Bound::AtMost(1.into()),
            hold: 2_000,
            every: 1_000,
            on_breach: OnStall::Alert,
        });
        plan.phases[1].approval = Some(Approval { by: "sre".into() });
        plan.phases[1].soak = 1_000;
        let expected = [
            ("b", 70_000),
            ("b healthy", 5_000),
            ("soak of one", 3_000),
            ("watch of one", 2_000),
            ("c", 60_000),
            ("soak of two", 1_000),
        ];
        assert_eq!(legs(&plan), expected.map(|(what, lasts)| (what.to_owned(), lasts)));
        let schedule = of(&plan);
        assert_eq!((schedule.critical.total, schedule.critical.approvals), (141_000, 1));
        assert_eq!((schedule.windows[2].opens_from, schedule.windows[2].opens_by), (10_000, 80_000));
    }

    #[test]
    fn the_legs_add_up_to_the_total() {
        let mut plan = plan(&[("a", &[], &[]), ("b", &["a"], &[]), ("c", &[], &["a", "b"])]);
        plan.steps[0].healthy_for = 7_000;
        let Critical { total, legs, .. } = of(&plan).critical;
        assert_eq!(legs.iter().map(|leg| leg.lasts).sum::<Millis>(), total);
        let step = step("alone", &[], &[]);
        assert_eq!(of(&Plan::new("p", "o", vec![step])).critical.total, 60_000);
    }
}
