//! What is done before the hook itself: step by step, each with another way where the first fails.
//!
//! A step that was done is not done again for a later attempt or call of the same run, also not by a later process: the
//! journal knows which steps were done, and which was begun.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use pavane_sidecar_engine::{Call, HookOutcome, Job, JobKey, Stage};
use serde::{Deserialize, Serialize};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::{Caller, Keeper};
use crate::config::{Config, Reaction, Step, Timed};
use crate::failpoint::pass;
use crate::journal::{Batch, Recalled};

/// How far the steps before a hook have come. The hook itself counts as the step after the last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Steps {
    done: usize,
    begun: usize,
}

/// How many steps of which runs are done.
#[derive(Clone, Debug)]
pub(crate) struct Progress {
    runs: Arc<Mutex<BTreeMap<String, Steps>>>,
    keeper: Keeper,
}

/// The rows whose hook was cut short where it may be run once more: what had begun is declared to be idempotent, or
/// nothing had.
pub(crate) fn repeatable(config: &Config, recalled: &Recalled) -> BTreeSet<JobKey> {
    let may = |job: &&Job| {
        let found = config.reactions.iter().find(|reaction| reaction.terms.on.name() == job.key.reaction);
        let steps = job.announced.as_ref().and_then(|run| recalled.steps.get(run.as_str()));
        job.stage == Stage::Running && found.is_some_and(|reaction| may_repeat(reaction, steps.copied()))
    };
    recalled.memory.jobs.values().filter(may).map(|job| job.key.clone()).collect()
}

fn may_repeat(reaction: &Reaction, steps: Option<Steps>) -> bool {
    let Some(run) = &reaction.run else { return false };
    if run.before.is_empty() {
        return run.idempotent;
    }
    let steps = steps.unwrap_or_default();
    let cut = run.before.get(steps.done).map_or(run.idempotent, |step| step.idempotent);
    steps.begun <= steps.done || cut
}

impl Progress {
    /// Begins with what an earlier process has done.
    pub(crate) fn new(keeper: Keeper, runs: BTreeMap<String, Steps>) -> Self {
        Self { runs: Arc::new(Mutex::new(runs)), keeper }
    }

    /// Forgets a run that is over; whether anything was known of it.
    pub(crate) fn forget(&self, run: &str) -> bool {
        self.runs().remove(run).is_some()
    }

    fn of(&self, run: &str) -> Steps {
        self.runs().get(run).copied().unwrap_or_default()
    }

    /// Notes how far a run has come, durable when this returns.
    async fn note(&self, run: &str, steps: Steps) -> Result<(), HookOutcome> {
        if self.runs().insert(run.to_owned(), steps) == Some(steps) {
            return Ok(());
        }
        let note = Batch { steps: vec![(run.to_owned(), Some(steps))], ..Batch::default() };
        let kept = self.keeper.keep(note).await;
        kept.map_err(|why| HookOutcome::Retry(super::failure(&format!("it is not begun unnoted: {why}"))))
    }

    fn runs(&self) -> MutexGuard<'_, BTreeMap<String, Steps>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Caller {
    /// Does the steps that are left; the error is how the first one that failed on every way ended.
    pub(super) async fn prepare(
        &self,
        steps: &[Step],
        call: &Call,
        traceparent: Option<&str>,
        cut: &CancellationToken,
    ) -> Result<(), HookOutcome> {
        if steps.is_empty() {
            return Ok(());
        }
        let done = self.progress.of(&call.run).done;
        for (place, step) in steps.iter().enumerate().skip(done) {
            self.progress.note(&call.run, Steps { done: place, begun: place + 1 }).await?;
            pass("step begun");
            self.take_step(step, place, call, traceparent, cut).await?;
            pass("step done");
            self.progress.note(&call.run, Steps { done: place + 1, begun: place + 1 }).await?;
        }
        self.progress.note(&call.run, Steps { done: steps.len(), begun: steps.len() + 1 }).await
    }

    /// Does one step, on the other way where the first fails.
    async fn take_step(
        &self,
        step: &Step,
        place: usize,
        call: &Call,
        traceparent: Option<&str>,
        cut: &CancellationToken,
    ) -> Result<(), HookOutcome> {
        let Err(outcome) = self.walk(&step.first, call, traceparent, cut).await else { return Ok(()) };
        let Some(other) = step.other.as_ref().filter(|_| !cut.is_cancelled()) else {
            return Err(placed(outcome, place, ""));
        };
        tracing::warn!(
            step = place + 1,
            reason = reason(&outcome),
            "a step before the hook goes the other way"
        );
        let walked = self.walk(other, call, traceparent, cut).await;
        walked.map_err(|other| placed(other, place, reason(&outcome)))
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
