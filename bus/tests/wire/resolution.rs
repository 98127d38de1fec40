//! What others write in their own forms is read as ours, or the field that differs is named.

use std::sync::Arc;

use pavane_bus::wire::{Contract, catalog, compat, encode_json, headers, open};
use pavane_events::{Body, Event, EventType, UnreadableReason};

use crate::{contract, envelope};

/// Encodes JSON by a writer's schema and reads it as the event.
fn read(writer: &Arc<Contract>, event: EventType, body: &str) -> Result<Event, pavane_bus::wire::Defect> {
    let encoded = encode_json(writer, 7, body.as_bytes()).expect("the writer's own body");
    let headers = headers::write(&envelope(), &event.full_name(), &encoded.dataschema);
    open(&headers, Some(b"shop"), Some(&encoded.value))?.decode(writer)
}

fn ready(fields: &str) -> Arc<Contract> {
    contract(&format!(
        r#"{{"type":"record","name":"Ready","namespace":"shop.matchmaking","fields":[{fields}]}}"#
    ))
}

#[test]
fn a_service_s_own_form_is_read_as_the_event() {
    let own = contract(include_str!("../../../schemas/services/matchmaking/Ready.avsc"));
    let body = include_str!("../../../schemas/services/matchmaking/Ready.example.json");
    let event = read(&own, EventType::Ready, body).expect("readable");
    assert!(matches!(event.body, Body::Ready(ready) if ready.prerequisite == "pools"));
}

#[test]
fn fields_in_another_order_fewer_or_more_are_read() {
    let own = ready(
        r#"{"name":"region","type":["null","string"]},{"name":"detail","type":"bytes"},
           {"name":"deep","type":{"type":"array","items":{"type":"map","values":"double"}}}"#,
    );
    let event = read(&own, EventType::Ready, r#"{"region":null,"detail":"b2s=","deep":[{"a":1.5}]}"#)
        .expect("readable");
    assert!(
        matches!(event.body, Body::Ready(ready) if ready.detail == "ok" && ready.prerequisite.is_empty())
    );
}

#[test]
fn a_field_of_another_type_is_named() {
    for (fields, body, field, said) in [
        (
            r#"{"name":"prerequisite","type":"int"}"#,
            r#"{"prerequisite":3}"#,
            "/prerequisite",
            "the writer has int where the reader has string",
        ),
        (
            r#"{"name":"detail","type":["null","string"]}"#,
            r#"{"detail":"x"}"#,
            "/detail",
            "the writer has null where the reader has string",
        ),
        (
            r#"{"name":"detail","type":{"type":"array","items":"string"}}"#,
            r#"{"detail":[]}"#,
            "/detail",
            "the writer has array of string where the reader has string",
        ),
    ] {
        let defect = read(&ready(fields), EventType::Ready, body).expect_err("unreadable");
        assert_eq!(
            (defect.reason, defect.field.as_str()),
            (UnreadableReason::Incompatible, field),
            "{defect}"
        );
        assert!(defect.detail.contains(said), "{defect}");
    }
}

#[test]
fn a_missing_field_without_default_is_named() {
    let own = contract(
        r#"{"type":"record","name":"CommandRefused","fields":[{"name":"command","type":"string"}]}"#,
    );
    let defect = read(&own, EventType::CommandRefused, r#"{"command":"c"}"#).expect_err("unreadable");
    assert_eq!((defect.reason, defect.field.as_str()), (UnreadableReason::Incompatible, "/event"));
}

#[test]
fn a_symbol_that_a_newer_program_knows_is_unknown_here() {
    let newer = include_str!("../../../schemas/lifecycle/v1/Proposed.avsc")
        .replace("\"gap\",", "\"gap\", \"haunted\",");
    let event = read(&contract(&newer), EventType::Proposed, r#"{"cause":"haunted","kind":"phase_begun"}"#);
    let Body::Proposed(proposed) = event.expect("readable").body else { panic!("not a proposal") };
    assert_eq!(proposed.cause, pavane_events::Cause::Unknown);
    assert_eq!(proposed.kind, pavane_events::control::ProposalKind::PhaseBegun);
}

#[test]
fn a_schema_that_is_not_the_one_the_header_names_is_refused() {
    let encoded = encode_json(catalog::of(EventType::Ready), 7, b"{}").expect("encoded");
    let other = catalog::of(EventType::Drained);
    let headers = headers::write(&envelope(), &EventType::Ready.full_name(), &other.dataschema());
    let sealed = open(&headers, Some(b"shop"), Some(&encoded.value)).expect("sound headers");
    let defect = sealed.decode(catalog::of(EventType::Ready)).expect_err("pinned to another");
    assert_eq!(defect.reason, UnreadableReason::FingerprintMismatch);
}

#[test]
fn a_header_that_names_another_event_than_the_schema_is_refused() {
    let encoded = encode_json(catalog::of(EventType::Ready), 7, b"{}").expect("encoded");
    let headers = headers::write(&envelope(), &EventType::Drained.full_name(), &encoded.dataschema);
    let sealed = open(&headers, Some(b"shop"), Some(&encoded.value)).expect("sound headers");
    let defect = sealed.decode(catalog::of(EventType::Ready)).expect_err("another event");
    assert_eq!(defect.reason, UnreadableReason::TypeMismatch);
}

#[test]
fn a_name_that_is_none_is_a_bad_value() {
    for version in ["; rm -rf /", "", "\u{202e}"] {
        let body = serde_json::json!({ "from": version }).to_string();
        let writer = contract(include_str!("../../../schemas/lifecycle/v1/DeploymentStarted.avsc"));
        let defect = read(&writer, EventType::DeploymentStarted, &body).expect_err("not a version");
        assert_eq!(defect.reason, UnreadableReason::BadValue);
        assert!(defect.detail.contains("is not a name"), "{defect}");
    }
}

#[test]
fn bytes_in_a_default_stand_as_characters() {
    let schema = contract(
        r#"{"type":"record","name":"D","fields":[{"name":"a","type":"bytes","default":"\u00ff!"},
            {"name":"b","type":{"type":"fixed","name":"F","size":2},"default":"\u0000\u0001"}]}"#,
    );
    assert_eq!(schema.misfit_defaults(), []);
    let wide =
        contract(r#"{"type":"record","name":"D","fields":[{"name":"a","type":"bytes","default":"\u0100"}]}"#);
    assert_eq!(wide.misfit_defaults().len(), 1);
}

#[test]
fn a_default_that_does_not_fit_its_field_is_named() {
    let schema = contract(
        r#"{"type":"record","name":"D","fields":[{"name":"a","type":["null","int"],"default":1},
            {"name":"b","type":["int","null"],"default":1},{"name":"c","type":"string"},
            {"name":"d","type":["null","int"],"default":null}]}"#,
    );
    let told: Vec<_> = schema.misfit_defaults().iter().map(ToString::to_string).collect();
    assert_eq!(told, ["/a: the default does not fit: null is asked for, and a number stands here"]);
    for one in pavane_schemas::ALL {
        assert!(contract(one.schema).misfit_defaults().is_empty(), "{}", one.subject);
    }
}

#[test]
fn the_checker_says_what_java_says() {
    let record = |field: &str| {
        contract(&format!(r#"{{"type":"record","name":"R","fields":[{{"name":"a","type":"int"}},{field}]}}"#))
    };
    let base = contract(r#"{"type":"record","name":"R","fields":[{"name":"a","type":"int"}]}"#);
    let side = |symbols: &str, default: &str| {
        record(&format!(
            r#"{{"name":"s","type":{{"type":"enum","name":"S","symbols":[{symbols}]{default}}}}}"#
        ))
    };
    let of = |schema: &str| record(&format!(r#"{{"name":"s","type":{schema}}}"#));
    let table = [
        (
            "a field is added with a default",
            base.clone(),
            record(r#"{"name":"b","type":"int","default":1}"#),
            true,
        ),
        ("a field is added without one", base.clone(), record(r#"{"name":"b","type":"int"}"#), false),
        ("a field is taken away", record(r#"{"name":"b","type":"int"}"#), base.clone(), true),
        (
            "a field is renamed with an alias",
            of(r#""int""#),
            record(r#"{"name":"t","type":"int","aliases":["s"]}"#),
            true,
        ),
        ("a symbol is added", side(r#""X""#, ""), side(r#""X","Y""#, ""), true),
        ("a symbol is taken away", side(r#""X","Y""#, ""), side(r#""X""#, ""), false),
        ("… and the reader has a default", side(r#""X","Y""#, ""), side(r#""X""#, r#","default":"X""#), true),
        ("a union widens", of(r#"["null","int"]"#), of(r#"["null","int","string"]"#), true),
        ("a union narrows", of(r#"["null","int","string"]"#), of(r#"["null","int"]"#), false),
        ("int becomes long", of(r#""int""#), of(r#""long""#), true),
        ("long becomes int", of(r#""long""#), of(r#""int""#), false),
        ("string becomes bytes", of(r#""string""#), of(r#""bytes""#), true),
        ("a value becomes optional", of(r#""int""#), of(r#"["null","long"]"#), true),
        (
            "a type is defined in another place",
            contract(
                r#"{"type":"record","name":"R","fields":[{"name":"a","type":{"type":"fixed","name":"F","size":2}},{"name":"b","type":"F"}]}"#,
            ),
            contract(
                r#"{"type":"record","name":"R","fields":[{"name":"b","type":{"type":"fixed","name":"F","size":2}},{"name":"a","type":"F"}]}"#,
            ),
            true,
        ),
    ];
    for (what, writer, reader, readable) in table {
        let found = compat::can_read(&writer, &reader);
        assert_eq!(found.is_empty(), readable, "{what}: {found:?}");
    }
    let both = compat::can_read(&base, &record(r#"{"name":"b","type":"int"},{"name":"c","type":"int"}"#));
    assert_eq!(
        both.iter().map(|finding| finding.pointer.as_str()).collect::<Vec<_>>(),
        ["/b", "/c"],
        "all of them"
    );
}
