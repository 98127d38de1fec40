//! What happens, act by act.

use std::time::{Duration, Instant};

use pavane_choreography::Plan;
use pavane_events::verdict::RolloutStalled;
use pavane_events::{Body, Entry, EventType, Record, RolloutId, Service};
use serde_json::json;

use super::breach::{force_schema, mend, publish_past_the_sidecar};
use super::cast;
use super::log::Chronicle;
use super::narrator::Narrator;
use super::report::{Act, Report};
use super::stage::{OLD, Stage};
use crate::document;
use crate::failure::Failure;
use crate::picture::lasting;

/// Who moves in acts 1 and 3.
const MOVERS: [&str; 3] = ["user-service", "messaging", "matchmaking"];

/// Act 1: a rollout goes through.
pub async fn completes(stage: &mut Stage) -> Result<Act, Failure> {
    let narrator = stage.narrator.clone();
    let about = [
        "users-v2: the users table gets a new column. Then everyone who reads it moves to 2.0.0,",
        "each when it has read on the log that the one before has.",
        "",
    ];
    narrator.act("ACT 1 · a rollout goes through", &about).await;
    for service in MOVERS {
        stage.service(service).lay_ready("2.0.0");
    }
    let rollout = stage.start(&plan(cast::USERS_V2)?).await?;
    narrator.beat(Duration::from_millis(600)).await;
    stage.say("user-db", "Ready", &rollout, json!({ "prerequisite": "schema-v2" })).await?;
    stage.end_of(&rollout).await?;
    let mut act = stage.act("completes", &rollout, None);
    expect_verdicts(&mut act, &["RolloutCompleted - - -"]);
    expect_versions(&mut act, stage, "2.0.0");
    act.expect(act.alerts.is_empty(), || "an alert came in though nothing was wrong".to_owned());
    narrator
        .moral("Nobody conducted. Each sidecar saw what it was waiting for and moved its own service.")
        .await;
    Ok(act)
}

/// Act 2: an event changes its format behind everyone's back.
pub async fn breaks_a_contract(stage: &mut Stage) -> Result<Act, Failure> {
    let narrator = stage.narrator.clone();
    let about = [
        "season-7: tournament waits for matchmaking.Ready, and the plan gives it ten minutes.",
        "In matchmaking somebody turns the field `prerequisite` from a text into a number.",
        "",
    ];
    narrator.act("ACT 2 · an event changes its format behind everyone's back", &about).await;
    stage.service("tournament").lay_ready("2.0.0");
    let plan = plan(cast::SEASON_7)?;
    let rollout = stage.start(&plan).await?;
    narrator.beat(Duration::from_millis(600)).await;
    let refused = force_schema(stage).await?;
    let fault = Instant::now();
    publish_past_the_sidecar(stage, &rollout).await?;
    let alert = stage.alert(&rollout, "firing").await?;
    stage.stall_of(&rollout).await?;
    let latency = alert.at.saturating_duration_since(fault);
    let mut act = stage.act("contract-broken", &rollout, Some(latency));
    expect_verdicts(&mut act, &["RolloutStalled ratings contract_broken matchmaking"]);
    act.expect(refused, || "the registry took the broken schema".to_owned());
    act.expect(act.outcome == "stalled", || format!("the rollout is {}", act_outcome(stage, &rollout)));
    let said =
        stage.chronicle().of(&rollout).any(|entry| is_of(entry, EventType::EventRejected, "tournament"));
    act.expect(said, || "tournament did not say that it cannot read the event".to_owned());
    let left = left_of_window(stage, &rollout, &plan);
    act.expect(left > 540_000, || "the window was waited out".to_owned());
    let moral = format!(
        "{} ms from the broken event to the alert, {} before the window's end. Without this: silence.",
        latency.as_millis(),
        lasting(left)
    );
    narrator.moral(&moral).await;
    mend(stage, &rollout).await?;
    act.alerts = stage.alerts(&rollout);
    Ok(act)
}

/// Act 3: a service hangs, and everyone who had moved goes back.
pub async fn hangs(stage: &mut Stage) -> Result<Act, Failure> {
    let narrator = stage.narrator.clone();
    let about = [
        "platform-v3: everyone moves to 3.0.0. Matchmaking's upgrade will begin and never end.",
        "Its window is five seconds, and the plan says: on_stall: rollback.",
        "",
    ];
    narrator.act("ACT 3 · a service hangs", &about).await;
    let before = stage.versions();
    for service in MOVERS.iter().chain(&["tournament"]) {
        stage.service(service).lay_ready("3.0.0");
    }
    stage.service("matchmaking").hang();
    let rollout = stage.start(&plan(cast::PLATFORM_V3)?).await?;
    narrator.beat(Duration::from_millis(600)).await;
    stage.say("user-db", "Ready", &rollout, json!({ "prerequisite": "schema-v3" })).await?;
    let alert = stage.alert(&rollout, "firing").await?;
    stage.end_of(&rollout).await?;
    stage.alert(&rollout, "resolved").await?;
    let fault = stage.service("matchmaking").hung_at().unwrap_or(alert.at);
    let mut act = stage.act("hangs", &rollout, Some(alert.at.saturating_duration_since(fault)));
    let told = [
        "RolloutStalled matchmaking not_finished matchmaking",
        "RollbackRequested matchmaking not_finished matchmaking",
        "RolloutRolledBack - - -",
    ];
    expect_verdicts(&mut act, &told);
    let order = asked_back(&stage.chronicle(), &rollout);
    act.expect(order == ["matchmaking", "messaging", "user-service"], || {
        format!("asked back were {order:?}")
    });
    let after = stage.versions();
    act.expect(before == after, || format!("the versions were {before:?} and are {after:?}"));
    narrator.moral("All who had moved are back, the last first. Who had not moved was left alone.").await;
    Ok(act)
}

/// Says where to go next.
pub fn close(stage: &Stage, report: &Report) {
    let ms = |act: usize| report.acts[act].fault_to_alert_ms.unwrap_or_default();
    let heard = format!(
        "Three rollouts, {:.0} s. From fault to alert: {} ms for the broken contract, {:.1} s for the hang (5 s of them its window).",
        report.seconds,
        ms(1),
        Duration::from_millis(ms(2)).as_secs_f64()
    );
    let lines = [
        heard.as_str(),
        "",
        "Where to go next:",
        "  pavane dev                       the same broker, registry and sentinel for your own services",
        "  cli/demo/plans/users-v2.yaml     the plan of act 1; cli/demo/sidecars/ the files of the sidecars",
        "  docs/architecture.md             how it works, on a page",
        "  pavane --help                    all commands",
    ];
    stage.narrator.end(&lines);
}

/// Says who is there before the first act.
pub async fn curtain(narrator: &Narrator, kafka: &str, registry: &str) {
    let place = format!("Kafka {kafka} · registry {registry} · both inside this process");
    let lines = [
        "Five services: user-db, user-service, messaging, matchmaking, tournament. All run 1.0.0.",
        "Beside each stands a sidecar. They meet on one log, where every record is checked against a schema.",
        "At the side of the floor stands a sentinel. It says who has stopped, why, and what happens next.",
        place.as_str(),
    ];
    narrator.act("PAVANE · a slow dance that nobody conducts", &lines).await;
}

fn plan(text: &str) -> Result<Plan, Failure> {
    Ok(document::parse(text.to_owned(), "the demo's plan")?.plan)
}

fn expect_verdicts(act: &mut Act, told: &[&str]) {
    let lines = act.verdict_lines();
    act.expect(lines == told, || format!("the verdicts were {lines:?}, not {told:?}"));
}

fn expect_versions(act: &mut Act, stage: &Stage, new: &str) {
    for (service, version) in stage.versions() {
        let wanted = if MOVERS.contains(&service) { new } else { OLD };
        act.expect(version == wanted, || format!("{service} runs {version}, not {wanted}"));
    }
}

fn act_outcome(stage: &Stage, rollout: &RolloutId) -> String {
    stage.act("", rollout, None).outcome
}

fn is_of(entry: &Entry, event: EventType, service: &str) -> bool {
    let Entry::Event(record) = entry else { return false };
    let speaker = record.event.envelope.service.as_ref().map(Service::as_str);
    record.event.body.event_type() == event && speaker == Some(service)
}

/// How much of the first step's window was left when it was said to stand still, in milliseconds.
fn left_of_window(stage: &Stage, rollout: &RolloutId, plan: &Plan) -> i64 {
    let chronicle = stage.chronicle();
    let gone = chronicle.stall_of(rollout).and_then(|stall| Some(stall.at.since(stalled(stall)?.since?)));
    plan.steps[0].within - gone.unwrap_or(plan.steps[0].within)
}

fn stalled(record: &Record) -> Option<&RolloutStalled> {
    if let Body::RolloutStalled(stalled) = &record.event.body { Some(stalled) } else { None }
}

/// The services that were asked to go back, in that order.
fn asked_back(chronicle: &Chronicle, rollout: &RolloutId) -> Vec<String> {
    let asked = chronicle.of(rollout).filter_map(|entry| {
        let Entry::Event(record) = entry else { return None };
        let Body::RollbackRequested(body) = &record.event.body else { return None };
        body.service.as_ref().map(ToString::to_string)
    });
    asked.collect()
}
