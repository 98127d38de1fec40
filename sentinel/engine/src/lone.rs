//! A sorted map in which there is mostly one thing, or nothing: that one lies in place.
//!
//! A proposal, or what is owed, is put in and taken out again before the next one comes. A tree would take room for a whole
//! node each time and let it go, and that costs more than all the looking up.

use std::collections::BTreeMap;
use std::ops::{Bound, Range};

/// A sorted map that makes a tree for the second thing only.
#[derive(Clone, Debug)]
pub(crate) struct Lone<K, V> {
    /// The only one; none while there is a tree.
    one: Option<(K, V)>,
    many: BTreeMap<K, V>,
}

impl<K, V> Default for Lone<K, V> {
    fn default() -> Self {
        Self { one: None, many: BTreeMap::new() }
    }
}

impl<K: Ord, V> Lone<K, V> {
    pub(crate) fn is_empty(&self) -> bool {
        self.one.is_none() && self.many.is_empty()
    }

    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        match &self.one {
            Some((own, value)) => (own == key).then_some(value),
            None => self.many.get(key),
        }
    }

    pub(crate) fn contains_key(&self, key: &K) -> bool {
        self.get(key).is_some()
    }

    /// Sets the value of a key.
    pub(crate) fn insert(&mut self, key: K, value: V) {
        match self.one.take() {
            None if self.many.is_empty() => self.one = Some((key, value)),
            Some((own, _)) if own == key => self.one = Some((key, value)),
            first => {
                self.many.extend(first);
                self.many.insert(key, value);
            }
        }
    }

    pub(crate) fn remove(&mut self, key: &K) -> Option<V> {
        match &self.one {
            Some((own, _)) if own == key => self.one.take().map(|(_, value)| value),
            Some(_) => None,
            None => self.many.remove(key),
        }
    }

    /// All of it, in the order of the keys.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.one.iter().map(|(key, value)| (key, value)).chain(&self.many)
    }

    /// What lies between two keys, the second left out.
    pub(crate) fn range(&self, keys: Range<K>) -> impl Iterator<Item = (&K, &V)> {
        let many = self.many.range((Bound::Included(&keys.start), Bound::Excluded(&keys.end)));
        let one = self.one.iter().filter(move |(key, _)| keys.contains(key));
        one.map(|(key, value)| (key, value)).chain(many)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_holds_what_a_plain_map_holds() {
        let (mut lone, mut plain, mut dice) = (Lone::default(), BTreeMap::new(), 7_u64);
        let mut sizes = [0; 3];
        for turn in 0..4_000 {
            dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let key = dice >> 33 & 7;
            if dice >> 60 < 6 {
                lone.insert(key, turn);
                plain.insert(key, turn);
            } else {
                assert_eq!(lone.remove(&key), plain.remove(&key));
            }
            sizes[plain.len().min(2)] += 1;
            assert_eq!((lone.is_empty(), lone.get(&3)), (plain.is_empty(), plain.get(&3)));
            assert_eq!(lone.contains_key(&key), plain.contains_key(&key));
            assert!(lone.iter().eq(&plain) && lone.range(2..5).eq(plain.range(2..5)));
        }
        assert!(sizes.iter().all(|seen| *seen > 10), "nothing, one and several were there: {sizes:?}");
    }
}
