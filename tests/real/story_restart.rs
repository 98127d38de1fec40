//! An alert that was raised and not delivered survives its sentinel: whoever starts after it delivers it under the
//! same id, and what was delivered is not delivered again.

use anyhow::{Result, ensure};
use axum::http::StatusCode;
use pavane_bus::Topic;
use pavane_tests::process::Signal;
use pavane_tests::real::Services;
use pavane_tests::stage::sentinel::{Sentinel, verdicts};
use pavane_tests::stage::{SOON, Stage};
use pavane_tests::wait;
use pavane_tests::webhook::Delivery;

use crate::story_claims::{firing, no_alert_has_two_ids, resolved};

const PLAN: &str = "apiVersion: pavane/v1
kind: Choreography
metadata: { name: schema-alone, owner: data }
method: choreography
steps:
  - id: schema
    expect: user-db.Ready
    within: 1s
    on_stall: alert
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_alert_outlives_the_sentinel_that_raised_it() {
    let Some(services) = Services::get("an_alert_outlives_the_sentinel_that_raised_it").await else { return };
    let stage = Stage::set("restart", "shop", &services).await.unwrap();
    play(&stage).await.unwrap();
}

async fn play(stage: &Stage) -> Result<()> {
    stage.on_call().answer_next([StatusCode::SERVICE_UNAVAILABLE]);
    let mut first = Sentinel::start(stage, "sentinel-a").await?;
    first.ready().await?;
    let plan = stage.write("plan.yaml", PLAN)?;
    let rollout = stage.start(&plan).await?;
    let refused = firing(stage, &rollout).await?;
    ensure!(refused.answered == 503, "the first delivery is refused: {refused:?}");
    first.process.signal(Signal::Kill)?;

    let second = Sentinel::start(stage, "sentinel-b").await?;
    let again = |delivery: &Delivery| delivery.id == refused.id && delivery.answered == 200;
    let delivered = stage.on_call().wait_for("the alert again", SOON, again).await?;
    for part in ["labels", "annotations", "startsAt"] {
        let [before, after] = [&refused, &delivered].map(|delivery| &delivery.body["alerts"][0][part]);
        ensure!(before == after, "its {part} were {before:#} and are {after:#}");
    }
    let held = second.wait_for(&rollout, "a verdict", |view| !verdicts(view).is_empty()).await?;
    ensure!(verdicts(&held) == [["RolloutStalled", "schema", "unreachable", "user-db"]], "{held:#}");
    noted(stage, &refused.id).await?;
    second.process.signal(Signal::Kill)?;

    let mut third = Sentinel::start(stage, "sentinel-c").await?;
    third.ready().await?;
    stage.pavane(&["abort", &rollout, "--reason", "the schema stays as it is"]).await?;
    resolved(stage, &rollout).await?;
    let told = stage.on_call().deliveries().into_iter().filter(|delivery| delivery.id == refused.id).count();
    ensure!(told == 2, "the alert came {told} times, although the second was taken");
    stage.all_signatures_held()?;
    no_alert_has_two_ids(&stage.on_call().deliveries())
}

/// Waits until it stands on record that the notification was delivered.
pub(crate) async fn noted(stage: &Stage, delivery: &str) -> Result<()> {
    let bus = stage.bus().await?;
    let row = wait::until("the record of the delivery", SOON, async || {
        let rows = bus.table(Topic::Notifications).await.ok()?.load().await.ok()?;
        rows.keys().any(|key| key.starts_with(&format!("told/{delivery}/"))).then_some(())
    });
    row.await
}
