//! Which writers are believed: those whose schema is built in or published, and what a registry that is away does.

mod said;

use std::time::Duration;

use pavane_bus::embedded::{self, Embedded};
use pavane_bus::registry::{PushRequest, push};
use pavane_bus::{Bus, Encoded, Error, Item, Policy, Reader, Topic, Writer};
use pavane_events::{Body, Entry, EventType, Service, UnreadableReason};
use said::{domain, ready};

const LIMIT: Duration = Duration::from_secs(20);
/// A service's own form of `Ready`: a field more, in a namespace of its own.
const OWN: &str = r#"{"type":"record","name":"Ready","namespace":"shop.matchmaking","fields":[
    {"name":"prerequisite","type":"string","default":"","doc":"What is ready."},
    {"name":"detail","type":"string","default":"","doc":"More."},
    {"name":"pool","type":"long","default":0,"doc":"How many players fit."}]}"#;

#[tokio::test]
async fn a_service_writes_by_its_own_form_as_soon_as_it_is_published() {
    let (_world, bus, writer) = world().await;
    let body = br#"{"prerequisite":"pool","pool":64}"#;
    let refused = writer.encode_json(&matchmaking(), EventType::Ready, body).await.expect_err("not ours");
    let Error::Contract(contract) = &refused else { panic!("{refused}") };
    assert_eq!(contract.findings.len(), 1, "{contract}");
    assert_eq!(contract.findings[0].pointer, "/pool");

    let mut reader = bus.reader(&domain("shop"), Policy::AllowList).await.expect("a reader");
    assert_eq!(next(&mut reader).await, Item::CaughtUp { end: 0 });
    publish(&bus, &writer).await;
    let Encoded { value, dataschema } =
        writer.encode_json(&matchmaking(), EventType::Ready, body).await.expect("its own form");
    let envelope = ready("shop", 0).envelope;
    writer.append_encoded(&envelope, EventType::Ready, value, &dataschema).await.expect("appended");
    let Item::Entry { entry: Entry::Event(record), .. } = next(&mut reader).await else {
        panic!("a published schema is read")
    };
    let Body::Ready(read) = record.event.body else { panic!("it said Ready") };
    assert_eq!(read.prerequisite, "pool");
}

#[tokio::test]
async fn each_form_that_is_published_after_another_is_known_too() {
    let (_world, bus, writer) = world().await;
    let mut form = OWN.to_owned();
    for n in 0..3 {
        let field = format!(r#",{{"name":"more{n}","type":"long","default":0,"doc":"More."}}]}}"#);
        form = form.trim_end_matches("]}").to_owned() + &field;
        let (service, body) = (matchmaking(), format!(r#"{{"more{n}":1}}"#));
        let encode = || writer.encode_json(&service, EventType::Ready, body.as_bytes());
        assert!(matches!(encode().await, Err(Error::Contract(_))), "{n} is not published yet");
        publish_form(&bus, &writer, &form).await;
        encode().await.unwrap_or_else(|error| panic!("{n}: {error}"));
    }
}

#[tokio::test]
async fn a_schema_that_nobody_published_is_refused_by_those_who_act_and_read_by_those_who_judge() {
    let (_world, bus, writer) = world().await;
    let id = bus.registry().register("shop.matchmaking.Ready", OWN).await.expect("registered");
    let contract = pavane_bus::wire::Contract::parse(OWN).expect("fit");
    let encoded = pavane_bus::wire::encode_json(&contract, id, b"{}").expect("fits");
    let envelope = ready("shop", 0).envelope;
    writer
        .append_encoded(&envelope, EventType::Ready, encoded.value, &encoded.dataschema)
        .await
        .expect("appended");

    let mut acting = bus.reader(&domain("shop"), Policy::AllowList).await.expect("a reader");
    let Item::Entry { entry: Entry::Unreadable(refused), .. } = next(&mut acting).await else {
        panic!("whoever reaches the registry may have put it there")
    };
    assert_eq!(refused.reason, UnreadableReason::SchemaNotAllowed);
    let mut judging = bus.reader(&domain("shop"), Policy::Structural).await.expect("a reader");
    assert!(matches!(next(&mut judging).await, Item::Entry { entry: Entry::Event(_), .. }));

    publish(&bus, &writer).await;
    acting.seek(0).expect("ordered");
    assert!(matches!(next(&mut acting).await, Item::Entry { entry: Entry::Event(_), .. }));
}

#[tokio::test]
async fn a_registry_that_is_away_makes_no_record_unreadable() {
    let (world, _, writer) = world().await;
    for n in 0..2 {
        writer.append(&ready("shop", n)).await.expect("appended");
    }
    let fresh = Bus::connect(world.settings(), "test").await.expect("connected");
    let mut reader = fresh.reader(&domain("shop"), Policy::AllowList).await.expect("a reader");
    world.registry().set_available(false);
    for _ in 0..3 {
        let error = tokio::time::timeout(LIMIT, reader.next()).await.expect("in time").expect_err("away");
        assert!(matches!(error, Error::Registry(_)) && error.is_transient(), "{error}");
        assert_eq!(reader.position(), 0, "the same record is offered again");
    }
    world.registry().set_available(true);
    for offset in 0..2 {
        let Item::Entry { entry: Entry::Event(record), .. } = next(&mut reader).await else {
            panic!("nothing is wrong with the record")
        };
        assert_eq!(record.offset, offset);
    }
}

#[tokio::test]
async fn a_registry_that_serves_something_else_under_a_known_id_is_named_and_no_record_is_judged_by_it() {
    let (world, bus, writer) = world().await;
    publish(&bus, &writer).await;
    let own = writer.encode_json(&matchmaking(), EventType::Ready, b"{}").await.expect("its own form");
    let plain = bus.registry().id_of("io.pavane.lifecycle.v1.Ready", built_in("Ready")).await;
    let ids = [plain.expect("asked").expect("there"), id_in(&own.value)];
    writer.append(&ready("shop", 0)).await.expect("appended");
    let envelope = ready("shop", 1).envelope;
    let (value, name) = (own.value.clone(), own.dataschema.clone());
    writer.append_encoded(&envelope, EventType::Ready, value, &name).await.expect("appended");
    for policy in [Policy::AllowList, Policy::Structural] {
        let fresh = Bus::connect(world.settings(), "test").await.expect("connected");
        let mut reader = fresh.reader(&domain("shop"), policy).await.expect("a reader");
        for (offset, id) in (0..).zip(ids) {
            for lie in [built_in("Drained"), built_in("DeploymentFailed"), "{\"type\":\"int\"}"] {
                world.registry().lie(id, Some(lie));
                let error = tokio::time::timeout(LIMIT, reader.next()).await.expect("in time");
                let error = error.expect_err("nothing is read by a lie");
                assert!(error.is_tamper() && error.is_transient(), "{policy:?} {id}: {error}");
                assert!(
                    error.to_string().contains("RegistryTamper")
                        && error.to_string().contains(&id.to_string())
                );
                assert_eq!(reader.position(), offset, "the same record is offered again");
            }
            world.registry().lie(id, None);
            let read = next(&mut reader).await;
            let Item::Entry { entry: Entry::Event(record), .. } = read else {
                panic!("{policy:?}: {read:?}")
            };
            assert_eq!(record.offset, offset);
        }
    }
}

#[tokio::test]
async fn a_record_that_names_another_schema_than_its_id_is_a_lie_of_its_own() {
    let (_world, bus, writer) = world().await;
    let encoded = pavane_bus::wire::encode(&ready("shop", 0).body, 3).expect("fits");
    let envelope = ready("shop", 0).envelope;
    for name in [encoded.dataschema.clone(), format!("urn:pavane:schema:sha256:{}", "0".repeat(64))] {
        let value = encoded.value.clone();
        writer.append_encoded(&envelope, EventType::Ready, value, &name).await.expect("appended");
    }
    let mut reader = bus.reader(&domain("shop"), Policy::Structural).await.expect("a reader");
    for _ in 0..2 {
        let Item::Entry { entry: Entry::Unreadable(refused), .. } = next(&mut reader).await else {
            panic!("nobody vouches for it")
        };
        assert_eq!(refused.reason, UnreadableReason::FingerprintMismatch);
    }
}

#[tokio::test]
async fn a_writer_whose_schemas_nobody_registered_is_told_what_to_run() {
    let world = embedded::start().await.expect("started");
    let empty = embedded::Registry::start_empty().await.expect("started");
    let mut settings = world.settings();
    settings.registry = empty.url();
    let bus = Bus::connect(settings, "test").await.expect("connected");
    let Err(error) = bus.writer().await else { panic!("the registry is empty") };
    assert!(!error.is_transient());
    assert!(error.to_string().contains("run `pavane schemas push`"), "{error}");
}

/// The text of a built-in schema.
fn built_in(event: &str) -> &'static str {
    pavane_schemas::ALL.iter().find(|one| one.event == event).expect("built in").schema
}

/// The schema id that a value begins with.
fn id_in(value: &[u8]) -> u32 {
    u32::from_be_bytes(value[1..5].try_into().expect("four bytes"))
}

async fn world() -> (Embedded, Bus, Writer) {
    let world = embedded::start().await.expect("started");
    let bus = Bus::connect(world.settings(), "test").await.expect("connected");
    let writer = bus.writer().await.expect("a writer");
    (world, bus, writer)
}

/// Does what `pavane schemas push` does with the folder of a service.
async fn publish(bus: &Bus, writer: &Writer) {
    publish_form(bus, writer, OWN).await;
}

async fn publish_form(bus: &Bus, writer: &Writer, form: &str) {
    let folder = tempfile::tempdir().expect("a directory");
    std::fs::create_dir(folder.path().join("matchmaking")).expect("made");
    std::fs::write(folder.path().join("matchmaking/Ready.avsc"), form).expect("written");
    let request = PushRequest { services: Some(folder.path().to_owned()), dry_run: false, by: None };
    let pushed = push(bus.registry(), &request).await.expect("pushed");
    let own = pushed.iter().find(|one| one.service.is_some()).expect("it is in the folder");
    let (key, row) = own.row().unwrap_or_else(|| panic!("{own:?} is registered"));
    writer.put(Topic::Schemas, &key, Some(row)).await.expect("published");
}

fn matchmaking() -> Service {
    Service::new("matchmaking").expect("a name")
}

async fn next(reader: &mut Reader) -> Item {
    tokio::time::timeout(LIMIT, reader.next()).await.expect("in time").expect("read")
}
