//! Who waits for whom: order, circles, and what stands above and below a step.

use std::collections::{BTreeMap, BTreeSet};

use pavane_events::StepId;

use crate::plan::Plan;

/// The edges of a plan, both ways, by the places of the steps in it. Made once, each question costs what it answers.
#[derive(Clone, Debug)]
pub struct Graph<'p> {
    places: BTreeMap<&'p StepId, usize>,
    below: Vec<Vec<usize>>,
    above: Vec<Vec<usize>>,
}

impl<'p> Graph<'p> {
    /// The edges of a plan: of `after` and of `after_any` alike.
    pub fn of(plan: &'p Plan) -> Self {
        let places: BTreeMap<_, _> = plan.steps.iter().enumerate().map(|(at, step)| (&step.id, at)).collect();
        let mut graph = Self { places, below: Vec::new(), above: vec![Vec::new(); plan.steps.len()] };
        for (at, step) in plan.steps.iter().enumerate() {
            let below: Vec<_> = step.prerequisites().filter_map(|id| graph.place(id)).collect();
            for &prerequisite in &below {
                graph.above[prerequisite].push(at);
            }
            graph.below.push(below);
        }
        graph
    }

    /// The place of a step in the plan.
    pub fn place(&self, id: &StepId) -> Option<usize> {
        self.places.get(id).copied()
    }

    /// The steps that a step waits for directly.
    pub fn prerequisites(&self, step: usize) -> &[usize] {
        &self.below[step]
    }

    /// The steps that wait for a step directly.
    pub fn dependants(&self, step: usize) -> &[usize] {
        &self.above[step]
    }

    /// All steps that a step waits for, directly or through others.
    pub fn below(&self, step: usize) -> BTreeSet<usize> {
        reach(step, &self.below)
    }

    /// All steps that wait for a step, directly or through others.
    pub fn above(&self, step: usize) -> BTreeSet<usize> {
        reach(step, &self.above)
    }
}

impl Plan {
    /// All steps that this one waits for, directly or through others. Whoever asks for many makes a [`Graph`].
    pub fn below(&self, id: &StepId) -> BTreeSet<StepId> {
        let graph = Graph::of(self);
        let below = graph.place(id).map(|place| graph.below(place)).unwrap_or_default();
        below.into_iter().map(|place| self.steps[place].id.clone()).collect()
    }

    /// All steps that wait for this one, directly or through others: what must be taken back before it. Whoever asks
    /// for many makes a [`Graph`].
    pub fn above(&self, id: &StepId) -> BTreeSet<StepId> {
        let graph = Graph::of(self);
        let above = graph.place(id).map(|place| graph.above(place)).unwrap_or_default();
        above.into_iter().map(|place| self.steps[place].id.clone()).collect()
    }
}

fn reach(from: usize, next: &[Vec<usize>]) -> BTreeSet<usize> {
    let mut reached = BTreeSet::new();
    let mut open = next[from].clone();
    while let Some(place) = open.pop() {
        if reached.insert(place) {
            open.extend(&next[place]);
        }
    }
    reached
}

/// Circles that share no node, each from its first node in the file; every node of one is waited for by the next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Circles {
    pub(crate) first: Vec<usize>,
    pub(crate) rest: Vec<Vec<usize>>,
}

/// Puts every node behind those that it waits for; of several that are free, the first in the file comes
/// first. `after[n]` holds the nodes that `n` waits for.
pub(crate) fn order(after: &[Vec<usize>]) -> Result<Vec<usize>, Circles> {
    let mut left = Left::of(after);
    let (mut order, mut circles) = (Vec::new(), Vec::new());
    while let Some(&first) = left.nodes.first() {
        if let Some(free) = left.free.pop_first() {
            left.take(free);
            order.push(free);
            continue;
        }
        let circle = circle(&left.waits, first);
        for &node in &circle {
            left.take(node);
        }
        circles.push(circle);
    }
    let mut circles = circles.into_iter();
    match circles.next() {
        Some(first) => Err(Circles { first, rest: circles.collect() }),
        None => Ok(order),
    }
}

/// The nodes that have no place in the order yet.
struct Left {
    nodes: BTreeSet<usize>,
    free: BTreeSet<usize>,
    waits: Vec<BTreeSet<usize>>,
    waiting: Vec<Vec<usize>>,
}

impl Left {
    fn of(after: &[Vec<usize>]) -> Self {
        let waits: Vec<BTreeSet<usize>> = after.iter().map(|after| after.iter().copied().collect()).collect();
        let mut waiting = vec![Vec::new(); after.len()];
        for (node, waits) in waits.iter().enumerate() {
            for &awaited in waits {
                waiting[awaited].push(node);
            }
        }
        let free = (0..after.len()).filter(|&node| waits[node].is_empty()).collect();
        Self { nodes: (0..after.len()).collect(), free, waits, waiting }
    }

    /// Takes a node out; whoever waited for nothing else is free.
    fn take(&mut self, node: usize) {
        self.nodes.remove(&node);
        self.free.remove(&node);
        for &waiting in &self.waiting[node] {
            if self.waits[waiting].remove(&node)
                && self.waits[waiting].is_empty()
                && self.nodes.contains(&waiting)
            {
                self.free.insert(waiting);
            }
        }
    }
}

/// Walks from node to prerequisite until one comes again. Every node that is left has a prerequisite left.
fn circle(waits: &[BTreeSet<usize>], start: usize) -> Vec<usize> {
    let (mut walked, mut places) = (vec![start], BTreeMap::from([(start, 0)]));
    loop {
        let last = walked[walked.len() - 1];
        let Some(&next) = waits[last].first() else { return walked };
        if let Some(&begin) = places.get(&next) {
            let mut circle = walked.split_off(begin);
            circle.reverse();
            let lowest = (0..circle.len()).min_by_key(|&at| circle[at]).unwrap_or(0);
            circle.rotate_left(lowest);
            return circle;
        }
        places.insert(next, walked.len());
        walked.push(next);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_is_the_files_among_those_that_are_free() {
        assert_eq!(order(&[vec![2], vec![], vec![]]), Ok(vec![1, 2, 0]));
        assert_eq!(order(&[vec![], vec![3], vec![0], vec![0]]), Ok(vec![0, 2, 3, 1]));
        assert_eq!(order(&[]), Ok(vec![]));
    }

    #[test]
    fn circles_are_named_once_each_from_their_first_node() {
        let named = |after: &[Vec<usize>]| order(after).expect_err("a circle");
        assert_eq!(named(&[vec![1], vec![0]]), Circles { first: vec![0, 1], rest: vec![] });
        // 0 hangs on a circle of 1 → 2 → 3 → 1; 4 and 5 are one of their own.
        let after = [vec![3], vec![3], vec![1], vec![2], vec![5], vec![4]];
        assert_eq!(named(&after), Circles { first: vec![1, 2, 3], rest: vec![vec![4, 5]] });
        assert_eq!(named(&[vec![0]]), Circles { first: vec![0], rest: vec![] });
    }
}
