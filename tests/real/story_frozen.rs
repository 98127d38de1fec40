//! Two sentinels, of which one freezes before a deadline and wakes up long after it: it says nothing that was
//! not decided, nobody moves twice, and whoever is called is called about one alert.

use anyhow::{Context, Result, ensure};
use pavane_tests::process::Signal;
use pavane_tests::real::Services;
use pavane_tests::stage::sentinel::{Sentinel, verdicts};
use pavane_tests::stage::tool::{Manner, Tool};
use pavane_tests::stage::{SOON, Stage};

use crate::story_claims::{decided_once, firing, no_alert_has_two_ids};

const PLAN: &str = r"apiVersion: pavane/v1
kind: Choreography
metadata: { name: web-after-api, owner: shop }
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
    on_stall: rollback
    compensate: { expect: api.RollbackComplete, within: 1m }
  - id: web
    after: [api]
    expect: web.DeploymentComplete
    within: 4s
    on_stall: rollback
    compensate: { expect: web.RollbackComplete, within: 1m }
";

/// What every sentinel must hold at the end, whichever of them was frozen.
const DECIDED: [[&str; 4]; 3] = [
    ["RolloutStalled", "web", "not_finished", "web"],
    ["RollbackRequested", "web", "not_finished", "web"],
    ["RolloutRolledBack", "-", "-", "-"],
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sentinel_that_freezes_past_a_deadline_does_no_harm_when_it_wakes() {
    let test = "a_sentinel_that_freezes_past_a_deadline_does_no_harm_when_it_wakes";
    let Some(services) = Services::get(test).await else { return };
    let stage = Stage::set("frozen", "shop", &services).await.unwrap();
    play(&stage).await.unwrap();
}

/// Freezes each of the two in turn: one of them is the one whose turn it is to speak.
async fn play(stage: &Stage) -> Result<()> {
    let mut api = Tool::enter(stage, "api", "user-db.Ready", &[]).await?;
    let mut web = Tool::enter(stage, "web", "api.DeploymentComplete", &[]).await?;
    let mut sentinels =
        [Sentinel::start(stage, "sentinel-a").await?, Sentinel::start(stage, "sentinel-b").await?];
    api.sidecar.ready().await?;
    web.sidecar.ready().await?;
    for sentinel in &mut sentinels {
        sentinel.ready().await?;
    }
    // the same services go back again and again, which the sentinel would not ask for by itself
    let brakes = ["configure", "--cool-down", "1s", "--rollback-budget", "100/1h", "--reason", "a story"];
    stage.pavane(&brakes).await?;
    let log = stage.log().await?;
    let plan = stage.write("plan.yaml", PLAN)?;
    let mut rollouts = Vec::new();
    for frozen in 0..sentinels.len() {
        api.reset()?;
        web.reset()?;
        web.behave(Manner::Wait)?;
        let rollout = stage.start(&plan).await?;
        let ready =
            ["emit", "--rollout", &rollout, "--service", "user-db", "--version", "2.0.0", "--event", "Ready"];
        stage.pavane(&ready).await?;
        log.wait_said(&rollout, Some("web"), "DeploymentStarted", SOON).await?;
        let (frozen, awake) = (&sentinels[frozen], &sentinels[1 - frozen]);
        frozen.process.signal(Signal::Stop)?;
        let decided = awake.wait_status(&rollout, "rolled_back").await.context("with the other frozen")?;
        firing(stage, &rollout).await.context("with the other frozen")?;
        frozen.process.signal(Signal::Continue)?;
        let held = frozen.wait_status(&rollout, "rolled_back").await.context("after it woke")?;
        ensure!(
            held["verdicts"] == decided["verdicts"],
            "they hold different verdicts: {held:#} {decided:#}"
        );
        ensure!(verdicts(&held) == DECIDED, "decided was {:?}", verdicts(&held));
        ensure!(
            (api.upgrades(), api.reverts(), api.version()?.as_str()) == (1, 1, "1.0.0"),
            "api moved twice"
        );
        ensure!(
            (web.upgrades(), web.reverts(), web.version()?.as_str()) == (1, 0, "1.0.0"),
            "web moved twice"
        );
        let stall = log.said(&rollout, "RolloutStalled");
        let speaker = stall.first().and_then(|record| record.event.envelope.replica.as_deref());
        ensure!(speaker == Some(awake.replica()), "{speaker:?} said the stall while it was frozen");
        rollouts.push(rollout);
    }
    // whoever holds a later rollout has read, and said, all that was before it
    let later = stage.start(&plan).await?;
    for sentinel in &sentinels {
        sentinel.wait_status(&later, "open").await?;
    }
    for rollout in &rollouts {
        decided_once(&log, rollout, &["web", "api"])?;
    }
    stage.all_signatures_held()?;
    no_alert_has_two_ids(&stage.on_call().deliveries())
}
