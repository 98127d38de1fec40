//! Topics, time and groups on a real broker, whose address is in `PAVANE_TEST_KAFKA`.
//!
//! Without an address each test says so and passes; with `PAVANE_REQUIRE_REAL=1` that is a failure.

use std::collections::BTreeSet;
use std::time::Duration;

use pavane_bus::{ApplyOptions, Bus, Error, Settings, Topic, TopicAction, apply_topics, verify_topics};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use uuid::Uuid;

const LIMIT: Duration = Duration::from_secs(60);

#[tokio::test]
async fn topics_are_made_once_and_mended_when_they_are_wrong() {
    let Some(settings) = real() else { return };
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
    let Some(settings) = real() else { return };
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
async fn a_group_shares_out_the_partitions_and_takes_over_those_of_a_member_that_leaves() {
    let Some(settings) = real() else { return };
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

/// Settings with a prefix of the test's own; none when there is no real broker.
fn real() -> Option<Settings> {
    let Ok(kafka) = std::env::var("PAVANE_TEST_KAFKA") else {
        assert!(std::env::var("PAVANE_REQUIRE_REAL").is_err(), "PAVANE_TEST_KAFKA names no broker");
        eprintln!("SKIPPED: PAVANE_TEST_KAFKA names no broker");
        return None;
    };
    let registry = std::env::var("PAVANE_TEST_REGISTRY").unwrap_or_else(|_| "http://127.0.0.1:1".to_owned());
    Some(Settings::new(kafka, registry).with_prefix(format!("t-{}", Uuid::now_v7())))
}

fn admin(settings: &Settings) -> AdminClient<DefaultClientContext> {
    ClientConfig::new().set("bootstrap.servers", &settings.kafka).create().expect("a client")
}

async fn make(settings: &Settings, topic: &NewTopic<'_>) {
    let options = AdminOptions::new().operation_timeout(Some(LIMIT));
    let results = admin(settings).create_topics([topic], &options).await.expect("answered");
    results.into_iter().for_each(|result| drop(result.expect("made")));
}

async fn setting(settings: &Settings, topic: &str, name: &str) -> String {
    use rdkafka::admin::ResourceSpecifier;
    let (admin, topic, options) = (admin(settings), ResourceSpecifier::Topic(topic), AdminOptions::new());
    let answers = admin.describe_configs([&topic], &options).await;
    let answer = answers.expect("answered").remove(0).expect("described");
    answer.get(name).and_then(|entry| entry.value.clone()).expect("a setting of topics")
}
