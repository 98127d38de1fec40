//! What it costs a service to say an event at its sidecar's door, against a Kafka client of its own.
//!
//! What it costs besides: events a second, the way to another service's hook, memory, processor, start.
//!
//! Four ways to bring 124 bytes to one real broker, each sent alone, answered for by the broker, and only then
//! followed by the next: the raw client, to a topic that nobody reads; the raw client that says the same as the sidecar,
//! byte for byte, with envelope and trace in the headers, to the same partition, which the sidecar reads; our writer,
//! which adds contract, envelope and trace; and `POST /v1/events` on one connection that stays open, to a sidecar that
//! is a process of its own. The ways take turns, so that a busy moment of the machine meets all of them. Beside them
//! stands a question that the sidecar answers by itself: what it takes to ask another process anything at all.
//!
//! `cargo bench -p pavane-tests --bench publish`, or with `-- 500` for another number of turns.

#![expect(clippy::print_stdout, reason = "a bench prints what it measured")]

mod cost;
mod delivery;
mod rate;
mod ways;

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use pavane_bus::{Bus, Topic, Writer, partition_of};
use pavane_events::service::Ready;
use pavane_events::{Domain, Envelope, Event, EventId, Instance, RolloutId, Service, Source, Version};
use pavane_tests::figures::{Figures, HEAD, milliseconds};
use pavane_tests::place;
use pavane_tests::real::Services;
use pavane_tests::stage::Stage;
use pavane_tests::stage::dancer::Sidecar;
use tokio::runtime::{Builder, Runtime};
use ways::{Door, Line, Raw, detail};

/// How many turns there are unless told otherwise, and how long they may take all together.
const TURNS: usize = 3_000;
const LIMIT: Duration = Duration::from_mins(1);

/// How often an event is said after how long a silence.
const SELDOM: usize = 10;
const SILENCE: Duration = Duration::from_secs(6);

const NAMES: [&str; 5] = [
    "the raw client",
    "the raw client, saying the same",
    "GET /healthz at the sidecar",
    "our writer, in this process",
    "POST /v1/events at the sidecar",
];

fn main() -> Result<()> {
    let turns = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(TURNS);
    let runtime = Builder::new_multi_thread().enable_all().build()?;
    let Some(services) = runtime.block_on(Services::get("the bench of publishing")) else { return Ok(()) };
    let stage = runtime.block_on(Stage::set("publish", "arena", &services))?;
    let begun = Instant::now();
    let (mut sidecar, address) = runtime.block_on(sidecar(&stage))?;
    println!("start: ready, with the log read, after {:.0} ms", milliseconds(begun.elapsed()));
    cost::idle(sidecar.process.id())?;
    let raw = Arc::new(Raw::connect(&runtime, stage.settings())?);
    let mut settings = stage.settings().clone();
    // As a sidecar sets it: to compress a short record takes longer than to send it.
    settings.client.insert("compression.codec".to_owned(), "none".to_owned());
    let bus = runtime.block_on(Bus::connect(settings, "bench"))?;
    let writer = runtime.block_on(bus.writer())?;
    let (mut door, line) = (Door::connect(&address)?, Raw::line());
    let mut health = Door::connect_to_health(&address)?;
    door.say()?;
    let (log, domain) = (Topic::Lifecycle.name(&stage.settings().prefix), stage.domain().as_str());
    let said = raw.newest(&log, partition_of(domain.as_bytes(), bus.partitions()))?;

    let mut times = [const { Vec::new() }; NAMES.len()];
    let begun = Instant::now();
    for turn in 0..turns {
        for way in (0..NAMES.len()).map(|way| (turn + way) % NAMES.len()) {
            let sent = Instant::now();
            match way {
                0 => raw.send_on(&line)?,
                1 => raw.say_on(&line, &said, turn)?,
                2 => health.say()?,
                3 => append(&runtime, &writer, turn)?,
                _ => door.say()?,
            }
            times[way].push(sent.elapsed());
        }
        if begun.elapsed() > LIMIT {
            break;
        }
    }
    print(times);
    seldom(&raw, &line, &mut door)?;
    rate::measure(&address, &raw)?;
    cost::loaded(sidecar.process.id())?;
    delivery::measure(&runtime, &stage, &writer, &raw, &address)?;
    runtime.block_on(sidecar.stop())
}

/// Prints the table without its first tenth, in which connections and caches grow warm.
fn print(times: [Vec<Duration>; NAMES.len()]) {
    let warm = times.map(|times| Figures::of(times[times.len() / 10..].to_vec()));
    println!("{HEAD}");
    for (figures, name) in warm.iter().zip(NAMES) {
        println!("{}", figures.row(name));
    }
    let middle = warm.map(|figures| milliseconds(figures.percentile(50)));
    for (raw, than) in middle.iter().zip(NAMES).take(2) {
        for (own, name) in middle.iter().zip(NAMES).skip(3) {
            println!("{name}: {:.2} x {than} at p50, {:.0} us more", own / raw, (own - raw) * 1e3);
        }
    }
    let [_, same, asking, _, post] = middle;
    println!(
        "of that the asking itself {:.0} us, all else {:.0} us",
        asking * 1e3,
        (post - same - asking) * 1e3
    );
}

/// An event now and then, as services say them: what the sidecar knows for some seconds alone is asked for again.
fn seldom(raw: &Raw, line: &Line, door: &mut Door) -> Result<()> {
    let mut times = [const { Vec::new() }; 2];
    for _ in 0..SELDOM {
        std::thread::sleep(SILENCE);
        for (way, times) in times.iter_mut().enumerate() {
            let sent = Instant::now();
            if way == 0 {
                raw.send_on(line)?;
            } else {
                door.say()?;
            }
            times.push(sent.elapsed());
        }
    }
    let names = ["the raw client, after 6 s of silence", "the sidecar, after 6 s of silence"];
    for (times, name) in times.into_iter().zip(names) {
        println!("{}", Figures::of(times).row(name));
    }
    Ok(())
}

/// A sidecar that has nothing to do but to open its door.
async fn sidecar(stage: &Stage) -> Result<(Sidecar, String)> {
    let [port] = place::free_ports();
    let http = format!("127.0.0.1:{port}");
    let journal = stage.path("journal").display().to_string();
    let version = stage.write("version", "1.0.0\n")?;
    let text = format!(
        "service: user-service\ndomain: {}\ninstance: user-service-0\nhttp: {http}\njournal: {journal}\n\
         ready_needs_kafka: true\nversion: {{ file: {version} }}\n",
        stage.domain()
    );
    let mut sidecar = Sidecar::start(stage, "user-service", &text, &http, &[]).await?;
    sidecar.ready().await?;
    Ok((sidecar, http))
}

/// Appends the event by our writer and waits for the broker.
fn append(runtime: &Runtime, writer: &Writer, turn: usize) -> Result<()> {
    let domain = Domain::new("arena")?;
    let source = Source::new("/pavane/arena/user-service/user-service-1")?;
    let mut envelope = Envelope::new(domain, source, EventId::new(format!("bench-{turn}"))?);
    envelope.rollout = Some(RolloutId::new("r-1")?);
    envelope.service = Some(Service::new("user-service")?);
    envelope.instance = Some(Instance::new("user-service-1")?);
    envelope.version = Some(Version::new("1.0.0")?);
    let body = Ready { prerequisite: "cache".to_owned(), detail: detail() };
    let event = Event { envelope, body: body.into() };
    runtime.block_on(writer.append(&event)).context("failed to append").map(drop)
}
