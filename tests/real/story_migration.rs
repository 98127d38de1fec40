//! A database migration before an API: the pipeline that migrates says so itself, without a sidecar, and the API
//! moves after it, never before.

use anyhow::{Result, ensure};
use pavane_tests::real::Services;
use pavane_tests::stage::sentinel::Sentinel;
use pavane_tests::stage::tool::Tool;
use pavane_tests::stage::{SOON, Stage};

const PLAN: &str = r#"apiVersion: pavane/v1
kind: Choreography
metadata: { name: migration-before-api, owner: orders }
method: choreography
steps:
  - id: migration
    expect: user-db.Ready
    within: 2m
    reversible: false
  - id: api
    after: [migration]
    expect: api.DeploymentComplete
    version: ">=2.0.0, <3"
    started_within: 1m
    within: 2m
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_api_moves_after_the_migration_that_ci_announces_and_never_before() {
    let test = "an_api_moves_after_the_migration_that_ci_announces_and_never_before";
    let Some(services) = Services::get(test).await else { return };
    let stage = Stage::set("migration", "shop", &services).await.unwrap();
    play(&stage).await.unwrap();
}

async fn play(stage: &Stage) -> Result<()> {
    let mut api = Tool::enter(stage, "api", "user-db.Ready", &[]).await?;
    let mut sentinel = Sentinel::start(stage, "sentinel-a").await?;
    api.sidecar.ready().await?;
    sentinel.ready().await?;
    let log = stage.log().await?;
    let plan = stage.write("plan.yaml", PLAN)?;
    let rollout = stage.start(&plan).await?;
    // once a pulse stands after the start, the sidecar has had the time to do too much
    let started = log.wait_said(&rollout, None, "RolloutStarted", SOON).await?.offset;
    log.wait_pulse_after(started).await?;
    ensure!(api.upgrades() == 0, "the API moved before the migration");

    let words =
        ["emit", "--rollout", &rollout, "--service", "user-db", "--version", "2.0.0", "--event", "Ready"];
    let data = stage.write("ready.json", r#"{"prerequisite": "schema-v2"}"#)?;
    let said = stage.pavane(&[&words[..], &["--data", &data]].concat()).await?;
    let ready = log.wait_said(&rollout, Some("user-db"), "Ready", SOON).await?;
    ensure!(said["offset"] == ready.offset && said["id"] == ready.event.envelope.id.as_str(), "{said}");
    ensure!(said["partition"].is_i64(), "the partition is named: {said}");

    sentinel.wait_status(&rollout, "completed").await?;
    let first = log.of(&rollout).into_iter().find(|record| {
        record.event.envelope.service.as_ref().is_some_and(|service| service.as_str() == "api")
    });
    ensure!(first.is_some_and(|first| first.offset > ready.offset), "the API spoke first:\n{}", log.text());
    let begun = log.said(&rollout, "DeploymentStarted");
    ensure!(begun.len() == 1 && api.upgrades() == 1, "the API began {} times", api.upgrades());
    ensure!(begun[0].event.envelope.causation.as_ref() == Some(&ready.event.envelope.id), "{:?}", begun[0]);
    ensure!(api.version()? == "2.0.0", "the API runs {}", api.version()?);
    Ok(())
}
