//! A JSON body fits its schema or every misfit is told, each with its place.

use pavane_bus::wire::{catalog, encode_json, to_json};
use pavane_events::EventType;
use serde_json::{Value, json};

use crate::contract;

fn findings(event: EventType, body: &str) -> Vec<String> {
    let error = encode_json(catalog::of(event), 7, body.as_bytes()).expect_err("a misfit");
    error.findings.iter().map(ToString::to_string).collect()
}

#[test]
fn every_misfit_is_told_with_its_place() {
    use EventType::{DeploymentFailed, Proposed, Ready};
    let table: [(EventType, &str, &[&str]); 9] = [
        (
            Ready,
            r#"{"prerequisit":"x"}"#,
            &["/prerequisit: Ready has no such field (did you mean prerequisite?)"],
        ),
        (Ready, r#"{"colour":"x"}"#, &["/colour: Ready has no such field (known: prerequisite, detail)"]),
        (Ready, r#"{"detail":7}"#, &["/detail: string is asked for, and a number stands here"]),
        (Ready, r#"{"detail":"a","detail":"b"}"#, &["/detail: the field comes twice"]),
        (Ready, "[]", &["the whole: an object is asked for, and an array stands here"]),
        (
            DeploymentFailed,
            r#"{"exit_code":"3","attempts":1.5,"oops":1}"#,
            &[
                "/oops: DeploymentFailed has no such field (known: stage, reason, exit_code, output, attempts)",
                "/exit_code: a whole number is asked for, and a text stands here",
                "/attempts: 1.5 is out of the range of long",
            ],
        ),
        (
            DeploymentFailed,
            r#"{"attempts":9223372036854775808}"#,
            &["/attempts: 9223372036854775808 is out of the range of long"],
        ),
        (
            DeploymentFailed,
            r#"{"attempts":null}"#,
            &["/attempts: a whole number is asked for, and null stands here"],
        ),
        (
            Proposed,
            r#"{"kind":"rollout_stalld"}"#,
            &["/kind: \"rollout_stalld\" is no symbol of ProposalKind (did you mean rollout_stalled?)"],
        ),
    ];
    for (event, body, expected) in table {
        assert_eq!(findings(event, body), expected, "{body}");
    }
}

#[test]
fn misfits_within_arrays_and_missing_fields_are_told_all_at_once() {
    use EventType::{Proposed, RolloutStalled, SequenceViolated};
    let table: [(EventType, &str, &[&str]); 3] = [
        (
            Proposed,
            r#"{"evidence":[{},{"cause":"bad","at":"noon"}]}"#,
            &[
                "/evidence/1/cause: \"bad\" is no symbol of Cause (did you mean gap?)",
                "/evidence/1/at: a whole number is asked for, and a text stands here",
            ],
        ),
        (
            RolloutStalled,
            r#"{"step":"users"}"#,
            &[
                "/epoch: the field is missing, and it has no default",
                "/attempt: the field is missing, and it has no default",
                "/accepted: the field is missing, and it has no default",
                "/service: the field is missing, and it has no default",
                "/missing: the field is missing, and it has no default",
                "/cause: the field is missing, and it has no default",
            ],
        ),
        (
            SequenceViolated,
            r#"{"step":"a","cites":1,"accepted":2,"missing":["x",1]}"#,
            &["/missing/1: string is asked for, and a number stands here"],
        ),
    ];
    for (event, body, expected) in table {
        assert_eq!(findings(event, body), expected, "{body}");
    }
}

#[test]
fn a_body_that_is_not_json_or_nests_too_deep_is_told_as_such() {
    let deep = format!("{}1{}", r#"{"detail":"#.repeat(33), "}".repeat(33));
    let deeper = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    for (body, said) in [
        ("", "EOF while parsing"),
        ("{", "EOF while parsing"),
        (r#"{"detail":"a"} x"#, "trailing characters"),
        ("{'detail':1}", "key must be a string"),
        (r#"{"detail":"\ud800"}"#, "hex escape"),
        (deep.as_str(), "nests deeper than 32 levels"),
        (deeper.as_str(), "nests deeper than 32 levels"),
    ] {
        let found = findings(EventType::Ready, body);
        assert!(found.len() == 1 && found[0].contains(said), "{found:?}");
    }
    let latin1 = b"{\"detail\":\"\xe9\"}";
    assert!(encode_json(catalog::of(EventType::Ready), 7, latin1).is_err());
}

#[test]
fn a_service_s_own_form_takes_its_own_fields() {
    let own = contract(include_str!("../../../schemas/services/matchmaking/Ready.avsc"));
    let body = include_bytes!("../../../schemas/services/matchmaking/Ready.example.json");
    let encoded = encode_json(&own, 9, body).expect("its own example");
    assert_eq!(
        to_json(&own, &encoded.value).expect("shown"),
        serde_json::from_slice::<Value>(body).expect("JSON")
    );
}

#[test]
fn every_kind_of_value_goes_in_and_comes_out() {
    let all = contract(
        r#"{"type": "record", "name": "All", "fields": [
            {"name": "i", "type": "int"}, {"name": "f", "type": "float"}, {"name": "d", "type": "double"},
            {"name": "b", "type": "bytes"}, {"name": "x", "type": {"type": "fixed", "name": "X", "size": 2}},
            {"name": "m", "type": {"type": "map", "values": ["null", "boolean"]}},
            {"name": "u", "type": ["null", "long", "string"]},
            {"name": "t", "type": {"type": "long", "logicalType": "timestamp-millis"}}]}"#,
    );
    for (u, i) in [(json!(null), i32::MIN), (json!(-5), 0), (json!("five"), i32::MAX)] {
        let body = json!({"i": i, "f": 0.5, "d": -1e300, "b": "AAH/", "x": "AQI=",
            "m": {"a": true, "b": null}, "u": u, "t": 1_795_248_000_000_i64});
        let encoded = encode_json(&all, 1, body.to_string().as_bytes()).expect("fits");
        assert_eq!(to_json(&all, &encoded.value).expect("shown"), body);
    }
    let body = json!({"i": 2_147_483_648_i64, "f": 1e39, "d": 1, "b": "?", "x": "AQ==", "m": {}, "u": true, "t": "now"});
    let error = encode_json(&all, 1, body.to_string().as_bytes()).expect_err("six misfits");
    let places: Vec<_> = error.findings.iter().map(|finding| finding.pointer.as_str()).collect();
    assert_eq!(places, ["/i", "/f", "/b", "/x", "/u", "/t"]);
}

#[test]
fn a_body_that_would_be_too_large_for_the_log_is_refused() {
    let body = json!({"detail": "x".repeat(1024 * 1024)}).to_string();
    let error = encode_json(catalog::of(EventType::Ready), 7, body.as_bytes()).expect_err("too large");
    assert!(error.to_string().contains("the limit is 1048576"), "{error}");
}
