//! The two clocks of the shell: its own elapsed time, by which it looks and waits, and the wall's, which is
//! shown to people. Neither ever reaches a verdict.

use std::time::Duration;

use pavane_events::{Millis, Timestamp};
use tokio::time::Instant;

/// How often the engine is asked at most when nothing but time goes by.
const FINEST: Duration = Duration::from_millis(5);

/// Elapsed time since the start of the shell.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    start: Instant,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self { start: Instant::now() }
    }

    /// Milliseconds since the start.
    pub(crate) fn now(self) -> Millis {
        i64::try_from(self.start.elapsed().as_millis()).unwrap_or(i64::MAX)
    }

    /// Waits until then; for ever when there is no deadline, and a little when it has passed already.
    pub(crate) async fn until(self, deadline: Option<Millis>) {
        match deadline {
            None => std::future::pending().await,
            Some(deadline) => {
                let wait = deadline.saturating_sub(self.now());
                let wait = Duration::from_millis(u64::try_from(wait).unwrap_or(0));
                tokio::time::sleep(wait.max(FINEST)).await;
            }
        }
    }
}

/// The time of this machine, for people.
pub(crate) fn wall() -> Timestamp {
    Timestamp(jiff::Timestamp::now().as_millisecond())
}
