//! A log that lies: made anew, cut behind one's back, given other partitions or another clock. The sentinel says so by
//! another way than the log, by the name of the lie, and no verdict comes of it.

use anyhow::{Context, Result, ensure};
use pavane_events::RolloutId;
use pavane_events::command::DomainReleased;
use pavane_tests::process::Signal;
use pavane_tests::real::jdk::Jdk;
use pavane_tests::real::kafka::Kafka;
use pavane_tests::real::{Services, cache};
use pavane_tests::stage::sentinel::{Sentinel, verdicts};
use pavane_tests::stage::{SOON, Stage};
use pavane_tests::wait;
use serde_json::Value;

use crate::broker::{Broker, kept};
use crate::storm_load::{append, event};
use crate::story_snapshot::start;

/// How many records are lost with a disk that was restored.
const LOST: usize = 50;

/// Blind for longer than any window here is open.
const LONG: f64 = 12.0;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_was_made_anew_while_nobody_looked_is_known_by_its_records() {
    let Some(stage) = set("anew").await else { return };
    async {
        let (mut sentinel, rollout) = watched(&stage, "10m").await?;
        let end = kept(&stage, 0).await?;
        sentinel.process.signal(Signal::Kill)?;
        Broker::of(&stage)?.replace(&stage).await?;
        // the new log is longer than the old one was
        for _ in 0..=end {
            stage.pavane(&["hold", "--reason", "a record"]).await?;
        }
        sentinel = Sentinel::start(&stage, "sentinel-b").await?;
        blind(&stage, &sentinel, &["log_replaced"]).await?;
        ensure!(sentinel.rollout(&rollout).await?.is_none_or(|view| verdicts(&view).is_empty()));
        ensure!(!sentinel.is_ready().await, "it must not say that it sees");
        sentinel.process.signal(Signal::Kill)?;
        begins_anew(&stage).await?;
        Ok(())
    }
    .await
    .unwrap_or_else(|error: anyhow::Error| panic!("{error:?}"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_ends_before_what_was_read_of_it_is_said_and_nothing_is_decided() {
    let Some(stage) = set("shorter").await else { return };
    async {
        let (mut sentinel, _) = watched(&stage, "10m").await?;
        sentinel.process.signal(Signal::Kill)?;
        Broker::of(&stage)?.replace(&stage).await?;
        // one record stands there, and a snapshot tells of more
        let rollout = start(&stage, "short", "music", "1s").await?;
        sentinel = Sentinel::start(&stage, "sentinel-b").await?;
        blind(&stage, &sentinel, &["log_rewound"]).await?;
        nothing_is_decided(&stage, &sentinel, &rollout).await?;
        ensure!(!sentinel.is_ready().await, "it must not say that it sees");
        sentinel.process.signal(Signal::Kill)?;
        begins_anew(&stage).await
    }
    .await
    .unwrap_or_else(|error: anyhow::Error| panic!("{error:?}"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_is_restored_from_a_backup_under_its_reader_is_not_read_on() {
    let test = "a_broker_that_is_restored_from_a_backup_under_its_reader_is_not_read_on";
    let Some(services) = Services::get(test).await else { return };
    // one that may be killed: the shared broker serves other tests
    let jdk = Jdk::find().unwrap();
    let mut kafka = Kafka::start(&jdk, &cache::kafka().unwrap()).await.unwrap();
    let services = Services { kafka: kafka.address(), ..services };
    let stage = Stage::set("restored", "shop", &services).await.unwrap();
    async {
        let (sentinel, _) = watched(&stage, "10m").await?;
        kafka.back_up()?;
        // more than anybody says until it is noticed, so that the log ends before what was read
        let writer = stage.bus().await?.writer().await?;
        let nobody = RolloutId::new("none")?;
        for n in 0..LOST {
            let said = DomainReleased { by: "ann".to_owned(), reason: "nothing is held".to_owned() };
            let mut released = event(stage.domain(), &nobody, "cli/ann", format!("released-{n}"), said)?;
            released.envelope.rollout = None;
            append(&writer, &released).await;
        }
        let lost = start(&stage, "lost", "music", "10m").await?;
        sentinel.wait_status(&lost, "open").await.context("what will be lost is read")?;
        kafka.process().signal(Signal::Kill)?;
        kafka.restore().await?;
        blind(&stage, &sentinel, &["log_rewound", "history_lost"]).await?;
        let after = start(&stage, "after", "mail", "1s").await?;
        nothing_is_decided(&stage, &sentinel, &after).await
    }
    .await
    .unwrap_or_else(|error: anyhow::Error| panic!("{error:?}"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_is_made_anew_under_its_reader_is_not_read_on() {
    let Some(stage) = set("under").await else { return };
    async {
        let (sentinel, rollout) = watched(&stage, "8s").await?;
        Broker::of(&stage)?.replace(&stage).await?;
        blind(&stage, &sentinel, &["log_replaced", "log_rewound"]).await?;
        nothing_is_decided(&stage, &sentinel, &rollout).await
    }
    .await
    .unwrap_or_else(|error: anyhow::Error| panic!("{error:?}"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn retention_that_overtakes_a_sentinel_is_said() {
    let Some(stage) = set("overrun").await else { return };
    async {
        let (sentinel, _) = watched(&stage, "10m").await?;
        let end = kept(&stage, 0).await?;
        sentinel.process.signal(Signal::Kill)?;
        let mut last = end;
        while last < end + 3 {
            stage.pavane(&["hold", "--reason", "a record"]).await?;
            last += 1;
        }
        Broker::of(&stage)?.cut(end + 2).await?;
        let sentinel = Sentinel::start(&stage, "sentinel-b").await?;
        blind(&stage, &sentinel, &["history_lost"]).await
    }
    .await
    .unwrap_or_else(|error: anyhow::Error| panic!("{error:?}"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_number_of_partitions_is_said_and_nothing_is_decided() {
    let Some(stage) = set("wider").await else { return };
    async {
        let (sentinel, rollout) = watched(&stage, "8s").await?;
        let broker = Broker::of(&stage)?;
        broker.widen(5).await?;
        blind(&stage, &sentinel, &["partitions_changed"]).await?;
        nothing_is_decided(&stage, &sentinel, &rollout).await?;
        sentinel.process.signal(Signal::Kill)?;
        let second = Sentinel::start(&stage, "sentinel-b").await?;
        lies(&second, "partitions_changed").await.context("after a restart from the snapshot")
    }
    .await
    .unwrap_or_else(|error: anyhow::Error| panic!("{error:?}"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_that_no_longer_stamps_its_records_is_said_and_nothing_is_decided() {
    let Some(stage) = set("unstamped").await else { return };
    async {
        let (sentinel, rollout) = watched(&stage, "8s").await?;
        Broker::of(&stage)?.stop_stamping().await?;
        blind(&stage, &sentinel, &["topic_config"]).await?;
        nothing_is_decided(&stage, &sentinel, &rollout).await
    }
    .await
    .unwrap_or_else(|error: anyhow::Error| panic!("{error:?}"));
}

async fn set(name: &str) -> Option<Stage> {
    let services = Services::get(name).await?;
    Some(Stage::set(name, "shop", &services).await.unwrap())
}

/// A sentinel that has taken a snapshot of a rollout with a window of this length.
async fn watched(stage: &Stage, within: &str) -> Result<(Sentinel, String)> {
    let mut sentinel = Sentinel::start_with(stage, "sentinel-a", "snapshot_every: 1s").await?;
    sentinel.ready().await?;
    let rollout = start(stage, "open", "chat", within).await?;
    let held = sentinel.wait_status(&rollout, "open").await?;
    if within == "10m" {
        kept(stage, held["offset"].as_i64().context("the rollout has an offset")?).await?;
    }
    Ok((sentinel, rollout))
}

/// The way out: a person says that nothing counts of what stands there, and a sentinel judges what comes after.
async fn begins_anew(stage: &Stage) -> Result<()> {
    stage.pavane(&["begin-anew", "--reason", "the log was made anew"]).await?;
    let mut sentinel = Sentinel::start(stage, "sentinel-c").await?;
    sentinel.ready().await?;
    let rollout = start(stage, "after", "mail", "1s").await?;
    let held = sentinel.wait_for(&rollout, "a verdict", |view| !verdicts(view).is_empty()).await?;
    ensure!(verdicts(&held) == [["RolloutStalled", "only", "unreachable", "mail"]], "{held:#}");
    Ok(())
}

/// Waits until whoever is on call was told that the sentinel cannot see, and why.
async fn blind(stage: &Stage, sentinel: &Sentinel, causes: &[&str]) -> Result<()> {
    let told = stage.on_call().wait_for("that the sentinel is blind", SOON, |delivery| {
        let labels = &delivery.body["alerts"][0]["labels"];
        labels["alertname"] == "Blind"
            && labels["cause"].as_str().is_some_and(|cause| causes.contains(&cause))
    });
    let told = told.await?;
    let cause = told.body["alerts"][0]["labels"]["cause"].as_str().unwrap_or_default().to_owned();
    if cause != "topic_config" {
        lies(sentinel, &cause).await?;
    }
    Ok(())
}

/// Waits until the sentinel counts the lie.
async fn lies(sentinel: &Sentinel, cause: &str) -> Result<()> {
    let label = format!("cause=\"{cause}\"");
    let what = format!("a count of {cause}");
    let counted = wait::until(&what, SOON, async || {
        let page = sentinel.metrics().await.ok()?;
        let counts = |line: &str| line.starts_with("pavane_sentinel_log_lies_total") && line.contains(&label);
        page.lines().any(counts).then_some(())
    });
    counted.await
}

/// Waits until the window of the rollout is long over, all of the time blind: there is no verdict.
async fn nothing_is_decided(stage: &Stage, sentinel: &Sentinel, rollout: &str) -> Result<()> {
    let blind_for = wait::until("a long blindness", SOON, async || {
        let page = sentinel.metrics().await.ok()?;
        let seconds = |line: &str| {
            line.starts_with("pavane_sentinel_blind_seconds_total")
                .then(|| line.rsplit(' ').next()?.parse().ok())?
        };
        page.lines().filter_map(seconds).find(|seconds: &f64| *seconds > LONG)
    });
    blind_for.await?;
    let view = sentinel.rollout(rollout).await?.unwrap_or(Value::Null);
    ensure!(verdicts(&view).is_empty(), "a verdict came of a log that lies: {view:#}");
    let stalls = stage.on_call().deliveries();
    let stall = stalls.iter().find(|told| told.body["alerts"][0]["labels"]["alertname"] == "RolloutStalled");
    ensure!(stall.is_none(), "somebody was called: {stall:?}");
    Ok(())
}
