//! Calls a hook and takes its answer: a request to the service, or a program of its own.
//!
//! What it is told is the event that is reacted to, as a structured `CloudEvent` in JSON, with attributes that
//! begin with `pavane` for the run itself. How it may answer is the same for both: see [`answer`].

pub(crate) mod answer;
mod callback;
mod exec;
mod http;
mod keeper;
mod preparation;
mod signature;
mod told;
mod valve;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pavane_events::{Domain, Instance, Service, Source, Zone};
use pavane_sidecar_engine::input::Failure;
use pavane_sidecar_engine::{Call, HookOutcome};
use reqwest::Client;
use tokio_util::sync::CancellationToken;

pub(crate) use callback::{Awaited, Callbacks};
pub(crate) use http::{causes, text};
pub(crate) use keeper::Keeper;
pub(crate) use preparation::{Progress, Steps, repeatable};

use crate::config::{Config, Hook, Reaction, Timed};
use crate::roster::Roster;
use crate::telemetry::{self, HookCalled};
use valve::{Shut, Valve};

/// Who calls hooks.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) client: Client,
    pub(crate) domain: Domain,
    pub(crate) service: Service,
    pub(crate) instance: Instance,
    pub(crate) zone: Option<Zone>,
    pub(crate) source: Source,
    pub(crate) roster: Roster,
    /// What keeps the hook of a reaction from being called too often, by the reaction's name.
    pub(crate) valves: Arc<BTreeMap<String, Valve>>,
    pub(crate) callbacks: Callbacks,
    pub(crate) progress: Progress,
    /// Where the door is that a hook may tell its result at.
    pub(crate) url: Option<String>,
    /// How a hook that is a program finds the door.
    pub(crate) door: Vec<(String, String)>,
}

/// The most that is kept of a failed hook's output, in bytes.
const OUTPUT: usize = 4096;

/// The valves of all reactions that have a hook.
pub(crate) fn valves(config: &Config) -> Arc<BTreeMap<String, Valve>> {
    let of = |reaction: &Reaction| {
        let run = reaction.run.as_ref()?;
        Some((reaction.terms.name(), Valve::new(run.breaker, run.rate, Instant::now())))
    };
    Arc::new(config.reactions.iter().filter_map(of).collect())
}

impl Caller {
    /// Carries a reaction's hook out: what stands before it, then itself.
    pub(crate) async fn carry_out(
        &self,
        reaction: &Reaction,
        call: &Call,
        traceparent: Option<&str>,
        cut: &CancellationToken,
    ) -> HookOutcome {
        let Some(run) = &reaction.run else {
            return HookOutcome::Failed(failure(&format!(
                "the sidecar's file has no hook on {}",
                call.reaction
            )));
        };
        let valve = self.valves.get(&call.reaction);
        if let Some(Err(Shut { why, wait })) = valve.map(|valve| valve.admit(Instant::now())) {
            telemetry::shut(&call.reaction, why, wait);
            return HookOutcome::InProgress {
                after: i64::try_from(wait.as_millis()).unwrap_or(i64::MAX).max(1),
            };
        }
        let outcome = match self.prepare(&run.before, call, traceparent, cut).await {
            Ok(()) => {
                let Timed { hook, timeout } = run.called(call.attempt);
                let longest = i64::try_from(timeout.as_millis()).unwrap_or(i64::MAX);
                let call = Call { limit: call.limit.min(longest), ..call.clone() };
                self.ask(hook, &call, traceparent, cut).await
            }
            Err(outcome) => outcome,
        };
        if let Some(valve) = valve {
            let well = matches!(outcome, HookOutcome::Done | HookOutcome::InProgress { .. });
            valve.ended(well, Instant::now());
        }
        outcome
    }

    /// Asks once and waits for the answer, for as long as the call may take at most.
    pub(crate) async fn ask(
        &self,
        hook: &Hook,
        call: &Call,
        traceparent: Option<&str>,
        cut: &CancellationToken,
    ) -> HookOutcome {
        let (begun, limit) = (Instant::now(), Duration::from_millis(call.limit.max(1).unsigned_abs()));
        let outcome = match hook {
            Hook::Http(post) => http::call(self, post, call, traceparent, limit, cut).await,
            Hook::Exec(command) => exec::call(self, command, call, traceparent, limit, cut).await,
        };
        let (word, reason) = match &outcome {
            HookOutcome::Done => ("done", ""),
            HookOutcome::InProgress { .. } => ("in_progress", ""),
            HookOutcome::Retry(failure) => ("retry", failure.reason.as_str()),
            HookOutcome::Failed(failure) => ("failed", failure.reason.as_str()),
        };
        HookCalled { reaction: &call.reaction, outcome: word, reason, took: begun.elapsed() }.emit();
        outcome
    }

    /// Expects a call's run to tell its result, where it can; what is to be noted of that before the call.
    pub(crate) fn expect(&self, call: &Call) -> Option<(String, Option<Awaited>)> {
        self.url.as_ref().filter(|_| is_run(call))?;
        Some((call.run.clone(), Some(self.callbacks.expect(&call.run)?)))
    }

    /// Where a run tells its result, and with which token; none for what is not a run of a reaction.
    fn callback(&self, call: &Call) -> Option<(String, String)> {
        let url = self.url.as_ref().filter(|_| is_run(call))?;
        Some((format!("{url}/v1/hooks/{}", call.run), self.callbacks.token(&call.run)?))
    }
}

/// Whether a call is made for a run of a reaction.
const fn is_run(call: &Call) -> bool {
    !call.run.is_empty() && call.ticket > 0
}

fn failure(reason: &str) -> Failure {
    Failure { reason: reason.to_owned(), ..Failure::default() }
}

/// The end of a text, at most 4 KiB of it, cut between characters.
pub(crate) fn end_of(text: &str) -> String {
    let mut from = text.len().saturating_sub(OUTPUT);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    text[from..].to_owned()
}
