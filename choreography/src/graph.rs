//! Who waits for whom: order, circles, and what stands above and below a step.

use std::collections::{BTreeMap, BTreeSet};

use pavane_events::StepId;

use crate::plan::Plan;

impl Plan {
    /// All steps that this one waits for, directly or through others.
    pub fn below(&self, id: &StepId) -> BTreeSet<StepId> {
        let after: BTreeMap<&StepId, &[StepId]> =
            self.steps.iter().map(|step| (&step.id, step.after.as_slice())).collect();
        reach(id, |id| after.get(id).into_iter().copied().flatten())
    }

    /// All steps that wait for this one, directly or through others: what must be taken back before it.
    pub fn above(&self, id: &StepId) -> BTreeSet<StepId> {
        let mut waiting: BTreeMap<&StepId, Vec<&StepId>> = BTreeMap::new();
        for step in &self.steps {
            for prerequisite in &step.after {
                waiting.entry(prerequisite).or_default().push(&step.id);
            }
        }
        reach(id, |id| waiting.get(id).into_iter().flatten().copied())
    }
}

fn reach<'p, I: Iterator<Item = &'p StepId>>(
    from: &StepId,
    mut next: impl FnMut(&StepId) -> I,
) -> BTreeSet<StepId> {
    let mut reached = BTreeSet::new();
    let mut open: Vec<&StepId> = next(from).collect();
    while let Some(id) = open.pop() {
        if reached.insert(id.clone()) {
            open.extend(next(id));
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
    let mut waits: Vec<BTreeSet<usize>> = after.iter().map(|after| after.iter().copied().collect()).collect();
    let (mut order, mut circles) = (Vec::new(), Vec::new());
    let mut left: BTreeSet<usize> = (0..after.len()).collect();
    while let Some(&first) = left.first() {
        let free = left.iter().copied().find(|&node| waits[node].is_empty());
        let done = free.map_or_else(|| circle(&waits, first), |node| vec![node]);
        for node in &done {
            left.remove(node);
            for waits in &mut waits {
                waits.remove(node);
            }
        }
        match free {
            Some(node) => order.push(node),
            None => circles.push(done),
        }
    }
    let mut circles = circles.into_iter();
    match circles.next() {
        Some(first) => Err(Circles { first, rest: circles.collect() }),
        None => Ok(order),
    }
}

/// Walks from node to prerequisite until one comes again. Every node that is left has a prerequisite left.
fn circle(waits: &[BTreeSet<usize>], start: usize) -> Vec<usize> {
    let mut walked = vec![start];
    loop {
        let last = walked[walked.len() - 1];
        let Some(&next) = waits[last].first() else { return walked };
        if let Some(begin) = walked.iter().position(|&node| node == next) {
            let mut circle = walked.split_off(begin);
            circle.reverse();
            let lowest = (0..circle.len()).min_by_key(|&at| circle[at]).unwrap_or(0);
            circle.rotate_left(lowest);
            return circle;
        }
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
