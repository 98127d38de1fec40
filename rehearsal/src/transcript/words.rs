//! What each event of the vocabulary says, in one line.

use pavane_events::command::{GateApproved, PhaseBegun, RollbackRequested};
use pavane_events::{Body, Record, Version};

/// Who says a record, and what.
pub(super) fn of(record: &Record) -> (String, String) {
    let envelope = &record.event.envelope;
    let person = || envelope.source.as_str().rsplit('/').next().unwrap_or("somebody").to_owned();
    let who = if envelope.replica.is_some() {
        "sentinel".to_owned()
    } else {
        envelope.instance.as_ref().map_or_else(person, ToString::to_string)
    };
    (who, what(record))
}

fn what(record: &Record) -> String {
    let envelope = &record.event.envelope;
    let name = name(record);
    let runs = || at(envelope.version.as_ref());
    match &record.event.body {
        Body::DeploymentStarted(body) => {
            format!("{name}{}", body.from.as_ref().map_or(String::new(), |v| format!(" from {v}")))
        }
        Body::Ready(_) | Body::DeploymentComplete(_) | Body::Drained(_) | Body::RollbackComplete(_) => {
            format!("{name}{}", runs())
        }
        Body::DeploymentFailed(body) => format!("{name} ({}): {}", body.stage, body.reason),
        Body::RollbackInitiated(body) => {
            format!("{name} to {}", body.to.as_ref().map_or("?", Version::as_str))
        }
        Body::RollbackFailed(body) => format!("{name}: {}", body.reason),
        Body::RollbackRefused(body) => format!("{name}: {}", body.reason),
        Body::EventRejected(body) => {
            let producer = body.producer.as_ref().map_or("?", |producer| producer.as_str());
            format!(
                "{name}: {producer}.{} at offset {} cannot be read ({})",
                body.event, body.offset, body.reason
            )
        }
        Body::HookUncertain(body) => format!("{name}: {}", body.detail),
        Body::RolloutStarted(body) => {
            let rollout = envelope.rollout.as_ref().map_or("?", |rollout| rollout.as_str());
            format!("starts {} as rollout {rollout}", body.choreography)
        }
        Body::PhaseBegun(body) => begun(body),
        Body::RolloutPaused(body) => reasoned("stops the clocks", &body.reason),
        Body::RolloutResumed(body) => reasoned("lets the clocks run on", &body.reason),
        Body::RolloutAborted(body) => reasoned("ends the rollout where it stands", &body.reason),
        Body::DomainHeld(body) => reasoned("holds the domain", &body.reason),
        Body::DomainReleased(body) => reasoned("releases the domain", &body.reason),
        Body::GateApproved(GateApproved { gate, reason, .. }) => {
            reasoned(&format!("approves {gate}"), reason)
        }
        Body::GateRejected(body) => reasoned(&format!("rejects {}", body.gate), &body.reason),
        Body::StepOverridden(body) => {
            reasoned(&format!("lets step {} count as met", body.step), &body.reason)
        }
        Body::RollbackRequested(body) => rollback(body),
        Body::RolloutStalled(body) => format!("{name}: step {} ({})", body.step, body.cause.as_str()),
        Body::SequenceViolated(body) => {
            format!("{name}: step {} before {}", body.step, body.missing.join(", "))
        }
        Body::RolloutPartial(body) => format!("{name}: {}", body.failed.join("; ")),
        Body::CommandRefused(body) => format!("refuses {} ({}): {}", body.event, body.code, body.reason),
        Body::RolloutCompleted(_)
        | Body::RolloutRolledBack(_)
        | Body::Proposed(_)
        | Body::Pulse(_)
        | Body::Progress(_)
        | Body::ClockStepped(_)
        | Body::DomainConfigured(_)
        | Body::TrustChanged(_) => name,
    }
}

/// The event by its name; of which service, when a tool says it in the service's stead.
fn name(record: &Record) -> String {
    let envelope = &record.event.envelope;
    let name = record.event.body.event_type().as_str();
    let of = envelope.service.as_ref().filter(|_| envelope.instance.is_none() && envelope.replica.is_none());
    of.map_or_else(|| name.to_owned(), |service| format!("{service}.{name}"))
}

fn begun(body: &PhaseBegun) -> String {
    let cohort: Vec<&str> = body.cohort.iter().map(|member| member.instance.as_str()).collect();
    let cohort = if cohort.is_empty() { String::new() } else { format!(" for {}", cohort.join(", ")) };
    let seen = body.evidence.iter().filter(|seen| !seen.value.is_empty());
    let seen: Vec<String> = seen.map(|seen| format!("; the metric was {}", seen.value)).collect();
    let seen = seen.concat();
    format!("opens phase {}{cohort}{seen}", body.phase)
}

fn rollback(body: &RollbackRequested) -> String {
    let Some(service) = &body.service else {
        return reasoned("asks for the way back", &body.reason);
    };
    let to = body.target.as_ref().map_or(String::new(), |target| format!(" to {target}"));
    format!("asks {service} to go back{to}")
}

fn at(version: Option<&Version>) -> String {
    version.map_or(String::new(), |version| format!(" at {version}"))
}

fn reasoned(what: &str, reason: &str) -> String {
    if reason.is_empty() { what.to_owned() } else { format!("{what}: {reason}") }
}
