//! The identities of the newest records: one that was read before does not count again.
//!
//! Every record is looked for, and nearly none is found, in memory that is read at no other place: what it costs is the
//! lines that are touched. So all that may be the same lies in one line, and what is forgotten is not taken out: it is
//! known by its age and written over.

use pavane_events::{EventId, Places, Source, fingerprint};

/// How many identities are remembered.
pub(crate) const REMEMBERED: usize = WINDOW as usize;
/// How many marks lie in a line of memory.
const LINE: usize = 8;
/// How many lines there are at first.
const FEW: usize = 16;

/// 128 bits of the identity of an event. Whoever could make two of them collide could as well repeat one.
pub(crate) type Identity = [u64; 2];

/// Where an identity may stand in the ring: a part of it, and its number in the order of reading.
#[derive(Clone, Copy, Debug, Default)]
struct Mark {
    part: u32,
    number: u32,
}

/// The newest identities, in the order in which they were read first.
#[derive(Debug, Default)]
pub(crate) struct Identities {
    /// A ring, once it is full.
    ring: Vec<Identity>,
    /// How many were taken, one that wraps around.
    taken: u32,
    /// A power of two of them, at most half full.
    lines: Vec<[Mark; LINE]>,
    /// The numbers of those that found no room in their line: one in fifty at most.
    others: Places<u32>,
}

impl Identities {
    /// Takes an identity. False when it was read before.
    pub(crate) fn take(&mut self, source: &Source, id: &EventId) -> bool {
        self.put(identity_of(source, id))
    }

    /// Takes an identity. False when it is remembered already.
    pub(crate) fn put(&mut self, identity: Identity) -> bool {
        if self.find(identity) {
            return false;
        }
        if self.ring.len() < REMEMBERED {
            self.ring.push(identity);
        } else {
            let (ring, place) = (&mut self.ring, place(self.taken));
            let old = std::mem::replace(&mut ring[place], identity);
            let number = self.taken.wrapping_sub(WINDOW);
            self.others.remove(old[0], |other| other == number);
        }
        self.taken = self.taken.wrapping_add(1);
        if self.ring.len() * 2 > self.lines.len() * LINE {
            self.grow();
        } else {
            self.mark(identity, self.taken.wrapping_sub(1));
        }
        true
    }

    /// Whether an identity was read and is remembered.
    pub(crate) fn hold(&self, source: &Source, id: &EventId) -> bool {
        self.find(identity_of(source, id))
    }

    /// What is remembered, from the oldest to the newest.
    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = Identity> + Clone {
        let (ring, oldest, len) = (&self.ring, self.oldest(), self.ring.len());
        (0..len).map(move |i| ring[(oldest + i) % len])
    }

    fn find(&self, identity: Identity) -> bool {
        if self.lines.is_empty() {
            return false;
        }
        let is_it = |number: u32| self.ring.get(place(number)) == Some(&identity);
        let line = &self.lines[line(identity, self.lines.len())];
        let part = part(identity);
        line.iter().any(|mark| mark.part == part && is_it(mark.number))
            || self.others.find(identity[0], is_it).is_some()
    }

    /// Notes where an identity stands: over one that is forgotten, or apart where its line has none.
    fn mark(&mut self, identity: Identity, number: u32) {
        let (lines, taken) = (self.lines.len(), self.taken);
        let line = &mut self.lines[line(identity, lines)];
        let is_over = |mark: &&mut Mark| taken.wrapping_sub(mark.number).wrapping_sub(1) >= WINDOW;
        if let Some(mark) = line.iter_mut().find(is_over) {
            *mark = Mark { part: part(identity), number };
        } else {
            let ring = &self.ring;
            self.others.insert(identity[0], number, |number| ring[place(number)][0]);
        }
    }

    fn grow(&mut self) {
        let lines = (2 * self.lines.len()).max(FEW);
        let forgotten = Mark { part: 0, number: self.taken.wrapping_sub(2 * WINDOW) };
        self.lines = vec![[forgotten; LINE]; lines];
        self.others = Places::default();
        let oldest = self.oldest();
        for i in 0..self.ring.len() {
            let at = (oldest + i) % self.ring.len();
            let back = u32::try_from(self.ring.len() - i).expect("the ring is smaller");
            self.mark(self.ring[at], self.taken.wrapping_sub(back));
        }
    }

    /// The place of the oldest in the ring.
    fn oldest(&self) -> usize {
        if self.ring.len() < REMEMBERED { 0 } else { place(self.taken) }
    }
}

/// How many numbers back something is remembered.
const WINDOW: u32 = 1 << 18;

const fn place(number: u32) -> usize {
    number as usize % REMEMBERED
}

#[expect(clippy::cast_possible_truncation, reason = "a part of it is wanted")]
const fn part(identity: Identity) -> u32 {
    identity[1] as u32
}

#[expect(clippy::cast_possible_truncation, reason = "a part of it is wanted")]
const fn line(identity: Identity, lines: usize) -> usize {
    identity[0] as usize & (lines - 1)
}

fn identity_of(source: &Source, id: &EventId) -> Identity {
    fingerprint(source.as_str(), id.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(source: &str, id: usize) -> (Source, EventId) {
        (Source::new(source).expect("a name"), EventId::new(format!("e{id}")).expect("a name"))
    }

    #[test]
    fn an_identity_counts_once_and_is_remembered_until_so_many_others_came() {
        let mut identities = Identities::default();
        let take = |identities: &mut Identities, n| {
            let (source, id) = names("/a", n);
            identities.take(&source, &id)
        };
        for n in 0..REMEMBERED {
            assert!(take(&mut identities, n), "{n}");
        }
        assert!(!take(&mut identities, 0) && !take(&mut identities, REMEMBERED - 1));
        assert!(take(&mut identities, REMEMBERED), "a new one pushes the oldest out");
        let held = |n| {
            let (source, id) = names("/a", n);
            identities.hold(&source, &id)
        };
        assert!(!held(0) && held(1) && held(REMEMBERED));
    }

    #[test]
    fn crowded_lines_and_numbers_that_wrap_around_change_nothing() {
        let mut identities = Identities { taken: 0_u32.wrapping_sub(2 * WINDOW), ..Identities::default() };
        // in an eighth of the lines, so that most find no room in theirs
        let alike = |n: u64| [n.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(32) & !0b1110, n ^ n << 40];
        let end = REMEMBERED as u64 * 3;
        for n in 0..end {
            assert!(identities.put(alike(n)), "{n}");
            assert!(!identities.put(alike(n.saturating_sub(REMEMBERED as u64 - 1))), "{n}");
        }
        assert!(!identities.find(alike(end - REMEMBERED as u64 - 1)));
        let kept: Vec<_> = (end - REMEMBERED as u64..end).map(alike).collect();
        assert_eq!(identities.iter().collect::<Vec<_>>(), kept);
    }

    #[test]
    fn source_and_id_do_not_run_into_each_other() {
        let mut identities = Identities::default();
        for (source, id) in
            [("/a", "b"), ("/ab", "b"), ("/a", "ab"), ("/b", "a"), ("/a/b", "a"), ("/a", "b/a")]
        {
            let (source, id) = (Source::new(source).expect("a name"), EventId::new(id).expect("a name"));
            assert!(identities.take(&source, &id), "{source} {id}");
        }
    }
}
