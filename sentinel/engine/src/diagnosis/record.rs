//! What a record says, in a few words.

use pavane_events::command::RollbackRequested;
use pavane_events::service::EventRejected;
use pavane_events::{Body, EventType, Record, Speaker, StepId, Unreadable};

use super::words::spaced;
use super::{Decision, Said};

/// How many of a hook's last lines are told.
const LINES: usize = 5;
/// How much of a line is told, in characters.
const WIDTH: usize = 200;

/// A service's word. None when the record names no service.
pub(super) fn said(record: &Record) -> Option<Said> {
    let envelope = &record.event.envelope;
    Some(Said {
        event: record.event.body.event_type().as_str().to_owned(),
        service: envelope.service.as_ref()?.to_string(),
        instance: envelope.instance.as_ref().map(ToString::to_string),
        version: envelope.version.as_ref().map(ToString::to_string),
        rollout: envelope.rollout.as_ref().map(ToString::to_string),
        offset: record.offset,
        at: record.at,
        text: detail(&record.event.body),
    })
}

/// A decision or an order. None when the record is neither.
pub(super) fn decision(record: &Record) -> Option<Decision> {
    let body = &record.event.body;
    let speaker = body.event_type().speaker();
    if !matches!(speaker, Speaker::Command | Speaker::Verdict) {
        return None;
    }
    let by = match by(body) {
        Some("") => "somebody",
        Some(by) => by,
        None => "sentinel",
    };
    let (step, accepted) = grounds(body);
    Some(Decision {
        event: body.event_type().as_str().to_owned(),
        id: record.event.envelope.id.to_string(),
        step,
        by: by.to_owned(),
        accepted,
        offset: record.offset,
        at: record.at,
        text: ordered(body).unwrap_or_else(|| verdict(body)),
    })
}

/// Who says an order, by the record's own word; none where only the sentinel can.
fn by(body: &Body) -> Option<&str> {
    if let Body::RolloutPaused(body) = body {
        return Some(&body.by);
    }
    if let Body::RollbackRequested(body) = body {
        return Some(&body.by);
    }
    if let Body::GateApproved(body) = body {
        return Some(&body.by);
    }
    if let Body::GateRejected(body) = body {
        return Some(&body.by);
    }
    if let Body::StepOverridden(body) = body {
        return Some(&body.by);
    }
    if let Body::RolloutStarted(body) = body {
        return Some(&body.by);
    }
    if let Body::RolloutAborted(body) = body {
        return Some(&body.by);
    }
    if let Body::RolloutResumed(body) = body {
        return Some(&body.by);
    }
    if let Body::DomainHeld(body) = body {
        return Some(&body.by);
    }
    if let Body::DomainReleased(body) = body {
        return Some(&body.by);
    }
    None
}

/// The step that a decision is about, and the offset at which it was accepted.
fn grounds(body: &Body) -> (Option<String>, Option<i64>) {
    let step = |step: &StepId| Some(step.to_string());
    if let Body::RolloutStalled(body) = body {
        return (step(&body.step), Some(body.accepted));
    }
    if let Body::SequenceViolated(body) = body {
        return (step(&body.step), Some(body.accepted));
    }
    if let Body::RollbackRequested(body) = body {
        return (body.step.as_ref().and_then(step), body.accepted);
    }
    if let Body::StepOverridden(body) = body {
        return (step(&body.step), None);
    }
    if let Body::PhaseBegun(body) = body {
        return (None, body.accepted);
    }
    if let Body::RolloutCompleted(body) = body {
        return (None, Some(body.accepted));
    }
    if let Body::RolloutRolledBack(body) = body {
        return (None, Some(body.accepted));
    }
    if let Body::RolloutPartial(body) = body {
        return (None, Some(body.accepted));
    }
    (None, None)
}

/// An order in words; none where it is a verdict.
fn ordered(body: &Body) -> Option<String> {
    if let Body::RolloutStarted(body) = body {
        return Some(reasoned(&format!("started {}", body.choreography), &body.reason));
    }
    if let Body::PhaseBegun(body) = body {
        return Some(format!("opened phase {}", body.phase));
    }
    if let Body::RolloutPaused(body) = body {
        return Some(reasoned("paused it", &body.reason));
    }
    if let Body::RolloutResumed(body) = body {
        return Some(reasoned("let it go on", &body.reason));
    }
    if let Body::RolloutAborted(body) = body {
        return Some(reasoned("ended it where it stood", &body.reason));
    }
    if let Body::GateApproved(body) = body {
        return Some(reasoned(&format!("approved phase {}", body.gate), &body.reason));
    }
    if let Body::GateRejected(body) = body {
        return Some(reasoned(&format!("rejected phase {}", body.gate), &body.reason));
    }
    if let Body::StepOverridden(body) = body {
        return Some(reasoned(&format!("counted step {} as met", body.step), &body.reason));
    }
    if let Body::RollbackRequested(body) = body {
        return Some(asked_back(body));
    }
    if let Body::DomainHeld(body) = body {
        return Some(reasoned("held the domain", &body.reason));
    }
    if let Body::DomainReleased(body) = body {
        return Some(reasoned("released the domain", &body.reason));
    }
    None
}

/// A verdict in words. What is not one of the others is one of two endings.
fn verdict(body: &Body) -> String {
    if let Body::RolloutStalled(body) = body {
        return format!("said that step {} stands still ({})", body.step, spaced(body.cause.as_str()));
    }
    if let Body::SequenceViolated(body) = body {
        return format!("said that step {} moved before {}", body.step, body.missing.join(", "));
    }
    if let Body::RolloutPartial(body) = body {
        return format!("said that it is rolled back in part: {}", body.failed.join("; "));
    }
    if let Body::CommandRefused(body) = body {
        return format!("refused the {} at offset {}: {}", body.event, body.cites, body.reason);
    }
    if body.event_type() == EventType::RolloutCompleted {
        return "said that it completed".to_owned();
    }
    "said that it is rolled back".to_owned()
}

fn asked_back(body: &RollbackRequested) -> String {
    match &body.service {
        Some(service) => {
            let to = body.target.as_ref().map_or(String::new(), |target| format!(" to {target}"));
            format!("asked {service} to go back{to}")
        }
        None => reasoned("decided to go back", &body.reason),
    }
}

fn reasoned(what: &str, reason: &str) -> String {
    if reason.is_empty() { what.to_owned() } else { format!("{what}: {reason}") }
}

/// What a service says beyond the name of the event; the last lines of a hook stand apart.
pub(crate) fn detail(body: &Body) -> String {
    if let Body::DeploymentFailed(body) = body {
        return failed(&body.stage, body.exit_code, body.attempts, &body.reason);
    }
    if let Body::RollbackFailed(body) = body {
        return failed("", body.exit_code, 1, &body.reason);
    }
    if let Body::EventRejected(body) = body {
        return rejected(body);
    }
    if let Body::RollbackRefused(body) = body {
        return body.reason.clone();
    }
    if let Body::HookUncertain(body) = body {
        return format!("{}: {}", body.reaction, body.detail);
    }
    if let Body::Progress(body) = body {
        return reasoned(&body.part, &body.detail);
    }
    if let Body::Ready(body) = body {
        return reasoned(&body.prerequisite, &body.detail);
    }
    if let Body::DeploymentStarted(body) = body {
        return body.from.as_ref().map_or(String::new(), |from| format!("from {from}"));
    }
    String::new()
}

/// What a service could not read, and why.
pub(crate) fn rejected(body: &EventRejected) -> String {
    let producer = body.producer.as_ref().map_or("?", |producer| producer.as_str());
    let schema = body.schema_id.map_or("unknown".to_owned(), |id| id.to_string());
    let at = if body.field.is_empty() { String::new() } else { format!(" at {}", body.field) };
    let (reason, detail) = (spaced(&body.reason), &body.detail);
    format!(
        "{producer}.{} at offset {} (schema id {schema}) cannot be read: {reason}{at}: {detail}",
        body.event, body.offset
    )
}

/// A record that nobody can read, and why.
pub(crate) fn unreadable(unreadable: &Unreadable) -> String {
    let event = unreadable.event_type.as_deref().and_then(EventType::from_full);
    let event = event.map_or("an event", EventType::as_str);
    let who = unreadable.service.as_ref().map_or("somebody", |service| service.as_str());
    let schema = unreadable.schema_id.map_or(String::new(), |id| format!(" (schema id {id})"));
    let at = if unreadable.field.is_empty() { String::new() } else { format!(" at {}", unreadable.field) };
    format!(
        "{event} of {who}{schema} cannot be read: {}{at}: {}; it is set aside in the dead letters",
        spaced(unreadable.reason.as_str()),
        unreadable.detail
    )
}

fn failed(stage: &str, exit_code: Option<i64>, attempts: i64, reason: &str) -> String {
    let stage = Some(stage.to_owned()).filter(|stage| !stage.is_empty());
    let exit = exit_code.map(|code| format!("exit code {code}"));
    let tried = (attempts > 1).then(|| format!("tried {attempts} times"));
    let how = stage.into_iter().chain(exit).chain(tried).collect::<Vec<_>>().join(", ");
    match (how.is_empty(), reason.is_empty()) {
        (true, true) => "without a reason".to_owned(),
        (true, false) => reason.to_owned(),
        (false, true) => how,
        (false, false) => format!("{how}: {reason}"),
    }
}

/// What a hook that failed ended with; none where it did not end by itself.
pub(crate) fn exit_code(body: &Body) -> Option<i64> {
    if let Body::DeploymentFailed(body) = body {
        return body.exit_code;
    }
    if let Body::RollbackFailed(body) = body {
        return body.exit_code;
    }
    None
}

/// The schema of what a service could not read, and the field that differs; empty where that is not known.
pub(crate) fn differs(body: &Body) -> (Option<i64>, String) {
    if let Body::EventRejected(body) = body {
        return (body.schema_id, body.field.clone());
    }
    (None, String::new())
}

/// The last lines that a hook wrote, as far as the record carries them.
pub(crate) fn output(body: &Body) -> Vec<String> {
    if let Body::DeploymentFailed(body) = body {
        return last_lines(&body.output);
    }
    if let Body::RollbackFailed(body) = body {
        return last_lines(&body.output);
    }
    Vec::new()
}

fn last_lines(text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let last = lines.iter().skip(lines.len().saturating_sub(LINES));
    last.map(|line| line.chars().take(WIDTH).collect()).collect()
}
