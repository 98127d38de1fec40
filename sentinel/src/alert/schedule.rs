//! When a delivery is tried again: soon at first, then hourly, for three days.

use std::time::Duration;

/// How long a delivery is tried before it is given up, loudly.
pub(crate) const GIVE_UP: Duration = Duration::from_hours(72);

/// The longest wait that a receiver may ask for with `Retry-After`.
const LONGEST_ASKED: Duration = Duration::from_mins(10);

/// The waits after the first, second, … failed attempt; the last one repeats.
const WAITS: [Duration; 7] = [
    Duration::from_secs(5),
    Duration::from_secs(30),
    Duration::from_mins(2),
    Duration::from_mins(5),
    Duration::from_mins(15),
    Duration::from_mins(30),
    Duration::from_hours(1),
];

/// Where the slow schedule begins: what a configuration fault waits at least, for soon does not mend it.
const SLOW: usize = 3;

/// How soon a failed attempt is worth repeating.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// It may pass by itself; honours the wait that the receiver asked for.
    Soon(Option<Duration>),
    /// Somebody must mend something.
    Slowly,
}

/// The wait after the `failed`-th failed attempt (from 1). `chance` from 0 to 1 spreads it by ±20 %, so that
/// what failed together does not come back together.
pub(crate) fn wait(failed: usize, pace: Pace, chance: f64) -> Duration {
    let nth = failed.saturating_sub(1);
    let (nth, asked) = match pace {
        Pace::Soon(asked) => (nth, asked.unwrap_or_default().min(LONGEST_ASKED)),
        Pace::Slowly => (nth.max(SLOW), Duration::ZERO),
    };
    WAITS[nth.min(WAITS.len() - 1)].mul_f64(0.8 + 0.4 * chance.clamp(0.0, 1.0)).max(asked)
}

/// A fresh chance from 0 to 1.
pub(crate) fn chance() -> f64 {
    // The last four bytes of a version 7 id are random.
    let [.., a, b, c, d] = uuid::Uuid::now_v7().into_bytes();
    f64::from(u32::from_be_bytes([a, b, c, d])) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_an_hour_and_spread_by_a_fifth() {
        let seconds: Vec<_> = (1..=9).map(|n| wait(n, Pace::Soon(None), 0.5).as_secs()).collect();
        assert_eq!(seconds, [5, 30, 120, 300, 900, 1800, 3600, 3600, 3600]);
        assert_eq!(wait(1, Pace::Soon(None), 0.0), Duration::from_secs(4));
        assert_eq!(wait(1, Pace::Soon(None), 1.0), Duration::from_secs(6));
        assert!((0..100).all(|_| (0.0..=1.0).contains(&chance())));
    }

    #[test]
    fn a_receiver_may_ask_for_more_patience_up_to_ten_minutes() {
        let asked = |seconds| wait(1, Pace::Soon(Some(Duration::from_secs(seconds))), 0.5).as_secs();
        assert_eq!((asked(1), asked(60), asked(86_400)), (5, 60, 600));
    }

    #[test]
    fn a_fault_that_somebody_must_mend_waits_five_minutes_at_least() {
        let seconds: Vec<_> = (1..=6).map(|n| wait(n, Pace::Slowly, 0.5).as_secs()).collect();
        assert_eq!(seconds, [300, 300, 300, 300, 900, 1800]);
    }
}
