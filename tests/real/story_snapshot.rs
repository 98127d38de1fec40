//! A sentinel that dies and finds the beginning of its log gone: it goes on from its snapshot, decides what it would have
//! decided, tells nobody twice, and brings what the dead one had not brought.

use anyhow::{Context, Result, ensure};
use axum::http::StatusCode;
use pavane_tests::process::Signal;
use pavane_tests::real::Services;
use pavane_tests::stage::log::Log;
use pavane_tests::stage::sentinel::{Sentinel, verdicts};
use pavane_tests::stage::{SOON, Stage};
use pavane_tests::webhook::Delivery;

use crate::broker::{Broker, kept};
use crate::story_claims::{firing, no_alert_has_two_ids, resolved};
use crate::story_restart::noted;
use crate::story_why::pavane;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_sentinel_goes_on_from_its_snapshot_though_the_logs_beginning_is_gone() {
    let test = "a_killed_sentinel_goes_on_from_its_snapshot_though_the_logs_beginning_is_gone";
    let Some(services) = Services::get(test).await else { return };
    let stage = Stage::set("snapshot", "shop", &services).await.unwrap();
    killed(&stage).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sentinel_that_is_stopped_leaves_a_snapshot_behind() {
    let test = "a_sentinel_that_is_stopped_leaves_a_snapshot_behind";
    let Some(services) = Services::get(test).await else { return };
    let stage = Stage::set("stopped", "shop", &services).await.unwrap();
    stopped(&stage).await.unwrap();
}

/// One alert is delivered, one is refused; then the sentinel dies, and the log is cut up to what it had read.
async fn killed(stage: &Stage) -> Result<()> {
    let mut first = Sentinel::start_with(stage, "sentinel-a", "snapshot_every: 1s").await?;
    first.ready().await?;
    let log = stage.log().await?;
    let told = start(stage, "told", "user-db", "1s").await?;
    let delivered = firing(stage, &told).await?;
    noted(stage, &delivered.id).await?;
    let open = start(stage, "open", "chat", "20s").await?;
    stage.on_call().answer_next([StatusCode::SERVICE_UNAVAILABLE]);
    let untold = start(stage, "untold", "mail-db", "1s").await?;
    let refused = firing(stage, &untold).await?;
    ensure!(refused.answered == 503, "the first delivery is refused: {refused:?}");
    let end = kept(stage, offset_of_stall(&log, &untold).await?).await?;
    first.process.signal(Signal::Kill)?;
    Broker::of(stage)?.cut(end).await?;

    let mut second = Sentinel::start(stage, "sentinel-b").await?;
    second.ready().await?;
    let again = |delivery: &Delivery| delivery.id == refused.id && delivery.answered == 200;
    let brought = stage.on_call().wait_for("the alert that was refused", SOON, again).await?;
    for part in ["labels", "annotations", "startsAt"] {
        let [before, after] = [&refused, &brought].map(|delivery| &delivery.body["alerts"][0][part]);
        ensure!(before == after, "its {part} were {before:#} and are {after:#}");
    }
    for (rollout, service) in [(&told, "user-db"), (&untold, "mail-db")] {
        let held = second.rollout(rollout).await?.context("it is known")?;
        ensure!(verdicts(&held) == [["RolloutStalled", "only", "unreachable", service]], "{held:#}");
    }
    // what stood open when it died is judged where it was due
    let stall = second.wait_for(&open, "a verdict", |view| !verdicts(view).is_empty()).await?;
    ensure!(verdicts(&stall) == [["RolloutStalled", "only", "unreachable", "chat"]], "{stall:#}");
    replayed(stage, end, &open).await?;
    for rollout in [&told, &untold, &open] {
        stage.pavane(&["abort", rollout, "--reason", "enough was seen"]).await?;
        resolved(stage, rollout).await?;
    }
    let times = |id: &str| stage.on_call().deliveries().iter().filter(|delivery| delivery.id == id).count();
    ensure!(times(&delivered.id) == 1, "what was delivered came {} times", times(&delivered.id));
    ensure!(times(&refused.id) == 2, "what was refused came {} times", times(&refused.id));
    stage.all_signatures_held()?;
    no_alert_has_two_ids(&stage.on_call().deliveries())
}

/// Reading again goes on from the snapshot as well: the stall after it is found accepted, and twice the same is said.
async fn replayed(stage: &Stage, begins: i64, rollout: &str) -> Result<()> {
    let asked = ["replay", "--to", "1000000", "--rollout", rollout];
    let (code, once) = pavane(stage, &asked).await?;
    let accepted = once.lines().any(|line| line.contains("accepted") && line.contains("RolloutStalled"));
    ensure!(code == 0 && accepted, "the log begins at {begins}: {once}");
    let (_, again) = pavane(stage, &asked).await?;
    let of = |text: &str| -> Vec<String> {
        text.lines().filter(|line| line.contains(rollout)).map(str::to_owned).collect()
    };
    ensure!(of(&once) == of(&again), "the same log, and not the same:\n{once}\n{again}");
    Ok(())
}

async fn stopped(stage: &Stage) -> Result<()> {
    let mut first = Sentinel::start_with(stage, "sentinel-a", "snapshot_every: 1h").await?;
    first.ready().await?;
    let rollout = start(stage, "open", "chat", "10m").await?;
    let held = first.wait_status(&rollout, "open").await?;
    first.stop().await?;
    let end = kept(stage, held["offset"].as_i64().context("the rollout has an offset")?).await?;
    Broker::of(stage)?.cut(end + 1).await?;
    let mut second = Sentinel::start(stage, "sentinel-b").await?;
    second.ready().await?;
    let after = second.wait_status(&rollout, "open").await?;
    ensure!(after == held, "held was {held:#} and is {after:#}");
    Ok(())
}

/// Starts a rollout of one step.
pub(crate) async fn start(stage: &Stage, name: &str, service: &str, within: &str) -> Result<String> {
    let plan = format!(
        "apiVersion: pavane/v1\nkind: Choreography\nmetadata: {{ name: {name}, owner: data }}\n\
         method: choreography\nsteps:\n  - id: only\n    expect: {service}.Ready\n    within: {within}\n"
    );
    let plan = stage.write(&format!("{name}.yaml"), &plan)?;
    stage.start(&plan).await
}

/// Where the proposal of a rollout's stall was accepted.
async fn offset_of_stall(log: &Log, rollout: &str) -> Result<i64> {
    log.wait_said(rollout, None, "RolloutStalled", SOON).await.map(|record| record.offset)
}
