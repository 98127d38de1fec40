//! How long a sentinel takes to read a log that it has never seen, relative to a plain client that reads the same bytes and
//! throws them away.
//!
//! A million events of rollouts of four steps are written to a real broker first. Then three readers take turns: the plain
//! client, our reader, which decodes and checks each record, and our reader with the engine behind it.
//!
//! `cargo bench -p pavane-tests --bench replay`, or with `-- 100000` for another number of events.

#![expect(clippy::print_stdout, reason = "a bench prints what it measured")]

mod rollout;

use std::fmt::Write;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use pavane_bus::{Bus, Item, Policy, Topic, Writer, partition_of};
use pavane_events::service::{DeploymentComplete, DeploymentStarted};
use pavane_events::{Body, Domain, Envelope, Event, EventId, Instance, RolloutId, Service, Source, Version};
use pavane_sentinel_engine::{Engine, Input};
use pavane_tests::real::Services;
use pavane_tests::stage::{Stage, script};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};
use tokio::task::JoinSet;

/// How many events there are unless told otherwise.
const EVENTS: usize = 1_000_000;

/// How many appends are on their way at a time.
const ABREAST: usize = 500;

/// How many events a rollout has: its start, and two of each of its steps.
const STEPS: usize = 4;
const PER_ROLLOUT: usize = 1 + 2 * STEPS;

/// How often each reader reads.
const TURNS: usize = 3;

#[tokio::main]
async fn main() -> Result<()> {
    let events = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(EVENTS);
    let Some(services) = Services::get("the bench of replay").await else { return Ok(()) };
    let stage = Stage::set("replay", script::DOMAIN, &services).await?;
    let (bus, domain) = (stage.bus().await?, stage.domain().clone());
    let rollouts = events / PER_ROLLOUT;
    let began = Instant::now();
    fill(&bus.writer().await?, &domain, rollouts).await?;
    println!("{} events written in {:.1} s", rollouts * PER_ROLLOUT, began.elapsed().as_secs_f64());
    let mut times = [const { Vec::new() }; 3];
    for _ in 0..TURNS {
        times[0].push(plain(&bus, &domain, rollouts * PER_ROLLOUT)?);
        times[1].push(ours(&bus, &domain, None).await?);
        let engine = Engine::new(domain.clone(), "bench".to_owned());
        times[2].push(ours(&bus, &domain, Some(engine)).await?);
    }
    println!("{:<44} {:>8} {:>12} {:>8}", "", "median s", "events / s", "ratio");
    let of = |times: &mut Vec<Duration>| {
        times.sort();
        times[times.len() / 2].as_secs_f64()
    };
    let first = of(&mut times[0]);
    let names = ["the plain client", "our reader", "our reader and the engine"];
    for (name, times) in names.iter().zip(&mut times) {
        let median = of(times);
        let rate = f64::from(u32::try_from(rollouts * PER_ROLLOUT)?) / median;
        println!("{name:<44} {median:>8.2} {rate:>12.0} {:>8.2}", median / first);
    }
    Ok(())
}

/// Writes the rollouts, many at a time; the events of one follow each other.
async fn fill(writer: &Writer, domain: &Domain, rollouts: usize) -> Result<()> {
    let mut writing = JoinSet::new();
    for n in 0..rollouts {
        if writing.len() >= ABREAST {
            writing.join_next().await.context("something is written")???;
        }
        let (writer, events) = (writer.clone(), rollout(domain, n)?);
        writing.spawn(async move {
            for event in &events {
                writer.append(event).await.context("failed to append")?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(written) = writing.join_next().await {
        written??;
    }
    Ok(())
}

/// Reads as many records as were written, and throws them away.
fn plain(bus: &Bus, domain: &Domain, records: usize) -> Result<Duration> {
    let partition = partition_of(domain.as_str().as_bytes(), bus.partitions());
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", &bus.settings().kafka)
        .set("group.id", "pavane-bench-replay")
        .set("enable.auto.commit", "false")
        .create()?;
    let mut from = TopicPartitionList::new();
    let topic = Topic::Lifecycle.name(&bus.settings().prefix);
    from.add_partition_offset(&topic, partition, Offset::Beginning)?;
    let began = Instant::now();
    consumer.assign(&from)?;
    let (mut read, mut bytes) = (0, 0);
    while read < records {
        let message = consumer.poll(Duration::from_secs(30)).context("the log ended early")??;
        bytes += message.payload().map_or(0, <[u8]>::len);
        read += 1;
    }
    ensure!(bytes > 0, "records have bytes");
    Ok(began.elapsed())
}

/// Reads to the end as a sentinel does, with the engine behind it or without.
async fn ours(bus: &Bus, domain: &Domain, mut engine: Option<Engine>) -> Result<Duration> {
    let began = Instant::now();
    let mut reader = bus.reader(domain, Policy::Structural).await?;
    let mut effects = 0;
    while let Item::Entry { entry, .. } = reader.next().await? {
        if let Some(engine) = &mut engine {
            effects += engine.handle(0, Input::Read(entry)).len();
        }
    }
    ensure!(engine.is_none_or(|engine| engine.view().offset > 0), "the engine has read {effects}");
    Ok(began.elapsed())
}

/// A rollout of four steps, each with a service of its own, in which everybody says what is awaited.
fn rollout(domain: &Domain, n: usize) -> Result<Vec<Event>> {
    let rollout = RolloutId::new(format!("r-{n}"))?;
    let mut steps = String::new();
    for k in 0..STEPS {
        let after = if k == 0 { String::new() } else { format!(", after: [s{}]", k - 1) };
        let expects = format!("service-{n}-{k}.DeploymentComplete");
        writeln!(steps, "  - {{ id: s{k}, expect: {expects}, within: 1h{after} }}")?;
    }
    let text = format!(
        "apiVersion: pavane/v1\nkind: Choreography\nmetadata: {{ name: long, owner: nobody }}\nsteps:\n{steps}"
    );
    let mut events = vec![rollout::start(domain, rollout.as_str(), &text)?];
    for k in 0..STEPS {
        let service = format!("service-{n}-{k}");
        let started = DeploymentStarted { from: Some(Version::new("1.0.0")?), to: None };
        events.push(event(domain, &rollout, &service, &format!("{n}-{k}-started"), started)?);
        let complete = DeploymentComplete::default();
        events.push(event(domain, &rollout, &service, &format!("{n}-{k}-done"), complete)?);
    }
    Ok(events)
}

fn event(
    domain: &Domain,
    rollout: &RolloutId,
    service: &str,
    id: &str,
    body: impl Into<Body>,
) -> Result<Event> {
    let source = Source::new(format!("/pavane/{domain}/{service}/{service}-0"))?;
    let mut envelope = Envelope::new(domain.clone(), source, EventId::new(id)?);
    envelope.rollout = Some(rollout.clone());
    envelope.service = Some(Service::new(service)?);
    envelope.instance = Some(Instance::new(format!("{service}-0"))?);
    envelope.version = Some(Version::new("2.0.0")?);
    Ok(Event { envelope, body: body.into() })
}
