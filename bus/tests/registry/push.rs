//! `push` brings schemas to the registry, each under a level that keeps old and new readable.

use std::path::Path;

use pavane_bus::registry::{PushOutcome, PushRequest, Pushed, push};
use serde_json::Value;

use crate::started;

pub(crate) fn services() -> PushRequest {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../schemas/services");
    PushRequest { services: Some(folder), dry_run: false, by: None }
}

fn own(pushed: &[Pushed]) -> &Pushed {
    pushed.iter().find(|one| one.service.is_some()).expect("the service's schema")
}

#[tokio::test]
async fn a_first_push_registers_everything_and_a_second_changes_nothing() {
    let (_embedded, registry) = started().await;
    let dry = PushRequest { dry_run: true, ..services() };
    let would = push(&registry, &dry).await.expect("asked");
    assert!(would.iter().all(|one| one.outcome == PushOutcome::WouldRegister && one.row().is_none()));
    assert!(
        registry.versions("shop.matchmaking.Ready").await.expect("an answer").is_empty(),
        "nothing changed"
    );

    let first = push(&registry, &services()).await.expect("pushed");
    assert_eq!(first.len(), pavane_schemas::ALL.len() + 1);
    for one in &first {
        assert_eq!(one.outcome, PushOutcome::Registered, "{}", one.subject);
        let level = registry.compatibility(&one.subject).await.expect("an answer");
        assert_eq!(level.as_deref(), Some("FULL_TRANSITIVE"), "{}", one.subject);
    }
    let second = push(&registry, &services()).await.expect("pushed");
    for (first, second) in first.iter().zip(&second) {
        assert_eq!((&second.outcome, second.id), (&PushOutcome::Present, first.id), "{}", first.subject);
    }
    let (key, row) = own(&second).row().expect("it is registered");
    let row: Value = serde_json::from_slice(&row).expect("JSON");
    assert_eq!(
        (row["fingerprint"].as_str(), row["service"].as_str()),
        (Some(key.as_str()), Some("matchmaking"))
    );
    assert_eq!((row["event"].as_str(), row["id"].as_u64()), (Some("Ready"), own(&second).id.map(u64::from)));
}

#[tokio::test]
async fn a_service_s_schema_that_readers_could_not_read_is_refused_and_the_others_are_pushed() {
    let (_embedded, registry) = started().await;
    let folder = tempfile::tempdir().expect("a directory");
    let service = folder.path().join("matchmaking");
    std::fs::create_dir(&service).expect("made");
    let record = |namespace: &str, name: &str, fields: &str| {
        format!(r#"{{"type":"record","name":"{name}","namespace":"{namespace}","fields":[{fields}]}}"#)
    };
    let detail = |kind: &str| format!(r#"{{"name":"detail","type":"{kind}","default":0}}"#);
    for (file, schema) in [
        ("Ready.avsc", record("shop.m", "Ready", &detail("int"))),
        ("Drained.avsc", record("shop.m", "Dried", "")),
        ("Pulse.avsc", record("shop.m", "Pulse", "")),
        ("RollbackFailed.avsc", record("io.pavane.lifecycle.v1", "RollbackFailed", "")),
        ("HookUncertain.avsc", "{".to_owned()),
        ("README.md", "not a schema".to_owned()),
    ] {
        std::fs::write(service.join(file), schema).expect("written");
    }
    let request = PushRequest { services: Some(folder.path().to_owned()), dry_run: false, by: None };
    let pushed = push(&registry, &request).await.expect("pushed");
    let (refused, taken): (Vec<_>, Vec<_>) =
        pushed.iter().partition(|one| matches!(one.outcome, PushOutcome::Refused(_)));
    assert_eq!(taken.len(), pavane_schemas::ALL.len());
    let said = |event: &str| {
        let one = refused.iter().find(|one| one.event == event).expect("refused");
        assert!(one.source.ends_with(&format!("{event}.avsc")) && one.row().is_none());
        format!("{:?}", one.outcome)
    };
    assert_eq!(refused.len(), 5);
    assert!(said("Ready").contains("/detail: the writer has int where the reader has string"));
    assert!(said("Drained").contains("the record is Dried, and the file says Drained"));
    assert!(said("Pulse").contains("is no event that services say"));
    assert!(said("RollbackFailed").contains("is not the service's namespace"));
    assert!(said("HookUncertain").contains("parse the schema"));
}

#[tokio::test]
async fn a_schema_that_differs_from_an_earlier_version_is_refused_with_the_field() {
    let (_embedded, registry) = started().await;
    let older = r#"{"type":"record","name":"Ready","namespace":"io.pavane.lifecycle.v1","fields":[
        {"name":"prerequisite","type":"long","default":0}]}"#;
    registry.register("io.pavane.lifecycle.v1.Ready", older).await.expect("registered");
    for dry_run in [true, false] {
        let pushed =
            push(&registry, &PushRequest { services: None, dry_run, by: None }).await.expect("pushed");
        let ready = pushed.iter().find(|one| one.event == "Ready").expect("pushed");
        let PushOutcome::Refused(reasons) = &ready.outcome else { panic!("{ready:?}") };
        assert!(reasons[0].contains("/prerequisite: the writer has"), "{reasons:?}");
    }
}

#[tokio::test]
async fn a_folder_that_is_not_there_is_told() {
    let (_embedded, registry) = started().await;
    let request = PushRequest { services: Some("/nowhere/services".into()), dry_run: true, by: None };
    let error = push(&registry, &request).await.expect_err("no such folder");
    assert!(error.to_string().contains("/nowhere/services"), "{error}");
}
