//! The place of each slot across its turn: as near to its neighbours as the order and the distances allow.
//!
//! Each turn is solved at once: wishes that contradict the order are pooled until none does, which is the nearest
//! that one can come to all wishes by least squares. All in whole pixels, so that every machine draws the same.

use std::collections::BTreeMap;

use super::order::Slots;

/// What a slot takes up across its turn, and how much its wish weighs.
pub(super) struct Size {
    /// Its width across the turn, in pixels.
    pub(super) extent: i64,
    /// The distance that it keeps from its neighbours, in pixels.
    pub(super) gap: i64,
    /// Whether it is a bend of a way that passes: it would rather be straight than near.
    pub(super) bend: bool,
}

/// The middle of each slot, in pixels; the first begins at 0.
pub(super) fn settle(slots: &Slots, rows: &[Vec<usize>], sizes: &[Size]) -> Vec<i64> {
    let mut middles = vec![0; sizes.len()];
    let apart = |one: usize, other: usize| {
        i64::midpoint(sizes[one].extent, sizes[other].extent) + sizes[one].gap.max(sizes[other].gap)
    };
    for row in rows {
        let mut at = 0;
        for pair in 0..row.len() {
            at += if pair == 0 { 0 } else { apart(row[pair - 1], row[pair]) };
            middles[row[pair]] = at;
        }
    }
    let rounds = if sizes.len() <= 3_000 { 16 } else { 6 };
    for round in 0..rounds {
        for step in 0..rows.len() {
            let (turn, near) = match (round + 1 == rounds, round % 2 == 0) {
                (true, _) => (step, [true, true]),
                (false, true) => (step, [true, false]),
                (false, false) => (rows.len() - 1 - step, [false, true]),
            };
            let wishes: Vec<(i64, i64)> =
                rows[turn].iter().map(|&slot| wish(slot, near, slots, sizes, &middles)).collect();
            let distances: Vec<i64> = rows[turn].windows(2).map(|pair| apart(pair[0], pair[1])).collect();
            for (&slot, middle) in rows[turn].iter().zip(nearest(&wishes, &distances)) {
                middles[slot] = middle;
            }
        }
    }
    close_up(slots, rows, &mut middles, &apart);
    let first = (0..sizes.len()).map(|slot| middles[slot] - sizes[slot].extent / 2).min().unwrap_or(0);
    middles.iter().map(|middle| middle - first).collect()
}

/// Moves what hangs together up as a whole, as far as nothing else is in its way.
fn close_up(slots: &Slots, rows: &[Vec<usize>], middles: &mut [i64], apart: &impl Fn(usize, usize) -> i64) {
    let whole = wholes(slots);
    let mut tops: BTreeMap<usize, i64> = BTreeMap::new();
    for (slot, &of) in whole.iter().enumerate() {
        let top = tops.entry(of).or_insert(i64::MAX);
        *top = middles[slot].min(*top);
    }
    let highest = tops.values().min().copied().unwrap_or(0);
    let mut order: Vec<(i64, usize)> = tops.into_iter().map(|(of, top)| (top, of)).collect();
    order.sort_unstable();
    for (top, of) in order {
        let mut room = top - highest;
        for row in rows {
            for pair in row.windows(2).filter(|pair| whole[pair[1]] == of && whole[pair[0]] != of) {
                room = room.min(middles[pair[1]] - middles[pair[0]] - apart(pair[0], pair[1]));
            }
        }
        (0..middles.len()).filter(|&slot| whole[slot] == of).for_each(|slot| middles[slot] -= room);
    }
}

/// For each slot the first of all those that it hangs together with.
fn wholes(slots: &Slots) -> Vec<usize> {
    let mut whole = vec![usize::MAX; slots.layer.len()];
    for first in 0..whole.len() {
        let mut open = if whole[first] == usize::MAX { vec![first] } else { Vec::new() };
        while let Some(slot) = open.pop() {
            if whole[slot] == usize::MAX {
                whole[slot] = first;
                open.extend(slots.before[slot].iter().chain(&slots.behind[slot]));
            }
        }
    }
    whole
}

/// Where a slot would stand by its neighbours on these sides, and how much that weighs.
fn wish(slot: usize, near: [bool; 2], slots: &Slots, sizes: &[Size], middles: &[i64]) -> (i64, i64) {
    let (mut sum, mut weight) = (0, 0);
    for (others, looked) in [&slots.before[slot], &slots.behind[slot]].into_iter().zip(near) {
        for &other in others.iter().filter(|_| looked) {
            let pull = if sizes[slot].bend && sizes[other].bend { 8 } else { 2 };
            sum += middles[other] * pull;
            weight += pull;
        }
    }
    if weight == 0 { (middles[slot], 1) } else { (sum.div_euclid(weight), weight) }
}

/// The values that come nearest to the wishes and keep these distances, in their order.
fn nearest(wishes: &[(i64, i64)], distances: &[i64]) -> Vec<i64> {
    let mut offset = 0;
    let offsets: Vec<i64> = (0..wishes.len())
        .map(|at| {
            offset += if at == 0 { 0 } else { distances[at - 1] };
            offset
        })
        .collect();
    // Each pool: the weighted sum of its wishes, their weight, how many they are.
    let mut pools: Vec<(i64, i64, usize)> = Vec::new();
    for (&(wish, weight), offset) in wishes.iter().zip(&offsets) {
        let mut pool = ((wish - offset) * weight, weight, 1);
        while let Some(&(sum, weight, count)) = pools.last() {
            if sum.div_euclid(weight) < pool.0.div_euclid(pool.1) {
                break;
            }
            pools.pop();
            pool = (pool.0 + sum, pool.1 + weight, pool.2 + count);
        }
        pools.push(pool);
    }
    let values = pools.into_iter().flat_map(|(sum, weight, count)| vec![sum.div_euclid(weight); count]);
    values.zip(offsets).map(|(value, offset)| value + offset).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wishes_that_contradict_the_order_meet_in_the_middle() {
        assert_eq!(nearest(&[(0, 1), (100, 1)], &[10]), [0, 100]);
        assert_eq!(nearest(&[(50, 1), (50, 1)], &[10]), [45, 55]);
        assert_eq!(nearest(&[(100, 1), (0, 1), (50, 1)], &[10, 10]), [40, 50, 60]);
        assert_eq!(nearest(&[(60, 3), (60, 1)], &[20]), [55, 75]);
    }
}
