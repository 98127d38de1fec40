//! The identities of the newest records: one that was read before does not count again.
//!
//! Every record is looked for and nearly none is found. What is forgotten is not taken out of the table: it is known by
//! its age and written over.

use pavane_events::{EventId, Source, fingerprint, half_fingerprint};

use crate::lines::Lines;

/// How many identities are remembered.
pub(crate) const REMEMBERED: usize = WINDOW as usize;
const WINDOW: u32 = 1 << 18;

/// 128 bits of the identity of an event. Whoever could make two of them collide could as well repeat one.
pub(crate) type Identity = [u64; 2];

/// The newest identities, in the order in which they were read first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Identities {
    /// A ring, once it is full.
    ring: Vec<Identity>,
    /// How many were taken. They are numbered, and numbers wrap around; places in the ring do so too.
    taken: u32,
    numbers: Lines,
}

impl Identities {
    /// Takes an identity. False when it was read before.
    pub(crate) fn take(&mut self, source: &Source, id: &EventId) -> bool {
        self.put(identity_of(source, id))
    }

    /// Takes an identity. False when it is remembered already.
    pub(crate) fn put(&mut self, identity: Identity) -> bool {
        if self.numbers.is_full(self.ring.len()) {
            self.grow();
        }
        let (ring, taken) = (&self.ring, self.taken);
        let is_it = |number: u32| ring.get(place(number)) == Some(&identity);
        let is_forgotten = |number: u32| taken.wrapping_sub(number) >= WINDOW;
        let hash_of = |number: u32| ring.get(place(number)).map_or(identity[0], |known| known[0]);
        if !self.numbers.claim(identity[0], taken, is_it, is_forgotten, hash_of) {
            return false;
        }
        if self.ring.len() < REMEMBERED {
            self.ring.push(identity);
        } else {
            let oldest = &mut self.ring[place(taken)];
            let old = std::mem::replace(oldest, identity);
            self.numbers.forget_other(old[0], taken.wrapping_sub(WINDOW));
        }
        self.taken = taken.wrapping_add(1);
        true
    }

    /// By what an identity is looked for.
    pub(crate) fn hash(source: &Source, id: &EventId) -> u64 {
        half_fingerprint(source.as_str(), id.as_str())
    }

    /// Fetches what is looked at when an identity with this hash is taken; what it returns means nothing.
    pub(crate) fn fetch(&self, hash: u64) -> u32 {
        self.numbers.fetch(hash)
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
        let is_it = |number: u32| self.ring.get(place(number)) == Some(&identity);
        self.numbers.find(identity[0], is_it).is_some()
    }

    fn note(&mut self, number: u32) {
        let (ring, taken) = (&self.ring, self.taken);
        let is_forgotten = |number: u32| taken.wrapping_sub(number).wrapping_sub(1) >= WINDOW;
        let hash_of = |number: u32| ring[place(number)][0];
        self.numbers.put(hash_of(number), number, is_forgotten, hash_of);
    }

    fn grow(&mut self) {
        self.numbers.grow(self.taken.wrapping_sub(2 * WINDOW));
        let mut number =
            self.taken.wrapping_sub(u32::try_from(self.ring.len()).expect("the ring is smaller"));

        while number != self.taken {
            self.note(number);
            number = number.wrapping_add(1);
        }
    }

    /// The place of the oldest in the ring.
    fn oldest(&self) -> usize {
        if self.ring.len() < REMEMBERED { 0 } else { place(self.taken) }
    }
}

const fn place(number: u32) -> usize {
    number as usize % REMEMBERED
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
