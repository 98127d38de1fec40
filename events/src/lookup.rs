//! Hash tables for looking things up, and for nothing else.
//!
//! Engines may not iterate over anything unordered, so these tables have no iterator. Their hasher has fixed keys:
//! the same program does the same work on every run.

use std::collections::HashMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{BuildHasherDefault, Hash};

use hashbrown::HashTable;

/// A map from keys to values that can be asked, never walked.
#[derive(Clone, Debug)]
pub struct Lookup<K, V>(HashMap<K, V, BuildHasherDefault<DefaultHasher>>);

impl<K: Eq + Hash, V> Default for Lookup<K, V> {
    fn default() -> Self {
        Self(HashMap::default())
    }
}

impl<K: Eq + Hash, V> Lookup<K, V> {
    /// The value of a key.
    pub fn get<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: std::borrow::Borrow<Q>,
    {
        self.0.get(key)
    }

    /// Sets the value of a key and returns the one it had.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        self.0.insert(key, value)
    }

    /// Takes a key out and returns its value.
    pub fn remove<Q: Eq + Hash + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: std::borrow::Borrow<Q>,
    {
        self.0.remove(key)
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The hash of a text, the same on every run.
pub fn hash_of(text: &str) -> u64 {
    let [hash] = fold(text.as_bytes(), [0x243F_6A88_85A3_08D3]);
    hash
}

/// 128 bits that stand for a pair of texts, the same on every run. They are no seal: whoever may choose the texts can
/// make two pairs that look alike.
pub fn fingerprint(a: &str, b: &str) -> [u64; 2] {
    fold(b.as_bytes(), fold(a.as_bytes(), [0x243F_6A88_85A3_08D3, 0x1319_8A2E_0370_7344]))
}

/// The first half of what stands for a pair of texts.
pub fn half_fingerprint(a: &str, b: &str) -> u64 {
    let [half] = fold(b.as_bytes(), fold(a.as_bytes(), [0x243F_6A88_85A3_08D3]));
    half
}

/// Folds bytes into seeds, eight at a time: each multiplication mixes all bits that came before. The bytes are read once
/// for all seeds, and the processor multiplies for one while it waits for another.
#[inline]
fn fold<const N: usize>(bytes: &[u8], mut seeds: [u64; N]) -> [u64; N] {
    const ODD: u64 = 0x9E37_79B9_7F4A_7C15;
    let mix = |a: u64, b: u64| {
        let wide = u128::from(a) * u128::from(b);
        #[expect(clippy::cast_possible_truncation, reason = "both halves are used")]
        let (low, high) = (wide as u64, (wide >> 64) as u64);
        low ^ high
    };
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        let word = u64::from_le_bytes(*word);
        seeds = seeds.map(|hash| mix(hash ^ word, ODD ^ hash));
    }
    let rest = match bytes.last_chunk::<8>() {
        Some(last) => u64::from_le_bytes(*last).rotate_left(7) ^ bytes.len() as u64,
        None => rest.iter().fold(bytes.len() as u64, |word, byte| word << 8 | u64::from(*byte)),
    };
    seeds.map(|folded| mix(mix(folded ^ rest, ODD ^ folded), ODD))
}

/// The places of things that lie elsewhere, by their hash: no key is stored twice. Whoever asks compares what lies at
/// the place with what is looked for.
#[derive(Clone, Debug)]
pub struct Places<P>(HashTable<P>);

impl<P> Default for Places<P> {
    fn default() -> Self {
        Self(HashTable::new())
    }
}

impl<P: Copy> Places<P> {
    /// The place of the thing with this hash that passes the test.
    pub fn find(&self, hash: u64, mut is_it: impl FnMut(P) -> bool) -> Option<P> {
        if self.0.is_empty() {
            return None;
        }
        self.0.find(hash, |place| is_it(*place)).copied()
    }

    /// Notes a place that is not noted. `hash_at` gives the hash of what lies at a place, for when the table grows.
    pub fn insert(&mut self, hash: u64, place: P, hash_at: impl Fn(P) -> u64) {
        self.0.insert_unique(hash, place, |place| hash_at(*place));
    }

    /// Forgets the place of the thing with this hash that passes the test.
    pub fn remove(&mut self, hash: u64, mut is_it: impl FnMut(P) -> bool) {
        if self.0.is_empty() {
            return;
        }
        if let Ok(entry) = self.0.find_entry(hash, |place| is_it(*place)) {
            entry.remove();
        }
    }
}
