//! Schema, example and Rust type say the same.

use std::collections::BTreeSet;

use pavane_bus::wire::{self, Contract, catalog, open, to_json};
use pavane_events::{Body, EventType, Heartbeat};
use serde_json::Value;

use crate::{Plain, body, contract, event, example, headers_of};

fn fields(schema: &str) -> BTreeSet<String> {
    let schema: Value = serde_json::from_str(schema).expect("JSON");
    let fields = schema["fields"].as_array().expect("a record").iter();
    fields.map(|field| field["name"].as_str().expect("a name").to_owned()).collect()
}

fn members(value: &Value) -> BTreeSet<String> {
    value.as_object().expect("an object").keys().cloned().collect()
}

#[test]
fn there_is_a_schema_for_every_event_and_one_for_the_heartbeat() {
    let mut expected: Vec<_> = EventType::ALL.iter().map(|event| event.full_name()).collect();
    expected.push("io.pavane.heartbeat.v1.Heartbeat".to_owned());
    let embedded: Vec<_> = pavane_schemas::ALL.iter().map(|one| one.subject.to_owned()).collect();
    assert_eq!(embedded, expected);
    for one in pavane_schemas::ALL {
        assert_eq!(contract(one.schema).full_name(), one.subject);
    }
}

#[test]
fn a_schema_has_the_fields_of_its_body_and_no_others() {
    for one in pavane_schemas::ALL {
        let in_rust = match EventType::from_short(one.event) {
            Some(event) => serde_json::to_value(body(event)).expect("JSON"),
            None => serde_json::to_value(heartbeat()).expect("JSON"),
        };
        assert_eq!(fields(one.schema), members(&in_rust), "{}", one.subject);
    }
}

#[test]
fn every_field_and_every_type_says_what_it_is_for() {
    for one in pavane_schemas::ALL {
        documented(&serde_json::from_str(one.schema).expect("JSON"), one.subject);
    }
}

fn documented(schema: &Value, place: &str) {
    match schema {
        Value::Object(members) => {
            let named = members.contains_key("name");
            let doc = members.get("doc").and_then(Value::as_str).unwrap_or_default();
            assert!(!named || doc.ends_with('.'), "{place}: {}", schema["name"]);
            assert!(members.get("type") != Some(&"enum".into()) || schema["default"] == "unknown", "{place}");
            members.values().for_each(|member| documented(member, place));
        }
        Value::Array(items) => items.iter().for_each(|item| documented(item, place)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn an_event_comes_back_as_it_was_written() {
    for &event_type in EventType::ALL {
        let written = event(event_type);
        let encoded = wire::encode(&written.body, 7).expect("encoded");
        assert_eq!(encoded.value[..5], [0, 0, 0, 0, 7]);
        let headers = headers_of(&written, &encoded.dataschema);
        let sealed = open(&headers, Some(b"shop"), Some(&encoded.value)).expect("sound headers");
        assert_eq!((sealed.schema_id(), sealed.event_type()), (7, Some(event_type)));
        assert_eq!(sealed.decode(catalog::of(event_type)).expect("decoded"), written);
    }
}

#[test]
fn json_and_rust_give_the_same_bytes_and_the_bytes_give_the_example_back() {
    for &event_type in EventType::ALL {
        let reader = catalog::of(event_type);
        let from_rust = wire::encode(&body(event_type), 7).expect("encoded");
        let from_json = wire::encode_json(reader, 7, example(event_type).as_bytes()).expect("encoded");
        assert_eq!(from_json, from_rust, "{event_type}");
        let shown = to_json(reader, &from_rust.value).expect("shown");
        assert_eq!(shown, serde_json::from_str::<Value>(example(event_type)).expect("JSON"), "{event_type}");
    }
}

#[test]
fn a_field_that_is_left_out_is_the_same_default_in_avro_and_in_rust() {
    for &event_type in EventType::ALL {
        let full: Value = serde_json::from_str(example(event_type)).expect("JSON");
        for name in members(&full) {
            let mut without = full.clone();
            without.as_object_mut().expect("an object").shift_remove(&name);
            let text = without.to_string();
            let in_rust = Body::decode(event_type, Plain(&text));
            let in_avro = wire::encode_json(catalog::of(event_type), 7, text.as_bytes());
            match (in_rust, in_avro) {
                (Ok(body), Ok(encoded)) => {
                    assert_eq!(wire::encode(&body, 7).expect("encoded"), encoded, "{event_type}.{name}");
                }
                (Err(_), Err(error)) => assert_eq!(error.findings[0].pointer, format!("/{name}")),
                (in_rust, in_avro) => panic!("{event_type}.{name}: {in_rust:?}, {in_avro:?}"),
            }
        }
    }
}

#[test]
fn a_heartbeat_comes_back_as_it_was_written() {
    let encoded = wire::encode_heartbeat(&heartbeat(), 9).expect("encoded");
    let ready = event(EventType::Ready);
    let headers = pavane_bus::wire::headers::write(
        &ready.envelope,
        "io.pavane.heartbeat.v1.Heartbeat",
        &encoded.dataschema,
    );
    let sealed = wire::open_heartbeat(&headers, Some(&encoded.value)).expect("sound headers");
    assert_eq!(sealed.decode_heartbeat(catalog::heartbeat()).expect("decoded"), heartbeat());
    let mixed_up = open(&headers, Some(b"shop"), Some(&encoded.value)).expect_err("not an event");
    assert!(mixed_up.detail.contains("heartbeats topic"), "{mixed_up}");
}

fn heartbeat() -> Heartbeat {
    let one = pavane_schemas::ALL.iter().find(|one| one.event == "Heartbeat").expect("embedded");
    serde_json::from_str(one.example).expect("a heartbeat")
}

#[test]
fn fingerprints_are_those_that_a_stock_client_computes() {
    let listed: Vec<(String, String)> = include_str!("fingerprints.txt")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split_once(' ').expect("a fingerprint and a subject"))
        .map(|(fingerprint, subject)| (subject.to_owned(), fingerprint.to_owned()))
        .collect();
    let mut ours: Vec<_> = pavane_schemas::ALL.iter().map(|one| of(one.schema)).collect();
    ours.push(of(include_str!("../../../schemas/services/matchmaking/Ready.avsc")));
    ours.push(of(DRESSED));
    assert_eq!(ours, listed);
}

/// Logical types, custom attributes, a reference, fixed and map: what canonical forms differ in.
const DRESSED: &str = include_str!("dressed.avsc");

fn of(schema: &str) -> (String, String) {
    let contract = Contract::parse(schema).expect("a fit schema");
    (contract.full_name(), contract.fingerprint().to_owned())
}
