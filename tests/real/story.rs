//! The demo's three acts on the real services, each program a process of its own; in the last a sentinel is
//! killed. What is decided must be what the demo decides in one process.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use pavane_events::control::ProposalKind;
use pavane_events::{Body, Record};
use pavane_tests::process::Signal;
use pavane_tests::program::Program;
use pavane_tests::real::Services;
use pavane_tests::stage::contract::Changed;
use pavane_tests::stage::dancer::{Calls, Dancer};
use pavane_tests::stage::log::Log;
use pavane_tests::stage::sentinel::{Sentinel, verdicts};
use pavane_tests::stage::{SOON, Stage, script};
use pavane_tests::webhook::Delivery;
use serde_json::{Value, json};

/// Who moves in acts 1 and 3.
const MOVERS: [&str; 3] = ["user-service", "messaging", "matchmaking"];

/// What was decided about one rollout: kind, step, cause and service of each verdict.
type Verdicts = Vec<[String; 4]>;

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

/// Everybody on the stage.
struct Cast {
    log: Log,
    dancers: BTreeMap<&'static str, Dancer>,
    sentinels: BTreeMap<&'static str, Sentinel>,
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
    let decided = cast.all_decide(&rollout, 1).await?;
    let calls = cast.dancers["tournament"].service.calls().await?;
    ensure!(calls == Calls::default(), "tournament could not read the event, and moved: {calls:?}");
    stage.pavane(&["abort", &rollout, "--reason", "matchmaking mends its event first"]).await?;
    cast.all_hold(&rollout, "aborted").await?;
    Ok((rollout, decided))
}

/// Act 3: matchmaking hangs, and the sentinel that is about to say so is killed.
async fn hangs(stage: &Stage, cast: &mut Cast) -> Result<(String, Verdicts)> {
    let before = cast.state().await?;
    for service in MOVERS.iter().chain(&["tournament"]) {
        cast.dancers[service].service.lay_ready("3.0.0").await?;
    }
    cast.dancers["matchmaking"].service.behave(json!({ "mode": "hang" })).await?;
    let rollout = begin(stage, "platform-v3").await?;
    cast.the_migration_is_done(&rollout).await?;
    let killed = cast.kill_who_proposes_the_stall(&rollout).await?;
    let decided = cast.all_hold(&rollout, "rolled_back").await?;
    let call = firing(stage, &rollout).await?;
    names_all_that_one_must_know(&call, &cast.log, &rollout)?;
    resolved(stage, &rollout).await?;
    decided_once(&cast.log, &rollout)?;
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
    Ok((rollout, decided))
}

impl Cast {
    /// Starts five services with their sidecars and two sentinels, and waits until all take part.
    async fn enter(stage: &Stage) -> Result<Self> {
        let mut dancers = BTreeMap::new();
        for service in script::SERVICES {
            dancers.insert(service, Dancer::enter(stage, service).await?);
        }
        let mut sentinels = BTreeMap::new();
        for replica in ["sentinel-a", "sentinel-b"] {
            sentinels.insert(replica, Sentinel::start(stage, replica).await?);
        }
        for dancer in dancers.values_mut() {
            dancer.sidecar.ready().await?;
        }
        for sentinel in sentinels.values_mut() {
            sentinel.ready().await?;
        }
        Ok(Self { log: stage.log().await?, dancers, sentinels })
    }

    /// User-db's migration tool says at its sidecar's door that the schema is there.
    async fn the_migration_is_done(&self, rollout: &str) -> Result<()> {
        let event = json!({ "event": "Ready", "rollout": rollout, "data": { "prerequisite": "schema" } });
        let (code, answer) = self.dancers["user-db"].sidecar.say(&event).await?;
        ensure!(code == 201, "the door answered {code}: {answer}");
        let (partition, offset) = (answer["partition"].as_i64(), answer["offset"].as_i64());
        ensure!(partition.is_some() && offset.is_some(), "the door names the event's place: {answer}");
        let said = self.log.wait_said(rollout, Some("user-db"), "Ready", SOON).await?;
        ensure!(Some(said.offset) == offset && answer["id"] == said.event.envelope.id.as_str(), "{answer}");
        Ok(())
    }

    /// Waits until every sentinel that runs holds the rollout in this status; they must have decided the same.
    async fn all_hold(&self, rollout: &str, status: &str) -> Result<Verdicts> {
        let mut views = Vec::new();
        for sentinel in self.sentinels.values() {
            views.push(sentinel.wait_status(rollout, status).await?);
        }
        agreed(&views)
    }

    /// Waits until every sentinel that runs has decided this often; they must have decided the same.
    async fn all_decide(&self, rollout: &str, often: usize) -> Result<Verdicts> {
        let mut views = Vec::new();
        for sentinel in self.sentinels.values() {
            views.push(sentinel.wait_for(rollout, "a verdict", |view| verdicts(view).len() >= often).await?);
        }
        agreed(&views)
    }

    /// Waits for the first proposal of a stall that can be accepted, and kills who wrote it: it has decided and
    /// not said it yet, or has just begun to.
    async fn kill_who_proposes_the_stall(&mut self, rollout: &str) -> Result<String> {
        let what = "a proposal of the stall";
        let look =
            |record: &Record| proposes_a_ripe_stall(record).then(|| record.event.envelope.replica.clone());
        let replica = self.log.wait_record(rollout, what, SOON, look).await?;
        let replica = replica.context("a proposal names who wrote it")?;
        let sentinel = self.sentinels.remove(replica.as_str());
        let sentinel = sentinel.with_context(|| format!("nobody here is called {replica}"))?;
        sentinel.process.signal(Signal::Kill)?;
        Ok(replica)
    }

    /// Whether a sentinel other than this one said a verdict or a command about the rollout.
    fn spoke_after(&self, rollout: &str, killed: &str) -> bool {
        let by_another = |record: &Record| {
            record.event.envelope.replica.as_deref().is_some_and(|replica| replica != killed)
                && !matches!(record.event.body, Body::Proposed(_) | Body::Pulse(_))
        };
        self.log.of(rollout).iter().any(by_another)
    }

    /// The version of each service, and how often it was told to move.
    async fn state(&self) -> Result<BTreeMap<&'static str, (String, Calls)>> {
        let mut state = BTreeMap::new();
        for (name, dancer) in &self.dancers {
            state.insert(*name, (dancer.service.version().await?, dancer.service.calls().await?));
        }
        Ok(state)
    }

    /// Numbers are kept for years and a rollout for a day: no series may be named after one.
    async fn no_label_names(&self, rollouts: &[String]) -> Result<()> {
        let mut pages = Vec::new();
        for (name, dancer) in &self.dancers {
            pages.push((*name, dancer.sidecar.metrics().await?));
        }
        for (name, sentinel) in &self.sentinels {
            pages.push((*name, sentinel.metrics().await?));
        }
        for (name, page) in pages {
            let own = page.lines().filter(|line| line.starts_with("pavane_")).count();
            ensure!(own > 0, "{name} counts nothing of its own:\n{page}");
            for rollout in rollouts {
                ensure!(!page.contains(rollout), "{name} names {rollout} in its numbers:\n{page}");
            }
        }
        Ok(())
    }
}

/// Publishes a plan of the demo and starts it by its name.
async fn begin(stage: &Stage, plan: &str) -> Result<String> {
    let file = script::path(&format!("plans/{plan}.yaml")).display().to_string();
    stage.pavane(&["apply", &file]).await?;
    stage.start(plan).await
}

fn proposes_a_ripe_stall(record: &Record) -> bool {
    let Body::Proposed(body) = &record.event.body else { return false };
    let ripe = body.deadline.is_none_or(|deadline| record.at.since(deadline) >= 0);
    body.kind == ProposalKind::RolloutStalled && ripe
}

fn agreed(views: &[Value]) -> Result<Verdicts> {
    for view in views {
        ensure!(
            view["verdicts"] == views[0]["verdicts"],
            "the sentinels hold different verdicts: {views:#?}"
        );
    }
    Ok(verdicts(&views[0]))
}

async fn firing(stage: &Stage, rollout: &str) -> Result<Delivery> {
    let pleases = |delivery: &Delivery| is_about(delivery, rollout) && delivery.body["status"] == "firing";
    stage.on_call().wait_for(&format!("an alert about {rollout}"), SOON, pleases).await
}

async fn resolved(stage: &Stage, rollout: &str) -> Result<Delivery> {
    let pleases = |delivery: &Delivery| is_about(delivery, rollout) && delivery.body["status"] == "resolved";
    stage.on_call().wait_for(&format!("the end of the alert about {rollout}"), SOON, pleases).await
}

fn is_about(delivery: &Delivery, rollout: &str) -> bool {
    delivery.body["alerts"][0]["labels"]["rollout"] == rollout
}

fn names_all_that_one_must_know(call: &Delivery, log: &Log, rollout: &str) -> Result<()> {
    let alert = &call.body["alerts"][0];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let known = [
        ("alertname", text(&alert["labels"]["alertname"]), "RolloutStalled".to_owned()),
        ("step", text(&alert["labels"]["step"]), "matchmaking".to_owned()),
        ("service", text(&alert["labels"]["service"]), "matchmaking".to_owned()),
        ("owner", text(&alert["labels"]["owner"]), "play".to_owned()),
        ("cause", text(&alert["labels"]["cause"]), "not_finished".to_owned()),
        ("missing", text(&alert["annotations"]["missing"]), "matchmaking.DeploymentComplete".to_owned()),
        (
            "runbook",
            text(&alert["annotations"]["runbook_url"]),
            "https://runbooks.example/platform-v3".to_owned(),
        ),
        ("trace", text(&alert["annotations"]["trace_id"]), trace_of(rollout)?),
    ];
    for (what, said, expected) in known {
        ensure!(said == expected, "{what} is {said:?} instead of {expected:?} in {alert:#}");
    }
    for noted in ["since", "evidence"] {
        ensure!(!text(&alert["annotations"][noted]).is_empty(), "{noted} is missing in {alert:#}");
    }
    let stalls = log.said(rollout, "RolloutStalled");
    let Some(Body::RolloutStalled(stall)) = stalls.first().map(|record| &record.event.body) else {
        anyhow::bail!("the stall that was told does not stand on the log")
    };
    ensure!(!stall.evidence.is_empty(), "the stall quotes what was seen: {stall:?}");
    Ok(())
}

/// The W3C trace id of a rollout in hexadecimal.
pub(crate) fn trace_of(rollout: &str) -> Result<String> {
    let rollout = pavane_events::RolloutId::new(rollout)?;
    Ok(pavane_events::identity::hex(&pavane_events::identity::trace_id(&rollout)))
}

/// One stall, one decision to go back, one request to each service in reverse order, one end: whoever said it,
/// and however often, it is the same event.
fn decided_once(log: &Log, rollout: &str) -> Result<()> {
    for event in ["RolloutStalled", "RolloutRolledBack"] {
        let ids = ids(&log.said(rollout, event));
        ensure!(ids.len() == 1, "{event} was decided {} times:\n{}", ids.len(), log.text());
    }
    let mut asked: Vec<(Option<String>, BTreeSet<String>)> = Vec::new();
    for record in log.said(rollout, "RollbackRequested") {
        let Body::RollbackRequested(body) = &record.event.body else { continue };
        let service = body.service.as_ref().map(ToString::to_string);
        let id = record.event.envelope.id.to_string();
        match asked.iter_mut().find(|(known, _)| *known == service) {
            Some((_, ids)) => drop(ids.insert(id)),
            None => asked.push((service, BTreeSet::from([id]))),
        }
    }
    let order: Vec<&str> =
        asked.iter().map(|(service, _)| service.as_deref().unwrap_or("everyone")).collect();
    ensure!(order == ["everyone", "matchmaking", "messaging", "user-service"], "asked were {order:?}");
    ensure!(asked.iter().all(|(_, ids)| ids.len() == 1), "somebody was asked by two requests: {asked:?}");
    Ok(())
}

fn ids(records: &[Record]) -> BTreeSet<String> {
    records.iter().map(|record| record.event.envelope.id.to_string()).collect()
}

/// However often an alert was delivered, and by whom: it is one alert to whoever receives it.
pub(crate) fn no_alert_has_two_ids(deliveries: &[Delivery]) -> Result<()> {
    let mut ids: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for delivery in deliveries {
        let (status, labels) = (&delivery.body["status"], &delivery.body["alerts"][0]["labels"]);
        let alert = json!([status, labels["alertname"], labels["rollout"], labels["step"]]).to_string();
        ids.entry(alert).or_default().insert(&delivery.id);
    }
    ensure!(ids.values().all(|ids| ids.len() == 1), "an alert came under several ids: {ids:#?}");
    Ok(())
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
