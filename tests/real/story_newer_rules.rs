//! A rollout that is to be judged by newer rules than the sentinel knows makes it blind, loudly: no verdict, about this
//! rollout or any other of its domain, rather than a wrong one.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use pavane_events::service::Ready;
use pavane_events::{Body, Entry, RolloutId};
use pavane_sentinel_engine::RULES;
use pavane_tests::real::Services;
use pavane_tests::stage::sentinel::Sentinel;
use pavane_tests::stage::{SOON, Stage};
use pavane_tests::webhook::Delivery;
use tokio::time::interval;

use crate::storm_load::{append, event, start};

const PLAN: &str = "apiVersion: pavane/v1
kind: Choreography
metadata: { name: schema-alone, owner: data }
steps:
  - { id: schema, expect: user-db.Ready, within: 2s, on_stall: alert }
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn newer_rules_make_a_sentinel_blind_and_never_wrong() {
    let Some(services) = Services::get("newer_rules_make_a_sentinel_blind_and_never_wrong").await else {
        return;
    };
    let stage = Stage::set("newer-rules", "shop", &services).await.unwrap();
    play(&stage).await.unwrap();
}

async fn play(stage: &Stage) -> Result<()> {
    let mut sentinel = Sentinel::start(stage, "sentinel-a").await?;
    sentinel.ready().await?;
    let (bus, log, domain) = (stage.bus().await?, stage.log().await?, stage.domain());
    let writer = bus.writer().await?;
    let next = RolloutId::new("of-the-next-version")?;
    append(&writer, &start(domain, &next, RULES + 1, PLAN)?).await;
    let tells = |call: &Delivery| {
        let labels = &call.body["alerts"][0]["labels"];
        call.body["status"] == "firing" && labels["alertname"] == "Blind" && labels["cause"] == "newer_rules"
    };
    stage.on_call().wait_for("blindness by newer rules", SOON, tells).await?;
    ensure!(!sentinel.is_ready().await, "it says that it sees");

    let own = RolloutId::new("of-this-version")?;
    append(&writer, &start(domain, &own, RULES, &PLAN.replace("user-db", "other-db"))?).await;
    // others go on: the log's time passes the windows of both by far
    let mut ticks = interval(Duration::from_millis(200));
    let from = log.entries().last().map(Entry::at).context("something stands on the log")?;
    for n in 0.. {
        ticks.tick().await;
        let stranger = RolloutId::new("somebody-elses")?;
        append(&writer, &event(domain, &stranger, "x/x-0", format!("word-{n}"), Ready::default())?).await;
        if log.entries().last().is_some_and(|entry| entry.at().since(from) > 6_000) {
            break;
        }
    }
    let verdict = |entry: &Entry| match entry {
        Entry::Event(record) => matches!(record.event.body, Body::Proposed(_) | Body::RolloutStalled(_)),
        Entry::Unreadable(_) => false,
    };
    ensure!(!log.entries().iter().any(verdict), "it judged although it is blind:\n{}", log.text());
    sentinel.process.must_run()?;
    stage.all_signatures_held()
}
