//! What a writer appends a reader reads: in order, once, with its bytes, whatever is away meanwhile.

mod said;

use std::collections::BTreeSet;
use std::time::Duration;

use pavane_bus::embedded::{self, Embedded};
use pavane_bus::{
    ApplyOptions, Bus, Error, Item, Policy, Raw, Reader, Settings, TableItem, Topic, TopicAction, Writer,
    apply_topics, partition_of, verify_topics,
};
use pavane_events::{Entry, Heartbeat, Instance, Service, Timestamp, Unreadable, UnreadableReason};
use rdkafka::config::ClientConfig;
use rdkafka::message::{Header, Message, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord};
use said::{domain, ready};

const LIMIT: Duration = Duration::from_secs(20);

#[tokio::test]
async fn what_is_appended_is_read_back_in_order_with_place_and_time() {
    let (_world, bus, writer) = world().await;
    let mut appended = Vec::new();
    for n in 0..20 {
        appended.push(writer.append(&ready("shop", n)).await.expect("appended"));
    }
    let mut reader = bus.reader(&domain("shop"), Policy::AllowList).await.expect("a reader");
    for (n, place) in (0..20).zip(&appended) {
        let Entry::Event(record) = entry(&mut reader).await.0 else { panic!("every event can be read") };
        assert_eq!((record.offset, record.at), (place.offset, place.at));
        let mut said = ready("shop", n);
        assert!(record.event.envelope.traceparent.is_some(), "every record carries a trace context");
        said.envelope.traceparent.clone_from(&record.event.envelope.traceparent);
        assert_eq!(record.event, said);
    }
    assert_eq!(next(&mut reader).await, Item::CaughtUp { end: 20 });
    let now = writer.append(&ready("shop", 20)).await.expect("appended");
    assert_eq!(entry(&mut reader).await.0.offset(), now.offset, "and it comes once only");
    assert_eq!(reader.bounds().await.expect("asked"), (0, 21));
}

#[tokio::test]
async fn an_empty_log_is_caught_up_with_at_once() {
    let (_world, bus, _) = world().await;
    let mut reader = bus.reader(&domain("shop"), Policy::Structural).await.expect("a reader");
    assert_eq!(next(&mut reader).await, Item::CaughtUp { end: 0 });
}

#[tokio::test]
async fn records_of_another_domain_in_the_same_partition_are_passed_over() {
    let (_world, bus, writer) = world().await;
    let neighbour = neighbour_of("shop");
    for n in 0..3 {
        writer.append(&ready("shop", n)).await.expect("appended");
        writer.append(&ready(&neighbour, n)).await.expect("appended");
    }
    let mut reader = bus.reader(&domain("shop"), Policy::AllowList).await.expect("a reader");
    let offsets: Vec<i64> =
        [entry(&mut reader).await.0, entry(&mut reader).await.0, entry(&mut reader).await.0]
            .iter()
            .map(Entry::offset)
            .collect();
    assert_eq!(offsets, [0, 2, 4]);
    assert_eq!(next(&mut reader).await, Item::CaughtUp { end: 6 });
    assert_eq!(reader.position(), 6, "what is passed over moves the position");
}

#[tokio::test]
async fn a_record_that_went_astray_is_told_to_whoever_reads_the_partition() {
    let (world, bus, writer) = world().await;
    let neighbour = neighbour_of("shop");
    writer.append(&ready("shop", 0)).await.expect("appended");
    let mut reader = bus.reader(&domain("shop"), Policy::AllowList).await.expect("a reader");
    let (_, sound) = entry(&mut reader).await;
    assert!(matches!(next(&mut reader).await, Item::CaughtUp { .. }));
    for key in [None, Some(neighbour.as_str()), Some("no domain")] {
        forge(&world, &Raw { key: key.map(|key| key.as_bytes().to_vec()), ..sound.clone() }).await;
        let (entry, raw) = entry(&mut reader).await;
        assert_eq!(unreadable(entry).reason, UnreadableReason::Misrouted, "{key:?}");
        assert_eq!(raw.value, sound.value);
    }
    let elsewhere = (sound.partition + 1) % 12;
    let there =
        (0..10_000).map(|n| format!("d-{n}")).find(|name| partition_of(name.as_bytes(), 12) == elsewhere);
    let there = domain(&there.expect("some name hashes there"));
    let mut reader = bus.reader(&there, Policy::AllowList).await.expect("a reader");
    assert!(matches!(next(&mut reader).await, Item::CaughtUp { .. }));
    forge(&world, &Raw { partition: elsewhere, ..sound.clone() }).await;
    assert_eq!(unreadable(entry(&mut reader).await.0).reason, UnreadableReason::Misrouted);
}

#[tokio::test]
async fn a_record_that_cannot_be_read_is_kept_with_its_bytes_and_costs_one_dead_letter() {
    let (world, bus, writer) = world().await;
    writer.append(&ready("shop", 0)).await.expect("appended");
    let mut reader = bus.reader(&domain("shop"), Policy::AllowList).await.expect("a reader");
    let (_, sound) = entry(&mut reader).await;
    assert!(matches!(next(&mut reader).await, Item::CaughtUp { .. }));
    forge(&world, &Raw { value: Some(b"{\"json\":1}".to_vec()), ..sound.clone() }).await;
    let (bad, raw) = entry(&mut reader).await;
    let bad = unreadable(bad);
    assert_eq!((bad.offset, bad.reason), (1, UnreadableReason::BadMagic));
    assert_eq!(raw.value.as_deref(), Some(b"{\"json\":1}".as_slice()));
    assert_eq!(bad.service, Some(Service::new("user-db").expect("a name")));

    writer.append(&ready("shop", 1)).await.expect("appended");
    assert_eq!(entry(&mut reader).await.0.offset(), 2, "it stops nothing");

    writer.dead_letter(&raw, &bad).await.expect("appended");
    let mut letters = bus.table(Topic::DeadLetters).await.expect("a table");
    let TableItem::Row(row) =
        tokio::time::timeout(LIMIT, letters.next()).await.expect("in time").expect("read")
    else {
        panic!("the letter stands there")
    };
    assert_eq!(row.key, format!("pavane.lifecycle-{}-1", raw.partition));
    assert_eq!(row.value, raw.value);
}

#[tokio::test]
async fn reading_goes_on_from_any_offset() {
    let (_world, bus, writer) = world().await;
    for n in 0..10 {
        writer.append(&ready("shop", n)).await.expect("appended");
    }
    let mut reader = bus.reader(&domain("shop"), Policy::AllowList).await.expect("a reader");
    for (from, left) in [(7, 3), (0, 10), (10, 0), (9, 1)] {
        reader.seek(from).expect("ordered");
        for offset in from..from + left {
            assert_eq!(entry(&mut reader).await.0.offset(), offset, "from {from}");
        }
        assert_eq!(next(&mut reader).await, Item::CaughtUp { end: 10 }, "from {from}");
    }
}

#[tokio::test]
async fn a_reader_that_is_told_at_once_where_to_begin_never_runs_back() {
    let (world, bus, writer) = world().await;
    for n in 0..10 {
        writer.append(&ready("shop", n)).await.expect("appended");
    }
    // What the client asked for before it was told where to begin is answered after that, and must count for nothing.
    let far = Duration::from_millis(150);
    world.broker().set_delay(far).expect("told");
    let mut reader = bus.reader(&domain("shop"), Policy::AllowList).await.expect("a reader");
    let abandoned = tokio::time::timeout(far / 3, reader.next()).await;
    assert!(abandoned.is_err(), "it is far away");
    reader.seek(7).expect("ordered");
    for offset in 7..10 {
        assert_eq!(entry(&mut reader).await.0.offset(), offset);
    }
    assert_eq!(next(&mut reader).await, Item::CaughtUp { end: 10 });
    // The client tries again half a second after an answer that it could not use.
    for n in 10..20 {
        writer.append(&ready("shop", n)).await.expect("appended");
        assert_eq!(entry(&mut reader).await.0.offset(), n);
    }
}

#[tokio::test]
async fn an_offset_that_the_log_does_not_hold_stays_an_error_until_another_is_sought() {
    let (_world, bus, writer) = world().await;
    writer.append(&ready("shop", 0)).await.expect("appended");
    let mut reader = bus.reader(&domain("shop"), Policy::AllowList).await.expect("a reader");
    reader.seek(500).expect("ordered");
    assert!(matches!(next(&mut reader).await, Item::CaughtUp { end: 1 }), "500 is beyond the end");
    for _ in 0..2 {
        let error =
            tokio::time::timeout(LIMIT, reader.next()).await.expect("in time").expect_err("not there");
        assert!(matches!(error, Error::HistoryLost { offset: 500, .. }), "{error}");
    }
    reader.seek(0).expect("ordered");
    assert_eq!(entry(&mut reader).await.0.offset(), 0);
}

#[tokio::test]
async fn a_call_that_is_abandoned_at_any_moment_loses_nothing() {
    let (_world, bus, writer) = world().await;
    let mut reader = bus.reader(&domain("shop"), Policy::AllowList).await.expect("a reader");
    let writing = tokio::spawn(async move {
        for n in 0..200 {
            writer.append(&ready("shop", n)).await.expect("appended");
        }
    });
    let mut seen = Vec::new();
    let reading = async {
        let mut patience = 0;
        while seen.len() < 200 {
            patience = (patience + 37) % 1500;
            let call = tokio::time::timeout(Duration::from_micros(patience), reader.next());
            if let Ok(Ok(Item::Entry { entry, .. })) = call.await {
                seen.push(entry.offset());
            }
        }
    };
    tokio::time::timeout(LIMIT, reading).await.expect("all came");
    writing.await.expect("written");
    assert_eq!(seen, (0..200).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_broker_that_is_cut_off_is_told_by_bounds_and_reading_goes_on_afterwards() {
    let (world, bus, writer) = world().await;
    let mut reader = bus.reader(&domain("shop"), Policy::AllowList).await.expect("a reader");
    assert!(matches!(next(&mut reader).await, Item::CaughtUp { .. }));
    world.broker().set_reachable(false).expect("told");
    let error = reader.bounds().await.expect_err("nobody answers");
    assert!(error.is_transient(), "{error}");
    world.broker().set_reachable(true).expect("told");
    writer.append(&ready("shop", 0)).await.expect("appended");
    let reading = async {
        loop {
            if let Ok(Item::Entry { entry, .. }) = reader.next().await {
                return entry.offset();
            }
        }
    };
    assert_eq!(tokio::time::timeout(LIMIT, reading).await.expect("in time"), 0);
}

#[tokio::test]
async fn an_append_that_nobody_answers_has_an_unknown_outcome() {
    let world = embedded::start().await.expect("started");
    let mut settings = world.settings();
    settings.client.insert("message.timeout.ms".to_owned(), "1000".to_owned());
    let bus = Bus::connect(settings, "test").await.expect("connected");
    let writer = bus.writer().await.expect("a writer");
    world.broker().set_reachable(false).expect("told");
    let error = writer.append(&ready("shop", 0)).await.expect_err("nobody answers");
    assert!(matches!(error, Error::OutcomeUnknown { .. }), "{error}");
}

#[tokio::test]
async fn a_table_is_read_to_its_end_and_then_followed() {
    let (_world, bus, writer) = world().await;
    for (key, value) in [("a", "1"), ("b", "2"), ("a", "3"), ("c", "4")] {
        writer.put(Topic::Services, key, Some(value.into())).await.expect("put");
    }
    writer.put(Topic::Services, "c", None).await.expect("taken out");
    let mut table = bus.table(Topic::Services).await.expect("a table");
    let mut rows = Vec::new();
    while let TableItem::Row(row) = table.next().await.expect("read") {
        rows.push((row.key, row.value));
    }
    let value = |text: &str| Some(text.as_bytes().to_vec());
    let row = |key: &str, of: Option<Vec<u8>>| (key.to_owned(), of);
    assert_eq!(
        rows,
        [
            row("a", value("1")),
            row("b", value("2")),
            row("a", value("3")),
            row("c", value("4")),
            row("c", None)
        ]
    );
    writer.put(Topic::Services, "d", Some("5".into())).await.expect("put");
    let TableItem::Row(row) = table.next().await.expect("read") else { panic!("it comes once") };
    assert_eq!(row.key, "d");
    let all = table.load().await.expect("read");
    assert_eq!(all.keys().map(String::as_str).collect::<Vec<_>>(), ["a", "b", "d"]);
    assert_eq!(all["a"], b"3");
}

#[tokio::test]
async fn an_empty_table_is_caught_up_with_at_once() {
    let (_world, bus, _) = world().await;
    let mut table = bus.table(Topic::Snapshots).await.expect("a table");
    assert_eq!(table.next().await.expect("read"), TableItem::CaughtUp);
    assert!(table.load().await.expect("read").is_empty());
}

#[tokio::test]
async fn heartbeats_of_all_domains_are_heard() {
    let (_world, bus, writer) = world().await;
    let beat = |domain_name: &str, instance: &str| Heartbeat {
        domain: domain(domain_name),
        service: Service::new("user-db").expect("a name"),
        instance: Instance::new(instance).expect("a name"),
        zone: None,
        boot: "b1".to_owned(),
        version: None,
        phase: "idle".to_owned(),
        rollout: None,
        acknowledged: 7,
        outbox: 0,
        position: -1,
    };
    let said = [beat("shop", "user-db-0"), beat("shop", "user-db-1"), beat("games", "user-db-0")];
    writer.heartbeat(&said[0]).await.expect("appended");
    let mut beats = bus.heartbeats().await.expect("a reader");
    for one in &said[1..] {
        writer.heartbeat(one).await.expect("appended");
    }
    let mut heard = BTreeSet::new();
    for _ in 0..3 {
        let beat = tokio::time::timeout(LIMIT, beats.next()).await.expect("in time").expect("read");
        assert!(said.contains(&beat.heartbeat), "{beat:?}");
        assert!(beat.at > Timestamp(0));
        heard.insert((beat.heartbeat.domain.to_string(), beat.heartbeat.instance.to_string()));
    }
    assert_eq!(heard.len(), 3);
}

#[tokio::test]
async fn the_only_member_on_the_embedded_broker_owns_every_partition_at_once() {
    let (_world, bus, _) = world().await;
    let ownership = bus.ownership("sentinels").await.expect("joined");
    assert_eq!(ownership.owned(), (0..12).collect());
}

#[tokio::test]
async fn our_partitions_are_those_of_a_stock_client() {
    let (world, _, _) = world().await;
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", world.kafka()).set("partitioner", "murmur2_random").set("linger.ms", "0");
    let stock: FutureProducer = config.create().expect("a client");
    for n in 0..100 {
        let key = "k".repeat(n % 7 + 1) + &n.to_string();
        let record: FutureRecord<'_, str, str> =
            FutureRecord::to("pavane.heartbeats").key(key.as_str()).payload("x");
        let delivery = stock.send(record, LIMIT).await.expect("delivered");
        assert_eq!(delivery.partition, partition_of(key.as_bytes(), 12), "{key}");
    }
}

#[tokio::test]
async fn another_process_may_act_on_the_embedded_broker_and_must_not_judge_by_it() {
    let (world, bus, writer) = world().await;
    let place = writer.append(&ready("shop", 0)).await.expect("appended");
    // What another process knows is the two addresses.
    let elsewhere = Settings::new(world.kafka(), world.registry_url());
    let refused = verify_topics(&elsewhere).await.expect_err("it does not stamp records");
    let Error::TopicConfig { topic, setting, .. } = &refused else { panic!("{refused}") };
    assert_eq!((topic.as_str(), setting.as_str()), ("pavane.lifecycle", "message.timestamp.type"));
    let there = Bus::connect(elsewhere.clone(), "test").await.expect("connected");
    let Err(refused) = there.reader(&domain("shop"), Policy::Structural).await else { panic!("a sentinel") };
    assert_eq!(refused.class(), "topic_config");

    let mut sidecar = there.reader(&domain("shop"), Policy::AllowList).await.expect("a reader");
    assert_eq!(entry(&mut sidecar).await.0.at(), place.at);
    let answer = there.writer().await.expect("a writer").append(&ready("shop", 1)).await.expect("appended");
    assert_eq!(answer.offset, 1);
    let mut judging = bus.reader(&domain("shop"), Policy::Structural).await.expect("a reader");
    judging.seek(1).expect("ordered");
    assert_eq!(entry(&mut judging).await.0.at(), answer.at);

    let mut moved = world.settings();
    moved.kafka = "127.0.0.1:1".to_owned();
    let refused = verify_topics(&moved).await.expect_err("the permission does not travel to another address");
    assert!(matches!(refused, Error::Unreachable { .. }), "{refused}");
    let outcomes = apply_topics(&elsewhere, ApplyOptions::default()).await.expect("nothing to do");
    assert!(outcomes.iter().all(|outcome| outcome.action == TopicAction::Exists), "{outcomes:?}");
}

async fn world() -> (Embedded, Bus, Writer) {
    let world = embedded::start().await.expect("started");
    let bus = Bus::connect(world.settings(), "test").await.expect("connected");
    let writer = bus.writer().await.expect("a writer");
    (world, bus, writer)
}

async fn next(reader: &mut Reader) -> Item {
    tokio::time::timeout(LIMIT, reader.next()).await.expect("in time").expect("read")
}

async fn entry(reader: &mut Reader) -> (Entry, Raw) {
    match next(reader).await {
        Item::Entry { entry, raw } => (entry, raw),
        Item::CaughtUp { end } => panic!("an entry was expected, not the end {end}"),
    }
}

fn unreadable(entry: Entry) -> Unreadable {
    match entry {
        Entry::Unreadable(unreadable) => unreadable,
        Entry::Event(record) => panic!("{record:?} can be read"),
    }
}

/// A domain that shares the partition of another.
fn neighbour_of(name: &str) -> String {
    let home = partition_of(name.as_bytes(), 12);
    let found = (0..10_000).map(|n| format!("n-{n}")).find(|name| partition_of(name.as_bytes(), 12) == home);
    found.expect("some name hashes there")
}

/// Puts a record onto the log that no writer of ours would.
async fn forge(world: &Embedded, raw: &Raw) {
    let producer: FutureProducer =
        ClientConfig::new().set("bootstrap.servers", world.kafka()).create().expect("a client");
    let headers = raw.headers.iter().fold(OwnedHeaders::new(), |headers, (key, value)| {
        headers.insert(Header { key, value: value.as_deref() })
    });
    let mut record: FutureRecord<'_, [u8], [u8]> =
        FutureRecord::to(&raw.topic).partition(raw.partition).headers(headers);
    record.key = raw.key.as_deref();
    record.payload = raw.value.as_deref();
    producer
        .send(record, LIMIT)
        .await
        .map_err(|(error, message)| (error, message.offset()))
        .expect("delivered");
}
