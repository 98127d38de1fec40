//! What keeps a hook from being called when that can only do harm: too often in a time, or again and again while it fails.
//!
//! Shut, it fails nothing: the attempt waits, within its own time, and the target has rest.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::config::{Breaker, Rate};

/// The valve of one hook.
#[derive(Debug)]
pub(crate) struct Valve {
    breaker: Option<Breaker>,
    rate: Option<Rate>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// How many calls in a row have failed.
    failures: u32,
    shut_until: Option<Instant>,
    /// How many calls may be made at once, as of `filled`.
    tokens: f64,
    filled: Instant,
}

/// Why a hook is not called at present.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shut {
    pub(crate) why: &'static str,
    pub(crate) wait: Duration,
}

impl Valve {
    /// A valve by what the file says.
    pub(crate) fn new(breaker: Option<Breaker>, rate: Option<Rate>, now: Instant) -> Self {
        let tokens = rate.map_or(0.0, |rate| f64::from(rate.calls));
        Self {
            breaker,
            rate,
            state: Mutex::new(State { failures: 0, shut_until: None, tokens, filled: now }),
        }
    }

    /// Lets a call through, or says how long to wait.
    pub(crate) fn admit(&self, now: Instant) -> Result<(), Shut> {
        let mut state = self.state();
        if let Some(wait) = state.shut_until.map(|until| until.saturating_duration_since(now))
            && !wait.is_zero()
        {
            return Err(Shut { why: "breaker", wait });
        }
        let Some(Rate { calls, every }) = self.rate else { return Ok(()) };
        let a_second = f64::from(calls) / every.as_secs_f64();
        let gained = now.saturating_duration_since(state.filled).as_secs_f64() * a_second;
        state.tokens = (state.tokens + gained).min(f64::from(calls));
        state.filled = now;
        if state.tokens < 1.0 {
            let wait = Duration::from_secs_f64((1.0 - state.tokens) / a_second);
            return Err(Shut { why: "rate", wait: wait.max(Duration::from_millis(1)) });
        }
        state.tokens -= 1.0;
        Ok(())
    }

    /// Takes how a call ended. After so many bad ones in a row the valve is shut; the first call after that decides again.
    pub(crate) fn ended(&self, well: bool, now: Instant) {
        let Some(Breaker { failures, pause }) = self.breaker else { return };
        let mut state = self.state();
        state.failures = if well { 0 } else { state.failures.saturating_add(1) };
        state.shut_until = (state.failures >= failures).then(|| now + pause);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_breaker_shuts_after_failures_in_a_row_and_tries_once_when_the_pause_is_over() {
        let begin = Instant::now();
        let valve = Valve::new(Some(Breaker { failures: 3, pause: 10 * SECOND }), None, begin);
        for well in [false, false, true, false, false] {
            valve.ended(well, begin);
            assert_eq!(valve.admit(begin), Ok(()));
        }
        valve.ended(false, begin);
        let shut = Shut { why: "breaker", wait: 4 * SECOND };
        assert_eq!(valve.admit(begin + 6 * SECOND), Err(shut));
        assert_eq!(valve.admit(begin + 10 * SECOND), Ok(()));
        valve.ended(false, begin + 10 * SECOND);
        assert!(valve.admit(begin + 11 * SECOND).is_err(), "one more failure shuts it again");
        valve.ended(true, begin + 21 * SECOND);
        assert_eq!(valve.admit(begin + 21 * SECOND), Ok(()));
    }

    #[test]
    fn of_a_flood_of_calls_as_many_go_through_as_the_file_allows() {
        let begin = Instant::now();
        let valve = Valve::new(None, Some(Rate { calls: 3, every: 60 * SECOND }), begin);
        let through = (0..600_u32).filter(|k| valve.admit(begin + *k * SECOND / 2).is_ok()).count();
        assert!((17..=18).contains(&through), "{through}: three at once, then one in 20 s, in 300 s");
        let shut = (0..3).find_map(|_| valve.admit(begin + 300 * SECOND).err()).unwrap();
        assert!(shut.why == "rate" && shut.wait <= 20 * SECOND, "{shut:?}");
    }
}
