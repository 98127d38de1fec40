//! When each step starts at the latest while every window holds, and what makes the rollout as long as it may be.
//!
//! Times are counted from the start of the rollout. An approval may take any time and is counted as none.

use std::collections::BTreeMap;

use pavane_choreography::{Phase, Plan, Step};
use pavane_events::{Millis, StepId};

/// The latest times of a plan, in milliseconds from its start.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    starts: BTreeMap<StepId, Latest>,
    /// When the rollout is complete at the latest.
    pub(super) end: Millis,
    /// The steps that make it that long.
    pub(super) path: Vec<StepId>,
}

/// The latest times of one step.
#[derive(Debug)]
struct Latest {
    start: Millis,
    full: Millis,
    /// The step without which it would start earlier.
    because: Option<StepId>,
}

/// A time, and the step that brings it.
type Brought = (Millis, Option<StepId>);

impl Schedule {
    /// The latest times of a plan.
    pub(super) fn of(plan: &Plan) -> Self {
        let mut schedule = Self::default();
        let mut last = (0, None);
        if plan.phases.is_empty() {
            last = schedule.lay(plan.steps.iter(), &last);
        }
        for phase in &plan.phases {
            let steps = plan.steps.iter().filter(|step| phase.steps.contains(&step.id));
            let (met, by) = schedule.lay(steps, &last);
            last = (met + lingering(phase), by);
        }
        schedule.end = last.0;
        schedule.path = schedule.path_to(last.1);
        schedule
    }

    /// When a step starts at the latest.
    pub(super) fn latest_start(&self, id: &StepId) -> Millis {
        self.starts.get(id).map_or(0, |latest| latest.start)
    }

    /// Lays steps that open no sooner than a time, each after its prerequisites; returns when all are met.
    fn lay<'a>(&mut self, steps: impl Iterator<Item = &'a Step>, opens: &Brought) -> Brought {
        let mut end = opens.clone();
        for step in steps {
            let (start, because) = self.due(step, opens);
            let full = start + step.within;
            self.starts.insert(step.id.clone(), Latest { start, full, because });
            if full + step.healthy_for > end.0 {
                end = (full + step.healthy_for, Some(step.id.clone()));
            }
        }
        end
    }

    fn due(&self, step: &Step, opens: &Brought) -> Brought {
        let full = |id: &StepId| (self.starts.get(id).map_or(0, |latest| latest.full), Some(id.clone()));
        let all = step.after.iter().map(full).max_by_key(|(at, _)| *at);
        let any = step.after_any.iter().map(full).min_by_key(|(at, _)| *at);
        let later = |a: Brought, b: Brought| if b.0 > a.0 { b } else { a };
        [all, any].into_iter().flatten().fold(opens.clone(), later)
    }

    fn path_to(&self, last: Option<StepId>) -> Vec<StepId> {
        let mut path = Vec::new();
        let mut next = last;
        while let Some(id) = next {
            next = self.starts.get(&id).and_then(|latest| latest.because.clone());
            path.push(id);
        }
        path.reverse();
        path
    }
}

/// How long a phase lasts after all its steps are met.
fn lingering(phase: &Phase) -> Millis {
    phase.soak + phase.watch.as_ref().map_or(0, |watch| watch.hold)
}
