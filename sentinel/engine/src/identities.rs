//! The identities of the newest records: one that was read before does not count again.

use pavane_events::{EventId, Places, Source, fingerprint};

/// How many identities are remembered.
pub(crate) const REMEMBERED: usize = 1 << 18;

/// 128 bits of the identity of an event. Whoever could make two of them collide could as well repeat one.
pub(crate) type Identity = [u64; 2];

/// The newest identities, in the order in which they were read first.
#[derive(Debug, Default)]
pub(crate) struct Identities {
    /// A ring, once it is full.
    ring: Vec<Identity>,
    /// The place of the oldest, once the ring is full.
    oldest: usize,
    places: Places<u32>,
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
        let place = if self.ring.len() < REMEMBERED {
            self.ring.push(identity);
            self.ring.len() - 1
        } else {
            let place = self.oldest;
            let ring = &self.ring;
            self.places.remove(ring[place][0], |other| other as usize == place);
            self.ring[place] = identity;
            self.oldest = (place + 1) % REMEMBERED;
            place
        };
        let (place, ring) = (u32::try_from(place).expect("the ring is smaller"), &self.ring);
        self.places.insert(identity[0], place, |place| ring[place as usize][0]);
        true
    }

    /// Whether an identity was read and is remembered.
    pub(crate) fn hold(&self, source: &Source, id: &EventId) -> bool {
        self.find(identity_of(source, id))
    }

    /// What is remembered, from the oldest to the newest.
    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = Identity> + Clone {
        let (ring, oldest, len) = (&self.ring, self.oldest, self.ring.len());
        (0..len).map(move |i| ring[(oldest + i) % len])
    }

    fn find(&self, identity: Identity) -> bool {
        self.places.find(identity[0], |place| self.ring[place as usize] == identity).is_some()
    }
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
