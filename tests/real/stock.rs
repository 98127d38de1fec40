//! Stock clients read what we write, and we read what they write.
//!
//! The clients are confluent-kafka with its Avro deserialiser, fastavro, and the `CloudEvents` SDK of Python; their script is
//! `bus/tests/stock_clients/stock_clients.py`, and it ends with an error where two readings differ. Beside them avsc
//! and the `CloudEvents` SDK of JavaScript with its Kafka binding, in `tests/real/node/stock.cjs`.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use pavane_bus::{Item, Policy, Topic, Writer};
use pavane_events::service::Ready;
use pavane_events::{Body, Domain, Entry, Envelope, EventId, EventType, RolloutId, Service, Source};
use pavane_tests::real::Services;
use pavane_tests::real::node::Node;
use pavane_tests::real::python::Python;
use rdkafka::ClientConfig;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::ground;

pub(crate) const SCRIPT: &str = "bus/tests/stock_clients/stock_clients.py";

/// Says each event of the vocabulary once, with the example that the contract gives for it.
pub(crate) async fn say_everything(writer: &Writer, domain: &Domain) -> BTreeMap<String, Value> {
    let mut said = BTreeMap::new();
    let service = Service::new("user-service").unwrap();
    for &event_type in EventType::ALL {
        let example =
            pavane_schemas::ALL.iter().find(|one| one.event == event_type.as_str()).unwrap().example;
        let encoded = writer.encode_json(&service, event_type, example.as_bytes()).await.unwrap();
        let source = Source::new("/pavane/shop/user-service/user-service-0").unwrap();
        let id = format!("e-{event_type}");
        let mut envelope = Envelope::new(domain.clone(), source, EventId::new(&id).unwrap());
        envelope.rollout = Some(RolloutId::new("r-1").unwrap());
        envelope.service = Some(service.clone());
        writer.append_encoded(&envelope, event_type, encoded.value, &encoded.dataschema).await.unwrap();
        said.insert(id, serde_json::from_str(example).unwrap());
    }
    said
}

#[tokio::test]
async fn stock_clients_read_every_event_of_the_vocabulary() {
    let Some(services) = Services::get("stock_clients_read_every_event_of_the_vocabulary").await else {
        return;
    };
    let bus = ground::bus(&services, "stock-read").await;
    let domain = Domain::new("shop").unwrap();
    let said = say_everything(&bus.writer().await.unwrap(), &domain).await;
    let (topic, count) = (Topic::Lifecycle.name(&bus.settings().prefix), said.len().to_string());
    let where_ = ["--bootstrap", &services.kafka, "--registry", &services.registry, "--topic", &topic];
    let output = Python::get().unwrap().run(SCRIPT, &[&["read"], &where_[..], &["--count", &count]].concat());
    let output = output.unwrap();
    let rows = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{rows}\n{}", String::from_utf8_lossy(&output.stderr));
    let rows: Vec<Value> = rows.lines().map(|row| serde_json::from_str(row).unwrap()).collect();
    assert_eq!(rows.len(), EventType::ALL.len());
    for row in rows {
        let id = row["attributes"]["id"].as_str().unwrap();
        assert_eq!(row["timestamp_type"], "LogAppendTime", "{id}");
        assert_eq!(row["attributes"]["correlationid"], "r-1", "{id}");
        for (field, value) in said[id].as_object().unwrap() {
            assert_eq!(&row["data"][field], value, "{id}, field {field}");
        }
    }
}

#[tokio::test]
async fn what_a_stock_client_writes_is_read_as_an_event() {
    let Some(services) = Services::get("what_a_stock_client_writes_is_read_as_an_event").await else {
        return;
    };
    let bus = ground::bus(&services, "stock-write").await;
    let domain = Domain::new("shop").unwrap();
    let topic = Topic::Lifecycle.name(&bus.settings().prefix);
    let where_ = ["--bootstrap", &services.kafka, "--registry", &services.registry, "--topic", &topic];
    let who = ["--domain", "shop", "--service", "user-db", "--rollout", "r-7"];
    let output = Python::get().unwrap().run(SCRIPT, &[&["produce"], &where_[..], &who[..]].concat()).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let placed: Value = serde_json::from_slice(&output.stdout).unwrap();

    let mut reader = bus.reader(&domain, Policy::AllowList).await.unwrap();
    assert_eq!(placed["partition"], reader.partition(), "both find the domain in one partition");
    let Item::Entry { entry: Entry::Event(record), .. } = reader.next().await.unwrap() else {
        panic!("an event stands there");
    };
    assert_eq!(placed["id"], record.event.envelope.id.as_str());
    assert_eq!(record.event.envelope.rollout, Some(RolloutId::new("r-7").unwrap()));
    let Body::Ready(Ready { prerequisite, .. }) = record.event.body else { panic!("a Ready stands there") };
    assert_eq!(prerequisite, "schema-v2");
}

const NODE: &str = "tests/real/node/stock.cjs";

#[tokio::test]
async fn the_sdk_of_another_language_reads_every_event_and_writes_one_that_is_read() {
    let test = "the_sdk_of_another_language_reads_every_event_and_writes_one_that_is_read";
    let Some(services) = Services::get(test).await else { return };
    let Some(node) = Node::get(test) else { return };
    let bus = ground::bus(&services, "stock-node").await;
    let domain = Domain::new("shop").unwrap();
    let said = say_everything(&bus.writer().await.unwrap(), &domain).await;
    let mut reader = bus.reader(&domain, Policy::AllowList).await.unwrap();
    let mut lines = String::new();
    while let Item::Entry { raw, .. } = reader.next().await.unwrap() {
        let headers =
            raw.headers.iter().map(|(name, value)| (name.clone(), text(value.as_ref().unwrap()).into()));
        let headers: serde_json::Map<String, Value> = headers.collect();
        let (key, value) = (text(raw.key.as_ref().unwrap()), BASE64_STANDARD.encode(raw.value.unwrap()));
        lines = format!("{lines}{}\n", json!({ "key": key, "headers": headers, "value": value }));
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("records.jsonl");
    std::fs::write(&file, lines).unwrap();
    let rows = rows(&node.run(NODE, &["read", &services.registry, file.to_str().unwrap()]).unwrap());
    assert_eq!(rows.len(), said.len());
    for row in &rows {
        let id = row["id"].as_str().unwrap();
        assert_eq!((&row["specversion"], &row["correlationid"]), (&"1.0".into(), &"r-1".into()), "{id}");
        assert_eq!((&row["key"], &row["partitionkey"]), (&"shop".into(), &"shop".into()), "{id}");
        assert_eq!(row["type"], format!("io.pavane.lifecycle.v1.{}", id.strip_prefix("e-").unwrap()));
    }
    let ready = rows.iter().find(|row| row["id"] == "e-Ready").unwrap();
    for (field, value) in said["e-Ready"].as_object().unwrap() {
        assert_eq!(&ready["data"][field], value, "{field}");
    }
    let made =
        self::rows(&node.run(NODE, &["message", &services.registry, "shop", "r-8"]).unwrap()).remove(0);
    produce(&services.kafka, &Topic::Lifecycle.name(&bus.settings().prefix), reader.partition(), &made).await;
    let Item::Entry { entry: Entry::Event(record), .. } = reader.next().await.unwrap() else {
        panic!("an event stands there");
    };
    assert_eq!(record.event.envelope.id.as_str(), "from-javascript");
    assert_eq!(record.event.envelope.rollout, Some(RolloutId::new("r-8").unwrap()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sidecars_door_takes_what_the_sdks_of_two_languages_send_structured_and_binary() {
    let test = "a_sidecars_door_takes_what_the_sdks_of_two_languages_send_structured_and_binary";
    let Some(services) = Services::get(test).await else { return };
    let Some(node) = Node::get(test) else { return };
    let bus = ground::bus(&services, "stock-door").await;
    let folder = tempfile::tempdir().unwrap();
    let [port] = pavane_tests::place::free_ports();
    let file = format!(
        "service: user-db\ndomain: shop\nteam: data\ninstance: user-db-0\nhttp: 127.0.0.1:{port}\njournal: {}\n\
         version: {{ env: PATH }}\nready_needs_kafka: true\n",
        folder.path().join("journal").display()
    );
    let config = pavane_sidecar::Config::from_yaml(&file, "sidecar.yaml").unwrap();
    let stop = CancellationToken::new();
    let running = tokio::spawn(pavane_sidecar::run(config, bus.clone(), stop.clone()));
    let door = format!("http://127.0.0.1:{port}");
    let client = reqwest::Client::new();
    let up = async || pavane_tests::wait::answers(&client, &format!("{door}/readyz")).await.then_some(());
    pavane_tests::wait::until("the door to open", std::time::Duration::from_secs(40), up).await.unwrap();
    let (by_node, by_python) = (door.clone(), door.clone());
    let asked = tokio::task::spawn_blocking(move || {
        let python = Python::get().unwrap();
        let line = ["say", "--door", &by_python, "--domain", "shop", "--rollout", "r-9"];
        [node.run(NODE, &["say", &by_node, "shop", "r-9"]).unwrap(), python.run(SCRIPT, &line).unwrap()]
    });
    let mut ids = Vec::new();
    for output in asked.await.unwrap() {
        for row in rows(&output) {
            ids.push((row["id"].as_str().unwrap().to_owned(), row["mode"].as_str().unwrap().to_owned()));
        }
    }
    assert_eq!(ids.len(), 4);
    let mut reader = bus.reader(&Domain::new("shop").unwrap(), Policy::AllowList).await.unwrap();
    while !ids.is_empty() {
        let Item::Entry { entry: Entry::Event(record), .. } = reader.next().await.unwrap() else { continue };
        let Body::Ready(Ready { prerequisite, .. }) = &record.event.body else { continue };
        let id = record.event.envelope.id.as_str().to_owned();
        assert_eq!(record.event.envelope.rollout, Some(RolloutId::new("r-9").unwrap()), "{id}");
        let before = ids.len();
        ids.retain(|(one, mode)| !(*one == id && mode == prerequisite));
        assert_eq!(ids.len() + 1, before, "{id}");
    }
    stop.cancel();
    running.await.unwrap().unwrap();
}

/// Writes a record as it was made, byte by byte.
async fn produce(kafka: &str, topic: &str, partition: i32, made: &Value) {
    let producer: FutureProducer = ClientConfig::new().set("bootstrap.servers", kafka).create().unwrap();
    let mut headers = OwnedHeaders::new();
    for (key, value) in made["headers"].as_object().unwrap() {
        headers = headers.insert(Header { key, value: value.as_str() });
    }
    let value = BASE64_STANDARD.decode(made["value"].as_str().unwrap()).unwrap();
    let record = FutureRecord::to(topic).partition(partition).key(made["key"].as_str().unwrap());
    let limit = std::time::Duration::from_secs(30);
    producer.send(record.payload(&value).headers(headers), limit).await.unwrap();
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn rows(output: &std::process::Output) -> Vec<Value> {
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    said.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}
