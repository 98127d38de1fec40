//! The log on a real broker: what is appended is what is read, in order, in the broker's time.

use std::collections::BTreeMap;
use std::time::Duration;

use pavane_bus::{Item, Policy, Reader, partition_of};
use pavane_events::service::{DeploymentStarted, Ready};
use pavane_events::{Domain, Entry};
use pavane_tests::real::Services;
use pavane_tests::real::python::Python;
use tokio::time::timeout;

use crate::ground;

/// How long anything may take here; a busy machine with two cores is slow to make a hundred partitions.
const LIMIT: Duration = Duration::from_mins(1);

async fn next(reader: &mut Reader) -> Item {
    timeout(LIMIT, reader.next()).await.expect("the log has something to say").unwrap()
}

#[tokio::test]
async fn what_is_appended_is_read_back_in_order_with_the_brokers_time() {
    let Some(services) = Services::get("what_is_appended_is_read_back_in_order_with_the_brokers_time").await
    else {
        return;
    };
    let bus = ground::bus(&services, "in-order").await;
    let domain = Domain::new("shop").unwrap();
    let writer = bus.writer().await.unwrap();
    let first =
        ground::said(&domain, "user-db", "e-1", Ready { prerequisite: "v2".into(), ..Ready::default() });
    let second = ground::said(&domain, "user-service", "e-2", DeploymentStarted::default());
    let placed = [writer.append(&first).await.unwrap(), writer.append(&second).await.unwrap()];
    assert!(placed[0].offset < placed[1].offset && placed[0].at <= placed[1].at, "{placed:?}");

    let mut reader = bus.reader(&domain, Policy::Structural).await.unwrap();
    for (event, placed) in [(&first, &placed[0]), (&second, &placed[1])] {
        let Item::Entry { entry: Entry::Event(record), raw } = next(&mut reader).await else {
            panic!("an event stands there");
        };
        assert_eq!((record.offset, record.at, raw.partition), (placed.offset, placed.at, placed.partition));
        let mut read = record.event;
        // the writer opens a span of its own for each record
        read.envelope.traceparent = event.envelope.traceparent.clone();
        assert_eq!(&read, event);
    }
    assert_eq!(next(&mut reader).await, Item::CaughtUp { end: placed[1].offset + 1 });
}

#[tokio::test]
async fn a_domain_lies_in_the_partition_that_a_stock_client_computes() {
    let Some(services) = Services::get("a_domain_lies_in_the_partition_that_a_stock_client_computes").await
    else {
        return;
    };
    let bus = ground::bus(&services, "partitions").await;
    let domains: Vec<String> =
        (0..60).map(|n| format!("domain-{n}")).chain(["shop".into(), "ü".repeat(9), "x".into()]).collect();
    let topic = pavane_bus::Topic::Lifecycle.name(&bus.settings().prefix);
    let arguments: Vec<&str> =
        [services.kafka.as_str(), &topic].into_iter().chain(domains.iter().map(String::as_str)).collect();
    let output = Python::get().unwrap().run("tests/real/partitions.py", &arguments).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let theirs: BTreeMap<String, i32> = serde_json::from_slice(&output.stdout).unwrap();
    let ours: BTreeMap<String, i32> = domains
        .into_iter()
        .map(|domain| (domain.clone(), partition_of(domain.as_bytes(), bus.partitions())))
        .collect();
    assert_eq!(ours, theirs);
}

#[tokio::test]
async fn a_poison_record_costs_one_row_and_stops_nothing() {
    let Some(services) = Services::get("a_poison_record_costs_one_row_and_stops_nothing").await else {
        return;
    };
    let bus = ground::bus(&services, "poison").await;
    let domain = Domain::new("shop").unwrap();
    let topic = pavane_bus::Topic::Lifecycle.name(&bus.settings().prefix);
    let poison =
        Python::get().unwrap().run("tests/real/partitions.py", &[services.kafka.as_str(), &topic, "shop"]);
    assert!(poison.unwrap().status.success());
    let writer = bus.writer().await.unwrap();
    let event = ground::said(&domain, "user-db", "e-1", Ready::default());
    writer.append(&event).await.unwrap();

    let mut reader = bus.reader(&domain, Policy::AllowList).await.unwrap();
    let Item::Entry { entry: Entry::Unreadable(unreadable), raw } = next(&mut reader).await else {
        panic!("a record without our headers cannot be read");
    };
    let letter = writer.dead_letter(&raw, &unreadable).await.unwrap();
    let again = writer.dead_letter(&raw, &unreadable).await.unwrap();
    assert_eq!(letter.partition, again.partition, "the row's id is the record's place");
    let Item::Entry { entry: Entry::Event(record), .. } = next(&mut reader).await else {
        panic!("the event behind it is read");
    };
    assert_eq!(record.event.envelope.id, event.envelope.id);
}
