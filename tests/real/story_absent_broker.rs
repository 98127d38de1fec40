//! A sidecar that is started before the broker is up: it says so, keeps trying, and takes part when it can.

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
    play(&stage).await.unwrap();
}

async fn play(stage: &Stage) -> Result<()> {
    let mut door = Door::shut();
    let address = door.address();
    let mut api = Tool::enter(stage, "api", "user-db.Ready", &["--kafka", &address]).await?;
    let unready = wait::until("the sidecar to say that it is not ready", SOON, async || {
        api.sidecar.readiness().await.filter(|(code, text)| *code == 503 && text.contains("the log"))
    });
    unready.await.with_context(|| format!("it wrote:\n{}", api.sidecar.process.tail()))?;
    let blind = wait::until("a number that says so", SOON, async || {
        let page = api.sidecar.metrics().await.ok()?;
        page.lines().any(|line| counts_tries(line)).then_some(())
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
    let plan = stage.write("plan.yaml", PLAN)?;
    let rollout = stage.start(&plan).await?;
    let ready =
        ["emit", "--rollout", &rollout, "--service", "user-db", "--version", "2.0.0", "--event", "Ready"];
    stage.pavane(&ready).await?;
    log.wait_said(&rollout, Some("api"), "DeploymentComplete", SOON).await?;
    ensure!(api.upgrades() == 1, "the hook ran {} times", api.upgrades());
    Ok(())
}

fn counts_tries(line: &str) -> bool {
    let tries = line.strip_prefix(r#"pavane_sidecar_trouble_total{doing="connect"} "#);
    tries.and_then(|tries| tries.parse().ok()).is_some_and(|tries: u64| tries > 0)
}

fn is_loud(line: &str, address: &str) -> bool {
    (line.contains("WARN") || line.contains("ERROR")) && line.contains(address)
}
