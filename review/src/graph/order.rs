//! The order within each turn: sweeps of medians from turn to turn, and neighbours that change places, until fewer
//! ways cross no more.
//!
//! Ties keep the order that stands, and the number of sweeps is bounded, so the outcome is always the same.

/// What stands in the turns: nodes, and bends of ways that pass. Slots are numbered; links lead to the next turn.
#[derive(Debug, Default)]
pub(super) struct Slots {
    /// The turn of each slot.
    pub(super) layer: Vec<usize>,
    /// The slots of the turn before that lead to each slot.
    pub(super) before: Vec<Vec<usize>>,
    /// The slots of the next turn to which each slot leads.
    pub(super) behind: Vec<Vec<usize>>,
}

impl Slots {
    /// Adds a slot to a turn.
    pub(super) fn add(&mut self, layer: usize) -> usize {
        self.layer.push(layer);
        self.before.push(Vec::new());
        self.behind.push(Vec::new());
        self.layer.len() - 1
    }

    /// Leads from a slot to one of the next turn, once.
    pub(super) fn link(&mut self, from: usize, to: usize) {
        if !self.behind[from].contains(&to) {
            self.behind[from].push(to);
            self.before[to].push(from);
        }
    }
}

/// The slots of each turn in an order in which few ways cross.
pub(super) fn arrange(slots: &Slots) -> Vec<Vec<usize>> {
    let layers = slots.layer.iter().max().map_or(0, |last| last + 1);
    let mut rows = vec![Vec::new(); layers];
    (0..slots.layer.len()).for_each(|slot| rows[slots.layer[slot]].push(slot));
    let mut place = vec![0; slots.layer.len()];
    for row in &rows {
        number(row, &mut place);
    }
    let (sweeps, swaps) = match slots.layer.len() {
        0..=500 => (24, 6),
        501..=3_000 => (10, 2),
        _ => (4, 0),
    };
    let mut best = (crossings(&rows, &place, slots), rows.clone());
    for sweep in 0..sweeps {
        let down = sweep % 2 == 0;
        for step in 1..layers {
            let layer = if down { step } else { layers - 1 - step };
            let near = if down { &slots.before } else { &slots.behind };
            sort_by_median(&mut rows[layer], near, &place);
            number(&rows[layer], &mut place);
        }
        for _ in 0..swaps {
            if !swap_neighbours(&mut rows, &mut place, slots) {
                break;
            }
        }
        let crossings = crossings(&rows, &place, slots);
        if crossings < best.0 {
            best = (crossings, rows.clone());
        }
        if best.0 == 0 {
            break;
        }
    }
    best.1
}

/// How often ways cross between all turns.
pub(super) fn crossings(rows: &[Vec<usize>], place: &[usize], slots: &Slots) -> usize {
    let between = |pair: &[Vec<usize>]| {
        let ends = pair[0].iter().flat_map(|&slot| {
            let mut ends: Vec<usize> = slots.behind[slot].iter().map(|&to| place[to]).collect();
            ends.sort_unstable();
            ends
        });
        inversions(ends, pair[1].len())
    };
    rows.windows(2).map(between).sum()
}

/// How many pairs stand in the wrong order, counted with a tree of sums.
fn inversions(ends: impl Iterator<Item = usize>, width: usize) -> usize {
    let (mut tree, mut seen, mut wrong) = (vec![0usize; width + 1], 0, 0);
    for end in ends {
        let (mut not_above, mut at) = (0, end + 1);
        while at > 0 {
            not_above += tree[at];
            at &= at - 1;
        }
        wrong += seen - not_above;
        seen += 1;
        at = end + 1;
        while at <= width {
            tree[at] += 1;
            at += at & at.wrapping_neg();
        }
    }
    wrong
}

fn number(row: &[usize], place: &mut [usize]) {
    row.iter().enumerate().for_each(|(at, &slot)| place[slot] = at);
}

/// Sorts those that have neighbours by the median of them; the others keep their places.
fn sort_by_median(row: &mut [usize], near: &[Vec<usize>], place: &[usize]) {
    let tied: Vec<usize> = (0..row.len()).filter(|&at| !near[row[at]].is_empty()).collect();
    let mut sorted: Vec<((usize, usize), usize)> =
        tied.iter().map(|&at| (median(&near[row[at]], place), row[at])).collect();
    sorted.sort_by_key(|&(median, _)| median);
    for (at, (_, slot)) in tied.into_iter().zip(sorted) {
        row[at] = slot;
    }
}

/// Twice the median, and for ties the sum.
fn median(near: &[usize], place: &[usize]) -> (usize, usize) {
    let mut places: Vec<usize> = near.iter().map(|&slot| place[slot]).collect();
    places.sort_unstable();
    let half = places.len() / 2;
    let middle = if places.len() % 2 == 1 { 2 * places[half] } else { places[half - 1] + places[half] };
    (middle, places.iter().sum::<usize>() / places.len())
}

/// Lets neighbours change places where fewer ways cross then; says whether any did.
fn swap_neighbours(rows: &mut [Vec<usize>], place: &mut [usize], slots: &Slots) -> bool {
    let mut swapped = false;
    for row in rows.iter_mut() {
        for at in 1..row.len() {
            let (one, other) = (row[at - 1], row[at]);
            let cost = |near: &[Vec<usize>], place: &[usize]| pair(&near[one], &near[other], place);
            let (kept_before, turned_before) = cost(&slots.before, place);
            let (kept_behind, turned_behind) = cost(&slots.behind, place);
            if turned_before + turned_behind < kept_before + kept_behind {
                row.swap(at - 1, at);
                (place[one], place[other]) = (at, at - 1);
                swapped = true;
            }
        }
    }
    swapped
}

/// How often the ways of two neighbours cross as they stand, and how often if they changed places.
fn pair(one: &[usize], other: &[usize], place: &[usize]) -> (usize, usize) {
    let mut count = (0, 0);
    for &a in one {
        for &b in other {
            count.0 += usize::from(place[a] > place[b]);
            count.1 += usize::from(place[b] > place[a]);
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slots(layers: &[usize], links: &[(usize, usize)]) -> Slots {
        let mut slots = Slots::default();
        for &layer in layers {
            slots.add(layer);
        }
        for &(from, to) in links {
            slots.link(from, to);
        }
        slots
    }

    #[test]
    fn ways_that_need_not_cross_do_not() {
        let slots = slots(&[0, 0, 0, 1, 1, 1], &[(0, 5), (1, 4), (2, 3)]);
        let rows = arrange(&slots);
        let mut place = vec![0; 6];
        for row in &rows {
            number(row, &mut place);
        }
        assert_eq!(crossings(&rows, &place, &slots), 0);
    }

    #[test]
    fn crossings_are_counted_once_each() {
        let slots = slots(&[0, 0, 1, 1], &[(0, 2), (0, 3), (1, 2), (1, 3)]);
        assert_eq!(crossings(&[vec![0, 1], vec![2, 3]], &[0, 1, 0, 1], &slots), 1);
    }
}
