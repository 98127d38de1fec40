//! The envelope goes through headers and comes back; what is missing or malformed is named.

use pavane_bus::wire::{self, headers, open, unreadable};
use pavane_events::{EventType, Instance, RolloutId, Service, Timestamp, UnreadableReason, Version};

use crate::{event, headers_of};

#[test]
fn the_headers_are_those_of_cloud_events_in_binary_mode() {
    let mut event = event(EventType::DeploymentComplete);
    event.envelope.time = Some("2026-11-21T08:00:00.123Z".to_owned());
    event.envelope.subject = Some("service/user-service".to_owned());
    event.envelope.rollout = RolloutId::new("users-v2-0041").ok();
    event.envelope.causation = "0199f0a2-7c1e-7d3a-9b55-000000000001".parse().ok();
    event.envelope.service = Service::new("user-service").ok();
    event.envelope.instance = Instance::new("user-service-1").ok();
    event.envelope.version = Version::new("2.0.0").ok();
    event.envelope.boot = Some("b7".to_owned());
    event.envelope.sequence = Some(42);
    event.envelope.replica = Some("sentinel-a".to_owned());
    event.envelope.traceparent = Some("00-f1ab13d993ede91a73966f0de7dada63-3101365b38d1b596-01".to_owned());
    let encoded = wire::encode(&event.body, 7).expect("encoded");
    let headers = headers_of(&event, &encoded.dataschema);
    let shown: Vec<_> = headers
        .iter()
        .map(|(name, value)| {
            format!("{name}: {}", String::from_utf8_lossy(value.as_deref().unwrap_or_default()))
        })
        .collect();
    let dataschema = format!("ce_dataschema: {}", encoded.dataschema);
    assert_eq!(
        shown,
        [
            "content-type: application/avro",
            "ce_specversion: 1.0",
            "ce_id: 0199f0a2-7c1e-7d3a-9b55-0c2f6f0f8d11",
            "ce_source: /pavane/shop/user-db/user-db-0",
            "ce_type: io.pavane.lifecycle.v1.DeploymentComplete",
            "ce_time: 2026-11-21T08:00:00.123Z",
            "ce_subject: service/user-service",
            &dataschema,
            "ce_partitionkey: shop",
            "ce_correlationid: users-v2-0041",
            "ce_causationid: 0199f0a2-7c1e-7d3a-9b55-000000000001",
            "ce_sequence: 0000000000000000042",
            "ce_pavaneservice: user-service",
            "ce_pavaneinstance: user-service-1",
            "ce_pavaneversion: 2.0.0",
            "ce_pavaneboot: b7",
            "ce_pavanereplica: sentinel-a",
            "traceparent: 00-f1ab13d993ede91a73966f0de7dada63-3101365b38d1b596-01",
        ]
    );
    let sealed = open(&headers, Some(b"shop"), Some(&encoded.value)).expect("sound");
    assert_eq!(sealed.envelope(), &event.envelope);
}

#[test]
fn a_header_that_is_missing_doubled_or_malformed_is_named() {
    let event = event(EventType::Ready);
    let encoded = wire::encode(&event.body, 7).expect("encoded");
    let sound = headers_of(&event, &encoded.dataschema);
    let refusal = |headers: &wire::Headers| {
        let defect = open(headers, Some(b"shop"), Some(&encoded.value)).expect_err("refused");
        assert_eq!(defect.reason, UnreadableReason::BadHeader, "{defect}");
        defect.detail
    };
    for name in ["content-type", "ce_specversion", "ce_id", "ce_source", "ce_type", "ce_partitionkey"] {
        let without: Vec<_> = sound.iter().filter(|(found, _)| found != name).cloned().collect();
        assert_eq!(refusal(&without), format!("the header {name} is missing"));
        let mut twice = sound.clone();
        twice.push((name.to_uppercase(), Some(b"x".to_vec())));
        assert_eq!(refusal(&twice), format!("the header {name} comes twice"));
    }
    let table: [(&str, &[u8], &str); 10] = [
        ("content-type", b"application/cloudevents+json", "and application/avro is asked for"),
        ("ce_specversion", b"0.3", "and 1.0 is asked for"),
        ("ce_pavaneservice", b"no good", "is not a name"),
        ("ce_pavaneversion", b"; rm -rf /", "is not a name"),
        ("ce_correlationid", b"\xff", "is not UTF-8"),
        ("ce_sequence", b"-1", "no decimal number"),
        ("ce_sequence", b"99999999999999999999", "no decimal number"),
        ("ce_subject", b"a\x1b[31m", "holds a control character"),
        ("ce_dataschema", b"http://registry/schemas/ids/7", "is not urn:pavane:schema:sha256:"),
        ("traceparent", b"00-xyz", "no W3C trace context"),
    ];
    for (name, value, said) in table {
        let mut headers: Vec<_> = sound.iter().filter(|(found, _)| found != name).cloned().collect();
        headers.push((name.to_owned(), Some(value.to_vec())));
        let detail = refusal(&headers);
        assert!(detail.contains(name) && detail.contains(said), "{detail}");
    }
    let mut long = sound.clone();
    long.push((headers::SUBJECT.to_owned(), Some(vec![b'x'; 1_000_000])));
    assert!(refusal(&long).contains("1000000 bytes"));
}

#[test]
fn types_that_are_not_ours_are_told_from_those_that_are_newer() {
    let event = event(EventType::Ready);
    let encoded = wire::encode(&event.body, 7).expect("encoded");
    for (ce_type, reason) in [
        ("io.pavane.lifecycle.v1.Teleported", UnreadableReason::NewerVocabulary),
        ("io.pavane.lifecycle.v1", UnreadableReason::ForeignType),
        ("io.pavane.lifecycle.v10.Ready", UnreadableReason::ForeignType),
        ("io.pavane.heartbeat.v1.Heartbeat", UnreadableReason::ForeignType),
        ("com.example.Ready", UnreadableReason::ForeignType),
    ] {
        let headers = headers::write(&event.envelope, ce_type, &encoded.dataschema);
        let defect = open(&headers, Some(b"shop"), Some(&encoded.value)).expect_err("not to be read");
        assert_eq!(defect.reason, reason, "{ce_type}");
    }
}

#[test]
fn a_key_that_is_not_the_domain_is_misrouted() {
    let event = event(EventType::Ready);
    let encoded = wire::encode(&event.body, 7).expect("encoded");
    let headers = headers_of(&event, &encoded.dataschema);
    for key in [None, Some(b"bank".as_slice()), Some(b"".as_slice())] {
        let defect = open(&headers, key, Some(&encoded.value)).expect_err("misrouted");
        assert_eq!(defect.reason, UnreadableReason::Misrouted);
    }
}

#[test]
fn an_unreadable_record_still_says_what_its_headers_say() {
    let mut event = event(EventType::Ready);
    event.envelope.service = Service::new("matchmaking").ok();
    event.envelope.rollout = RolloutId::new("r-1").ok();
    let mut headers = headers_of(&event, "nonsense");
    headers.push(("ce_pavaneversion".to_owned(), Some(b"\x1b[2J".to_vec())));
    let value = [0, 0, 0, 1, 0, 9];
    let defect = open(&headers, Some(b"shop"), Some(&value)).expect_err("two bad headers");
    let unreadable = unreadable(12, Timestamp(5), &headers, Some(&value), defect);
    assert_eq!(unreadable.event_type.as_deref(), Some("io.pavane.lifecycle.v1.Ready"));
    assert_eq!(unreadable.service, event.envelope.service);
    assert_eq!(unreadable.rollout, event.envelope.rollout);
    assert_eq!(unreadable.id, Some(event.envelope.id));
    assert_eq!((unreadable.offset, unreadable.schema_id), (12, Some(256)));
    assert!(!unreadable.detail.contains('\u{1b}'), "{}", unreadable.detail);
}
