//! Somebody asks why a rollout stands still, on separate processes; and the log, read again later, decides what it
//! decided live.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use pavane_events::{Body, Record};
use pavane_tests::program::Program;
use pavane_tests::real::Services;
use pavane_tests::stage::sentinel::Sentinel;
use pavane_tests::stage::tool::{Manner, Tool};
use pavane_tests::stage::{SOON, Stage};
use pavane_tests::wait;
use serde_json::Value;

use crate::story_claims::firing;

const PLAN: &str = "apiVersion: pavane/v1
kind: Choreography
metadata: { name: users-v2, owner: identity, runbook: \"https://runbooks.example/users-v2\" }
method: choreography
steps:
  - id: schema
    expect: user-db.Ready
    within: 1m
    owner: data
  - id: users
    after: [schema]
    expect: users.DeploymentComplete
    version: \">=2.0.0\"
    within: 4s
  - id: messaging
    after: [users]
    expect: messaging.DeploymentComplete
    within: 10m
    owner: social
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn why_names_the_missing_event_and_a_replay_finds_the_verdicts_that_stand_on_the_log() {
    let test = "why_names_the_missing_event_and_a_replay_finds_the_verdicts_that_stand_on_the_log";
    let Some(services) = Services::get(test).await else { return };
    let stage = Stage::set("why", "shop", &services).await.unwrap();
    play(&stage).await.unwrap();
}

async fn play(stage: &Stage) -> Result<()> {
    let log = stage.log().await?;
    let mut sentinel = Sentinel::start(stage, "sentinel-a").await?;
    sentinel.ready().await?;
    let mut tool = Tool::enter(stage, "users", "user-db.Ready", &[]).await?;
    tool.behave(Manner::Wait)?;
    tool.sidecar.ready().await?;
    let plan = stage.write("plan.yaml", PLAN)?;
    let rollout = stage.start(&plan).await?;
    let said =
        ["emit", "--rollout", &rollout, "--service", "user-db", "--version", "2.0.0", "--event", "Ready"];
    stage.pavane(&said).await?;
    log.wait_said(&rollout, None, "RolloutStalled", SOON).await?;
    firing(stage, &rollout).await?;
    hangs(stage, &rollout).await?;

    tool.behave(Manner::Work)?;
    log.wait_said(&rollout, Some("users"), "DeploymentComplete", SOON).await?;
    stage.pavane(&["override", &rollout, "messaging", "--reason", "it moves by itself"]).await?;
    sentinel.wait_status(&rollout, "completed").await?;
    let (code, told) = pavane(stage, &["why", &rollout, "--output", "json"]).await?;
    let told: Value = serde_json::from_str(&told)?;
    ensure!(code == 0 && told["missing"] == false, "nothing is missing any more: {told:#}");
    let (code, told) = pavane(stage, &["why", "users-v3"]).await?;
    ensure!(code == 1 && told.is_empty(), "there is no such rollout: {told}");
    replayed(stage, &log.of(&rollout)).await
}

/// What is said while a hook hangs.
async fn hangs(stage: &Stage, rollout: &str) -> Result<()> {
    let asked = wait::until("the delivery to be on record", SOON, async || {
        let (code, told) = pavane(stage, &["why", rollout, "--output", "json"]).await.ok()?;
        let told: Value = serde_json::from_str(&told).ok()?;
        (code == 1 && told["told"][0]["status"] == "firing").then_some(told)
    });
    let told = asked.await?;
    let first = &told["awaited"][0];
    for (field, wanted) in [
        ("step", "users"),
        ("event", "users.DeploymentComplete"),
        ("service", "users"),
        ("owner", "identity"),
        ("cause", "not_finished"),
    ] {
        ensure!(first[field] == wanted, "{field} is not {wanted}: {told:#}");
    }
    ensure!(first["waiting"][0] == "messaging" && first["last"]["event"] == "DeploymentStarted", "{told:#}");
    let sidecar = &first["instances"][0]["sidecar"];
    ensure!(sidecar["alive"] == true && sidecar["phase"] == "hook", "its sidecar says so itself: {told:#}");
    ensure!(told["runbook"] == "https://runbooks.example/users-v2", "{told:#}");
    let (code, screen) = pavane(stage, &["why", rollout, "--step", "messaging"]).await?;
    let begins = format!("✗ step messaging of {rollout} has not begun: it waits for step users");
    ensure!(code == 1 && screen.starts_with(&begins) && screen.lines().count() <= 44, "{screen}");
    Ok(())
}

/// The log is read again, from Kafka and from a file: the same bytes, and the verdicts that stand on it.
async fn replayed(stage: &Stage, records: &[Record]) -> Result<()> {
    let file = stage.path("log.jsonl").display().to_string();
    let (code, live) =
        pavane(stage, &["replay", "--to", "1000000", "--export", &file, "--output", "json"]).await?;
    ensure!(code == 0, "what is said was accepted: {live}");
    let (_, again) = pavane(stage, &["replay", "--file", &file, "--output", "json"]).await?;
    ensure!(live == again, "a file decides as its log does:\n{live}\n{again}");
    let (_, twice) = pavane(stage, &["replay", "--file", &file, "--output", "json"]).await?;
    ensure!(again == twice, "the same file, other bytes");
    let lines: Vec<Value> = live.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let found = |what: &str| -> BTreeSet<(i64, String)> {
        let lines = lines.iter().filter(|line| line["what"] == what);
        let told =
            lines.filter_map(|line| Some((line["offset"].as_i64()?, line["event"].as_str()?.to_owned())));
        told.collect()
    };
    let stand: BTreeSet<(i64, String)> = records.iter().filter_map(verdict).collect();
    ensure!(stand.len() == 2, "a stall and the end stand on the log: {stand:?}");
    ensure!(found("accepted") == stand, "accepted {:?}, and on the log {stand:?}", found("accepted"));
    let plan = stage.path("plan.yaml").display().to_string();
    let (code, told) = pavane(stage, &["replay", "--file", &file, "--plan", &plan]).await?;
    ensure!(code == 0, "the same plan decides the same: {told}");
    let longer = stage.write("longer.yaml", &PLAN.replace("within: 4s", "within: 8m"))?;
    let (code, told) = pavane(stage, &["replay", "--file", &file, "--plan", &longer]).await?;
    ensure!(code == 1 && told.contains("users  then  stalled") && told.contains("now   met"), "{told}");
    Ok(())
}

/// A verdict, by the offset at which it was accepted.
fn verdict(record: &Record) -> Option<(i64, String)> {
    let accepted = if let Body::RolloutStalled(said) = &record.event.body {
        said.accepted
    } else if let Body::RolloutCompleted(said) = &record.event.body {
        said.accepted
    } else {
        return None;
    };
    Some((accepted, record.event.body.event_type().as_str().to_owned()))
}

/// Runs `pavane` to its end, whatever it ends with: the exit code and what it printed.
pub(crate) async fn pavane(stage: &Stage, arguments: &[&str]) -> Result<(i32, String)> {
    let mut command = Program::Pavane.command().await?;
    stage.direct(&mut command).args(arguments);
    let output =
        tokio::task::spawn_blocking(move || command.output()).await?.context("failed to run pavane")?;
    let said = String::from_utf8(output.stdout).context("failed to read what was printed")?;
    Ok((output.status.code().context("it was killed")?, said))
}
