//! When the next snapshot is due: after so long or so many records, and never so often that making it costs the loop
//! more than a hundredth of its time.

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
    /// How long it took to make.
    took: Duration,
    records: u32,
}

impl Due {
    pub(crate) fn new(every: Duration) -> Self {
        Self { every, last: Instant::now(), took: Duration::ZERO, records: 0 }
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
        self.has_news() && worth && since >= self.took * RARE
    }

    /// One was begun then, and is made.
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
}
