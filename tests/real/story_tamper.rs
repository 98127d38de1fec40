//! A registry that serves something else under a known id, before a sidecar and a sentinel: both name it, nothing moves
//! and nothing is judged on its word, and all goes on when it speaks the truth again.

use anyhow::{Result, ensure};
use pavane_events::RolloutId;
use pavane_tests::real::Services;
use pavane_tests::stage::contract::Changed;
use pavane_tests::stage::dancer::{Calls, Dancer};
use pavane_tests::stage::liar::Liar;
use pavane_tests::stage::sentinel::{Sentinel, verdicts};
use pavane_tests::stage::{SOON, Stage, script};
use pavane_tests::wait;

/// The window is over long before the registry is mended.
const WINDOW: f64 = 15.0;
const PLAN: &str = "apiVersion: pavane/v1
kind: Choreography
metadata: { name: season-8, owner: play, runbook: \"https://runbooks.example/season-8\" }
method: choreography
steps:
  - { id: ratings, expect: matchmaking.Ready, within: 15s, owner: play }
  - { id: tournament, after: [ratings], expect: tournament.DeploymentComplete, within: 10m, owner: events }
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registry_that_lies_is_named_by_sidecar_and_sentinel_and_nothing_moves_on_its_word() {
    let test = "a_registry_that_lies_is_named_by_sidecar_and_sentinel_and_nothing_moves_on_its_word";
    let Some(services) = Services::get(test).await else { return };
    let liar = Liar::before(&services.registry).await.unwrap();
    let services = Services { registry: liar.url(), ..services };
    let stage = Stage::set("tamper", script::DOMAIN, &services).await.unwrap();
    lied_to(&stage, &liar).await.unwrap();
}

async fn lied_to(stage: &Stage, liar: &Liar) -> Result<()> {
    let agreed = Changed::agree(stage).await?;
    let id = agreed.agreed_id(stage).await?;
    let log = stage.log().await?;
    let mut tournament = Dancer::enter(stage, "tournament").await?;
    let mut sentinel = Sentinel::start(stage, "sentinel-a").await?;
    tournament.sidecar.ready().await?;
    sentinel.ready().await?;
    tournament.service.lay_ready("2.0.0").await?;

    liar.lie(id, Some(agreed.broken()));
    let rollout = stage.start(&stage.write("season-8.yaml", PLAN)?).await?;
    let said = agreed.say(stage, &rollout, id).await?;
    named_by_the_sidecar(&tournament, id).await?;
    named_by_the_sentinel(stage, &sentinel).await?;
    blind_for_longer_than_the_window(&sentinel).await?;
    let calls = tournament.service.calls().await?;
    ensure!(calls == Calls::default(), "it moved on the word of a liar: {calls:?}");
    let held = sentinel.rollout(&rollout).await?;
    ensure!(held.as_ref().is_none_or(|view| verdicts(view).is_empty()), "it judged by a lie: {held:#?}");

    liar.lie(id, None);
    let held = sentinel.wait_status(&rollout, "completed").await?;
    let ends_well = verdicts(&held).iter().all(|one| one[0] == "RolloutCompleted");
    ensure!(ends_well, "the event was there in time all along: {held:#}");
    let calls = tournament.service.calls().await?;
    ensure!(calls == Calls { upgrades: 1, reverts: 0 }, "it moved once: {calls:?}");
    let done = log.wait_said(&rollout, Some("tournament"), "DeploymentComplete", SOON).await?;
    ensure!(done.offset > said, "it moved after it was told");
    ensure!(log.said(&rollout, "EventRejected").is_empty(), "nothing is wrong with the event");
    let letters = stage.pavane(&["dlq", "list"]).await?;
    ensure!(!letters.to_string().contains(RolloutId::new(&rollout)?.as_str()), "{letters:#}");
    stage.all_signatures_held()
}

/// It says so in its log and by its numbers, and that it does not see.
async fn named_by_the_sidecar(tournament: &Dancer, id: u32) -> Result<()> {
    let sidecar = &tournament.sidecar;
    let counted = wait::until("the sidecar to count the lie", SOON, async || {
        let page = sidecar.metrics().await.ok()?;
        let counts = |line: &str| line.starts_with("pavane_registry_tamper_total") && !line.ends_with(" 0");
        page.lines().any(counts).then_some(())
    });
    counted.await?;
    let told = sidecar.process.output();
    ensure!(told.contains("(RegistryTamper)") && told.contains(&format!("under the id {id}")), "{told}");
    let ready = sidecar.readiness().await;
    ensure!(
        ready.as_ref().is_some_and(|(status, _)| *status == 503),
        "it must not say that it sees: {ready:?}"
    );
    Ok(())
}

/// Whoever is on call is told by another way than the log.
async fn named_by_the_sentinel(stage: &Stage, sentinel: &Sentinel) -> Result<()> {
    let told = stage.on_call().wait_for("that the registry lies", SOON, |delivery| {
        let labels = &delivery.body["alerts"][0]["labels"];
        labels["alertname"] == "Blind" && labels["cause"] == "registry_tamper" && labels["severity"] == "page"
    });
    let alert = told.await?.body["alerts"][0].clone();
    let description = alert["annotations"]["description"].as_str().unwrap_or_default();
    ensure!(description.contains("(RegistryTamper)") && description.contains("judges nothing"), "{alert:#}");
    ensure!(alert["annotations"]["culprit"] == "registry", "{alert:#}");
    ensure!(!sentinel.is_ready().await, "it must not say that it sees");
    Ok(())
}

async fn blind_for_longer_than_the_window(sentinel: &Sentinel) -> Result<()> {
    let blind = wait::until("a blindness longer than the window", SOON, async || {
        let page = sentinel.metrics().await.ok()?;
        let seconds = |line: &str| {
            line.starts_with("pavane_sentinel_blind_seconds_total")
                .then(|| line.rsplit(' ').next()?.parse().ok())?
        };
        page.lines().filter_map(seconds).find(|seconds: &f64| *seconds > WINDOW + 1.0)
    });
    blind.await.map(drop)
}
