//! A plan with both kinds of prerequisites and its phases, as a graph that can be walked.

use std::collections::{BTreeMap, BTreeSet};

use pavane_choreography::{Phase, Plan, Step};
use pavane_events::{Millis, StepId};

/// A plan's steps, each with all that is certain or possible before and after it.
pub(super) struct Graph<'p> {
    plan: &'p Plan,
    below: BTreeMap<&'p StepId, BTreeSet<&'p StepId>>,
}

impl<'p> Graph<'p> {
    /// The graph of a plan. Steps stand behind what they wait for, so one pass is enough.
    pub(super) fn of(plan: &'p Plan) -> Self {
        let mut below: BTreeMap<&StepId, BTreeSet<&StepId>> = BTreeMap::new();
        for step in &plan.steps {
            let mut all = BTreeSet::new();
            for id in step.prerequisites() {
                all.insert(id);
                all.extend(below.get(id).into_iter().flatten().copied());
            }
            for before in earlier(plan, &step.id) {
                all.extend(&before.steps);
            }
            below.insert(&step.id, all);
        }
        Self { plan, below }
    }

    /// Whether a step waits for another, directly, through others, or because its phase comes later.
    pub(super) fn waits(&self, step: &StepId, other: &StepId) -> bool {
        self.below.get(step).is_some_and(|below| below.contains(other))
    }

    /// All that a step waits for, in the order of the plan.
    pub(super) fn below(&self, step: &StepId) -> impl Iterator<Item = &'p Step> {
        let below = self.below.get(step).cloned().unwrap_or_default();
        self.plan.steps.iter().filter(move |other| below.contains(&other.id))
    }

    /// A shortest way from a step to one that waits for it: both ends and what lies between.
    pub(super) fn way(&self, from: &'p StepId, to: &'p StepId) -> Vec<&'p StepId> {
        let mut before: BTreeMap<&StepId, &StepId> = BTreeMap::new();
        let mut open = vec![from];
        while !open.is_empty() && !before.contains_key(to) {
            let mut next = Vec::new();
            for at in open {
                for step in self.plan.dependants(at) {
                    if step.id != *from && !before.contains_key(&step.id) {
                        before.insert(&step.id, at);
                        next.push(&step.id);
                    }
                }
            }
            open = next;
        }
        let mut way = vec![to];
        while let Some(&at) = before.get(way[way.len() - 1]) {
            way.push(at);
        }
        if way[way.len() - 1] != from {
            way.push(from);
        }
        way.reverse();
        way
    }

    /// The longest way through the plan when every window is used up: its length, and the step it ends with.
    pub(super) fn critical(&self) -> (Millis, Option<&'p StepId>) {
        self.longest(|step| step.within + step.healthy_for)
    }

    /// The shortest time that the plan can take: what has to be waited for even when every event comes at once.
    pub(super) fn quickest(&self) -> Millis {
        self.longest(|step| step.healthy_for).0
    }

    fn longest(&self, of: impl Fn(&Step) -> Millis) -> (Millis, Option<&'p StepId>) {
        let mut begins: Millis = 0;
        let (mut last, mut ends) = (None, BTreeMap::<&StepId, Millis>::new());
        let mut run = |steps: Vec<&'p Step>, begins: Millis| {
            let mut end = begins;
            for step in steps {
                let all = step.after.iter().filter_map(|id| ends.get(id)).max();
                let any = step.after_any.iter().filter_map(|id| ends.get(id)).max();
                let due = all.max(any).copied().unwrap_or(0).max(begins);
                let done = due + of(step);
                ends.insert(&step.id, done);
                if done > end || last.is_none() {
                    (end, last) = (done, Some(&step.id));
                }
            }
            end
        };
        if self.plan.phases.is_empty() {
            return (run(self.plan.steps.iter().collect(), 0), last);
        }
        for phase in &self.plan.phases {
            let steps = self.plan.steps.iter().filter(|step| phase.steps.contains(&step.id)).collect();
            begins = run(steps, begins) + phase.soak + phase.watch.as_ref().map_or(0, |watch| watch.hold);
        }
        (begins, last)
    }
}

/// The phases before the one that holds a step.
fn earlier<'p>(plan: &'p Plan, step: &StepId) -> &'p [Phase] {
    plan.phase_of(step).map_or(&[], |at| &plan.phases[..at])
}
