//! Whether and when a process that has ended is started again.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::config::{Keeping, Restart};

/// What the file says, and what has been done by it.
#[derive(Clone, Debug)]
pub(super) struct Policy {
    keeping: Keeping,
    wait: Duration,
    /// When it was started again, as far back as that counts.
    restarts: VecDeque<Instant>,
}

/// What follows from the end of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// It is started again after this time.
    Again(Duration),
    /// It is not to be started again.
    Over,
    /// It would be, but has been too often.
    GivenUp,
}

impl Policy {
    pub(super) fn new(keeping: Keeping) -> Self {
        let wait = *keeping.backoff.start();
        Self { keeping, wait, restarts: VecDeque::new() }
    }

    /// What follows from an end after so long a run.
    pub(super) fn ended(&mut self, well: bool, ran: Duration, now: Instant) -> Next {
        let again = match self.keeping.restart {
            Restart::Never => false,
            Restart::OnFailure => !well,
            Restart::Always => true,
        };
        if !again {
            return Next::Over;
        }
        let within = self.keeping.within;
        self.restarts.retain(|at| now.saturating_duration_since(*at) < within);
        if self.restarts.len() >= self.keeping.restarts as usize {
            return Next::GivenUp;
        }
        self.restarts.push_back(now);
        let (first, longest) = (*self.keeping.backoff.start(), *self.keeping.backoff.end());
        if ran >= longest {
            self.wait = first;
        }
        let wait = self.wait;
        self.wait = (2 * self.wait).min(longest);
        Next::Again(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn what_follows_from_an_end_is_what_the_file_says() {
        for (restart, well, again) in [
            (Restart::Never, false, false),
            (Restart::OnFailure, true, false),
            (Restart::OnFailure, false, true),
            (Restart::Always, true, true),
        ] {
            let next = policy(restart).ended(well, SECOND, Instant::now());
            assert_eq!(next != Next::Over, again, "{restart:?} {well}");
        }
    }

    #[test]
    fn the_wait_doubles_up_to_the_longest_and_begins_anew_after_a_long_run() {
        let (mut policy, now) = (policy(Restart::Always), Instant::now());
        let waits: Vec<_> = (0..5).map(|_| policy.ended(false, SECOND, now)).collect();
        let seconds = [1, 2, 4, 5, 5].map(|seconds| Next::Again(seconds * SECOND));
        assert_eq!(waits, seconds);
        assert_eq!(policy.ended(false, 5 * SECOND, now), Next::Again(SECOND));
    }

    #[test]
    fn a_process_that_dies_too_often_is_given_up_until_the_time_has_passed() {
        let (mut policy, now) = (policy(Restart::OnFailure), Instant::now());
        for _ in 0..7 {
            assert!(matches!(policy.ended(false, SECOND, now), Next::Again(_)));
        }
        assert_eq!(policy.ended(false, SECOND, now), Next::GivenUp);
        assert!(matches!(policy.ended(false, SECOND, now + 60 * SECOND), Next::Again(_)));
    }

    fn policy(restart: Restart) -> Policy {
        Policy::new(Keeping {
            restart,
            backoff: SECOND..=5 * SECOND,
            restarts: 7,
            within: 60 * SECOND,
            stop: SECOND,
        })
    }
}
