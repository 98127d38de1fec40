//! When the next snapshot is due: after so long or so many records, and never so often that making it costs more than a
//! hundredth of the time of a processor, or of the loop that it is taken from.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// After how many records a snapshot is due, whatever the time: about as many as are read in a second.
const RECORDS: u32 = 50_000;
/// How much longer than it took to make one is waited before the next.
const RARE: u32 = 100;

/// When the next snapshot is due.
#[derive(Debug)]
pub(crate) struct Due {
    every: Duration,
    /// When the last one was begun.
    last: Instant,
    /// How long it kept the loop.
    took: Duration,
    /// How long it then took beside the loop.
    cost: Cost,
    records: u32,
}

/// How long the last snapshot took beside the loop, as whoever made it notes it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cost(Arc<AtomicU64>);

impl Cost {
    pub(crate) fn note(&self, took: Duration) {
        self.0.store(u64::try_from(took.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    fn took(&self) -> Duration {
        Duration::from_micros(self.0.load(Ordering::Relaxed))
    }
}

impl Due {
    pub(crate) fn new(every: Duration) -> Self {
        Self { every, last: Instant::now(), took: Duration::ZERO, cost: Cost::default(), records: 0 }
    }

    /// A record was read.
    pub(crate) fn read(&mut self) {
        self.records = self.records.saturating_add(1);
    }

    /// Whether anything was read since the last one.
    pub(crate) const fn has_news(&self) -> bool {
        self.records > 0
    }

    /// Whether it is time.
    pub(crate) fn is_now(&self) -> bool {
        let since = self.last.elapsed();
        let worth = since >= self.every || self.records >= RECORDS;
        let took = self.took.max(self.cost.took());
        self.has_news() && worth && since >= took.saturating_mul(RARE)
    }

    /// Where whoever makes it notes how long that took.
    pub(crate) fn cost(&self) -> Cost {
        self.cost.clone()
    }

    /// One was begun then, and was taken from the loop.
    pub(crate) fn made(&mut self, begun: Instant) {
        (self.last, self.took, self.records) = (begun, begun.elapsed(), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    #[tokio::test(start_paused = true)]
    async fn one_is_due_after_its_time_when_there_is_news() {
        let mut due = Due::new(MINUTE);
        tokio::time::advance(2 * MINUTE).await;
        assert!(!due.is_now(), "nothing was read");
        due.read();
        assert!(due.is_now());
        due.made(Instant::now());
        due.read();
        assert!(!due.is_now());
        tokio::time::advance(MINUTE).await;
        assert!(due.is_now());
    }

    #[tokio::test(start_paused = true)]
    async fn one_is_due_after_many_records_but_takes_no_more_than_a_hundredth_of_the_time() {
        let mut due = Due::new(MINUTE);
        let begun = Instant::now();
        tokio::time::advance(Duration::from_millis(100)).await;
        due.made(begun);
        (0..RECORDS).for_each(|_| due.read());
        assert!(!due.is_now(), "it took a tenth of a second");
        tokio::time::advance(Duration::from_secs(10)).await;
        assert!(due.is_now());
    }

    #[tokio::test(start_paused = true)]
    async fn what_it_takes_beside_the_loop_counts_too() {
        let mut due = Due::new(MINUTE);
        due.made(Instant::now());
        due.cost().note(Duration::from_secs(2));
        due.read();
        tokio::time::advance(3 * MINUTE).await;
        assert!(!due.is_now(), "it took two seconds of a processor");
        tokio::time::advance(MINUTE).await;
        assert!(due.is_now());
    }
}
