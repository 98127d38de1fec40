//! A real registry does what the embedded one does.

use pavane_bus::Registry;
use pavane_bus::registry::{PushOutcome, RegistryError, push};
use pavane_bus::wire::catalog;
use pavane_events::{EventType, UnreadableReason};
use uuid::Uuid;

use crate::{client, push::services};

async fn real() -> Option<Registry> {
    let url = pavane_tests::real::registry("the bus on a real registry").await?;
    Some(client(&url))
}

/// A record with a name that no other run has, and its subject.
fn fresh(fields: &str, run: &Uuid) -> (String, String) {
    let name = format!("R{}", run.simple());
    let schema = format!(r#"{{"type":"record","name":"{name}","namespace":"test.bus","fields":[{fields}]}}"#);
    (format!("test.bus.{name}"), schema)
}

#[tokio::test]
async fn everything_is_pushed_found_by_content_and_read_by_id() {
    let Some(registry) = real().await else { return };
    let pushed = push(&registry, &services()).await.expect("pushed");
    for one in &pushed {
        let there = matches!(one.outcome, PushOutcome::Registered | PushOutcome::Present);
        assert!(there, "{}: {:?}", one.subject, one.outcome);
        let found = registry.id_of(&one.subject, &one.schema).await.expect("an answer");
        assert_eq!(found, one.id, "{}", one.subject);
        let contract =
            registry.contract(one.id.expect("an id")).await.expect("an answer").expect("a contract");
        assert_eq!(contract.fingerprint(), one.fingerprint, "{}", one.subject);
    }
    let again = push(&registry, &services()).await.expect("pushed");
    assert!(again.iter().all(|one| one.outcome == PushOutcome::Present));
    let ready = catalog::of(EventType::Ready);
    let level = registry.compatibility(&ready.full_name()).await.expect("an answer");
    assert_eq!(level.as_deref(), Some("FULL_TRANSITIVE"));
}

#[tokio::test]
async fn what_does_not_fit_is_refused_and_what_is_not_there_is_not_found() {
    let Some(registry) = real().await else { return };
    let run = Uuid::now_v7();
    let (subject, int) = fresh(r#"{"name":"a","type":"int","default":0}"#, &run);
    let (_, text) = fresh(r#"{"name":"a","type":"string","default":""}"#, &run);
    assert_eq!(registry.compatibility(&subject).await.expect("an answer"), None);
    assert_eq!(registry.id_of(&subject, &int).await.expect("an answer"), None);
    assert!(registry.versions(&subject).await.expect("an answer").is_empty());
    assert!(registry.check(&subject, &int).await.expect("an answer").compatible);

    registry.set_compatibility(&subject, "FULL_TRANSITIVE").await.expect("set");
    let id = registry.register(&subject, &int).await.expect("registered");
    assert_eq!(registry.register(&subject, &int).await.expect("the same"), id);
    assert!(!registry.check(&subject, &text).await.expect("an answer").compatible);
    let error = registry.register(&subject, &text).await.expect_err("incompatible");
    assert!(matches!(error, RegistryError::Incompatible { .. }), "{error}");
    let error = registry.register(&subject, "{").await.expect_err("no schema");
    assert!(matches!(error, RegistryError::Refused { .. }), "{error}");
    let defect = registry.contract(u32::MAX / 2).await.expect("an answer").expect_err("no such id");
    assert_eq!(defect.reason, UnreadableReason::UnknownSchema);
}
