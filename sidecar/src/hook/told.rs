//! What a hook is told.

use pavane_events::Event;
use pavane_sidecar_engine::Call;
use serde_json::{Map, Value, json};

use super::Caller;

/// The event that is reacted to, as a structured `CloudEvent`, with the attributes of the run.
pub(super) fn event(caller: &Caller, call: &Call) -> Value {
    let mut attributes = Map::new();
    let mut put = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            attributes.insert(name.to_owned(), Value::String(value));
        }
    };
    put("specversion", Some("1.0".to_owned()));
    if let Some(trigger) = &call.trigger {
        describe(trigger, &mut put);
    } else {
        put("id", Some(call.run.clone()));
        put("source", Some(caller.source.to_string()));
        put("type", Some(format!("{}.Hook", pavane_events::vocabulary::NAMESPACE)));
    }
    put("datacontenttype", Some("application/json".to_owned()));
    for (name, value) in run(call) {
        put(&format!("pavane{name}"), Some(value));
    }
    let data = call.trigger.as_ref().map(|trigger| serde_json::to_value(&trigger.body));
    attributes.insert("data".to_owned(), data.and_then(Result::ok).unwrap_or(json!({})));
    Value::Object(attributes)
}

/// What is known of the run itself: the attributes without `pavane`, the variables without `PAVANE_`.
fn run(call: &Call) -> Vec<(&'static str, String)> {
    let mut run = vec![
        ("rollout", call.rollout.to_string()),
        ("epoch", call.epoch.to_string()),
        ("reaction", call.reaction.clone()),
        ("run", call.run.clone()),
        ("attempt", call.attempt.to_string()),
    ];
    run.extend(call.step.as_ref().map(|step| ("step", step.to_string())));
    run.extend(call.from.as_ref().map(|version| ("from", version.to_string())));
    run.extend(call.to.as_ref().map(|version| ("to", version.to_string())));
    run
}

/// The variables of a program's environment.
pub(super) fn variables(caller: &Caller, call: &Call, traceparent: Option<&str>) -> Vec<(String, String)> {
    let mut variables: Vec<_> = run(call)
        .into_iter()
        .map(|(name, value)| (format!("PAVANE_{}", name.to_uppercase()), value))
        .collect();
    let event = call.trigger.as_ref().map(|trigger| trigger.body.event_type().to_string());
    variables.extend([
        ("PAVANE_DOMAIN".to_owned(), caller.domain.to_string()),
        ("PAVANE_SERVICE".to_owned(), caller.service.to_string()),
        ("PAVANE_INSTANCE".to_owned(), caller.instance.to_string()),
        ("PAVANE_TIMEOUT_MS".to_owned(), call.limit.to_string()),
    ]);
    variables.extend(caller.zone.as_ref().map(|zone| ("PAVANE_ZONE".to_owned(), zone.to_string())));
    variables.extend(event.map(|event| ("PAVANE_EVENT".to_owned(), event)));
    variables.extend(caller.door.iter().cloned());
    if let Some((url, token)) = caller.callback(call) {
        variables.extend([("PAVANE_CALLBACK".to_owned(), url), ("PAVANE_CALLBACK_TOKEN".to_owned(), token)]);
    }
    variables.extend(traceparent.map(|text| ("TRACEPARENT".to_owned(), text.to_owned())));
    variables
}

fn describe(trigger: &Event, put: &mut impl FnMut(&str, Option<String>)) {
    let envelope = &trigger.envelope;
    put("id", Some(envelope.id.to_string()));
    put("source", Some(envelope.source.to_string()));
    put("type", Some(trigger.body.event_type().full_name()));
    put("time", envelope.time.clone());
    put("subject", envelope.subject.clone());
    put("partitionkey", Some(envelope.domain.to_string()));
    put("correlationid", envelope.rollout.as_ref().map(ToString::to_string));
    put("causationid", envelope.causation.as_ref().map(ToString::to_string));
    put("pavaneservice", envelope.service.as_ref().map(ToString::to_string));
    put("pavaneinstance", envelope.instance.as_ref().map(ToString::to_string));
    put("pavanezone", envelope.zone.as_ref().map(ToString::to_string));
    put("pavaneversion", envelope.version.as_ref().map(ToString::to_string));
}
