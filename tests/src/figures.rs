//! Measured times as the benches print them: percentiles of one way of doing a thing, beside those of another.

use std::time::Duration;

/// What stands above the rows.
pub const HEAD: &str =
    "                                                  n   p50 ms   p90 ms   p99 ms   max ms";

/// Measured times, sorted.
#[derive(Clone, Debug)]
pub struct Figures(Vec<Duration>);

impl Figures {
    /// The figures of these times, of which there must be one at least.
    pub fn of(mut times: Vec<Duration>) -> Self {
        assert!(!times.is_empty(), "nothing was measured");
        times.sort();
        Self(times)
    }

    /// The shortest time that so many percent of all are not longer than.
    pub fn percentile(&self, percent: usize) -> Duration {
        let rank = (self.0.len() * percent).div_ceil(100);
        self.0[rank.clamp(1, self.0.len()) - 1]
    }

    /// A row below [`HEAD`].
    pub fn row(&self, name: &str) -> String {
        let [p50, p90, p99, max] = [50, 90, 99, 100].map(|percent| milliseconds(self.percentile(percent)));
        format!("{name:<44} {:>6} {p50:>8.3} {p90:>8.3} {p99:>8.3} {max:>8.3}", self.0.len())
    }
}

/// A time in milliseconds.
pub fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_a_time_that_was_measured() {
        let figures = Figures::of((1..=200).rev().map(Duration::from_millis).collect());
        let of = |percent| figures.percentile(percent).as_millis();
        assert_eq!((of(0), of(50), of(99), of(100)), (1, 100, 198, 200));
        assert_eq!(Figures::of(vec![Duration::from_millis(7)]).percentile(99).as_millis(), 7);
    }

    #[test]
    fn a_row_stands_below_its_head() {
        let row = Figures::of(vec![Duration::from_micros(1_500)]).row("one");
        assert_eq!(row.len(), HEAD.len());
        assert!(row.ends_with("    1.500    1.500    1.500    1.500"), "{row}");
    }
}
