//! How far each instance has counted its events: a number that is left out was lost, and two boots that take turns are two
//! sidecars under one name.
//!
//! Instances come and go, and the log never says that one is gone for good. So that they do not add up for ever, those
//! that have been silent for longest are forgotten, by the log alone.

use std::collections::BTreeMap;

use pavane_events::Source;

/// How many instances are remembered at most.
const MOST: usize = 16_384;
/// How many of them stay when there are more.
const KEPT: usize = MOST / 4 * 3;

/// How far an instance has counted its events.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sequence {
    pub(crate) boot: String,
    /// The highest number that was read.
    pub(crate) number: i64,
    /// Whether a number was left out. The outbox is first in, first out, so it does not come any more.
    pub(crate) skipped: bool,
    /// The first number that was left out, and the last: what people are told of it.
    pub(crate) left_out: Option<(i64, i64)>,
    /// How many numbers may be left out: records of the service that nobody could read.
    pub(crate) unreadable: i64,
    /// The boot before this one.
    pub(crate) before: Option<String>,
    /// Whether two speak under this name: the boot before has spoken again, or a number stands for two events.
    pub(crate) forked: bool,
    /// The offset of the last record that was read of it.
    pub(crate) read: i64,
}

impl Sequence {
    fn take(&mut self, boot: &str, number: i64, offset: i64) {
        self.read = offset;
        if self.boot == boot {
            self.forked |= number == self.number;
        } else if self.before.as_deref() == Some(boot) {
            let (boot, before) = (boot.to_owned(), Some(std::mem::take(&mut self.boot)));
            *self = Self { boot, before, number, forked: true, read: offset, ..Self::default() };
            return;
        } else {
            let before = Some(std::mem::take(&mut self.boot)).filter(|before| !before.is_empty());
            *self = Self { boot: boot.to_owned(), before, read: offset, ..Self::default() };
        }
        let left_out = number.saturating_sub(self.number).saturating_sub(1).max(0);
        if left_out > self.unreadable {
            let first = self.left_out.map_or(self.number + 1, |(first, _)| first);
            (self.skipped, self.left_out) = (true, Some((first, number - 1)));
        }
        self.unreadable -= left_out.min(self.unreadable);
        self.number = self.number.max(number);
    }
}

/// The instances that have counted their events.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sequences {
    of: BTreeMap<Source, Sequence>,
}

impl Sequences {
    pub(crate) fn get(&self, source: &Source) -> Option<&Sequence> {
        self.of.get(source)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Source, &Sequence)> {
        self.of.iter()
    }

    /// Whether an instance may have been forgotten.
    pub(crate) fn may_have_forgotten(&self) -> bool {
        self.of.len() >= KEPT
    }

    /// Takes the number of an event that was not read before.
    pub(crate) fn take(&mut self, source: &Source, (boot, number): (&str, i64), offset: i64) {
        if let Some(last) = self.of.get_mut(source) {
            last.take(boot, number, offset);
            return;
        }
        let mut first = Sequence::default();
        first.take(boot, number, offset);
        self.put(source.clone(), first);
    }

    /// Takes over what was known of an instance, and forgets others if they are too many.
    pub(crate) fn put(&mut self, source: Source, sequence: Sequence) {
        self.of.insert(source, sequence);
        if self.of.len() > MOST {
            let mut read: Vec<i64> = self.of.values().map(|sequence| sequence.read).collect();
            let (.., oldest, _) = read.select_nth_unstable(MOST + 1 - KEPT);
            let oldest = *oldest;
            self.of.retain(|_, sequence| sequence.read >= oldest);
        }
    }

    /// A record of one of these instances could not be read: a number of it may be left out.
    pub(crate) fn unreadable(&mut self, of_service: &str) {
        let said = self.of.iter_mut().filter(|(source, _)| source.as_str().starts_with(of_service));
        said.for_each(|(_, sequence)| sequence.unreadable += 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(n: usize) -> Source {
        Source::new(format!("/pavane/shop/users/users-{n}")).expect("a name")
    }

    #[test]
    fn those_that_were_silent_for_longest_are_forgotten() {
        let mut all = Sequences::default();
        for n in 0..MOST {
            all.take(&source(n), ("b", 1), i64::try_from(n).expect("small"));
        }
        let now = i64::try_from(MOST).expect("small");
        all.take(&source(0), ("b", 2), now);
        all.take(&source(MOST), ("b", 1), now + 1);
        assert_eq!(all.of.len(), KEPT);
        assert!(all.get(&source(0)).is_some() && all.get(&source(MOST)).is_some());
        assert!(all.get(&source(1)).is_none() && all.get(&source(MOST - 1)).is_some());
        for n in MOST..4 * MOST {
            all.take(&source(n), ("b", 1), i64::try_from(n).expect("small"));
            assert!(all.of.len() <= MOST && all.may_have_forgotten());
        }
    }

    #[test]
    fn the_first_and_the_last_number_that_are_left_out_are_known() {
        let left_out = |numbers: &[i64]| {
            let mut all = Sequences::default();
            for (number, offset) in numbers.iter().zip(0..) {
                all.take(&source(0), ("b", *number), offset);
            }
            all.get(&source(0)).expect("it spoke").left_out
        };
        assert_eq!(left_out(&[1, 2, 3]), None);
        assert_eq!(left_out(&[3, 4]), Some((1, 2)), "at the very beginning");
        assert_eq!(left_out(&[1, 3, 4]), Some((2, 2)));
        assert_eq!(left_out(&[1, 3, 4, 8]), Some((2, 7)), "from the first to the last");
    }

    #[test]
    fn two_boots_that_take_turns_are_two_and_one_after_another_are_not() {
        let read = |said: &[(&str, i64)]| {
            let mut all = Sequences::default();
            for (said, offset) in said.iter().zip(0..) {
                all.take(&source(0), *said, offset);
            }
            let last = all.get(&source(0)).expect("it spoke").clone();
            (last.forked, last.skipped)
        };
        assert_eq!(
            read(&[("a", 1), ("a", 2), ("b", 1), ("c", 1), ("c", 2)]),
            (false, false),
            "it began anew"
        );
        assert_eq!(read(&[("a", 1), ("b", 1), ("a", 2)]), (true, false));
        assert_eq!(read(&[("a", 1), ("b", 1), ("a", 2), ("b", 2)]), (true, false), "no gap is seen in it");
        assert_eq!(
            read(&[("a", 1), ("b", 1), ("a", 2), ("c", 1)]),
            (false, false),
            "both made way for a third"
        );
        assert_eq!(read(&[("a", 1), ("a", 2), ("a", 2)]), (true, false), "a number stands for two events");
        assert_eq!(read(&[("a", 2), ("a", 1)]), (false, true), "one overtook the other");
    }
}
