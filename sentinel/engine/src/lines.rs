//! Tables of numbers by hash in which all that may be meant lies in one line of memory.
//!
//! A large table is in no cache, so what a look-up costs is the lines that it touches. Tables from elsewhere touch two:
//! one of tags, one of values.

use pavane_events::Places;

/// How many numbers lie in a line of memory.
const LINE: usize = 8;
/// How many lines there are at first.
const FEW: usize = 16;

/// What lies in a line of memory: numbers, and of each a part of the hash of what it is the number of. Parts stand together
/// and numbers do, so that all of them are compared at once.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
struct Line {
    parts: [u32; LINE],
    numbers: [u32; LINE],
}

impl Line {
    fn put(&mut self, place: usize, hash: u64, number: u32) {
        self.parts[place] = part(hash);
        self.numbers[place] = number;
    }

    /// The places of numbers whose part is that of a hash.
    fn alike(&self, hash: u64) -> Set {
        let part = part(hash);
        Set::of(&self.parts, |other| other == part)
    }

    /// The first place of a number that passes the test.
    fn first(&self, is_it: impl Fn(u32) -> bool) -> Option<usize> {
        Set::of(&self.numbers, is_it).next()
    }
}

/// Places in a line, a byte for each.
struct Set(u64);

impl Set {
    /// The places of what passes the test. All are tested at once, without a branch for each.
    #[inline]
    fn of(all: &[u32; LINE], is_in: impl Fn(u32) -> bool) -> Self {
        Self(u64::from_le_bytes(all.map(|it| u8::from(is_in(it)))))
    }
}

impl Iterator for Set {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let place = (self.0.trailing_zeros() / u8::BITS) as usize;
        self.0 &= self.0.wrapping_sub(1);
        (place < LINE).then_some(place)
    }
}

/// A table of numbers by hash. Whoever asks compares what has the number with what is looked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lines {
    /// A power of two of them, at most half full.
    lines: Vec<Line>,
    /// What found no room in its line: one in fifty, as long as hashes are even.
    others: Places<u32>,
}

impl Lines {
    /// The number of the thing with this hash that passes the test.
    pub(crate) fn find(&self, hash: u64, mut is_it: impl FnMut(u32) -> bool) -> Option<u32> {
        let line = self.lines.get(self.line(hash))?;
        let found = line.alike(hash).map(|place| line.numbers[place]).find(|number| is_it(*number));
        found.or_else(|| self.others.find(hash, is_it))
    }

    /// Fetches the line of a hash; what it returns means nothing.
    pub(crate) fn fetch(&self, hash: u64) -> u32 {
        self.lines.get(self.line(hash)).map_or(0, |line| line.parts[0])
    }

    /// Notes a number as [`Lines::put`] does, unless a number with this hash passes the test. The line is read once.
    pub(crate) fn claim(
        &mut self,
        hash: u64,
        number: u32,
        mut is_it: impl FnMut(u32) -> bool,
        is_free: impl Fn(u32) -> bool,
        hash_of: impl Fn(u32) -> u64,
    ) -> bool {
        let line = self.line(hash);
        let Some(line) = self.lines.get_mut(line) else { return false };
        let is_known = line.alike(hash).any(|place| is_it(line.numbers[place]));
        if is_known || self.others.find(hash, is_it).is_some() {
            return false;
        }
        match line.first(is_free) {
            Some(place) => line.put(place, hash, number),
            None => self.others.insert(hash, number, hash_of),
        }
        true
    }

    /// Whether there must be more lines before another number is noted, if so many are noted.
    pub(crate) fn is_full(&self, len: usize) -> bool {
        2 * len > LINE * self.lines.len() || self.lines.is_empty()
    }

    /// Makes room for twice as many; they must all be noted again. `free` is a number that may be written over.
    pub(crate) fn grow(&mut self, free: u32) {
        let lines = (2 * self.lines.len()).max(FEW);
        // what was there is let go first: it is noted again from elsewhere
        self.lines = Vec::new();
        self.lines = vec![Line { parts: [0; LINE], numbers: [free; LINE] }; lines];
        self.others = Places::default();
    }

    /// Notes a number that is not noted, over one that `is_free` where there is one in its line. `hash_of` gives the hash
    /// of what has a number.
    pub(crate) fn put(
        &mut self,
        hash: u64,
        number: u32,
        is_free: impl Fn(u32) -> bool,
        hash_of: impl Fn(u32) -> u64,
    ) {
        let line = self.line(hash);
        match self.lines[line].first(is_free) {
            Some(place) => self.lines[line].put(place, hash, number),
            None => self.others.insert(hash, number, hash_of),
        }
    }

    /// Writes `free` over a number.
    pub(crate) fn free(&mut self, hash: u64, number: u32, free: u32) {
        let line = self.line(hash);
        match self.lines[line].first(|other| other == number) {
            Some(place) => self.lines[line].numbers[place] = free,
            None => self.forget_other(hash, number),
        }
    }

    /// Forgets a number if it found no room in its line.
    pub(crate) fn forget_other(&mut self, hash: u64, number: u32) {
        self.others.remove(hash, |other| other == number);
    }

    #[expect(clippy::cast_possible_truncation, reason = "the low bits are wanted")]
    const fn line(&self, hash: u64) -> usize {
        hash as usize & self.lines.len().wrapping_sub(1)
    }
}

const fn part(hash: u64) -> u32 {
    (hash >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    const FREE: u32 = u32::MAX;

    /// A table of the numbers themselves, of which `mask` says which bits of their hashes differ.
    fn check(mask: u64, count: u32) {
        let hash = |number: u32| u64::from(number).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(40) & mask;
        let is_free = |number| number == FREE;
        let (mut lines, mut kept) = (Lines::default(), Vec::new());
        for number in 0..count {
            if lines.is_full(kept.len()) {
                lines.grow(FREE);
                for number in &kept {
                    lines.put(hash(*number), *number, is_free, hash);
                }
            }
            assert_eq!(lines.find(hash(number), |found| found == number), None);
            lines.put(hash(number), number, is_free, hash);
            kept.push(number);
            if number % 3 == 2 {
                let gone = kept.remove(kept.len() / 2);
                lines.free(hash(gone), gone, FREE);
            }
        }
        for number in 0..count {
            let found = lines.find(hash(number), |found| found == number);
            assert_eq!(found.is_some(), kept.contains(&number), "{number}");
        }
    }

    #[test]
    fn what_is_noted_is_found_and_what_is_freed_is_not() {
        check(u64::MAX, 3_000);
    }

    #[test]
    fn it_finds_the_same_where_hashes_are_alike() {
        check(!0xFE, 1_000);
        check(0, 300);
    }
}
