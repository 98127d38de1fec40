//! Calls a hook and takes its answer: a request to the service, or a program of its own.
//!
//! What it is told is the event that is reacted to, as a structured `CloudEvent` in JSON, with attributes that
//! begin with `pavane` for the run itself. How it may answer is the same for both: see [`answer`].

pub(crate) mod answer;
mod exec;
mod http;
mod told;

use std::time::{Duration, Instant};

use pavane_events::{Domain, Instance, Service, Source, Zone};
use pavane_sidecar_engine::{Call, HookOutcome};
use reqwest::Client;
use tokio_util::sync::CancellationToken;

pub(crate) use http::{causes, text};

use crate::config::Hook;
use crate::roster::Roster;
use crate::telemetry::HookCalled;

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
}

/// The most that is kept of a failed hook's output, in bytes.
const OUTPUT: usize = 4096;

impl Caller {
    /// Calls a hook once and waits for its answer, for as long as the call may take at most.
    pub(crate) async fn call(
        &self,
        hook: &Hook,
        call: &Call,
        traceparent: Option<&str>,
        cut: &CancellationToken,
    ) -> HookOutcome {
        let (begun, limit) = (Instant::now(), Duration::from_millis(call.limit.max(1).unsigned_abs()));
        let outcome = match hook {
            Hook::Http(url) => http::call(self, url, call, traceparent, limit, cut).await,
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
}

/// The end of a text, at most 4 KiB of it, cut between characters.
pub(crate) fn end_of(text: &str) -> String {
    let mut from = text.len().saturating_sub(OUTPUT);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    text[from..].to_owned()
}
