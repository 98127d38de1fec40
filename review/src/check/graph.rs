//! A plan with both kinds of prerequisites and its phases, as a graph that can be walked.

use std::collections::BTreeMap;

use pavane_choreography::{Phase, Plan, Step};
use pavane_events::{Millis, StepId};

/// A plan's steps by their places in it, each with all that it waits for.
pub(super) struct Graph<'p> {
    plan: &'p Plan,
    places: BTreeMap<&'p StepId, usize>,
    /// For each step a row of bits, one for each step that it waits for.
    below: Vec<Vec<u64>>,
}

impl<'p> Graph<'p> {
    /// The graph of a plan. Steps stand behind what they wait for, so one pass is enough.
    pub(super) fn of(plan: &'p Plan) -> Self {
        let places: BTreeMap<&StepId, usize> =
            plan.steps.iter().enumerate().map(|(at, step)| (&step.id, at)).collect();
        let mut graph = Self { plan, places, below: Vec::with_capacity(plan.steps.len()) };
        let opened = graph.opened();
        for step in &plan.steps {
            let mut row = vec![0; plan.steps.len().div_ceil(64)];
            for at in step.prerequisites().filter_map(|id| graph.places.get(id).copied()) {
                set(&mut row, at);
                for (bits, more) in row.iter_mut().zip(graph.below.get(at).into_iter().flatten()) {
                    *bits |= more;
                }
            }
            let phase = plan.phase_of(&step.id).unwrap_or(0);
            opened.iter().take(phase).flatten().for_each(|at| set(&mut row, *at));
            graph.below.push(row);
        }
        graph
    }

    /// The places of the steps of each phase.
    fn opened(&self) -> Vec<Vec<usize>> {
        let places =
            |phase: &Phase| phase.steps.iter().filter_map(|id| self.places.get(id).copied()).collect();
        self.plan.phases.iter().map(places).collect()
    }

    /// Whether a step waits for another, directly, through others, or because its phase comes later.
    pub(super) fn waits(&self, step: &StepId, other: &StepId) -> bool {
        let place = |id: &StepId| self.places.get(id).copied();
        place(step).zip(place(other)).is_some_and(|(step, other)| self.waits_at(step, other))
    }

    /// The same by the places of the steps in the plan.
    pub(super) fn waits_at(&self, step: usize, other: usize) -> bool {
        self.below[step][other / 64] >> (other % 64) & 1 == 1
    }

    /// All that a step waits for, in the order of the plan.
    pub(super) fn below(&self, step: &StepId) -> impl Iterator<Item = &'p Step> {
        let at = self.places.get(step).copied();
        let below = move |other: usize| at.is_some_and(|at| self.waits_at(at, other));
        self.plan.steps.iter().enumerate().filter(move |(other, _)| below(*other)).map(|(_, step)| step)
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

fn set(row: &mut [u64], at: usize) {
    row[at / 64] |= 1 << (at % 64);
}
