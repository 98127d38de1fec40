//! What a record of the log says, in a person's words.

use pavane_events::command::{
    DomainHeld, DomainReleased, RollbackRequested, RolloutAborted, RolloutPaused, RolloutResumed,
    StepOverridden,
};
use pavane_events::service::{Drained, EventRejected, HookUncertain, RollbackFailed, RollbackRefused};
use pavane_events::verdict::{CommandRefused, RolloutStalled};
use pavane_events::{Body, Entry, Record, Speaker, Unreadable, Version, identity};

use crate::paint::{BACK, BAD, GOOD, paint};
use crate::picture::lasting;

/// A record, told.
pub(super) struct Telling {
    /// Who speaks.
    pub(super) who: String,
    /// The short name of the event.
    pub(super) what: &'static str,
    /// What is said beyond that.
    pub(super) more: String,
    /// Whether the dance looks different after it.
    pub(super) moves: bool,
}

/// Tells a record; nothing for what is bookkeeping.
pub(super) fn telling(entry: &Entry) -> Option<Telling> {
    match entry {
        Entry::Event(record) => {
            let who = speaker(record)?;
            let body = &record.event.body;
            let version = record.event.envelope.version.as_ref();
            Some(Telling {
                who,
                what: body.event_type().as_str(),
                more: more(body, version),
                moves: moves(body),
            })
        }
        Entry::Unreadable(unreadable) => Some(unreadable_telling(unreadable)),
    }
}

fn speaker(record: &Record) -> Option<String> {
    let envelope = &record.event.envelope;
    let sentinel = envelope.source == identity::sentinel_source(&envelope.domain);
    match record.event.body.event_type().speaker() {
        Speaker::Control => None,
        Speaker::Verdict => Some("sentinel".to_owned()),
        Speaker::Command => Some(if sentinel { "sentinel" } else { "you" }.to_owned()),
        Speaker::Service => {
            Some(envelope.service.as_ref().map_or_else(|| "?".to_owned(), ToString::to_string))
        }
    }
}

const fn moves(body: &Body) -> bool {
    matches!(
        body,
        Body::DeploymentStarted(_)
            | Body::RollbackComplete(_)
            | Body::RollbackFailed(_)
            | Body::RollbackRefused(_)
            | Body::StepOverridden(_)
            | Body::RolloutStalled(_)
            | Body::RolloutCompleted(_)
            | Body::RolloutPartial(_)
    )
}

fn more(body: &Body, version: Option<&Version>) -> String {
    match body {
        Body::Ready(body) => format!("{} is there", body.prerequisite),
        Body::DeploymentStarted(body) => arrow(body.from.as_ref(), body.to.as_ref()),
        Body::DeploymentComplete(body) => format!("runs {}, took {}", name(version), lasting(body.took_ms)),
        Body::DeploymentFailed(body) => format!("{}: {}", body.stage, body.reason),
        Body::RollbackInitiated(body) => arrow(body.from.as_ref(), body.to.as_ref()),
        Body::RollbackComplete(_) => format!("is back on {}", name(version)),
        Body::EventRejected(body) => rejected(body),
        Body::RolloutStarted(body) => body.choreography.clone(),
        Body::RollbackRequested(body) => requested(body),
        Body::RolloutStalled(body) => stalled(body),
        Body::SequenceViolated(body) => format!("{} came too early", body.step),
        Body::RolloutCompleted(_) => paint(GOOD, "every step is met"),
        Body::RolloutRolledBack(_) => paint(BACK, "everyone who had moved is back"),
        Body::RolloutPartial(body) => paint(BAD, &body.failed.join("; ")),
        Body::Drained(Drained { detail: text })
        | Body::HookUncertain(HookUncertain { detail: text, .. })
        | Body::RollbackFailed(RollbackFailed { reason: text, .. })
        | Body::RollbackRefused(RollbackRefused { reason: text, .. })
        | Body::CommandRefused(CommandRefused { reason: text, .. })
        | Body::RolloutAborted(RolloutAborted { reason: text, .. })
        | Body::RolloutPaused(RolloutPaused { reason: text, .. })
        | Body::RolloutResumed(RolloutResumed { reason: text, .. })
        | Body::DomainHeld(DomainHeld { reason: text, .. })
        | Body::DomainReleased(DomainReleased { reason: text, .. })
        | Body::StepOverridden(StepOverridden { reason: text, .. }) => text.clone(),
        Body::PhaseBegun(_)
        | Body::GateApproved(_)
        | Body::GateRejected(_)
        | Body::Proposed(_)
        | Body::Pulse(_)
        | Body::Progress(_)
        | Body::ClockStepped(_)
        | Body::DomainConfigured(_)
        | Body::TrustChanged(_) => String::new(),
    }
}

fn rejected(body: &EventRejected) -> String {
    let producer = body.producer.as_ref().map_or("?", |producer| producer.as_str());
    let place = if body.field.is_empty() { String::new() } else { format!(" at {}", body.field) };
    let why = format!("{}{place}", body.reason.replace('_', " "));
    format!("I wait for {producer}.{}, and cannot read it: {}", body.event, paint(BAD, &why))
}

fn requested(body: &RollbackRequested) -> String {
    match &body.service {
        None => "everyone who has moved goes back, in reverse order".to_owned(),
        Some(service) => format!("{service}, please go back to {}", name(body.target.as_ref())),
    }
}

fn stalled(body: &RolloutStalled) -> String {
    let cause = paint(BAD, &body.cause.as_str().replace('_', " "));
    format!("{} is missing: {cause}, owner {}", body.missing, body.owner)
}

fn unreadable_telling(unreadable: &Unreadable) -> Telling {
    let who = unreadable.service.as_ref().map_or_else(|| "?".to_owned(), ToString::to_string);
    let event = unreadable.event_type.as_deref().and_then(pavane_events::EventType::from_full);
    let schema = unreadable.schema_id.map_or_else(String::new, |id| format!(", schema id {id}"));
    let place = format!("at offset {}{schema}", unreadable.offset);
    let more = paint(BAD, &format!("{place}: nobody can read it"));
    Telling { who, what: event.map_or("?", pavane_events::EventType::as_str), more, moves: false }
}

fn arrow(from: Option<&Version>, to: Option<&Version>) -> String {
    match (from, to) {
        (Some(from), None) => format!("from {from}"),
        (from, to) => format!("{} → {}", name(from), name(to)),
    }
}

fn name(version: Option<&Version>) -> &str {
    version.map_or("?", Version::as_str)
}
