//! How soon a decision is told, how many notifications a second go out when one receiver of ten hangs, and what becomes of
//! alerts when the sentinel is killed again and again.
//!
//! A real broker and registry, one sentinel as a process, receivers in this one. Rollouts of one step that nobody answers
//! must each be told by one stall.
//!
//! `cargo bench -p pavane-tests --bench alerts`, or with `-- 200` for another number of rollouts in each part; `-- 1000 killed`
//! plays the kills alone.

#![expect(clippy::print_stdout, reason = "a bench prints what it measured")]

mod rollout;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use pavane_bus::Writer;
use pavane_events::{Body, Domain, Entry, Event};
use pavane_tests::figures::{Figures, HEAD};
use pavane_tests::process::Signal;
use pavane_tests::real::Services;
use pavane_tests::stage::sentinel::Sentinel;
use pavane_tests::stage::{SOON, Stage};
use pavane_tests::wait;
use serde_json::Value;

/// How many rollouts there are in each part unless told otherwise.
const ROLLOUTS: usize = 200;

/// How far apart they start: no multiple of anything that the sentinel does regularly.
const APART: Duration = Duration::from_millis(97);

/// How many receivers a sentinel has.
const RECEIVERS: usize = 10;

/// How long everything may take to be told.
const LIMIT: Duration = Duration::from_mins(5);

/// How long a sentinel lives at least, and how much longer at most, in milliseconds.
const LIFE: (u64, u64) = (1_000, 4_000);

#[tokio::main]
async fn main() -> Result<()> {
    let rollouts = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(ROLLOUTS);
    let Some(services) = Services::get("the bench of alerts").await else { return Ok(()) };
    if std::env::args().any(|argument| argument == "killed") {
        return killed(&services, rollouts).await;
    }
    soon(&services, rollouts).await?;
    for hangs in [false, true] {
        many(&services, rollouts, hangs).await?;
    }
    killed(&services, rollouts).await
}

/// What came to one address of the receivers: when, under which id, about which rollout.
#[derive(Clone, Debug)]
struct Came {
    path: String,
    at: SystemTime,
    id: String,
    rollout: String,
    began: String,
}

type Inbox = Arc<Mutex<Vec<Came>>>;

async fn receivers() -> Result<(String, Inbox)> {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await?;
    let (base, inbox) = (format!("http://{}", listener.local_addr()?), Inbox::default());
    let app = Router::new().fallback(take).with_state(inbox.clone());
    tokio::spawn(async move { axum::serve(listener, app).await.expect("it serves until the end") });
    Ok((base, inbox))
}

async fn take(State(inbox): State<Inbox>, uri: Uri, headers: HeaderMap, body: Bytes) {
    let at = SystemTime::now();
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let id = headers.get("webhook-id").and_then(|id| id.to_str().ok()).unwrap_or_default().to_owned();
    let alerts = body["alerts"].as_array().cloned().unwrap_or_default();
    let mut inbox = inbox.lock().expect("no holder panics");
    for alert in alerts.iter().filter(|alert| alert["labels"]["alertname"] == "RolloutStalled") {
        let (rollout, began) = (text(&alert["labels"]["rollout"]), text(&alert["startsAt"]));
        inbox.push(Came { path: uri.path().to_owned(), at, id: id.clone(), rollout, began });
    }
}

/// The lines of a sentinel's file: so many receivers, each told of each alert by itself.
fn lines(stage: &Stage, urls: &[String]) -> String {
    let secret = stage.path("secret").display().to_string();
    let receivers = urls.iter().enumerate().map(|(n, url)| {
        format!(
            "  - name: r{n}\n    webhook: {{ url: \"{url}\", secret_file: \"{secret}\", allow_loopback: true }}\n"
        )
    });
    let routes = (0..urls.len()).map(|n| format!("    - {{ receiver: r{n}, continue: true }}\n"));
    let (receivers, routes): (String, String) = (receivers.collect(), routes.collect());
    format!(
        "receivers:\n{receivers}route:\n  receiver: r0\n  group_by: [\"...\"]\n  group_wait: 0s\n  group_interval: 1s\n  \
         routes:\n{routes}"
    )
}

/// How soon a decision is told.
async fn soon(services: &Services, rollouts: usize) -> Result<()> {
    let stage = Stage::set("alerts-soon", "shop", services).await?;
    let (base, inbox) = receivers().await?;
    let mut sentinel = Sentinel::start_by(&stage, "a", &lines(&stage, &[format!("{base}/r0")])).await?;
    sentinel.ready().await?;
    let (log, writer) = (stage.log().await?, stage.bus().await?.writer().await?);
    start_all(&writer, stage.domain(), rollouts, APART).await?;
    let came = all(&inbox, rollouts).await?;
    let verdicts = log.wait_for("every verdict", SOON, |entries| {
        Some(verdicts(entries)).filter(|verdicts| verdicts.len() == rollouts)
    });
    let verdicts = verdicts.await?;
    let (mut decided, mut said) = (Vec::new(), Vec::new());
    for one in &came {
        let began: SystemTime = UNIX_EPOCH + moment(&one.began)?;
        decided.push(one.at.duration_since(began).unwrap_or_default());
        let verdict = verdicts.get(&one.rollout).context("a verdict")?;
        said.push(one.at.duration_since(UNIX_EPOCH + *verdict).unwrap_or_default());
    }
    println!("{HEAD}");
    println!("{}", Figures::of(decided).row("proposal accepted on the log to delivered"));
    println!("{}", Figures::of(said).row("verdict on the log to delivered"));
    sentinel.stop().await
}

/// How many notifications a second go out to nine receivers, while the tenth takes them or hangs.
async fn many(services: &Services, rollouts: usize, hangs: bool) -> Result<()> {
    let stage = Stage::set(if hangs { "alerts-hangs" } else { "alerts-well" }, "shop", services).await?;
    let (base, inbox) = receivers().await?;
    let silent = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await?;
    let mut urls: Vec<String> = (0..RECEIVERS).map(|n| format!("{base}/r{n}")).collect();
    if hangs {
        urls[3] = format!("http://{}/r3", silent.local_addr()?);
        tokio::spawn(async move {
            let mut held = Vec::new();
            while let Ok((stream, _)) = silent.accept().await {
                held.push(stream);
            }
        });
    }
    let mut sentinel = Sentinel::start_by(&stage, "a", &lines(&stage, &urls)).await?;
    sentinel.ready().await?;
    let writer = stage.bus().await?.writer().await?;
    start_all(&writer, stage.domain(), rollouts, Duration::ZERO).await?;
    let expected = rollouts * if hangs { RECEIVERS - 1 } else { RECEIVERS };
    let came = all(&inbox, expected).await?;
    let nine: Vec<SystemTime> = came.iter().filter(|one| one.path != "/r3").map(|one| one.at).collect();
    let (first, last) = (nine.iter().min().context("one")?, nine.iter().max().context("one")?);
    let took = last.duration_since(*first)?;
    let what = if hangs { "one of ten hangs" } else { "all ten take" };
    let rate = f64::from(u32::try_from(nine.len())?) / took.as_secs_f64();
    println!("{what}: {} notifications to nine receivers in {took:.2?}: {rate:.0} a second", nine.len());
    sentinel.process.signal(Signal::Kill)
}

/// What becomes of alerts when the sentinel is killed again and again.
async fn killed(services: &Services, rollouts: usize) -> Result<()> {
    let stage = Stage::set("alerts-killed", "shop", services).await?;
    let (base, inbox) = receivers().await?;
    let lines = lines(&stage, &[format!("{base}/r0")]);
    let (log, writer) = (stage.log().await?, stage.bus().await?.writer().await?);
    let domain = stage.domain().clone();
    let starting = tokio::spawn(async move { start_all(&writer, &domain, rollouts, APART).await });
    let (mut kills, mut chance) = (0, 1_u64);
    loop {
        let mut sentinel = Sentinel::start_by(&stage, "a", &lines).await?;
        sentinel.ready().await?;
        if starting.is_finished() {
            // what does not come in time is counted as lost below
            let in_time = all(&inbox, rollouts).await;
            sentinel.stop().await?;
            println!("everything was told: {}", in_time.is_ok());
            break;
        }
        chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let life = Instant::now() + Duration::from_millis(LIFE.0 + (chance >> 33) % LIFE.1);
        let lived =
            wait::until("the end of its life", LIMIT, async || (Instant::now() >= life).then_some(()));
        lived.await?;
        sentinel.process.signal(Signal::Kill)?;
        kills += 1;
    }
    starting.await??;
    let decided = verdicts(&log.entries());
    let came = inbox.lock().expect("no holder panics").clone();
    let mut ids: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for one in &came {
        ids.entry(&one.rollout).or_default().insert(&one.id);
    }
    let lost = decided.keys().filter(|rollout| !ids.contains_key(rollout.as_str())).count();
    let words: usize = ids.values().map(BTreeSet::len).sum();
    let doubled = came.len() - words;
    println!(
        "{} alerts, {kills} kills: {lost} lost, {doubled} delivered twice under one id ({:.1} per 1,000), {} told under two ids",
        decided.len(),
        f64::from(u32::try_from(doubled)?) * 1e3 / f64::from(u32::try_from(decided.len())?),
        ids.values().filter(|ids| ids.len() > 1).count()
    );
    Ok(())
}

/// Waits until so many notifications about different rollouts have come to their addresses.
async fn all(inbox: &Inbox, count: usize) -> Result<Vec<Came>> {
    let what = format!("{count} notifications");
    wait::until(&what, LIMIT, async || {
        let inbox = inbox.lock().expect("no holder panics");
        let distinct: BTreeSet<_> = inbox.iter().map(|one| (&one.path, &one.rollout)).collect();
        (distinct.len() >= count).then(|| inbox.clone())
    })
    .await
}

async fn start_all(writer: &Writer, domain: &Domain, rollouts: usize, apart: Duration) -> Result<()> {
    let mut ticks = tokio::time::interval(apart.max(Duration::from_millis(1)));
    for n in 0..rollouts {
        ticks.tick().await;
        writer.append(&start(domain, &format!("late-{n:04}"))?).await.context("failed to start a rollout")?;
    }
    Ok(())
}

/// When each rollout's verdict was appended, since the epoch.
fn verdicts(entries: &[Entry]) -> BTreeMap<String, Duration> {
    let mut verdicts = BTreeMap::new();
    for entry in entries {
        if let Entry::Event(record) = entry
            && let Body::RolloutStalled(_) = &record.event.body
            && let Some(rollout) = &record.event.envelope.rollout
        {
            let at = Duration::from_millis(record.at.0.unsigned_abs());
            verdicts.entry(rollout.to_string()).or_insert(at);
        }
    }
    verdicts
}

/// A moment of today as RFC 3339 writes it in UTC, since the epoch.
fn moment(text: &str) -> Result<Duration> {
    let at: jiff::Timestamp = text.parse().with_context(|| format!("failed to read the moment {text}"))?;
    Ok(Duration::from_millis(at.as_millisecond().unsigned_abs()))
}

/// The start of a rollout of one step, by a service that no other rollout waits for.
fn start(domain: &Domain, name: &str) -> Result<Event> {
    let text = format!(
        "apiVersion: pavane/v1\nkind: Choreography\n\
         metadata: {{ name: late, owner: nobody, runbook: \"https://runbooks.example/late\" }}\n\
         steps:\n  - {{ id: late, expect: service-{name}.DeploymentComplete, within: 1s }}\n"
    );
    rollout::start(domain, name, &text)
}
