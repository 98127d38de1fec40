//! A sentinel of the former version: the same shell in small, around an engine that knows the first rules alone. Beside this
//! version it judges as that does; from the first rollout on that begins by newer rules it is blind, and says nothing more.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use pavane_bus::{Bus, Item, Policy};
use pavane_events::{Body, Domain, Entry, RolloutId};
use pavane_sentinel_engine::{BlindCause, Effect, Engine, Input};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use crate::storm_newer::event;

/// The name under which it speaks.
pub(crate) const REPLICA: &str = "sentinel-former";

/// A sentinel of the former version that runs.
pub(crate) struct Former {
    stop: CancellationToken,
    blind: watch::Receiver<Option<BlindCause>>,
    task: JoinHandle<Result<()>>,
}

impl Former {
    pub(crate) fn start(bus: &Bus, domain: &Domain) -> Self {
        let stop = CancellationToken::new();
        let (tell, blind) = watch::channel(None);
        let task = tokio::spawn(run(bus.clone(), domain.clone(), tell, stop.clone()));
        Self { stop, blind, task }
    }

    /// Waits until it is blind for good, and why.
    pub(crate) async fn blindness(&mut self, limit: Duration) -> Result<BlindCause> {
        let blind =
            timeout(limit, self.blind.wait_for(Option::is_some)).await.context("it went on to see")??;
        blind.context("it was waited for")
    }

    pub(crate) async fn end(self) -> Result<()> {
        self.stop.cancel();
        self.task.await?
    }
}

async fn run(
    bus: Bus,
    domain: Domain,
    tell: watch::Sender<Option<BlindCause>>,
    stop: CancellationToken,
) -> Result<()> {
    let mut log = bus.reader(&domain, Policy::Structural).await?;
    let (writer, began) = (bus.writer().await?, Instant::now());
    let now = || i64::try_from(began.elapsed().as_millis()).expect("a test is short");
    let mut engine = Engine::new(domain.clone(), REPLICA.to_owned()).knowing(1);
    let mut ids = 0;
    let mut effects = engine.handle(now(), Input::Speaks(true));
    loop {
        for effect in effects {
            let Effect::Append(draft) = effect else { continue };
            ids += 1;
            // what the broker does not take is said again by the engine
            drop(writer.append(&event(&domain, Arc::unwrap_or_clone(draft), REPLICA, ids)?).await);
        }
        let blind = engine.blindness();
        tell.send_if_modified(|told| std::mem::replace(told, blind) != blind);
        let wait = engine.next_deadline().map_or(1_000, |at| (at - now()).clamp(1, 1_000));
        let wait = Duration::from_millis(u64::try_from(wait).expect("clamped"));
        let input = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            read = timeout(wait, log.next()) => match read {
                Err(_) => Input::Tick,
                Ok(Ok(Item::Entry { entry, .. })) => Input::Read(entry),
                Ok(Ok(Item::CaughtUp { .. })) => Input::CaughtUp,
                Ok(Err(_)) => Input::Lost(BlindCause::Broker),
            },
        };
        effects = engine.handle(now(), input);
    }
}

/// It never says a word about a rollout that began by newer rules.
pub(crate) fn kept_silent(entries: &[Entry]) -> Result<()> {
    let newer: Vec<&RolloutId> = entries.iter().filter_map(begun_by_newer_rules).collect();
    ensure!(!newer.is_empty(), "nothing began by newer rules");
    for entry in entries {
        let Entry::Event(record) = entry else { continue };
        let envelope = &record.event.envelope;
        let former = envelope.replica.as_deref() == Some(REPLICA);
        let about = envelope.rollout.as_ref().is_some_and(|rollout| newer.contains(&rollout));
        ensure!(!(former && about), "the former version spoke of what it does not know: {record:?}");
    }
    Ok(())
}

fn begun_by_newer_rules(entry: &Entry) -> Option<&RolloutId> {
    let Entry::Event(record) = entry else { return None };
    let Body::RolloutStarted(started) = &record.event.body else { return None };
    record.event.envelope.rollout.as_ref().filter(|_| started.rules > 1)
}
