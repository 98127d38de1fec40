//! A record as a `CDEvent` 0.5.1: the standard types where there is one, types of our own beside them.
//!
//! The table that users read is in `docs/standards.md`. Whatever a standard type has no field for stands in `customData`,
//! so nothing that was said is lost. Control records are bookkeeping of the log and have no rendering.

use pavane_events::identity::{hex, trace_id};
use pavane_events::{Body, EventType, Record, RolloutId, Speaker, Version};
use serde_json::{Map, Value, json};

/// The version of the specification that is written.
pub const SPEC: &str = "0.5.1";

/// What a record is as a `CDEvent`: its type, what it is about, and what is said of it.
struct Rendering {
    kind: String,
    subject: String,
    content: Value,
}

/// The `CDEvent` of a record; none for a control record.
pub fn render(record: &Record) -> Option<Value> {
    let Rendering { kind, subject, content } = rendering(record)?;
    let envelope = &record.event.envelope;
    let mut context = Map::new();
    context.insert("specversion".to_owned(), SPEC.into());
    context.insert("id".to_owned(), envelope.id.to_string().into());
    context.insert("source".to_owned(), envelope.source.to_string().into());
    context.insert("type".to_owned(), kind.into());
    context.insert("timestamp".to_owned(), envelope.time.clone().unwrap_or_else(|| moment(record)).into());
    if let Some(rollout) = &envelope.rollout {
        context.insert("chainId".to_owned(), chain(rollout).into());
    }
    if let Some(cause) = &envelope.causation {
        let link = json!([{ "linkType": "PATH", "from": { "contextId": cause.to_string() } }]);
        context.insert("links".to_owned(), link);
    }
    let custom = json!({
        "event": record.event.body.event_type().full_name(),
        "domain": envelope.domain.to_string(),
        "rollout": envelope.rollout.as_ref().map(ToString::to_string),
        "service": envelope.service.as_ref().map(ToString::to_string),
        "instance": envelope.instance.as_ref().map(ToString::to_string),
        "version": envelope.version.as_ref().map(ToString::to_string),
        "offset": record.offset,
        "data": record.event.body,
    });
    Some(json!({
        "context": context,
        "subject": { "id": subject, "content": content },
        "customData": custom,
        "customDataContentType": "application/json",
    }))
}

/// A `CDEvent` in the `CloudEvent` that carries it over any transport.
pub fn wrapped(cdevent: &Value) -> Value {
    let context = &cdevent["context"];
    json!({
        "specversion": "1.0",
        "id": context["id"],
        "source": context["source"],
        "type": context["type"],
        "time": context["timestamp"],
        "subject": cdevent["subject"]["id"],
        "datacontenttype": "application/json",
        "data": cdevent,
    })
}

/// The type as which an event is rendered; none for a control record. A service that ran a version before is upgraded,
/// one that did not is deployed.
pub fn kind(event: EventType, upgraded: bool) -> Option<String> {
    let standard = |name: &str| Some(format!("dev.cdevents.{name}.0.3.0"));
    let own = |name: &str| Some(format!("dev.cdeventsx.pavane-{name}.0.1.0"));
    match event {
        EventType::Ready => standard("environment.modified"),
        EventType::DeploymentStarted | EventType::RollbackInitiated => standard("taskrun.started"),
        EventType::DeploymentComplete if upgraded => standard("service.upgraded"),
        EventType::DeploymentComplete => standard("service.deployed"),
        EventType::DeploymentFailed
        | EventType::RollbackFailed
        | EventType::RollbackRefused
        | EventType::HookUncertain => standard("taskrun.finished"),
        EventType::Drained => standard("service.removed"),
        EventType::RollbackComplete => standard("service.rolledback"),
        EventType::EventRejected | EventType::RolloutStalled | EventType::SequenceViolated => {
            standard("incident.detected")
        }
        EventType::RolloutStarted => own("rollout.started"),
        EventType::RolloutCompleted
        | EventType::RolloutRolledBack
        | EventType::RolloutPartial
        | EventType::RolloutAborted => own("rollout.finished"),
        EventType::RolloutPaused => own("rollout.paused"),
        EventType::RolloutResumed => own("rollout.resumed"),
        EventType::PhaseBegun => own("phase.started"),
        EventType::GateApproved => own("gate.approved"),
        EventType::GateRejected => own("gate.rejected"),
        EventType::StepOverridden => own("step.overridden"),
        EventType::RollbackRequested => own("rollback.requested"),
        EventType::CommandRefused => own("command.refused"),
        EventType::DomainHeld => own("domain.held"),
        EventType::DomainReleased => own("domain.released"),
        EventType::Proposed
        | EventType::Pulse
        | EventType::Progress
        | EventType::ClockStepped
        | EventType::DomainConfigured
        | EventType::TrustChanged => None,
    }
}

fn rendering(record: &Record) -> Option<Rendering> {
    let event = record.event.body.event_type();
    let upgraded = matches!(&record.event.body, Body::DeploymentComplete(done) if done.from.is_some());
    let kind = kind(event, upgraded)?;
    let names = Names::of(record);
    let (subject, content) = match event.speaker() {
        Speaker::Service => said_by_a_service(record, &names)?,
        Speaker::Command | Speaker::Verdict => said_about_a_rollout(record, &names),
        Speaker::Control => return None,
    };
    Some(Rendering { kind, subject, content })
}

/// Whom and what a record is about.
struct Names {
    domain: String,
    service: String,
    instance: String,
    rollout: String,
    environment: Value,
}

impl Names {
    fn of(record: &Record) -> Self {
        let envelope = &record.event.envelope;
        let domain = envelope.domain.to_string();
        let service = envelope.service.as_ref().map_or_else(|| domain.clone(), ToString::to_string);
        let instance = envelope.instance.as_ref().map_or_else(|| service.clone(), ToString::to_string);
        let rollout = envelope.rollout.as_ref().map_or_else(|| domain.clone(), ToString::to_string);
        let environment = json!({ "id": domain });
        Self { domain, service, instance, rollout, environment }
    }

    /// A run of a task of the instance: that it began, or how it ended.
    fn run(&self, event: EventType, ended: Option<(&str, &str)>) -> (String, Value) {
        let content = task(event, &self.service, &self.rollout, ended);
        (format!("{}/{}", self.rollout, self.instance), content)
    }

    fn incident(&self, record: &Record, service: &str, told: &str) -> (String, Value) {
        let content = json!({
            "environment": self.environment, "service": { "id": service }, "description": told,
        });
        (record.event.envelope.id.to_string(), content)
    }
}

fn said_by_a_service(record: &Record, names: &Names) -> Option<(String, Value)> {
    let event = record.event.body.event_type();
    Some(match &record.event.body {
        Body::Ready(_) => (names.domain.clone(), json!({ "name": names.domain })),
        Body::DeploymentStarted(_) | Body::RollbackInitiated(_) => names.run(event, None),
        Body::DeploymentFailed(why) => names.run(event, Some(("failure", &why.reason))),
        Body::RollbackFailed(why) => names.run(event, Some(("failure", &why.reason))),
        Body::RollbackRefused(why) => names.run(event, Some(("cancel", &why.reason))),
        Body::HookUncertain(_) => {
            names.run(event, Some(("error", "it is not known whether the hook did its work")))
        }
        Body::DeploymentComplete(_) | Body::RollbackComplete(_) => {
            let artifact = artifact(&names.service, record.event.envelope.version.as_ref());
            (names.service.clone(), json!({ "environment": names.environment, "artifactId": artifact }))
        }
        Body::Drained(_) => (names.service.clone(), json!({ "environment": names.environment })),
        Body::EventRejected(why) => {
            let told = format!("{} cannot read {}: {}", names.service, why.event, why.detail);
            names.incident(record, &names.service, &told)
        }
        Body::RolloutStarted(_)
        | Body::PhaseBegun(_)
        | Body::RolloutPaused(_)
        | Body::RolloutResumed(_)
        | Body::GateApproved(_)
        | Body::GateRejected(_)
        | Body::StepOverridden(_)
        | Body::RollbackRequested(_)
        | Body::RolloutAborted(_)
        | Body::DomainHeld(_)
        | Body::DomainReleased(_)
        | Body::RolloutStalled(_)
        | Body::SequenceViolated(_)
        | Body::RolloutCompleted(_)
        | Body::RolloutRolledBack(_)
        | Body::RolloutPartial(_)
        | Body::CommandRefused(_)
        | Body::Proposed(_)
        | Body::Pulse(_)
        | Body::Progress(_)
        | Body::ClockStepped(_)
        | Body::DomainConfigured(_)
        | Body::TrustChanged(_) => return None,
    })
}

fn said_about_a_rollout(record: &Record, names: &Names) -> (String, Value) {
    let body = &record.event.body;
    if let Body::RolloutStalled(why) = body {
        let told = format!("the step {} stands still: {} is missing", why.step, why.missing);
        return names.incident(record, why.service.as_str(), &told);
    }
    let event = body.event_type();
    if event == EventType::SequenceViolated {
        let told = format!("{} moved out of order", names.service);
        return names.incident(record, &names.service, &told);
    }
    let outcomes = [
        (EventType::RolloutCompleted, "success"),
        (EventType::RolloutRolledBack, "rolled_back"),
        (EventType::RolloutPartial, "partial"),
        (EventType::RolloutAborted, "aborted"),
    ];
    let ended = outcomes.into_iter().find(|(one, _)| *one == event);
    let content = ended.map_or_else(|| json!(body), |(_, outcome)| json!({ "outcome": outcome }));
    let of_domain = matches!(event, EventType::DomainHeld | EventType::DomainReleased);
    (if of_domain { names.domain.clone() } else { names.rollout.clone() }, content)
}

fn task(event: EventType, service: &str, rollout: &str, ended: Option<(&str, &str)>) -> Value {
    let back = matches!(
        event,
        EventType::RollbackInitiated | EventType::RollbackFailed | EventType::RollbackRefused
    );
    let word = if back { "rollback" } else { "deploy" };
    let mut content = json!({ "taskName": format!("{word} {service}"), "pipelineRun": { "id": rollout } });
    if let Some((outcome, errors)) = ended {
        content["outcome"] = outcome.into();
        content["errors"] = errors.into();
    }
    content
}

/// The package URL of a service's version.
fn artifact(service: &str, version: Option<&Version>) -> String {
    let version = version.map_or_else(|| "unknown".to_owned(), ToString::to_string);
    let escaped = |text: &str| -> String {
        let escape = |byte: u8| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            other => format!("%{other:02X}"),
        };
        text.bytes().map(escape).collect()
    };
    format!("pkg:generic/{}@{}", escaped(service), escaped(&version))
}

/// The rollout as a chain id, which must look like a random UUID: the same rollout has the same.
fn chain(rollout: &RolloutId) -> String {
    let mut bytes = trace_id(rollout);
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let text = hex(&bytes);
    format!("{}-{}-{}-{}-{}", &text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..])
}

/// The broker's time of a record, for one that says none itself.
fn moment(record: &Record) -> String {
    jiff::Timestamp::from_millisecond(record.at.0).unwrap_or_default().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_for_users_names_every_type_that_is_written() {
        let page = include_str!("../../../docs/standards.md");
        for event in EventType::ALL {
            for upgraded in [false, true] {
                match kind(*event, upgraded) {
                    Some(kind) => {
                        let row = page.lines().find(|line| {
                            line.starts_with('|')
                                && line.contains(&format!("`{event}`"))
                                && line.contains(&kind)
                        });
                        assert!(row.is_some(), "{event}: {kind}");
                    }
                    None => assert_eq!(event.speaker(), Speaker::Control, "{event}"),
                }
            }
        }
    }

    #[test]
    fn a_rollout_is_one_chain_whatever_its_name() {
        let id = chain(&RolloutId::new("users-v2 of Monday".replace(' ', "-")).unwrap());
        assert_eq!(uuid::Uuid::parse_str(&id).unwrap().get_version_num(), 4);
        assert_eq!(artifact("a b", Version::new("1.0+x").ok().as_ref()), "pkg:generic/a%20b@1.0%2Bx");
    }
}
