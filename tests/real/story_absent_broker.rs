//! A sidecar that is started before the broker is up, and one whose registry goes away: it says so, keeps trying,
//! and takes part when it can.

use anyhow::{Context, Result, ensure};
use pavane_tests::real::Services;
use pavane_tests::stage::forwarder::Door;
use pavane_tests::stage::tool::Tool;
use pavane_tests::stage::{SOON, Stage};
use pavane_tests::wait;

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
    within: 2m
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sidecar_that_finds_no_broker_says_so_and_takes_part_when_there_is_one() {
    let test = "a_sidecar_that_finds_no_broker_says_so_and_takes_part_when_there_is_one";
    let Some(services) = Services::get(test).await else { return };
    let stage = Stage::set("absent", "shop", &services).await.unwrap();
    before_the_broker(&stage).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sidecar_whose_registry_goes_away_goes_on_by_what_it_knows() {
    let test = "a_sidecar_whose_registry_goes_away_goes_on_by_what_it_knows";
    let Some(services) = Services::get(test).await else { return };
    let stage = Stage::set("away", "shop", &services).await.unwrap();
    while_the_registry_is_away(&stage).await.unwrap();
}

async fn before_the_broker(stage: &Stage) -> Result<()> {
    let mut door = Door::shut();
    let address = door.address();
    let mut api = Tool::enter(stage, "api", "user-db.Ready", &["--kafka", &address]).await?;
    let unready = wait::until("the sidecar to say that it is not ready", SOON, async || {
        api.sidecar.readiness().await.filter(|(code, text)| *code == 503 && text.contains("the log"))
    });
    unready.await.with_context(|| format!("it wrote:\n{}", api.sidecar.process.tail()))?;
    let blind = wait::until("a number that says so", SOON, async || {
        let page = api.sidecar.metrics().await.ok()?;
        page.lines().any(counts_tries).then_some(())
    });
    blind.await?;
    // twice: it keeps trying, and each time says where
    let tries = wait::until("two loud tries", SOON, async || {
        let said = api.sidecar.process.output();
        (said.lines().filter(|line| is_loud(line, &address)).count() >= 2).then_some(())
    });
    tries.await.with_context(|| format!("it wrote:\n{}", api.sidecar.process.tail()))?;
    api.sidecar.process.must_run()?;

    door.open(&stage.settings().kafka).await?;
    api.sidecar.ready().await?;
    let log = stage.log().await?;
    let rollout = begin(stage).await?;
    log.wait_said(&rollout, Some("api"), "DeploymentComplete", SOON).await?;
    ensure!(api.upgrades() == 1, "the hook ran {} times", api.upgrades());
    Ok(())
}

async fn while_the_registry_is_away(stage: &Stage) -> Result<()> {
    let registry = &stage.settings().registry;
    let host = registry.split('/').nth(2).context("a URL has a host")?;
    let mut door = Door::shut();
    door.open(host).await?;
    let behind = registry.replace(host, &door.address());
    let mut api = Tool::enter(stage, "api", "user-db.Ready", &["--registry", &behind]).await?;
    api.sidecar.ready().await?;
    let log = stage.log().await?;

    door.close();
    // what its own version of the vocabulary says, it knows without asking
    let rollout = begin(stage).await?;
    log.wait_said(&rollout, Some("api"), "DeploymentComplete", SOON).await?;
    api.sidecar.process.must_run()?;
    ensure!(api.upgrades() == 1, "the hook ran {} times", api.upgrades());

    door.open(host).await?;
    api.sidecar.ready().await.context("after the registry was back")?;
    ensure!(log.said(&rollout, "EventRejected").is_empty(), "nothing was bad:\n{}", log.text());
    Ok(())
}

/// Starts the rollout and says that the schema is there.
async fn begin(stage: &Stage) -> Result<String> {
    let plan = stage.write("plan.yaml", PLAN)?;
    let rollout = stage.start(&plan).await?;
    let ready =
        ["emit", "--rollout", &rollout, "--service", "user-db", "--version", "2.0.0", "--event", "Ready"];
    stage.pavane(&ready).await?;
    Ok(rollout)
}

fn counts_tries(line: &str) -> bool {
    let tries = line.strip_prefix(r#"pavane_sidecar_trouble_total{doing="connect"} "#);
    tries.and_then(|tries| tries.parse().ok()).is_some_and(|tries: u64| tries > 0)
}

fn is_loud(line: &str, address: &str) -> bool {
    (line.contains("WARN") || line.contains("ERROR")) && line.contains(address)
}
