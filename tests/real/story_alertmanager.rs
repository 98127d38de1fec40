//! A real Alertmanager hears of a stall, again after it has forgotten, and that it is over; a real Prometheus watches the
//! sentinel by the rules that we ship, and says that it is gone.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use pavane_tests::process::Signal;
use pavane_tests::real::Services;
use pavane_tests::real::alertmanager::Alertmanager;
use pavane_tests::real::prometheus::{self, Prometheus};
use pavane_tests::stage::sentinel::Sentinel;
use pavane_tests::stage::{SOON, Stage};
use pavane_tests::strict::Strict;
use pavane_tests::{place, wait};
use serde_json::{Value, json};

const PLAN: &str = "apiVersion: pavane/v1
kind: Choreography
metadata: { name: users-v2, owner: identity, runbook: \"https://runbooks.example/users-v2\" }
method: choreography
steps:
  - id: users
    expect: users.DeploymentComplete
    within: 2s
";

/// What burns is told to Alertmanager again every minute.
const AGAIN: Duration = Duration::from_mins(4);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn alertmanager_and_prometheus_hear_of_a_stall_and_of_a_sentinel_that_is_gone() {
    let test = "alertmanager_and_prometheus_hear_of_a_stall_and_of_a_sentinel_that_is_gone";
    let Some(alertmanager) = Alertmanager::start(test).await else { return };
    let Some(programs) = prometheus::programs(test).await else { return };
    let Some(services) = Services::get(test).await else { return };
    let stage = Stage::set("alertmanager", "shop", &services).await.unwrap();
    play(&stage, alertmanager.unwrap(), &programs.unwrap()).await.unwrap();
}

async fn play(stage: &Stage, mut alertmanager: Alertmanager, programs: &std::path::Path) -> Result<()> {
    let strict = Strict::start().await?;
    let central = alertmanager.url();
    let (copy, ping) = (strict.url("/copy"), strict.url("/ping"));
    let lines = format!(
        "external_url: https://pavane.example
receivers:
  - name: central
    alertmanager: {{ urls: [\"{central}\", \"{copy}\"], allow_loopback: true }}
dead_man:
  every: 10s
  pings: [{{ domain: shop, url: \"{ping}\", allow_loopback: true }}]
  watchdog: [central]
"
    );
    let mut sentinel = Sentinel::start_by(stage, "sentinel-a", &lines).await?;
    sentinel.ready().await?;
    let target = sentinel.url().trim_start_matches("http://").to_owned();
    let rules = std::fs::read_to_string(place::workspace().join("deploy/prometheus/pavane.rules.yaml"))?;
    let rules = rules.replace("for: 2m", "for: 2s").replace("for: 1m", "for: 2s");
    let host = central.trim_start_matches("http://");
    let prometheus = Prometheus::start(programs, &target, &rules, host).await?;
    prometheus.wait_value("pavane_sentinel_sighted", "1", SOON).await?;
    alertmanager.wait_for("Watchdog", SOON, |alert| alert["labels"]["domain"] == "shop").await?;
    pinged(&strict).await?;

    let rollout = stage.start(&stage.write("plan.yaml", PLAN)?).await?;
    let ours = |alert: &Value| alert["labels"]["rollout"] == rollout.as_str();
    let stall = alertmanager.wait_for("RolloutStalled", SOON, ours).await?;
    says_all(&stall, &rollout)?;
    is_silenced(&alertmanager, &sentinel, &rollout).await?;
    is_explained(stage, &sentinel, &rollout).await?;

    // an Alertmanager that was killed has forgotten what burns, and hears it again
    alertmanager.process().signal(Signal::Kill)?;
    alertmanager.start_again().await?;
    alertmanager.wait_for("RolloutStalled", AGAIN, ours).await?;
    same_each_time(&strict, &rollout)?;

    stage.pavane(&["abort", &rollout, "--reason", "seen enough"]).await?;
    alertmanager.wait_over("RolloutStalled", SOON).await?;
    ended_once(&strict, &rollout).await?;

    sentinel.process.signal(Signal::Kill)?;
    prometheus.wait_firing("PavaneSentinelAbsent", SOON).await?;
    alertmanager
        .wait_for("PavaneSentinelAbsent", SOON, |alert| alert["labels"]["severity"] == "page")
        .await?;
    Ok(())
}

async fn pinged(strict: &Strict) -> Result<()> {
    let came = wait::until("a ping", SOON, async || strict.came("/ping").into_iter().next()).await?;
    let ping = came.json()?;
    ensure!(ping["domain"] == "shop" && ping["replica"] == "sentinel-a", "{ping}");
    Ok(())
}

/// Alertmanager shows what one must know.
fn says_all(stall: &Value, rollout: &str) -> Result<()> {
    let (labels, annotations) = (&stall["labels"], &stall["annotations"]);
    let expected = json!({
        "alertname": "RolloutStalled", "domain": "shop", "rollout": rollout, "choreography": "users-v2", "step": "users",
        "service": "users", "cause": "unreachable", "owner": "identity", "severity": "page",
    });
    ensure!(*labels == expected, "{labels:#}");
    ensure!(annotations["runbook_url"] == "https://runbooks.example/users-v2", "{annotations:#}");
    let summary = annotations["summary"].as_str().unwrap_or_default();
    ensure!(summary.contains("users.DeploymentComplete is missing"), "{annotations:#}");
    let link = format!("https://pavane.example/rollouts/{rollout}#users");
    ensure!(stall["generatorURL"] == link.as_str(), "{stall:#}");
    Ok(())
}

/// A silence there mutes it there; and Alertmanager's tool works on the sentinel's own silences.
async fn is_silenced(alertmanager: &Alertmanager, sentinel: &Sentinel, rollout: &str) -> Result<()> {
    for url in [alertmanager.url(), sentinel.url().to_owned()] {
        let matcher = format!("rollout={rollout}");
        let add = ["silence", "add", "--duration=1h", "--author=anna", "--comment=known", &matcher];
        let id = tool(alertmanager, &url, &add)?;
        ensure!(!id.is_empty(), "{url} gave no id");
        let listed = wait::until("the silence", SOON, async || {
            let listed = tool(alertmanager, &url, &["silence", "query", "-o", "json"]).ok()?;
            listed.contains(&id).then_some(listed)
        });
        ensure!(listed.await?.contains("known"), "{url}");
    }
    let silenced = |alert: &Value| {
        let by = alert["status"]["silencedBy"].as_array().is_some_and(|by| by.len() == 1);
        alert["status"]["state"] == "suppressed" && by
    };
    alertmanager.wait_for("RolloutStalled", SOON, silenced).await?;
    let shown = tool(alertmanager, sentinel.url(), &["alert", "query", "-o", "json", "-s"])?;
    ensure!(shown.contains(rollout), "the tool shows what the sentinel silenced: {shown}");
    Ok(())
}

/// Whoever asks why is told by which way it went, and what became of it.
async fn is_explained(stage: &Stage, sentinel: &Sentinel, rollout: &str) -> Result<()> {
    let about = format!("rollout={rollout}");
    let asked = ["alerts", "routes", "explain", &about, "--sentinel", sentinel.url()];
    let said = stage.pavane(&asked).await?;
    ensure!(said["receivers"] == json!(["central"]), "{said:#}");
    let told = &said["alerts"][0];
    ensure!(told["labels"]["alertname"] == "RolloutStalled", "{said:#}");
    ensure!(told["receivers"] == json!([{ "name": "central", "fate": "told" }]), "{said:#}");
    ensure!(said["silencedBy"].as_array().is_some_and(|by| by.len() == 1), "{said:#}");
    Ok(())
}

fn tool(alertmanager: &Alertmanager, url: &str, arguments: &[&str]) -> Result<String> {
    let output = alertmanager.amtool(url, arguments)?;
    let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "amtool {arguments:?} at {url} ended ({}): {said}{errors}",
        output.status
    );
    Ok(said)
}

/// The alerts about a rollout that were sent, in order.
fn sent(strict: &Strict, rollout: &str) -> Result<Vec<Value>> {
    let bodies = strict.came("/copy/api/v2/alerts").into_iter().map(|request| request.json());
    let bodies = bodies.collect::<Result<Vec<Value>>>()?;
    let alerts = bodies.into_iter().flat_map(|body| body.as_array().cloned().unwrap_or_default());
    Ok(alerts.filter(|alert| alert["labels"]["rollout"] == rollout).collect())
}

/// What is told again is told in the same words, and without an end.
fn same_each_time(strict: &Strict, rollout: &str) -> Result<()> {
    let told = sent(strict, rollout)?;
    ensure!(told.len() >= 2 && told.iter().all(|alert| *alert == told[0]), "{told:#?}");
    ensure!(told[0].get("endsAt").is_none(), "{:#}", told[0]);
    Ok(())
}

/// The end is told with its time, and as the end of what began.
async fn ended_once(strict: &Strict, rollout: &str) -> Result<()> {
    let over = wait::until("the end", SOON, async || {
        let told = sent(strict, rollout).ok()?;
        told.into_iter().find(|alert| alert.get("endsAt").is_some())
    });
    let over = over.await?;
    let told = sent(strict, rollout)?;
    let began = told.first().context("it began")?;
    ensure!(over["startsAt"] == began["startsAt"] && over["labels"] == began["labels"], "{told:#?}");
    ensure!(over["endsAt"].as_str() > over["startsAt"].as_str(), "{over:#}");
    Ok(())
}

#[tokio::test]
async fn the_rules_for_prometheus_are_sound_and_say_what_their_tests_expect() {
    let test = "the_rules_for_prometheus_are_sound_and_say_what_their_tests_expect";
    let Some(programs) = prometheus::programs(test).await else { return };
    let promtool = programs.unwrap().join("promtool");
    for (how, file) in [("check", "pavane.rules.yaml"), ("test", "pavane.rules.test.yaml")] {
        let mut command = std::process::Command::new(&promtool);
        command.args([how, "rules", file]).current_dir(place::workspace().join("deploy/prometheus"));
        let output = command.output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        assert!(output.status.success(), "{how} {file}:\n{}", String::from_utf8_lossy(&said));
    }
}
