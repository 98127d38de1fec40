//! From the word of one service to the hook of another, through two sidecars and the log.
//!
//! A hook runs only after its sidecar has written down that it is about to, has said `DeploymentStarted` and has read that back: two
//! syncs of the disk and a second way over the broker lie between. Two ways of a raw client are shown beside it: from the
//! sending of a record to its taking, and the same promise kept by hand: taken, synced to a file, a second record sent and
//! taken, synced again.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use pavane_bus::Writer;
use pavane_choreography::{Expect, Plan, Step};
use pavane_events::command::{RolloutAborted, RolloutStarted};
use pavane_events::{Body, Domain, Envelope, Event, EventId, EventType, RolloutId, Service, Source, StepId};
use pavane_tests::figures::{Figures, HEAD, milliseconds};
use pavane_tests::place;
use pavane_tests::stage::Stage;
use pavane_tests::stage::dancer::Sidecar;
use tokio::runtime::Runtime;

use crate::ways::{Door, Raw};

/// How often it is measured.
const TURNS: usize = 300;
/// How long a row is that the raw client writes down.
const ROW: usize = 256;
/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Measures and prints.
pub(crate) fn measure(
    runtime: &Runtime,
    stage: &Stage,
    writer: &Writer,
    raw: &Raw,
    address: &str,
) -> Result<()> {
    let (hook, called) = hook()?;
    let mut listener = runtime.block_on(listener(stage, &hook))?;
    let (taken, line) = (raw.consume()?, Raw::line());
    let mut file = File::create(stage.path("raw.journal")).context("failed to make a file")?;
    let (mut hooks, mut records, mut promises) = (Vec::new(), Vec::new(), Vec::new());
    for turn in 0..TURNS {
        let sent = Instant::now();
        raw.send_on(&line)?;
        records.push(arrival(&taken)? - sent);
        let sent = Instant::now();
        for _ in 0..2 {
            raw.send_on(&line)?;
            arrival(&taken)?;
            file.write_all(&[b'x'; ROW]).context("failed to write a row")?;
            file.sync_data().context("failed to sync a row")?;
        }
        promises.push(sent.elapsed());
        let rollout = RolloutId::new(format!("delivery-{turn}"))?;
        runtime.block_on(say(stage, writer, &rollout, started()?))?;
        let mut door = Door::connect_for(address, rollout.as_str())?;
        let sent = Instant::now();
        door.say()?;
        hooks.push(arrival(&called)? - sent);
        runtime.block_on(say(stage, writer, &rollout, RolloutAborted::default()))?;
    }
    let (hooks, records, promises) = (warm(&hooks), warm(&records), warm(&promises));
    println!("\n{HEAD}");
    println!("{}", records.row("raw client: sent to taken"));
    println!("{}", promises.row("raw client: twice sent, taken and synced"));
    println!("{}", hooks.row("POST at one sidecar to the hook of another"));
    let hook = milliseconds(hooks.percentile(50));
    for (raw, way) in [(&records, "that only takes it"), (&promises, "that keeps the same promise")] {
        let raw = milliseconds(raw.percentile(50));
        println!("{:.2} x the raw client {way} at p50, {:.0} us more", hook / raw, (hook - raw) * 1e3);
    }
    runtime.block_on(listener.stop())
}

fn warm(times: &[Duration]) -> Figures {
    Figures::of(times[times.len() / 10..].to_vec())
}

fn arrival(arrivals: &Receiver<Instant>) -> Result<Instant> {
    arrivals.recv_timeout(PATIENCE).context("failed to see it arrive")
}

/// A sidecar that waits for the event.
async fn listener(stage: &Stage, hook: &str) -> Result<Sidecar> {
    let [port] = place::free_ports();
    let http = format!("127.0.0.1:{port}");
    let journal = stage.path("messaging.journal").display().to_string();
    let version = stage.write("messaging-version", "1.0.0\n")?;
    let text = format!(
        "service: messaging\ndomain: {}\ninstance: messaging-0\nhttp: {http}\njournal: {journal}\n\
         ready_needs_kafka: true\nversion: {{ file: {version} }}\nreactions:\n  - on: user-service.Ready\n    \
         run: {{ http: {{ post: \"{hook}\" }} }}\n",
        stage.domain()
    );
    let mut sidecar = Sidecar::start(stage, "messaging", &text, &http, &[]).await?;
    sidecar.ready().await?;
    Ok(sidecar)
}

/// A service that notes when its hook is called.
fn hook() -> Result<(String, Receiver<Instant>)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}/upgrade", listener.local_addr()?);
    let (sender, called) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let sender = sender.clone();
            std::thread::spawn(move || serve(BufReader::new(stream), &sender));
        }
    });
    Ok((url, called))
}

fn serve(mut stream: BufReader<std::net::TcpStream>, called: &Sender<Instant>) -> Result<()> {
    loop {
        let (mut line, mut length) = (String::new(), 0);
        while line != "\r\n" {
            line.clear();
            if stream.read_line(&mut line)? == 0 {
                return Ok(());
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse()?;
            }
        }
        called.send(Instant::now())?;
        stream.read_exact(&mut vec![0; length])?;
        stream.get_mut().write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")?;
    }
}

fn started() -> Result<RolloutStarted> {
    let mut second = step("messaging", "messaging", EventType::DeploymentComplete)?;
    second.after = vec![StepId::new("users")?];
    let steps = vec![step("users", "user-service", EventType::Ready)?, second];
    let plan = Plan::new("delivery", "bench", steps);
    let (json, plan_digest) = (plan.to_json(), plan.digest());
    let (by, reason) = ("bench".to_owned(), String::new());
    Ok(RolloutStarted { choreography: plan.name, plan: json, plan_digest, rules: 1, by, reason })
}

fn step(id: &str, service: &str, event: EventType) -> Result<Step> {
    let expect = Expect { service: Service::new(service)?, event };
    Ok(Step::new(StepId::new(id)?, expect, 600_000, "bench"))
}

async fn say(stage: &Stage, writer: &Writer, rollout: &RolloutId, body: impl Into<Body>) -> Result<()> {
    let body = body.into();
    let id = EventId::new(format!("{rollout}-{}", body.event_type()))?;
    let mut envelope = Envelope::new(Domain::new(stage.domain().as_str())?, Source::new("/bench")?, id);
    envelope.rollout = Some(rollout.clone());
    writer.append(&Event { envelope, body }).await.context("failed to append").map(drop)
}
