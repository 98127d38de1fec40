//! A small generator (splitmix64), so that a seed is the same run for ever.

pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn between(&mut self, low: i64, high: i64) -> i64 {
        low + i64::try_from(self.roll() % u64::try_from(high - low + 1).expect("a range")).expect("small")
    }

    pub(crate) fn chance(&mut self, percent: i64) -> bool {
        self.between(1, 100) <= percent
    }

    pub(crate) fn pick<T: Clone>(&mut self, of: &[T]) -> T {
        of[usize::try_from(self.between(0, i64::try_from(of.len()).expect("short") - 1)).expect("small")]
            .clone()
    }
}

/// When a process freezes or crashes, and for how long.
pub(crate) struct Fate {
    /// (at, crash, length)
    faults: Vec<(i64, bool, i64)>,
    down_until: i64,
}

impl Fate {
    pub(crate) fn draw(dice: &mut Dice) -> Self {
        let mut faults: Vec<_> = (0..dice.pick(&[0, 0, 1, 2]))
            .map(|_| (dice.between(500, 40_000), dice.chance(50), dice.between(300, 9_000)))
            .collect();
        faults.sort_unstable();
        Self { faults, down_until: 0 }
    }

    /// One that crashes and never comes back.
    pub(crate) fn death(at: i64) -> Self {
        Self { faults: vec![(at, true, 10_000_000)], down_until: 0 }
    }

    /// Whether the process crashes just here, and whether it is down.
    pub(crate) fn strikes(&mut self, now: i64) -> (bool, bool) {
        let mut crashes = false;
        if self.faults.first().is_some_and(|fault| fault.0 <= now) {
            let (_, crash, length) = self.faults.remove(0);
            self.down_until = self.down_until.max(now + length);
            crashes = crash;
        }
        (crashes, now < self.down_until)
    }
}
