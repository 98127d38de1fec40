//! How long a deadline waits for its verdict when the sentinel that would speak is killed just before.
//!
//! Two sentinels beside a real broker. A first rollout shows who speaks; a second one's window is about to end when that
//! one gets SIGKILL. Measured is the broker's time from the deadline to the verdict on the log, which the other one must
//! bring; the grace is in it. The group of the sentinels takes 6 s to notice a death, a standby speaks after two pulses.
//!
//! `cargo bench -p pavane-tests --bench failover`, or with `-- 40` for another number of kills.

#![expect(clippy::print_stdout, reason = "a bench prints what it measured")]

mod rollout;

use std::time::Duration;

use anyhow::{Context, Result};
use pavane_bus::Writer;
use pavane_events::{Body, Domain, Entry, Event, Record, RolloutId, Timestamp};
use pavane_tests::figures::{Figures, HEAD};
use pavane_tests::process::Signal;
use pavane_tests::real::Services;
use pavane_tests::stage::log::Log;
use pavane_tests::stage::sentinel::Sentinel;
use pavane_tests::stage::{SOON, Stage};

/// How many sentinels are killed unless told otherwise.
const KILLS: usize = 12;

/// The window of every rollout, and how long before its end the sentinel is killed, in milliseconds.
const WITHIN: i64 = 2_000;
const BEFORE: i64 = 300;

#[tokio::main]
async fn main() -> Result<()> {
    let kills = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(KILLS);
    let Some(services) = Services::get("the bench of fail-over").await else { return Ok(()) };
    let stage = Stage::set("failover", "shop", &services).await?;
    let (log, writer) = (stage.log().await?, stage.bus().await?.writer().await?);
    let mut both = [Sentinel::start(&stage, "a").await?, Sentinel::start(&stage, "b").await?];
    for sentinel in &mut both {
        sentinel.ready().await?;
    }
    let (mut alive, mut dead) = (Vec::new(), Vec::new());
    for n in 0..kills {
        let (speaker, took) = verdict(&log, &writer, stage.domain(), &format!("before-{n}"), None).await?;
        alive.push(took);
        let k = both.iter().position(|sentinel| sentinel.replica() == speaker);
        let k = k.with_context(|| format!("nobody here is called {speaker}"))?;
        let victim = Some(&both[k]);
        let (_, took) = verdict(&log, &writer, stage.domain(), &format!("over-{n}"), victim).await?;
        dead.push(took);
        both[k] = Sentinel::start_as(&stage, &speaker, &format!("{speaker}-{n}")).await?;
        both[k].ready().await?;
    }
    println!("{HEAD}");
    println!("{}", Figures::of(alive).row("deadline to verdict, both alive"));
    println!("{}", Figures::of(dead).row("deadline to verdict, the speaker killed"));
    Ok(())
}

/// Starts a rollout that nobody answers and, when its window is about to end, kills `victim`. Returns who proposed the
/// stall that was accepted, and how long after the deadline it was said.
async fn verdict(
    log: &Log,
    writer: &Writer,
    domain: &Domain,
    name: &str,
    victim: Option<&Sentinel>,
) -> Result<(String, Duration)> {
    let rollout = RolloutId::new(name)?;
    let start = start(domain, &rollout)?;
    let started = writer.append(&start).await.context("failed to start a rollout")?;
    if let Some(victim) = victim {
        let about = started.at.plus(WITHIN - BEFORE);
        let soon = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
        let wait = about.since(Timestamp(i64::try_from(soon.as_millis())?));
        tokio::time::sleep(Duration::from_millis(u64::try_from(wait).unwrap_or_default())).await;
        victim.process.signal(Signal::Kill)?;
    }
    let deadline = started.at.plus(WITHIN);
    log.wait_for("the verdict", SOON, |entries| {
        let said = entries.iter().filter_map(record_of).find(|record| is_stall_of(record, &rollout))?;
        let Body::RolloutStalled(stall) = &said.event.body else { return None };
        let proposed = entries.iter().filter_map(record_of).find(|record| record.offset == stall.accepted)?;
        let took = u64::try_from(said.at.since(deadline)).ok()?;
        Some((proposed.event.envelope.replica.clone()?, Duration::from_millis(took)))
    })
    .await
}

fn record_of(entry: &Entry) -> Option<&Record> {
    match entry {
        Entry::Event(record) => Some(record),
        Entry::Unreadable(_) => None,
    }
}

fn is_stall_of(record: &Record, rollout: &RolloutId) -> bool {
    record.event.envelope.rollout.as_ref() == Some(rollout)
        && matches!(record.event.body, Body::RolloutStalled(_))
}

fn start(domain: &Domain, rollout: &RolloutId) -> Result<Event> {
    let text = format!(
        "apiVersion: pavane/v1\nkind: Choreography\nmetadata: {{ name: late, owner: nobody }}\n\
         steps:\n  - {{ id: late, expect: {rollout}.DeploymentComplete, within: 2s }}\n"
    );
    rollout::start(domain, rollout.as_str(), &text)
}
