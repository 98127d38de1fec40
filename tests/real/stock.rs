//! Stock clients read what we write, and we read what they write.
//!
//! The clients are confluent-kafka with its Avro deserialiser, fastavro, and the `CloudEvents` SDK; their script is
//! `bus/tests/stock_clients/stock_clients.py`, and it ends with an error where two readings differ.

use std::collections::BTreeMap;

use pavane_bus::{Item, Policy, Topic, Writer};
use pavane_events::service::Ready;
use pavane_events::{Body, Domain, Entry, Envelope, EventId, EventType, RolloutId, Service, Source};
use pavane_tests::real::Services;
use pavane_tests::real::python::Python;
use serde_json::Value;

use crate::ground;

const SCRIPT: &str = "bus/tests/stock_clients/stock_clients.py";

/// Says each event of the vocabulary once, with the example that the contract gives for it.
async fn say_everything(writer: &Writer, domain: &Domain) -> BTreeMap<String, Value> {
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
