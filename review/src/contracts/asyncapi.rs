//! The events of a domain as an `AsyncAPI` 3 document: who sends what, who receives it, and by which Avro schema.
//!
//! One channel, because one topic keeps the order of a domain; a message for each event of each service; an operation for
//! each service that says or reads one.

use std::collections::{BTreeMap, BTreeSet};

use pavane_choreography::Expect;
use pavane_events::{EventType, Service, Speaker};
use serde_json::{Map, Value, json};

use crate::check::Project;
use crate::drift::Declared;

/// What the document says beside what the files say.
#[derive(Clone, Debug)]
pub struct Cover {
    /// The domain.
    pub domain: String,
    /// The version of the document.
    pub version: String,
    /// The topic.
    pub topic: String,
    /// Kafka's bootstrap addresses, where they are known.
    pub kafka: Option<String>,
}

/// The schema format by which the payloads are described.
const AVRO: &str = "application/vnd.apache.avro+json;version=1.9.0";
/// The version of the Kafka bindings.
const BINDING: &str = "0.5.0";

/// The document.
pub fn document(project: &Project, cover: &Cover) -> Value {
    let declared = Declared::of(project);
    let mut messages = Map::new();
    let mut operations = Map::new();
    for expect in declared.events() {
        messages.insert(expect.to_string(), message(project, expect));
        let summary = format!("{} says {}", expect.service, expect.event);
        let operation = operation("send", &summary, &[expect.to_string()], team(project, &expect.service));
        operations.insert(format!("{expect}.say"), operation);
    }
    for (reader, events) in readers(project, &declared) {
        let names: Vec<String> = events.iter().map(ToString::to_string).collect();
        let summary = format!("{reader} reads {}", names.join(", "));
        operations
            .insert(format!("{reader}.read"), operation("receive", &summary, &names, team(project, reader)));
    }
    for (speaker, who) in [(Speaker::Command, "people"), (Speaker::Verdict, "sentinel")] {
        let mut names = Vec::new();
        for event in EventType::ALL.iter().filter(|event| event.speaker() == speaker) {
            let name = format!("{who}.{event}");
            messages
                .insert(name.clone(), described(*event, super::built_in(*event).text(), who, event.as_str()));
            names.push(name);
        }
        let operation = operation("send", &format!("what {who} say"), &names, None);
        operations.insert(format!("{who}.say"), operation);
    }
    let on_channel: Map<String, Value> = messages
        .keys()
        .map(|name| (name.clone(), reference(&format!("components/messages/{name}"))))
        .collect();
    let mut document = json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": format!("Events of the domain {}", cover.domain),
            "version": cover.version,
            "description": "CloudEvents 1.0 in Kafka binary mode; values are Avro in the Confluent wire format.",
        },
        "defaultContentType": "application/avro",
        "channels": {
            "lifecycle": {
                "address": cover.topic,
                "description": format!("All events of the domain in one order: the key is {}.", cover.domain),
                "messages": on_channel,
                "bindings": { "kafka": { "topic": cover.topic, "bindingVersion": BINDING } },
            },
        },
        "operations": operations,
        "components": { "messages": messages },
    });
    if let Some(kafka) = &cover.kafka {
        let host = kafka.split(',').next().unwrap_or(kafka);
        document["servers"] = json!({ "kafka": { "host": host, "protocol": "kafka" } });
    }
    document
}

fn message(project: &Project, expect: &Expect) -> Value {
    let own = project.offered.iter().find(|one| {
        one.event().is_some_and(|(service, event)| *service == expect.service && event == expect.event)
    });
    let schema = own.and_then(|one| one.schema().ok()).unwrap_or_else(|| super::built_in(expect.event));
    described(expect.event, schema.text(), expect.service.as_str(), &expect.to_string())
}

fn described(event: EventType, schema: &str, who: &str, title: &str) -> Value {
    let mut schema: Value = serde_json::from_str(schema).expect("a schema that was parsed is JSON");
    name_apart(&mut schema);
    json!({
        "name": event.full_name(),
        "title": title,
        "summary": schema["doc"].as_str().unwrap_or_default(),
        "contentType": "application/avro",
        "tags": [{ "name": who }],
        "headers": headers(event),
        "payload": { "schemaFormat": AVRO, "schema": schema },
        "bindings": { "kafka": {
            "key": { "type": "string", "description": "The domain." },
            "schemaIdLocation": "payload",
            "schemaIdPayloadEncoding": "confluent",
            "schemaLookupStrategy": "RecordNameStrategy",
            "bindingVersion": BINDING,
        } },
    })
}

/// Takes full names apart into name and namespace: Avro has it both ways, what `AsyncAPI` holds schemas against one.
fn name_apart(schema: &mut Value) {
    match schema {
        Value::Array(all) => all.iter_mut().for_each(name_apart),
        Value::Object(parts) => {
            let is_named =
                matches!(parts.get("type").and_then(Value::as_str), Some("record" | "enum" | "fixed"));
            let full = parts.get("name").and_then(Value::as_str).filter(|_| is_named).map(str::to_owned);
            if let Some((namespace, name)) = full.as_deref().and_then(|full| full.rsplit_once('.')) {
                parts.insert("name".to_owned(), name.into());
                parts.insert("namespace".to_owned(), namespace.into());
            }
            for part in ["type", "fields", "items", "values"] {
                if let Some(inner) = parts.get_mut(part) {
                    name_apart(inner);
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn headers(event: EventType) -> Value {
    let text = |what: &str| json!({ "type": "string", "description": what });
    json!({
        "type": "object",
        "required": ["content-type", "ce_specversion", "ce_id", "ce_source", "ce_type", "ce_partitionkey"],
        "properties": {
            "content-type": { "type": "string", "const": "application/avro" },
            "ce_specversion": { "type": "string", "const": "1.0" },
            "ce_id": text("Unique within the source."),
            "ce_source": text("Who says it."),
            "ce_type": { "type": "string", "const": event.full_name() },
            "ce_partitionkey": text("The domain, also the key."),
            "ce_correlationid": text("The rollout."),
            "ce_causationid": text("The id of the event that this one reacts to."),
            "ce_dataschema": text("urn:pavane:schema:sha256: and the fingerprint of the schema."),
            "ce_pavaneservice": text("The service that speaks."),
            "ce_pavaneinstance": text("Its instance."),
            "ce_pavaneversion": text("The version that it runs."),
        },
    })
}

fn operation(action: &str, summary: &str, messages: &[String], team: Option<&str>) -> Value {
    let messages: Vec<Value> =
        messages.iter().map(|name| reference(&format!("channels/lifecycle/messages/{name}"))).collect();
    let mut operation = json!({
        "action": action,
        "channel": reference("channels/lifecycle"),
        "summary": summary,
        "messages": messages,
    });
    if let Some(team) = team {
        operation["tags"] = json!([{ "name": format!("team {team}") }]);
    }
    operation
}

fn reference(path: &str) -> Value {
    json!({ "$ref": format!("#/{path}") })
}

/// Who reads which of the declared events.
fn readers<'a>(project: &'a Project, declared: &Declared) -> BTreeMap<&'a Service, BTreeSet<&'a Expect>> {
    let mut found: BTreeMap<&Service, BTreeSet<&Expect>> = BTreeMap::new();
    for one in &project.participants {
        let heard = one.reactions.iter().flat_map(|reaction| reaction.on.events());
        for event in heard.chain(one.consumes.iter().map(|consumed| &consumed.event)) {
            if declared.events().any(|known| known == event) {
                found.entry(&one.service).or_default().insert(event);
            }
        }
    }
    found
}

fn team<'a>(project: &'a Project, service: &Service) -> Option<&'a str> {
    let own = project.participants.iter().find(|one| one.service == *service);
    own.map(|one| one.team.as_str()).filter(|team| !team.is_empty())
}
