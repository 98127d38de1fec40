//! The demo's three acts on the real services, each program a process of its own; in the last a sentinel is
//! killed. What is decided must be what the demo decides in one process.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use axum::http::StatusCode;
use pavane_bus::{Row, TableItem, Topic};
use pavane_events::{Body, Service, ServiceRow, Version};
use pavane_tests::program::Program;
use pavane_tests::real::Services;
use pavane_tests::stage::contract::Changed;
use pavane_tests::stage::dancer::Calls;
use pavane_tests::stage::sentinel::verdicts;
use pavane_tests::stage::{SOON, Stage, script};
use serde_json::{Value, json};

use crate::story_cast::{Cast, Verdicts};
use crate::story_claims::{
    decided_once, firing, names_all_that_one_must_know, no_alert_has_two_ids, resolved,
};
use crate::story_why::pavane;

/// Who moves in acts 1 and 3.
const MOVERS: [&str; 3] = ["user-service", "messaging", "matchmaking"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_acts_end_as_in_the_demo_though_a_sentinel_is_killed_in_the_last() {
    let test = "three_acts_end_as_in_the_demo_though_a_sentinel_is_killed_in_the_last";
    let Some(services) = Services::get(test).await else { return };
    let stage = Stage::set("story", script::DOMAIN, &services).await.unwrap();
    let told = tokio::spawn(told_by_the_demo());
    let mut cast = Cast::enter(&stage).await.unwrap();
    let mut rollouts = Vec::new();
    let mut played = Vec::new();
    for act in [
        completes(&stage, &mut cast).await.unwrap(),
        breaks_a_contract(&stage, &mut cast).await.unwrap(),
        hangs(&stage, &mut cast).await.unwrap(),
    ] {
        rollouts.push(act.0);
        played.push(act.1);
    }
    stage.all_signatures_held().unwrap();
    no_alert_has_two_ids(&stage.on_call().deliveries()).unwrap();
    cast.no_label_names(&rollouts).await.unwrap();
    assert_eq!(played, told.await.unwrap().unwrap(), "what was decided here, and what in the demo");
}

/// Act 1: everyone moves, each when the one before has.
async fn completes(stage: &Stage, cast: &mut Cast) -> Result<(String, Verdicts)> {
    for service in MOVERS {
        cast.dancers[service].service.lay_ready("2.0.0").await?;
    }
    let rollout = begin(stage, "users-v2").await?;
    cast.the_migration_is_done(&rollout).await?;
    let decided = cast.all_hold(&rollout, "completed").await?;
    let once = Calls { upgrades: 1, reverts: 0 };
    for service in MOVERS {
        let dancer = &cast.dancers[service].service;
        ensure!(dancer.version().await? == "2.0.0", "{service} must run what it was rolled out to");
        ensure!(dancer.calls().await? == once, "{service} was told to move {:?}", dancer.calls().await?);
    }
    for service in MOVERS {
        let row = row_of(stage, service, &rollout).await?;
        let newest = row.known_good.first().context("a version is known to be good")?;
        ensure!(newest.version.as_str() == "2.0.0" && newest.rollout.as_str() == rollout, "{row:?}");
    }
    let deliveries = stage.on_call().deliveries();
    ensure!(deliveries.is_empty(), "nothing was wrong, and somebody was called: {deliveries:#?}");
    Ok((rollout, decided))
}

/// Act 2: matchmaking's event changes its format, and whoever waits for it says so at once.
async fn breaks_a_contract(stage: &Stage, cast: &mut Cast) -> Result<(String, Verdicts)> {
    let changed = Changed::agree(stage).await?;
    cast.dancers["tournament"].service.lay_ready("2.0.0").await?;
    let rollout = begin(stage, "season-7").await?;
    let schema_id = changed.force(stage).await?;
    let broken = changed.publish(stage, &rollout, schema_id).await?;
    let rejected = cast.log.wait_said(&rollout, Some("tournament"), "EventRejected", SOON).await?;
    let Body::EventRejected(body) = &rejected.event.body else {
        unreachable!("it was looked for by its name")
    };
    ensure!(
        body.offset == broken && body.schema_id == Some(schema_id.into()),
        "it names what it rejects: {body:?}"
    );
    let call = firing(stage, &rollout).await?;
    let labels = &call.body["alerts"][0]["labels"];
    ensure!(
        labels["cause"] == "contract_broken" && labels["step"] == "ratings",
        "the alert says why: {labels}"
    );
    ensure!(body.field == "/prerequisite", "it names the field that differs: {body:?}");
    names_what_differs(stage, &rollout, &call.body["alerts"][0]["annotations"], (schema_id, broken)).await?;
    let decided = cast.all_decide(&rollout, 1).await?;
    let calls = cast.dancers["tournament"].service.calls().await?;
    ensure!(calls == Calls::default(), "tournament could not read the event, and moved: {calls:?}");
    stage.pavane(&["abort", &rollout, "--reason", "matchmaking mends its event first"]).await?;
    cast.all_hold(&rollout, "aborted").await?;
    Ok((rollout, decided))
}

/// The alert and `pavane why` name the schema, the field that differs, and the record that is set aside.
async fn names_what_differs(
    stage: &Stage,
    rollout: &str,
    told: &Value,
    (schema_id, broken): (u32, i64),
) -> Result<()> {
    let (schema, letter) = (schema_id.to_string(), broken.to_string());
    for (field, wanted) in
        [("schema_id", schema.as_str()), ("field", "/prerequisite"), ("dead_letter", letter.as_str())]
    {
        ensure!(told[field] == wanted, "the alert's {field} is not {wanted}: {told:#}");
    }
    let (code, why) = pavane(stage, &["why", rollout, "--output", "json"]).await?;
    let why: Value = serde_json::from_str(&why).with_context(|| format!("failed to read: {why}"))?;
    let seen = why["awaited"][0]["evidence"].as_array().context("what was seen")?;
    let named = |seen: &Value| seen["schema_id"] == schema_id && seen["field"] == "/prerequisite";
    ensure!(code == 1 && seen.iter().any(named), "why names the schema and the field: {why:#}");
    Ok(())
}

/// Act 3: matchmaking hangs, and the sentinel that is about to say so is killed.
async fn hangs(stage: &Stage, cast: &mut Cast) -> Result<(String, Verdicts)> {
    let before = cast.state().await?;
    for service in MOVERS.iter().chain(&["tournament"]) {
        cast.dancers[service].service.lay_ready("3.0.0").await?;
    }
    cast.dancers["matchmaking"].service.behave(json!({ "mode": "hang" })).await?;
    // whoever is on call does not hear the first time
    stage.on_call().answer_next([StatusCode::SERVICE_UNAVAILABLE]);
    let rollout = begin(stage, "platform-v3").await?;
    cast.the_migration_is_done(&rollout).await?;
    let killed = cast.kill_who_proposes_the_stall(&rollout).await?;
    let decided = cast.all_hold(&rollout, "rolled_back").await?;
    let call = firing(stage, &rollout).await?;
    names_all_that_one_must_know(&call, &cast.log, &rollout)?;
    let end = resolved(stage, &rollout).await?;
    let calls = stage.on_call().deliveries().into_iter().filter(|delivery| delivery.id == call.id);
    let answers: Vec<u16> = calls.map(|delivery| delivery.answered).collect();
    // a stall that is over before the one that was killed is replaced is told by its end alone: nobody is called for it any more
    let ended = answers == [503]
        && end.answered == 200
        && end.body["alerts"][0]["labels"] == call.body["alerts"][0]["labels"];
    ensure!(
        answers.starts_with(&[503, 200]) || ended,
        "the alert comes again under its id, or its end is told: {answers:?}, {end:?}"
    );
    decided_once(&cast.log, &rollout, &["matchmaking", "messaging", "user-service"])?;
    ensure!(cast.spoke_after(&rollout, &killed), "nothing was left to say for the one that was not killed");
    let after = cast.state().await?;
    for (service, (version, calls)) in &after {
        let (version_before, calls_before) = &before[service];
        ensure!(version == version_before, "{service} ran {version_before} and runs {version}");
        let (upgrades, reverts) = match *service {
            "user-service" | "messaging" => (1, 1),
            // it never left the old version, so there was nothing to take back
            "matchmaking" => (1, 0),
            _ => (0, 0),
        };
        let expected =
            Calls { upgrades: calls_before.upgrades + upgrades, reverts: calls_before.reverts + reverts };
        ensure!(*calls == expected, "{service} was told to move {calls:?} instead of {expected:?}");
    }
    for service in ["user-service", "messaging"] {
        let row = row_of(stage, service, &rollout).await?;
        let good: Vec<&str> = row.known_good.iter().map(|known| known.version.as_str()).collect();
        ensure!(good == ["2.0.0"], "what was taken back is not known to be good: {row:?}");
    }
    Ok((rollout, decided))
}

/// The row of a service in the table of services, once it tells of what a rollout left running.
async fn row_of(stage: &Stage, service: &str, rollout: &str) -> Result<ServiceRow> {
    let key = ServiceRow::key(stage.domain(), &Service::new(service)?);
    let mut table = stage.bus().await?.table(Topic::Services).await?;
    let reading = async {
        loop {
            let TableItem::Row(Row { key: found, value: Some(value), .. }) = table.next().await? else {
                continue;
            };
            let row: Option<ServiceRow> =
                (found == key).then(|| serde_json::from_slice(&value)).transpose()?;
            let tells =
                |row: &ServiceRow| row.left.as_ref().is_some_and(|left| left.rollout.as_str() == rollout);
            if let Some(row) = row.filter(tells) {
                return anyhow::Ok(row);
            }
        }
    };
    let found = tokio::time::timeout(SOON, reading).await;
    let row = found.with_context(|| format!("failed to find a row of {key} that tells of {rollout}"))??;
    let left = row.left.iter().flat_map(|left| &left.versions).map(Version::as_str);
    ensure!(left.eq(["2.0.0"]), "each act leaves 2.0.0 running: {row:?}");
    Ok(row)
}

/// Publishes a plan of the demo and starts it by its name.
async fn begin(stage: &Stage, plan: &str) -> Result<String> {
    let file = script::path(&format!("plans/{plan}.yaml")).display().to_string();
    stage.pavane(&["apply", &file]).await?;
    stage.start(plan).await
}

/// What the demo decides in one process, act by act.
async fn told_by_the_demo() -> Result<Vec<Verdicts>> {
    const LIMIT: Duration = Duration::from_mins(2);
    let run = Program::Pavane.run(|command| command.args(["demo", "--headless", "--output", "json"]));
    let said = tokio::time::timeout(LIMIT, run).await.context("the demo did not end")??;
    let report: Value = serde_json::from_str(&said).with_context(|| format!("failed to read: {said}"))?;
    let acts = report["acts"].as_array().context("failed to find the acts")?;
    Ok(acts.iter().map(verdicts).collect())
}
