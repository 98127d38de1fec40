//! A record as a structured `CloudEvent` in JSON: the attributes that it has on Kafka, its data as JSON instead of Avro.

use pavane_events::Record;
use serde_json::{Map, Value, json};

/// The attributes and the data of a record. `dataschema` is the one that the record names, where it is known.
pub fn render(record: &Record, dataschema: Option<&str>) -> Value {
    let envelope = &record.event.envelope;
    let event = record.event.body.event_type();
    let mut all = Map::new();
    let mut put = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            all.insert(name.to_owned(), Value::String(value));
        }
    };
    put("specversion", Some("1.0".to_owned()));
    put("id", Some(envelope.id.to_string()));
    put("source", Some(envelope.source.to_string()));
    put("type", Some(event.full_name()));
    put("time", envelope.time.clone());
    put("subject", envelope.subject.clone());
    put("datacontenttype", Some("application/json".to_owned()));
    put("dataschema", dataschema.map(str::to_owned));
    put("partitionkey", Some(envelope.domain.to_string()));
    put("correlationid", envelope.rollout.as_ref().map(ToString::to_string));
    put("causationid", envelope.causation.as_ref().map(ToString::to_string));
    put("sequence", envelope.sequence.map(|number| format!("{number:019}")));
    put("pavaneservice", envelope.service.as_ref().map(ToString::to_string));
    put("pavaneinstance", envelope.instance.as_ref().map(ToString::to_string));
    put("pavanezone", envelope.zone.as_ref().map(ToString::to_string));
    put("pavaneversion", envelope.version.as_ref().map(ToString::to_string));
    put("pavaneboot", envelope.boot.clone());
    put("pavanereplica", envelope.replica.clone());
    put("traceparent", envelope.traceparent.clone());
    all.insert("data".to_owned(), json!(record.event.body));
    Value::Object(all)
}
