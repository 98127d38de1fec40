//! How long after the end of a step's window somebody is paged.
//!
//! Rollouts of one step that nobody answers start one after the other; each must be told exactly by one stall.
//! The window ends by the broker's clock, the page arrives by the receiver's: here both are this machine's. What is
//! between them is the grace, which is a rule, and the sentinel's work: noticing, proposing, reading the proposal back
//! from the log, saying the verdict, signing and delivering.
//!
//! `cargo bench -p pavane-tests --bench deadline`, or with `-- 30` for another number of rollouts. `-- 30 open 1 1000 100000`
//! measures beside a real broker with so many other rollouts open, whose windows do not end.

#![expect(clippy::print_stdout, reason = "a bench prints what it measured")]

mod rollout;

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use pavane_bus::{Bus, embedded};
use pavane_events::{Body, Domain, Entry, Event, Timestamp};
use pavane_sentinel_engine::GRACE;
use pavane_tests::figures::{Figures, HEAD};
use pavane_tests::real::Services;
use pavane_tests::stage::log::Log;
use pavane_tests::stage::sentinel::Sentinel;
use pavane_tests::stage::{SOON, Stage, script};
use pavane_tests::webhook::Receiver;
use pavane_tests::{place, wait};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// How many rollouts there are in each row unless told otherwise.
const ROLLOUTS: usize = 80;

/// How many of them come first and are shown apart: a sentinel that has just joined may still move the partition.
const FIRST: usize = 10;

/// How far apart they start: no multiple of anything that the sentinel does regularly.
const APART: Duration = Duration::from_millis(193);

/// How many starts of the crowd are on their way at a time, and how long the sentinel may take to read them all.
const ABREAST: usize = 500;
const CATCH_UP: Duration = Duration::from_mins(10);

const SECRET: &str = "whsec_cGF2YW5lIGJlbmNoZXMsIHNlY3JldCBvZiBub2JvZHk=";

#[tokio::main]
async fn main() -> Result<()> {
    let mut before = std::env::args().take_while(|argument| argument != "open");
    let rollouts = before.find_map(|argument| argument.parse().ok()).unwrap_or(ROLLOUTS);
    println!("{HEAD}");
    let crowds = crowds();
    if !crowds.is_empty() {
        let Some(services) = Services::get("the bench of deadlines on Kafka").await else { return Ok(()) };
        for crowd in crowds {
            among(&services, crowd, rollouts).await?;
        }
        return Ok(());
    }
    inside(rollouts).await?;
    let Some(services) = Services::get("the bench of deadlines on Kafka").await else { return Ok(()) };
    for replicas in [&["a"][..], &["a", "b"]] {
        beside(&services, replicas, rollouts).await?;
    }
    Ok(())
}

/// The numbers that stand behind the word `open`.
fn crowds() -> Vec<usize> {
    let behind = std::env::args().skip_while(|argument| argument != "open").skip(1);
    behind.filter_map(|argument| argument.parse().ok()).collect()
}

/// A real broker and registry, one sentinel, and so many other rollouts open.
async fn among(services: &Services, crowd: usize, rollouts: usize) -> Result<()> {
    let stage = Stage::set(&format!("deadline-among-{crowd}"), script::DOMAIN, services).await?;
    let (bus, domain) = (stage.bus().await?, stage.domain().clone());
    let writer = bus.writer().await?;
    // it watches from the start on: a log without a pulse for long is a leap of the clock, which it waits to have explained
    let mut sentinel = Sentinel::start(&stage, "a").await?;
    sentinel.ready().await?;
    let mut starting = JoinSet::new();
    for n in 0..crowd.saturating_sub(1) {
        if starting.len() >= ABREAST {
            starting.join_next().await.context("something is started")???;
        }
        let (writer, start) = (writer.clone(), start(&domain, &format!("crowd-{n}"), "100h")?);
        starting
            .spawn(async move { writer.append(&start).await.context("failed to start one of the crowd") });
    }
    while let Some(started) = starting.join_next().await {
        started??;
    }
    // behind the whole crowd on the log
    writer.append(&start(&domain, "behind", "100h")?).await.context("failed to start the last one")?;
    wait::until("the sentinel to have read the crowd", CATCH_UP, async || {
        sentinel.rollout("behind").await.ok().flatten()
    })
    .await?;
    let name = format!("{crowd} open");
    measure(&name, &bus, &domain, stage.on_call(), rollouts).await?;
    sentinel.stop().await
}

/// Broker, registry and sentinel inside this process.
async fn inside(rollouts: usize) -> Result<()> {
    let embedded = embedded::start().await?;
    let bus = Bus::connect(embedded.settings(), "pavane-bench").await?;
    let on_call = Receiver::start(SECRET).await?;
    let folder = tempfile::tempdir()?;
    let secret = folder.path().join("secret");
    std::fs::write(&secret, SECRET)?;
    let [port] = place::free_ports();
    let (http, receiver) = (format!("127.0.0.1:{port}"), on_call.url());
    let secret = secret.display().to_string();
    let values =
        [("http", http.as_str()), ("replica", "a"), ("receiver", &receiver), ("secret_file", &secret)];
    let text = script::filled("sentinel.yaml", &values)? + script::EACH;
    let config = pavane_sentinel::Config::from_yaml(&text, "sentinel.yaml");
    let config = config.map_err(|defects| anyhow::anyhow!("the sentinel's file is not good: {defects:?}"))?;
    let stop = CancellationToken::new();
    let sentinel = tokio::spawn(pavane_sentinel::run(config, bus.clone(), stop.clone()));
    let (client, ready) = (reqwest::Client::new(), format!("http://{http}/readyz"));
    wait::until(&ready, SOON, async || wait::answers(&client, &ready).await.then_some(())).await?;
    measure("all in one process", &bus, &Domain::new(script::DOMAIN)?, &on_call, rollouts).await?;
    stop.cancel();
    sentinel.await?
}

/// A real broker and registry, and so many sentinels, each a process of its own.
async fn beside(services: &Services, replicas: &[&str], rollouts: usize) -> Result<()> {
    let stage = Stage::set(&format!("deadline-{}", replicas.concat()), script::DOMAIN, services).await?;
    let mut sentinels = Vec::new();
    for replica in replicas {
        sentinels.push(Sentinel::start(&stage, replica).await?);
    }
    for sentinel in &mut sentinels {
        sentinel.ready().await?;
    }
    let name = if replicas.len() == 1 { "Kafka, one sentinel" } else { "Kafka, two sentinels" };
    measure(name, &stage.bus().await?, stage.domain(), stage.on_call(), rollouts).await?;
    for sentinel in &mut sentinels {
        sentinel.stop().await?;
    }
    Ok(())
}

/// Starts the rollouts, waits for all pages, and prints four rows.
async fn measure(name: &str, bus: &Bus, domain: &Domain, on_call: &Receiver, rollouts: usize) -> Result<()> {
    let (log, writer) = (Log::open(bus, domain).await?, bus.writer().await?);
    let mut ticks = tokio::time::interval(APART);
    let all = FIRST + rollouts;
    let mut deadlines = BTreeMap::new();
    for n in 0..all {
        ticks.tick().await;
        let name = format!("late-{n:04}");
        let started =
            writer.append(&start(domain, &name, "1s")?).await.context("failed to start a rollout")?;
        deadlines.insert(name, started.at.plus(1_000));
    }
    let what = format!("{all} pages");
    let pages = wait::until(&what, SOON, async || Some(pages(on_call)).filter(|pages| pages.len() == all));
    let pages = pages.await?;
    let stalls = |entries: &[Entry]| Some(stalls(entries)).filter(|stalls| stalls.len() == all);
    let stalls = log.wait_for("every verdict", SOON, stalls).await?;
    let (mut said, mut told) = (Vec::new(), Vec::new());
    for (rollout, at) in &stalls {
        let page = pages.get(rollout).with_context(|| format!("nobody was paged about {rollout}"))?;
        let deadline = deadlines.get(rollout).with_context(|| format!("nobody started {rollout}"))?;
        let deadline = u64::try_from(deadline.0).context("a deadline before the epoch")?;
        let at = u64::try_from(at.0).context("a verdict before the epoch")?;
        said.push(Duration::from_millis(at.saturating_sub(deadline)));
        told.push(page.duration_since(UNIX_EPOCH)?.saturating_sub(Duration::from_millis(deadline)));
    }
    let grace = Duration::from_millis(GRACE.unsigned_abs());
    let first = told.drain(..FIRST).collect();
    let work = told.iter().map(|time| time.saturating_sub(grace)).collect();
    let rows = [
        ("verdict on the log", said.split_off(FIRST)),
        ("page arrived", told),
        ("page, less the grace", work),
        ("page of the first", first),
    ];
    for (what, times) in rows {
        println!("{}", Figures::of(times).row(&format!("{name}: {what}")));
    }
    Ok(())
}

/// When the first page about each rollout came.
fn pages(on_call: &Receiver) -> BTreeMap<String, SystemTime> {
    let mut pages = BTreeMap::new();
    for delivery in on_call.deliveries() {
        let labels = &delivery.body["commonLabels"];
        if let (Some("RolloutStalled"), Some(rollout)) =
            (labels["alertname"].as_str(), labels["rollout"].as_str())
        {
            pages.entry(rollout.to_owned()).or_insert(delivery.arrived);
        }
    }
    pages
}

/// When each rollout's verdict was appended.
fn stalls(entries: &[Entry]) -> BTreeMap<String, Timestamp> {
    let mut stalls = BTreeMap::new();
    for entry in entries {
        if let Entry::Event(record) = entry
            && let Body::RolloutStalled(_) = &record.event.body
            && let Some(rollout) = &record.event.envelope.rollout
        {
            stalls.entry(rollout.to_string()).or_insert(record.at);
        }
    }
    stalls
}

/// The start of a rollout of one step, by a service that no other rollout waits for.
fn start(domain: &Domain, name: &str, within: &str) -> Result<Event> {
    let text = format!(
        "apiVersion: pavane/v1\nkind: Choreography\n\
         metadata: {{ name: late, owner: nobody, runbook: \"https://runbooks.example/late\" }}\n\
         steps:\n  - {{ id: late, expect: service-{name}.DeploymentComplete, within: {within} }}\n"
    );
    rollout::start(domain, name, &text)
}
