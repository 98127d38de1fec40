//! Topics, time and groups on a real broker. The registry is the embedded one: what a real one does is seen
//! elsewhere.

mod said;

use std::collections::BTreeSet;
use std::time::Duration;

use pavane_bus::embedded::Registry;
use pavane_bus::{
    ApplyOptions, Bus, Error, Item, Policy, Settings, TableItem, Topic, TopicAction, apply_topics,
    verify_topics,
};
use pavane_events::Entry;
use rdkafka::admin::{AdminClient, AdminOptions, AlterConfig, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use said::{domain, ready};
use uuid::Uuid;

const LIMIT: Duration = Duration::from_mins(1);

#[tokio::test]
async fn topics_are_made_once_and_mended_when_they_are_wrong() {
    let Some(settings) = real().await else { return };
    let error = verify_topics(&settings).await.expect_err("nothing is there yet");
    let log = Topic::Lifecycle.name(&settings.prefix);
    assert!(matches!(&error, Error::TopicMissing { topic } if *topic == log), "{error}");

    let made = apply_topics(&settings, ApplyOptions::default()).await.expect("made");
    assert!(made.iter().all(|outcome| outcome.action == TopicAction::Created), "{made:?}");
    assert_eq!(made.len(), Topic::ALL.len());
    assert_eq!(made[0].partitions, 12);
    let again = apply_topics(&settings, ApplyOptions::default()).await.expect("nothing to do");
    assert!(again.iter().all(|outcome| outcome.action == TopicAction::Exists), "{again:?}");
    let warnings = verify_topics(&settings).await.expect("what apply makes, verify accepts");
    assert_eq!(warnings.len(), if made[0].replication < 3 { Topic::ALL.len() } else { 0 }, "{warnings:?}");
}

#[tokio::test]
async fn a_topic_with_the_producers_time_is_refused_by_name_and_mended() {
    let Some(settings) = real().await else { return };
    let log = Topic::Lifecycle.name(&settings.prefix);
    make(&settings, &NewTopic::new(&log, 3, TopicReplication::Fixed(1)).set("segment.bytes", "2097152"))
        .await;
    for topic in Topic::ALL.into_iter().filter(|topic| *topic != Topic::Lifecycle) {
        make(&settings, &NewTopic::new(&topic.name(&settings.prefix), 1, TopicReplication::Fixed(1))).await;
    }
    let error = verify_topics(&settings).await.expect_err("the broker's default is the producer's time");
    assert_eq!(
        error.to_string(),
        format!(
            "trust the topic {log}: message.timestamp.type is CreateTime, expected LogAppendTime; \
             run `pavane topics apply`"
        )
    );
    let outcomes = apply_topics(&settings, ApplyOptions::default()).await.expect("mended");
    let TopicAction::Altered(changes) = &outcomes[0].action else { panic!("{outcomes:?}") };
    assert!(changes.iter().any(|(name, was, is)| {
        (name.as_str(), was.as_str(), is.as_str())
            == ("message.timestamp.type", "CreateTime", "LogAppendTime")
    }));
    assert_eq!(outcomes[0].partitions, 3, "partitions are never added");
    verify_topics(&settings).await.expect("mended");
    assert_eq!(setting(&settings, &log, "segment.bytes").await, "2097152", "what somebody else set is kept");
}

#[tokio::test]
async fn the_time_of_a_record_is_the_brokers_and_the_writer_is_told_it() {
    let Some((_registry, settings)) = with_registry().await else { return };
    let bus = Bus::connect(settings, "pavane-test").await.expect("connected");
    let writer = bus.writer().await.expect("a writer");
    let mut reader = bus.reader(&domain("shop"), Policy::Structural).await.expect("a reader");
    assert_eq!(next(&mut reader).await, Item::CaughtUp { end: 0 });
    for n in 0..50 {
        let place = writer.append(&ready("shop", n)).await.expect("appended");
        let Item::Entry { entry: Entry::Event(record), .. } = next(&mut reader).await else {
            panic!("an event was appended")
        };
        assert_eq!((record.offset, record.at), (place.offset, place.at));
    }
    assert_eq!(reader.bounds().await.expect("asked"), (0, 50));
    reader.seek(48).expect("ordered");
    for offset in [48, 49] {
        assert!(matches!(next(&mut reader).await, Item::Entry { entry, .. } if entry.offset() == offset));
    }
    assert_eq!(next(&mut reader).await, Item::CaughtUp { end: 50 });
    reader.seek(1_000).expect("ordered");
    assert_eq!(next(&mut reader).await, Item::CaughtUp { end: 50 });
    let gone =
        tokio::time::timeout(LIMIT, reader.next()).await.expect("in time").expect_err("beyond the end");
    assert!(matches!(gone, Error::HistoryLost { offset: 1_000, .. }), "{gone}");
}

#[tokio::test]
async fn a_record_with_the_producers_time_is_never_judged_by_and_never_passed_over() {
    let Some((_registry, settings)) = with_registry().await else { return };
    let bus = Bus::connect(settings.clone(), "pavane-test").await.expect("connected");
    let writer = bus.writer().await.expect("a writer");
    let mut reader = bus.reader(&domain("shop"), Policy::Structural).await.expect("a reader");
    assert_eq!(next(&mut reader).await, Item::CaughtUp { end: 0 });
    let log = Topic::Lifecycle.name(&settings.prefix);
    let alter = AlterConfig::new(ResourceSpecifier::Topic(&log)).set("message.timestamp.type", "CreateTime");
    admin(&settings).alter_configs([&alter], &AdminOptions::new()).await.expect("altered");
    writer.append(&ready("shop", 0)).await.expect("appended");
    for _ in 0..2 {
        let error =
            tokio::time::timeout(LIMIT, reader.next()).await.expect("in time").expect_err("not the broker's");
        assert!(matches!(&error, Error::TopicConfig { found, .. } if found == "CreateTime"), "{error}");
    }
    assert_eq!(reader.position(), 0);
}

#[tokio::test]
async fn a_table_is_read_to_its_end_on_a_real_broker_too() {
    let Some((_registry, settings)) = with_registry().await else { return };
    let bus = Bus::connect(settings, "pavane-test").await.expect("connected");
    let writer = bus.writer().await.expect("a writer");
    let mut table = bus.table(Topic::Services).await.expect("a table");
    assert_eq!(table.next().await.expect("read"), TableItem::CaughtUp);
    for (key, value) in [("a", Some("1")), ("b", Some("2")), ("a", Some("3")), ("b", None)] {
        writer.put(Topic::Services, key, value.map(Into::into)).await.expect("put");
    }
    for _ in 0..2 {
        let rows = tokio::time::timeout(LIMIT, table.load()).await.expect("in time").expect("read");
        assert_eq!(rows.into_iter().collect::<Vec<_>>(), [("a".to_owned(), b"3".to_vec())]);
    }
    writer.put(Topic::Services, "c", Some(b"4".to_vec())).await.expect("put");
    let row = tokio::time::timeout(LIMIT, table.next()).await.expect("in time").expect("read");
    assert!(matches!(row, TableItem::Row(row) if row.key == "c"));
}

#[tokio::test]
async fn a_group_shares_out_the_partitions_and_takes_over_those_of_a_member_that_leaves() {
    let Some(settings) = real().await else { return };
    apply_topics(&settings, ApplyOptions::default()).await.expect("made");
    let bus = Bus::connect(settings.clone(), "pavane-test").await.expect("connected");
    let group = format!("{}-sentinels", settings.prefix);
    let mut first = bus.ownership(&group).await.expect("joined");
    let all: BTreeSet<i32> = (0..12).collect();
    wait_for(&mut first, |owned| *owned == all).await;
    let mut second = bus.ownership(&group).await.expect("joined");
    wait_for(&mut second, |owned| !owned.is_empty()).await;
    wait_for(&mut first, |owned| owned.len() < 12 && !owned.is_empty()).await;
    drop(first);
    wait_for(&mut second, |owned| *owned == all).await;
}

#[tokio::test]
async fn a_broker_that_is_not_there_is_an_error_that_names_it() {
    let settings = Settings::new("127.0.0.1:1", "http://127.0.0.1:1");
    let error = verify_topics(&settings).await.expect_err("nobody listens there");
    assert!(error.to_string().starts_with("reach Kafka at 127.0.0.1:1"), "{error}");
    assert!(error.to_string().contains("Connection refused"), "the cause is named: {error}");
    assert!(error.is_transient());
}

async fn wait_for(ownership: &mut pavane_bus::Ownership, until: impl Fn(&BTreeSet<i32>) -> bool) {
    let waiting = async {
        while !until(&ownership.owned()) {
            ownership.changed().await.expect("the group is followed");
        }
    };
    tokio::time::timeout(LIMIT, waiting).await.expect("the share came");
}

async fn next(reader: &mut pavane_bus::Reader) -> Item {
    tokio::time::timeout(LIMIT, reader.next()).await.expect("in time").expect("read")
}

/// Topics of the test's own on the real broker, beside a registry that holds our schemas.
async fn with_registry() -> Option<(Registry, Settings)> {
    let mut settings = real().await?;
    let registry = Registry::start().await.expect("started");
    settings.registry = registry.url();
    apply_topics(&settings, ApplyOptions::default()).await.expect("made");
    Some((registry, settings))
}

/// Settings with a prefix of the test's own; none when there is no real broker.
async fn real() -> Option<Settings> {
    let kafka = pavane_tests::real::kafka("the bus on a real broker").await?;
    Some(Settings::new(kafka, "http://127.0.0.1:1").with_prefix(format!("t-{}", Uuid::now_v7())))
}

fn admin(settings: &Settings) -> AdminClient<DefaultClientContext> {
    ClientConfig::new().set("bootstrap.servers", &settings.kafka).create().expect("a client")
}

async fn make(settings: &Settings, topic: &NewTopic<'_>) {
    let options = AdminOptions::new().operation_timeout(Some(LIMIT));
    let results = admin(settings).create_topics([topic], &options).await.expect("answered");
    for result in results {
        result.expect("made");
    }
}

async fn setting(settings: &Settings, topic: &str, name: &str) -> String {
    let (admin, topic, options) = (admin(settings), ResourceSpecifier::Topic(topic), AdminOptions::new());
    let answers = admin.describe_configs([&topic], &options).await;
    let answer = answers.expect("answered").remove(0).expect("described");
    answer.get(name).and_then(|entry| entry.value.clone()).expect("a setting of topics")
}
