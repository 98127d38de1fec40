//! What it costs a service to say an event at its sidecar's door, against a Kafka client of its own.
//!
//! Three ways to bring 124 bytes to one real broker, each sent alone, answered for by the broker, and only then
//! followed by the next: the raw client; our writer, which adds contract, envelope and trace; and `POST /v1/events`
//! on one connection that stays open, to a sidecar that is a process of its own. The ways take turns, so that a
//! busy moment of the machine meets all of them.
//!
//! `cargo bench -p pavane-tests --bench publish`, or with `-- 500` for another number of turns.

#![expect(clippy::print_stdout, reason = "a bench prints what it measured")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use pavane_bus::{Settings, Writer};
use pavane_events::service::Ready;
use pavane_events::{Domain, Envelope, Event, EventId, Instance, RolloutId, Service, Source, Version};
use pavane_tests::figures::{Figures, HEAD, milliseconds};
use pavane_tests::place;
use pavane_tests::real::Services;
use pavane_tests::stage::Stage;
use pavane_tests::stage::dancer::Sidecar;
use rdkafka::ClientContext;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::producer::{BaseRecord, DeliveryResult, ProducerContext, ThreadedProducer};
use serde_json::json;
use tokio::runtime::{Builder, Runtime};

/// How many turns there are unless told otherwise, and how long they may take all together.
const TURNS: usize = 3_000;
const LIMIT: Duration = Duration::from_mins(1);

/// How long a record is; what ours carries is chosen so that its value is as long.
const LENGTH: usize = 124;
const DETAIL: usize = 111;

const NAMES: [&str; 3] = ["the raw client", "our writer, in this process", "POST /v1/events at the sidecar"];

fn main() -> Result<()> {
    let turns = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(TURNS);
    let runtime = Builder::new_multi_thread().enable_all().build()?;
    let Some(services) = runtime.block_on(Services::get("the bench of publishing")) else { return Ok(()) };
    let stage = runtime.block_on(Stage::set("publish", "arena", &services))?;
    let (mut sidecar, address) = runtime.block_on(sidecar(&stage))?;
    let raw = Raw::connect(&runtime, stage.settings())?;
    let writer = runtime.block_on(async { Ok::<_, anyhow::Error>(stage.bus().await?.writer().await?) })?;
    let mut door = Door::connect(&address)?;

    let mut times = [const { Vec::new() }; 3];
    let begun = Instant::now();
    for turn in 0..turns {
        for way in (0..3).map(|way| (turn + way) % 3) {
            let sent = Instant::now();
            match way {
                0 => raw.send()?,
                1 => append(&runtime, &writer, turn)?,
                _ => door.say()?,
            }
            times[way].push(sent.elapsed());
        }
        if begun.elapsed() > LIMIT {
            break;
        }
    }
    print(times);
    runtime.block_on(sidecar.stop())
}

/// Prints the table without its first tenth, in which connections and caches grow warm.
fn print(times: [Vec<Duration>; 3]) {
    let warm = times.map(|times| Figures::of(times[times.len() / 10..].to_vec()));
    println!("{HEAD}");
    for (figures, name) in warm.iter().zip(NAMES) {
        println!("{}", figures.row(name));
    }
    let raw = milliseconds(warm[0].percentile(50));
    for (figures, name) in warm.iter().zip(NAMES).skip(1) {
        let own = milliseconds(figures.percentile(50));
        println!("{name}: {:.2} x the raw client at p50, {:.0} us more", own / raw, (own - raw) * 1e3);
    }
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

fn detail() -> String {
    "x".repeat(DETAIL)
}

/// The service's connection to the door.
struct Door {
    stream: BufReader<TcpStream>,
    request: Vec<u8>,
}

impl Door {
    fn connect(address: &str) -> Result<Self> {
        let stream = TcpStream::connect(address).context("failed to reach the door")?;
        stream.set_nodelay(true)?;
        let data = json!({ "prerequisite": "cache", "detail": detail() });
        let body =
            json!({ "event": "Ready", "rollout": "r-1", "version": "1.0.0", "data": data }).to_string();
        let head = format!(
            "POST /v1/events HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        Ok(Self { stream: BufReader::new(stream), request: [head, body].concat().into_bytes() })
    }

    /// Says the event and waits until it is answered that the broker has it.
    fn say(&mut self) -> Result<()> {
        self.stream.get_mut().write_all(&self.request)?;
        let (mut line, mut status, mut length) = (String::new(), String::new(), 0);
        while line != "\r\n" {
            line.clear();
            ensure!(self.stream.read_line(&mut line)? > 0, "the door closed the connection");
            if status.is_empty() {
                line.trim().clone_into(&mut status);
            } else if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().context("failed to read the length of the answer")?;
            }
        }
        let mut answer = vec![0; length];
        self.stream.read_exact(&mut answer)?;
        ensure!(status.contains(" 201 "), "the door answered {status}: {}", String::from_utf8_lossy(&answer));
        Ok(())
    }
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

/// The library's own client, set up as ours: idempotent, no linger, answered for by all replicas.
struct Raw {
    producer: ThreadedProducer<Answers>,
    answers: Receiver<bool>,
    topic: String,
}

struct Answers(Sender<bool>);

impl ClientContext for Answers {}

impl ProducerContext for Answers {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        self.0.send(result.is_ok()).expect("whoever sent waits for the answer");
    }
}

impl Raw {
    fn connect(runtime: &Runtime, settings: &Settings) -> Result<Self> {
        let topic = format!("{}.raw", settings.prefix);
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &settings.kafka);
        let admin: AdminClient<DefaultClientContext> = config.create()?;
        let wanted = NewTopic::new(&topic, 1, TopicReplication::Fixed(1));
        for made in runtime.block_on(admin.create_topics([&wanted], &AdminOptions::new()))? {
            made.map_err(|(topic, code)| anyhow::anyhow!("failed to make the topic {topic}: {code}"))?;
        }
        config.set("linger.ms", "0").set("acks", "all").set("enable.idempotence", "true");
        let (sender, answers) = channel();
        Ok(Self { producer: config.create_with_context(Answers(sender))?, answers, topic })
    }

    fn send(&self) -> Result<()> {
        let record = BaseRecord::to(&self.topic).payload(&[b'x'; LENGTH]).key("arena");
        self.producer.send(record).map_err(|(error, _)| error)?;
        ensure!(self.answers.recv()?, "the broker has not taken the record");
        Ok(())
    }
}
