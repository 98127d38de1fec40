//! Brings the parts of a sidecar together: journal, door, way to the log, loop.

use std::collections::BTreeMap;
use std::sync::Arc;

use pavane_bus::{Bus, Settings as BusSettings};
use pavane_sidecar_engine::{Engine, Settings};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::boot::{self, Connected, Way};
use crate::config::Config;
use crate::door::{self, Door, Request};
use crate::error::Error;
use crate::heartbeat;
use crate::hook::Caller;
use crate::journal::{Journal, Recalled};
use crate::line::Line;
use crate::outbox;
use crate::probe;
use crate::shared::Shared;
use crate::sidecar::{Sidecar, Sources};
use crate::span::Spans;
use crate::telemetry;

/// Runs a sidecar on a connection that stands, until it is stopped. Telemetry is the caller's to set up.
pub async fn run(config: Config, bus: Bus, stop: CancellationToken) -> anyhow::Result<()> {
    Ok(work(config, Way::Open(Box::new(bus)), stop).await?)
}

/// Runs a sidecar that connects by itself, and waits for Kafka and the registry as long as it takes.
pub async fn run_with(config: Config, settings: BusSettings, stop: CancellationToken) -> anyhow::Result<()> {
    Ok(work(config, Way::To(Box::new(settings)), stop).await?)
}

async fn work(config: Config, way: Way, stop: CancellationToken) -> Result<(), Error> {
    let own = format!("{}/{}/{}", config.domain, config.service, config.instance);
    let (journal, recalled) = Journal::open(&config.journal, &own)?;
    let (config, boot) = (Arc::new(config), Uuid::now_v7().to_string());
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build()?;
    let shared = Arc::new(Shared::default());
    let (requests, requested) = mpsc::unbounded_channel();
    let mut settings = settings(&config, &boot);
    let mut parts = JoinSet::new();
    probe::start(&config, &client, way.settings(), &shared, &mut parts)?;
    let door = Door {
        config: config.clone(),
        boot: boot.clone(),
        source: settings.source(),
        client: client.clone(),
        shared: shared.clone(),
        requests,
    };
    open_door(door, &mut parts, stop.clone()).await?;
    telemetry::caught_up(false);
    tracing::info!(
        instance = own,
        team = config.team,
        boot,
        jobs = recalled.memory.jobs.len(),
        outbox = recalled.outbox.len(),
        "started"
    );
    let Some(connected) = boot::connect(way, &config.domain, recalled.position, &stop).await? else {
        return Ok(());
    };
    settings.partition = connected.reader.partition();
    let caller = Caller {
        client,
        domain: config.domain.clone(),
        service: config.service.clone(),
        instance: config.instance.clone(),
        zone: config.zone.clone(),
        source: settings.source(),
    };
    let found = Found { config, boot, settings, journal, recalled, caller, shared, parts, requested };
    let (sidecar, sources) = assemble(found, connected)?;
    sidecar.run(sources, &stop).await
}

struct Found {
    config: Arc<Config>,
    boot: String,
    settings: Settings,
    journal: Journal,
    recalled: Recalled,
    caller: Caller,
    shared: Arc<Shared>,
    parts: JoinSet<(&'static str, Result<(), Error>)>,
    requested: mpsc::UnboundedReceiver<Request>,
}

fn assemble(found: Found, connected: Connected) -> Result<(Sidecar, Sources), Error> {
    let Found { config, boot, settings, journal, recalled, caller, shared, mut parts, requested } = found;
    let Connected { writer, reader, topic } = connected;
    let (facts, told) = mpsc::unbounded_channel();
    let (letters, posted) = mpsc::unbounded_channel();
    let (sent, answered) = mpsc::unbounded_channel();
    let (beats, beaten) = watch::channel(None);
    let sending = outbox::send(writer.clone(), posted, sent, shared.clone());
    parts.spawn(async { ("its outbox", sending.await) });
    let beating = heartbeat::beat(writer.clone(), beaten);
    parts.spawn(async { ("its heartbeat", beating.await) });
    if let Some(watched) = shared.watched.get() {
        let telling = watched.tell(facts.clone());
        parts.spawn(async { ("its checks", telling.await) });
    }
    if shared.writer.set(writer.clone()).is_err() {
        return Err(Error::Ended("its door"));
    }
    let sidecar = Sidecar {
        spans: Spans::new(topic, reader.partition()),
        engine: Engine::new(settings, recalled.memory),
        line: Line::new(letters, recalled.outbox)?,
        position: recalled.position,
        config,
        boot,
        journal,
        caller,
        writer,
        shared,
        facts,
        beats,
        parts,
        errands: JoinSet::new(),
        hooks: BTreeMap::new(),
        unreadable: BTreeMap::new(),
        begun: Instant::now(),
        stopping: false,
    };
    Ok((sidecar, Sources { reader, facts: told, sent: answered, requests: requested }))
}

/// Binds the door before anything else is tried, so that health can be asked for from the start.
async fn open_door(
    door: Door,
    parts: &mut JoinSet<(&'static str, Result<(), Error>)>,
    stop: CancellationToken,
) -> Result<(), Error> {
    let address = door.config.http;
    let failed = move |source| Error::Listen { address, source };
    let listener = tokio::net::TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    tracing::info!(address = %bound, "the door is open");
    let serving = axum::serve(listener, door::router(door)).with_graceful_shutdown(async move {
        stop.cancelled().await;
    });
    parts.spawn(async move { ("its door", serving.await.map_err(failed)) });
    Ok(())
}

fn settings(config: &Config, boot: &str) -> Settings {
    let seed = Uuid::now_v7().as_u64_pair();
    Settings {
        domain: config.domain.clone(),
        service: config.service.clone(),
        instance: config.instance.clone(),
        zone: config.zone.clone(),
        boot: boot.to_owned(),
        partition: 0,
        seed: seed.0 ^ seed.1,
        reactions: config.reactions.iter().map(|reaction| reaction.terms.clone()).collect(),
    }
}
