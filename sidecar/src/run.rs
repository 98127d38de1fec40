//! Brings the parts of a sidecar together: journal, door, way to the log, loop.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use pavane_bus::{Bus, Settings as BusSettings};
use pavane_sidecar_engine::{AUTHORITY, Engine, Settings};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::boot::{self, Connected, Way};
use crate::config::Config;
use crate::door::{Door, Room};
use crate::error::Error;
use crate::failpoint::pass;
use crate::good;
use crate::heartbeat;
use crate::hook::{self, Callbacks, Caller, Keeper, Progress};
use crate::journal::{Journal, Recalled};
use crate::outbox::{self, Closer, Outbox};
use crate::probe;
use crate::process::Process;
use crate::roster::{Orphan, Roster};
use crate::service::Desk;
use crate::shared::Shared;
use crate::sidecar::{Sidecar, Sources};
use crate::span::Spans;
use crate::strain;
use crate::telemetry;
use crate::twin;
use crate::vigil::Vigil;

/// How long a journal may be another process's before its instance counts as taken.
const TAKEN: Duration = Duration::from_secs(10);
/// How often it is looked meanwhile.
const LOOK: Duration = Duration::from_millis(50);

/// Runs a sidecar on a connection that stands, until it is stopped. Telemetry is the caller's to set up.
pub async fn run(config: Config, bus: Bus, stop: CancellationToken) -> anyhow::Result<()> {
    Ok(work(config, Way::Open(Box::new(bus)), None, stop).await?)
}

/// Runs a sidecar that connects by itself, and waits for Kafka and the registry as long as it takes.
pub async fn run_with(config: Config, settings: BusSettings, stop: CancellationToken) -> anyhow::Result<()> {
    let way = Way::To(Box::new(tuned(settings, &config)));
    Ok(work(config, way, None, stop).await?)
}

/// The client's settings as a sidecar wants them.
pub(crate) fn tuned(mut settings: BusSettings, config: &Config) -> BusSettings {
    // What a service says is short: to compress such a record takes longer than to send it. And where a long log is read in
    // large pieces, the allocator keeps what they took.
    let wanted = [
        ("compression.codec", "none"),
        ("fetch.message.max.bytes", "262144"),
        ("queued.max.messages.kbytes", "1024"),
    ];
    for (key, value) in wanted {
        settings.client.entry(key.to_owned()).or_insert_with(|| value.to_owned());
    }
    let mut folder = config.journal.clone().into_os_string();
    folder.push(".schemas");
    settings.schema_folder = Some(folder.into());
    settings
}

/// Runs a sidecar; `process` is the service's, where the sidecar wraps it.
pub(crate) async fn work(
    config: Config,
    way: Way,
    process: Option<Process>,
    stop: CancellationToken,
) -> Result<(), Error> {
    let own = format!("{}/{}/{}", config.domain, config.service, config.instance);
    let (journal, mut recalled) = claim(&config.journal, &own).await?;
    let (config, boot) = (Arc::new(config), Uuid::now_v7().to_string());
    let roster = Roster::beside(&config.journal);
    end_orphans(&roster).await?;
    recalled.memory.repeatable = hook::repeatable(&config, &recalled);
    let outbox = Outbox::new(journal, &boot, config.outbox, &mut recalled);
    let keeper = Keeper::of(&outbox);
    let closer = outbox.employ()?;
    let client = pavane_bus::http::client(config.tls).build()?;
    let shared = Arc::new(Shared::beside(process));
    let mut settings = settings(&config, &boot);
    let mut parts = JoinSet::new();
    probe::start(&config, &client, way.settings(), &shared, &mut parts)?;
    let door = Door {
        config: config.clone(),
        boot: boot.clone(),
        source: settings.source(),
        client: client.clone(),
        shared: shared.clone(),
        outbox: outbox.clone(),
        intake: Door::intake(),
        room: Room::of(config.limits.connections),
    };
    let caller = Caller {
        client,
        domain: config.domain.clone(),
        service: config.service.clone(),
        instance: config.instance.clone(),
        zone: config.zone.clone(),
        source: settings.source(),
        roster,
        valves: hook::valves(&config),
        callbacks: Callbacks::new(keeper.clone(), std::mem::take(&mut recalled.callbacks)),
        progress: Progress::new(keeper, std::mem::take(&mut recalled.steps)),
        url: config.http.url(),
        door: config.http.variables(),
    };
    let desk = Desk::new(door.clone(), caller);
    weigh(&config, &way, &door, &mut parts);
    door.open(&desk, &mut parts, &stop).await?;
    telemetry::begun(AUTHORITY);
    tracing::info!(
        instance = own,
        team = config.team,
        boot,
        jobs = recalled.memory.jobs.len(),
        outbox = outbox.depth(),
        "started"
    );
    let reached = boot::connect(way, &config.domain, recalled.position, &shared, &stop).await?;
    let Some(connected) = reached else { return Ok(()) };
    shared.set_sighted(false);
    pass("connected");
    settings.partition = connected.reader.partition();
    let found = Found { config, boot, settings, outbox, closer, recalled, desk, shared, parts };
    let (sidecar, sources) = assemble(found, connected)?;
    sidecar.run(sources, &stop).await
}

struct Found {
    config: Arc<Config>,
    boot: String,
    settings: Settings,
    outbox: Arc<Outbox>,
    closer: Closer,
    recalled: Recalled,
    desk: Desk,
    shared: Arc<Shared>,
    parts: JoinSet<(&'static str, Result<(), Error>)>,
}

fn assemble(found: Found, connected: Connected) -> Result<(Sidecar, Sources), Error> {
    let Found { config, boot, settings, outbox, closer, recalled, desk, shared, mut parts } = found;
    let Connected { bus, writer, reader, topic } = connected;
    let (facts, told) = mpsc::unbounded_channel();
    let (beats, beaten) = watch::channel(None);
    desk.caller.callbacks.open(facts.clone());
    outbox.open(outbox::carrier(writer.clone()));
    let tending = outbox.clone().tend();
    parts.spawn(async { ("its outbox", tending.await) });
    let beating = heartbeat::beat(writer.clone(), beaten);
    parts.spawn(async { ("its heartbeat", beating.await) });
    if let Some(watched) = shared.watched.get() {
        let telling = watched.tell(facts.clone());
        parts.spawn(async { ("its checks", telling.await) });
    }
    let following = good::follow(bus.clone(), good::key(&config), facts.clone());
    parts.spawn(async { ("its list of good versions", following.await) });
    let listening = twin::listen(bus, config.clone(), boot.clone(), shared.clone());
    parts.spawn(async { ("its ear for another of its name", listening.await) });
    if shared.writer.set(writer.clone()).is_err() {
        return Err(Error::Ended("its door"));
    }
    let sidecar = Sidecar {
        spans: Spans::new(topic, reader.partition()),
        source: settings.source(),
        partition: reader.partition(),
        engine: Engine::new(settings, recalled.memory),
        outbox,
        closer,
        settled: None,
        position: recalled.position,
        vigil: Vigil::new(config.outage.sentinel),
        caller: desk.caller.clone(),
        desk,
        config,
        boot,
        writer,
        shared,
        facts,
        beats,
        parts,
        errands: JoinSet::new(),
        hooks: BTreeMap::new(),
        held: Vec::new(),
        at_hand: BTreeMap::new(),
        unjudged: None,
        begun: Instant::now(),
        stopping: false,
        cutting: false,
    };
    Ok((sidecar, Sources { reader, facts: told }))
}

/// Weighs the process, where it is the sidecar's own or the file says what it may weigh.
fn weigh(config: &Config, way: &Way, door: &Door, parts: &mut JoinSet<(&'static str, Result<(), Error>)>) {
    let usual = way.is_of_a_process().then_some(strain::USUAL);
    let Some(limit) = config.limits.memory.or(usual) else { return };
    let weighing = strain::watch(limit, door.shared.clone(), door.outbox.clone(), door.intake.clone());
    parts.spawn(async { ("its scales", weighing.await) });
}

/// Opens the journal, and waits a while for it where it is taken: a sidecar that is killed in the midst of beginning a hook
/// leaves it open in the child, until the child has become the hook.
async fn claim(path: &Path, own: &str) -> Result<(Journal, Recalled), Error> {
    let begun = Instant::now();
    loop {
        match Journal::open(path, own) {
            Err(Error::JournalTaken { .. }) if begun.elapsed() < TAKEN => sleep(LOOK).await,
            opened => return opened,
        }
    }
}

/// Ends what a sidecar that was killed left running, before anything is decided about it.
async fn end_orphans(roster: &Roster) -> Result<(), Error> {
    let orphans = roster.end_orphans().await.map_err(Error::Roster)?;
    for Orphan { run, group, killed } in orphans {
        telemetry::orphan(&run, group, killed);
    }
    pass("orphans ended");
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_journal_that_is_taken_is_waited_for_and_in_the_end_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal");
        let first = Journal::open(&path, "shop/a/a-0").unwrap();
        let refused = claim(&path, "shop/a/a-0").await.unwrap_err();
        assert!(matches!(refused, Error::JournalTaken { .. }), "{refused}");
        let freed = async {
            sleep(TAKEN / 2).await;
            drop(first);
        };
        let (second, ()) = tokio::join!(claim(&path, "shop/a/a-0"), freed);
        second.unwrap();
    }
}
