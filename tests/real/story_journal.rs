//! A sidecar that is killed in the middle of its work and started again with the same journal: the hook has run
//! once, and what is said of it is true.

use anyhow::{Result, ensure};
use pavane_tests::process::Signal;
use pavane_tests::real::Services;
use pavane_tests::stage::log::Log;
use pavane_tests::stage::tool::{Manner, Tool};
use pavane_tests::stage::{SOON, Stage};

const PLAN: &str = r"apiVersion: pavane/v1
kind: Choreography
metadata: { name: api-alone, owner: shop }
method: choreography
steps:
  - id: schema
    expect: user-db.Ready
    within: 2m
    reversible: false
  - id: api
    after: [schema]
    expect: api.DeploymentComplete
    within: 5m
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_sidecar_never_runs_a_hook_twice_and_says_what_became_of_it() {
    let test = "a_killed_sidecar_never_runs_a_hook_twice_and_says_what_became_of_it";
    let Some(services) = Services::get(test).await else { return };
    let stage = Stage::set("journal", "shop", &services).await.unwrap();
    let mut api = Tool::enter(&stage, "api", "user-db.Ready", &[]).await.unwrap();
    api.sidecar.ready().await.unwrap();
    let log = stage.log().await.unwrap();
    while_the_hook_runs(&stage, &log, &mut api).await.unwrap();
    while_the_service_is_looked_at(&stage, &log, &mut api).await.unwrap();
    while_a_hook_runs_that_does_nothing(&stage, &log, &mut api).await.unwrap();
}

/// The hook outlives the sidecar and does its work: the new version runs, so it is complete.
async fn while_the_hook_runs(stage: &Stage, log: &Log, api: &mut Tool) -> Result<()> {
    api.behave(Manner::Wait)?;
    let rollout = begin(stage, api).await?;
    api.begun().await?;
    api.sidecar.process.signal(Signal::Kill)?;
    api.behave(Manner::Work)?;
    api.ended().await?;
    api.sidecar.restart(stage).await?;
    log.wait_said(&rollout, Some("api"), "DeploymentComplete", SOON).await?;
    said_once(log, &rollout, api)?;
    end(stage, log, &rollout).await
}

/// The hook has done its work, and the sidecar dies before it has said so.
async fn while_the_service_is_looked_at(stage: &Stage, log: &Log, api: &mut Tool) -> Result<()> {
    api.behave(Manner::LeaveUnwell)?;
    let rollout = begin(stage, api).await?;
    api.ended().await?;
    api.sidecar.process.signal(Signal::Kill)?;
    api.behave(Manner::Work)?;
    api.sidecar.restart(stage).await?;
    log.wait_said(&rollout, Some("api"), "DeploymentComplete", SOON).await?;
    said_once(log, &rollout, api)?;
    end(stage, log, &rollout).await
}

/// The hook ends without having changed anything, and nobody was there to see it: that is said, not guessed.
async fn while_a_hook_runs_that_does_nothing(stage: &Stage, log: &Log, api: &mut Tool) -> Result<()> {
    api.behave(Manner::Wait)?;
    let rollout = begin(stage, api).await?;
    api.begun().await?;
    api.sidecar.process.signal(Signal::Kill)?;
    api.behave(Manner::GiveUp)?;
    api.ended().await?;
    api.sidecar.restart(stage).await?;
    log.wait_said(&rollout, Some("api"), "HookUncertain", SOON).await?;
    said_once(log, &rollout, api)?;
    ensure!(log.said(&rollout, "DeploymentComplete").is_empty(), "it claims what is not so:\n{}", log.text());
    ensure!(api.version()? == "1.0.0", "api runs {}", api.version()?);
    end(stage, log, &rollout).await
}

/// Starts a rollout and says that the schema is there.
async fn begin(stage: &Stage, api: &Tool) -> Result<String> {
    api.reset()?;
    let plan = stage.write("plan.yaml", PLAN)?;
    let rollout = stage.start(&plan).await?;
    let ready =
        ["emit", "--rollout", &rollout, "--service", "user-db", "--version", "2.0.0", "--event", "Ready"];
    stage.pavane(&ready).await?;
    Ok(rollout)
}

fn said_once(log: &Log, rollout: &str, api: &Tool) -> Result<()> {
    ensure!(api.upgrades() == 1, "the hook ran {} times:\n{}", api.upgrades(), log.text());
    let begun = log.said(rollout, "DeploymentStarted").len();
    ensure!(begun == 1, "it said {begun} times that it begins:\n{}", log.text());
    Ok(())
}

/// Ends the rollout, so that the next one may have the service.
async fn end(stage: &Stage, log: &Log, rollout: &str) -> Result<()> {
    stage.pavane(&["abort", rollout, "--reason", "the next one wants the service"]).await?;
    log.wait_said(rollout, None, "RolloutAborted", SOON).await.map(drop)
}
