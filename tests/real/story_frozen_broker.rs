//! A broker that freezes looks like a quiet topic. The sentinel finds out, says so by another way than the log, and
//! judges nothing meanwhile; when the broker goes on, so does the rollout.

use anyhow::{Result, ensure};
use pavane_tests::process::Signal;
use pavane_tests::real::jdk::Jdk;
use pavane_tests::real::kafka::Kafka;
use pavane_tests::real::{Services, cache};
use pavane_tests::stage::sentinel::{Sentinel, verdicts};
use pavane_tests::stage::tool::Tool;
use pavane_tests::stage::{SOON, Stage};
use pavane_tests::webhook::Delivery;

const PLAN: &str = r"apiVersion: pavane/v1
kind: Choreography
metadata: { name: api-alone, owner: shop }
method: choreography
steps:
  - id: schema
    expect: user-db.Ready
    within: 5m
    reversible: false
  - id: api
    after: [schema]
    expect: api.DeploymentComplete
    within: 5m
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_broker_is_told_as_blindness_and_judged_by_nobody() {
    let test = "a_frozen_broker_is_told_as_blindness_and_judged_by_nobody";
    let Some(services) = Services::get(test).await else { return };
    // one that may be frozen: the shared broker serves other tests
    let jdk = Jdk::find().unwrap();
    let mut kafka = Kafka::start(&jdk, &cache::kafka().unwrap()).await.unwrap();
    let services = Services { kafka: kafka.address(), ..services };
    let stage = Stage::set("frozen-broker", "shop", &services).await.unwrap();
    play(&stage, &mut kafka).await.unwrap();
}

async fn play(stage: &Stage, kafka: &mut Kafka) -> Result<()> {
    let mut api = Tool::enter(stage, "api", "user-db.Ready", &[]).await?;
    let mut sentinel = Sentinel::start(stage, "sentinel-a").await?;
    api.sidecar.ready().await?;
    sentinel.ready().await?;
    let log = stage.log().await?;
    let plan = stage.write("plan.yaml", PLAN)?;
    let rollout = stage.start(&plan).await?;
    sentinel.wait_status(&rollout, "open").await?;

    kafka.process().signal(Signal::Stop)?;
    let blind =
        stage.on_call().wait_for("the alert of blindness", SOON, |call| tells(call, "firing")).await?;
    ensure!(!sentinel.is_ready().await, "it says that it sees");
    kafka.process().signal(Signal::Continue)?;
    let sighted = stage.on_call().wait_for("its end", SOON, |call| tells(call, "resolved")).await?;
    let labels = |call: &Delivery| call.body["alerts"][0]["labels"].clone();
    ensure!(labels(&blind) == labels(&sighted), "what ended is what began: {blind:#?} {sighted:#?}");
    sentinel.ready().await?;

    let ready =
        ["emit", "--rollout", &rollout, "--service", "user-db", "--version", "2.0.0", "--event", "Ready"];
    stage.pavane(&ready).await?;
    let done = sentinel.wait_status(&rollout, "completed").await?;
    ensure!(verdicts(&done) == [["RolloutCompleted", "-", "-", "-"]], "decided was:\n{}", log.text());
    let metrics = sentinel.metrics().await?;
    let counted = metrics.lines().any(|line| {
        line.starts_with("pavane_rollouts_ended_total{") && line.contains("completed") && line.ends_with(" 1")
    });
    ensure!(counted, "its end is not counted:\n{metrics}");
    ensure!(api.upgrades() == 1, "the hook ran {} times", api.upgrades());
    api.sidecar.process.must_run()?;
    stage.all_signatures_held()
}

fn tells(call: &Delivery, status: &str) -> bool {
    call.body["status"] == status && call.body["alerts"][0]["labels"]["alertname"] == "Blind"
}
