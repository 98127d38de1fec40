//! A broker that freezes looks like a quiet topic, and one whose disk is full takes nothing more and ends. The sentinel finds
//! out, says so by another way than the log, and judges nothing meanwhile; when the broker goes on, so does the rollout.

use anyhow::{Result, ensure};
use pavane_events::Entry;
use pavane_tests::process::Signal;
use pavane_tests::real::jdk::Jdk;
use pavane_tests::real::kafka::Kafka;
use pavane_tests::real::{Services, cache};
use pavane_tests::stage::log::Log;
use pavane_tests::stage::sentinel::{Sentinel, verdicts};
use pavane_tests::stage::tool::Tool;
use pavane_tests::stage::{SOON, Stage};
use pavane_tests::wait;
use pavane_tests::webhook::Delivery;
use serde_json::json;

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
    let Some((stage, mut kafka)) = alone(test, "frozen-broker").await else { return };
    freeze(&stage, &mut kafka).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_whose_disk_is_full_is_told_as_blindness_and_costs_nothing_but_time() {
    let test = "a_broker_whose_disk_is_full_is_told_as_blindness_and_costs_nothing_but_time";
    let Some((stage, mut kafka)) = alone(test, "full-broker").await else { return };
    fill(&stage, &mut kafka).await.unwrap();
}

/// A stage whose broker may be frozen and may end: the shared one serves other tests.
async fn alone(test: &str, name: &str) -> Option<(Stage, Kafka)> {
    let services = Services::get(test).await?;
    let jdk = Jdk::find().unwrap();
    let kafka = Kafka::start(&jdk, &cache::kafka().unwrap()).await.unwrap();
    let services = Services { kafka: kafka.address(), ..services };
    Some((Stage::set(name, "shop", &services).await.unwrap(), kafka))
}

async fn freeze(stage: &Stage, kafka: &mut Kafka) -> Result<()> {
    let mut scene = Scene::set(stage).await?;
    kafka.process().signal(Signal::Stop)?;
    let blind = scene.is_blind(stage).await?;
    kafka.process().signal(Signal::Continue)?;
    scene.ends(stage, &blind).await
}

async fn fill(stage: &Stage, kafka: &mut Kafka) -> Result<()> {
    let mut scene = Scene::set(stage).await?;
    let said = json!({ "event": "Ready", "rollout": scene.rollout, "data": { "prerequisite": "cache" } });
    let (status, before) = scene.api.sidecar.say(&said).await?;
    ensure!(status == 201, "it is said, and what may be said is known: {status} {before}");
    // whatever it writes finds no room, as on a disk that is full; it ends by itself then
    kafka.process().limit(&["--fsize=1:"])?;
    let (status, kept) = scene.api.sidecar.say_kept(&said).await?;
    ensure!(status == 202, "it is kept: {status} {kept}");
    let blind = scene.is_blind(stage).await?;
    let ended = wait::until("the broker to end", SOON, async || kafka.process().exited().transpose());
    ended.await??;
    kafka.start_again().await?;
    // it may stand there twice, under one id, as whatever may have been heard is said again
    let is_it = |entry: &Entry| matches!(entry, Entry::Event(record) if record.event.envelope.id.as_str() == kept["id"]);
    scene
        .log
        .wait_for("what was kept", SOON, |entries| entries.iter().find(|entry| is_it(entry)).map(drop))
        .await?;
    scene.ends(stage, &blind).await
}

/// A rollout under way, a sidecar that has a hook in it, and a sentinel.
struct Scene {
    api: Tool,
    sentinel: Sentinel,
    log: Log,
    rollout: String,
}

impl Scene {
    async fn set(stage: &Stage) -> Result<Self> {
        let mut api = Tool::enter(stage, "api", "user-db.Ready", &[]).await?;
        let mut sentinel = Sentinel::start(stage, "sentinel-a").await?;
        api.sidecar.ready().await?;
        sentinel.ready().await?;
        let log = stage.log().await?;
        let plan = stage.write("plan.yaml", PLAN)?;
        let rollout = stage.start(&plan).await?;
        sentinel.wait_status(&rollout, "open").await?;
        Ok(Self { api, sentinel, log, rollout })
    }

    /// Somebody is told that the sentinel is blind, and it says so itself.
    async fn is_blind(&self, stage: &Stage) -> Result<Delivery> {
        let told = stage.on_call().wait_for("the alert of blindness", SOON, |call| tells(call, "firing"));
        let blind = told.await?;
        let said = async || (!self.sentinel.is_ready().await).then_some(());
        wait::until("the sentinel to say that it does not see", SOON, said).await?;
        Ok(blind)
    }

    /// It sees again, says so, and the rollout goes on to its end as if nothing had been.
    async fn ends(&mut self, stage: &Stage, blind: &Delivery) -> Result<()> {
        let sighted = stage.on_call().wait_for("its end", SOON, |call| tells(call, "resolved")).await?;
        let labels = |call: &Delivery| call.body["alerts"][0]["labels"].clone();
        ensure!(labels(blind) == labels(&sighted), "what ended is what began: {blind:#?} {sighted:#?}");
        self.sentinel.ready().await?;
        let ready = [
            "emit",
            "--rollout",
            &self.rollout,
            "--service",
            "user-db",
            "--version",
            "2.0.0",
            "--event",
            "Ready",
        ];
        stage.pavane(&ready).await?;
        let done = self.sentinel.wait_status(&self.rollout, "completed").await?;
        let decided = verdicts(&done);
        ensure!(decided == [["RolloutCompleted", "-", "-", "-"]], "decided was:\n{}", self.log.text());
        let metrics = self.sentinel.metrics().await?;
        let counted = metrics.lines().any(|line| {
            line.starts_with("pavane_rollouts_ended_total{")
                && line.contains("completed")
                && line.ends_with(" 1")
        });
        ensure!(counted, "its end is not counted:\n{metrics}");
        ensure!(self.api.upgrades() == 1, "the hook ran {} times", self.api.upgrades());
        self.api.sidecar.process.must_run()?;
        stage.all_signatures_held()
    }
}

fn tells(call: &Delivery, status: &str) -> bool {
    call.body["status"] == status && call.body["alerts"][0]["labels"]["alertname"] == "Blind"
}
