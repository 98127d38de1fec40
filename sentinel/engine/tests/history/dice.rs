//! A small generator (splitmix64), so that a seed is the same history for ever.

pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x2545_f491_4f6c_dd1d) ^ 0x5851_f42d_4c95_7f2d)
    }

    pub(crate) fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from `low` to `high`, both within.
    pub(crate) fn between(&mut self, low: i64, high: i64) -> i64 {
        low + i64::try_from(self.roll() % u64::try_from(high - low + 1).expect("a range")).expect("small")
    }

    /// A place in something of this length, which must not be 0.
    pub(crate) fn below(&mut self, length: usize) -> usize {
        usize::try_from(self.roll() % u64::try_from(length).expect("small")).expect("small")
    }

    pub(crate) fn chance(&mut self, percent: i64) -> bool {
        self.between(1, 100) <= percent
    }

    pub(crate) fn pick<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())].clone()
    }

    /// One of these, each as likely as its weight says.
    pub(crate) fn weighed<T: Copy>(&mut self, of: &[(i64, T)]) -> T {
        let mut left = self.between(1, of.iter().map(|(weight, _)| weight).sum());
        for (weight, one) in of {
            left -= weight;
            if left <= 0 {
                return *one;
            }
        }
        unreachable!("the weights were summed")
    }
}

/// How many seeds to run: `PAVANE_SEEDS` where it is set, else this many.
#[expect(clippy::disallowed_methods, reason = "a test may be asked for more")]
pub(crate) fn seeds(by_default: u64) -> u64 {
    std::env::var("PAVANE_SEEDS").ok().and_then(|n| n.parse().ok()).unwrap_or(by_default)
}
