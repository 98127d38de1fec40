//! What is done before the hook itself: step by step, each with another way where the first fails.
//!
//! A step that was done is not done again for a later attempt or call of the same run, as long as the process lives.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use pavane_sidecar_engine::{Call, HookOutcome};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::Caller;
use crate::config::Timed;

/// How many runs are remembered.
const RUNS: usize = 64;

/// How many steps of which runs are done.
#[derive(Clone, Debug, Default)]
pub(crate) struct Progress(Arc<Mutex<BTreeMap<String, usize>>>);

impl Progress {
    fn of(&self, run: &str) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(run).copied().unwrap_or(0)
    }

    fn note(&self, run: &str, done: usize) {
        let mut runs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        runs.insert(run.to_owned(), done);
        while runs.len() > RUNS {
            runs.pop_first();
        }
    }
}

impl Caller {
    /// Does the steps that are left; the error is how the first one that failed on every way ended.
    pub(super) async fn prepare(
        &self,
        steps: &[(Timed, Option<Timed>)],
        call: &Call,
        traceparent: Option<&str>,
        cut: &CancellationToken,
    ) -> Result<(), HookOutcome> {
        let done = self.progress.of(&call.run);
        for (place, (first, other)) in steps.iter().enumerate().skip(done) {
            let Err(outcome) = self.walk(first, call, traceparent, cut).await else {
                self.progress.note(&call.run, place + 1);
                continue;
            };
            let Some(other) = other.as_ref().filter(|_| !cut.is_cancelled()) else {
                return Err(placed(outcome, place, ""));
            };
            tracing::warn!(
                step = place + 1,
                reason = reason(&outcome),
                "a step before the hook goes the other way"
            );
            if let Err(other) = self.walk(other, call, traceparent, cut).await {
                return Err(placed(other, place, reason(&outcome)));
            }
            self.progress.note(&call.run, place + 1);
        }
        Ok(())
    }

    /// Goes one way until it is done, its time is over, or it has failed.
    async fn walk(
        &self,
        way: &Timed,
        call: &Call,
        traceparent: Option<&str>,
        cut: &CancellationToken,
    ) -> Result<(), HookOutcome> {
        let Timed { hook, timeout } = way;
        let begun = Instant::now();
        loop {
            let left = timeout.saturating_sub(begun.elapsed());
            let call = Call { limit: i64::try_from(left.as_millis()).unwrap_or(i64::MAX), ..call.clone() };
            let wait = match self.ask(hook, &call, traceparent, cut).await {
                HookOutcome::Done => return Ok(()),
                HookOutcome::InProgress { after } => Duration::from_millis(after.max(0).unsigned_abs()),
                failed @ (HookOutcome::Retry(_) | HookOutcome::Failed(_)) => return Err(failed),
            };
            if begun.elapsed() + wait >= *timeout {
                return Err(HookOutcome::Retry(super::failure(&format!(
                    "it was still in progress after {} ms",
                    timeout.as_millis()
                ))));
            }
            tokio::select! {
                () = sleep(wait) => {}
                () = cut.cancelled() => return Err(HookOutcome::Failed(super::failure("it was cut off"))),
            }
        }
    }
}

/// What a failed step says, with its place and what the first way said.
fn placed(outcome: HookOutcome, place: usize, first: &str) -> HookOutcome {
    let told = |reason: String| {
        let before = if first.is_empty() { String::new() } else { format!(", after {first}") };
        format!("step {} before the hook: {reason}{before}", place + 1)
    };
    match outcome {
        HookOutcome::Retry(mut failure) => {
            failure.reason = told(failure.reason);
            HookOutcome::Retry(failure)
        }
        HookOutcome::Failed(mut failure) => {
            failure.reason = told(failure.reason);
            HookOutcome::Failed(failure)
        }
        outcome @ (HookOutcome::Done | HookOutcome::InProgress { .. }) => outcome,
    }
}

fn reason(outcome: &HookOutcome) -> &str {
    match outcome {
        HookOutcome::Retry(failure) | HookOutcome::Failed(failure) => &failure.reason,
        HookOutcome::Done | HookOutcome::InProgress { .. } => "",
    }
}
