//! When to look at which rollout again.
//!
//! Windows that are equally long end in the order in which they began, so most moments are put down in the order in which
//! they come: each goes to the end of a line that it does not overtake, and only what fits into none of a few lines is
//! sorted. A moment is never searched for and taken out: the rollout knows its own next moment, and one that is put down
//! and is no longer it is dropped when it reaches the front.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use pavane_events::Timestamp;

/// How many lines there are: as many lengths of windows are cheap.
const LINES: usize = 8;
/// Fewer moments than this are not worth a clean-up.
const FEW: usize = 1_024;

/// A moment, and the rollout to look at then.
type Moment = (Timestamp, u64);

/// The moments at which rollouts are looked at.
#[derive(Clone, Debug, Default)]
pub(crate) struct Agenda {
    lines: Vec<VecDeque<Moment>>,
    others: BinaryHeap<Reverse<Moment>>,
    /// The first of all, and the line that it stands in: asked for with every record.
    first: Option<(Moment, usize)>,
    len: usize,
    /// At how many moments it is cleaned up next.
    full: usize,
}

impl Agenda {
    /// Puts a moment down. What no longer holds is dropped when there is too much of it.
    pub(crate) fn put(&mut self, at: Timestamp, n: u64, holds: impl Fn(Moment) -> bool) {
        if self.len >= self.full.max(FEW) {
            self.clean_up(holds);
            self.full = 2 * self.len;
        }
        self.len += 1;
        let last = |line: &VecDeque<Moment>| line.back().map(|(at, _)| *at);
        let fits = self.lines.iter().enumerate().filter(|(_, line)| last(line).is_none_or(|last| last <= at));
        let line = fits.max_by_key(|(_, line)| last(line)).map_or(self.lines.len(), |(place, _)| place);
        match self.lines.get_mut(line) {
            Some(line) => line.push_back((at, n)),
            None if line < LINES => self.lines.push(VecDeque::from([(at, n)])),
            None => self.others.push(Reverse((at, n))),
        }
        if self.first.is_none_or(|(first, _)| (at, n) < first) {
            self.first = Some(((at, n), line));
        }
    }

    /// Forgets everything, and keeps the room.
    pub(crate) fn clear(&mut self) {
        self.lines.iter_mut().for_each(VecDeque::clear);
        self.others.clear();
        (self.first, self.len) = (None, 0);
    }

    /// The first moment. It holds as long as [`Agenda::drop_stale`] was called after the last change.
    pub(crate) fn first(&self) -> Option<Timestamp> {
        self.first.map(|((at, _), _)| at)
    }

    /// Takes out what has come at `now`. What holds of it goes to `due`.
    pub(crate) fn take_due(&mut self, now: Timestamp, holds: impl Fn(Moment) -> bool, due: &mut Vec<u64>) {
        self.drop_while(|moment| {
            let has_come = moment.0 <= now;
            if has_come && holds(moment) {
                due.push(moment.1);
            }
            has_come
        });
    }

    /// Drops what comes first and no longer holds.
    pub(crate) fn drop_stale(&mut self, holds: impl Fn(Moment) -> bool) {
        self.drop_while(|moment| !holds(moment));
    }

    fn drop_while(&mut self, mut drops: impl FnMut(Moment) -> bool) {
        while let Some((_, line)) = self.first.filter(|(moment, _)| drops(*moment)) {
            match self.lines.get_mut(line) {
                Some(line) => drop(line.pop_front()),
                None => drop(self.others.pop()),
            }
            self.len -= 1;
            self.first = self.find_first();
        }
    }

    fn find_first(&self) -> Option<(Moment, usize)> {
        let lines = self.lines.iter().map(|line| line.front().copied());
        let others = self.others.peek().map(|Reverse(moment)| *moment);
        // the heap stands for the line after the last one that there may be
        let all = lines.zip(0..).chain([(others, LINES)]);
        all.filter_map(|(moment, line)| Some((moment?, line))).min()
    }

    fn clean_up(&mut self, holds: impl Fn(Moment) -> bool) {
        for line in &mut self.lines {
            line.retain(|moment| holds(*moment));
        }
        self.others.retain(|Reverse(moment)| holds(*moment));
        self.len = self.lines.iter().map(VecDeque::len).sum::<usize>() + self.others.len();
        self.first = self.find_first();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// An agenda and, beside it, the plain map that it stands for.
    #[derive(Default)]
    struct Both(Agenda, BTreeMap<u64, Timestamp>);

    impl Both {
        fn put(&mut self, at: i64, n: u64) {
            self.1.insert(n, Timestamp(at));
            let next = &self.1;
            self.0.put(Timestamp(at), n, |(at, n)| next.get(&n) == Some(&at));
            self.0.drop_stale(|(at, n)| next.get(&n) == Some(&at));
        }

        fn take(&mut self, now: i64) -> Vec<u64> {
            let (mut due, next) = (Vec::new(), &self.1);
            self.0.take_due(Timestamp(now), |(at, n)| next.get(&n) == Some(&at), &mut due);
            due.sort_unstable();
            due.dedup();
            let gone: Vec<u64> = next.iter().filter(|(_, at)| at.0 <= now).map(|(n, _)| *n).collect();
            assert_eq!(due, gone);
            self.1.retain(|_, at| at.0 > now);
            let next = &self.1;
            self.0.drop_stale(|(at, n)| next.get(&n) == Some(&at));
            due
        }
    }

    #[test]
    fn whatever_is_put_down_it_comes_when_a_plain_map_says_so() {
        let (mut both, mut dice) = (Both::default(), 7_u64);
        for now in 0..4_000 {
            for _ in 0..8 {
                dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let length = i64::try_from(dice >> 50).expect("small") % 997;
                both.put(now + 1 + length, dice >> 33 & 255);
            }
            both.take(now);
            assert_eq!(both.0.first(), both.1.values().min().copied());
            assert!(both.0.len <= 3 * FEW, "what is stale is dropped: {}", both.0.len);
        }
        assert_eq!(both.0.lines.len(), LINES, "the lines did not do alone");
    }

    #[test]
    fn windows_of_a_few_lengths_are_never_sorted() {
        let mut both = Both::default();
        for n in 0..3_000_u64 {
            let now = i64::try_from(n).expect("small");
            both.put(now + [10, 500, 5_000][usize::try_from(n % 3).expect("small")], n);
        }
        assert!(both.0.others.is_empty() && both.0.lines.len() <= 3);
    }
}
