//! Gathers what is known of a rollout: the log, what sidecars say at this moment, and who was told.

use std::time::Duration;

use pavane_alerts::notification::mark;
use pavane_bus::{Bus, Topic};
use pavane_events::{Domain, EventId, RolloutId, Timestamp};
use pavane_sentinel::alert::told_of;
use pavane_sentinel_engine::View;
use pavane_sentinel_engine::diagnosis::{Beat, Chronicle, Delivery, Facts};

use crate::console::Console;
use crate::failure::Failure;
use crate::fold::{Fold, Next};
use crate::outage;

/// How long sidecars are listened to: each says something every second.
const LISTEN: Duration = Duration::from_millis(1_500);
/// How many heartbeats are kept; of more the newest.
const BEATS: usize = 20_000;

/// What is known of a rollout.
#[derive(Debug)]
pub struct Gathered {
    /// The domain.
    pub view: View,
    /// What the log says in so many words.
    pub chronicle: Chronicle,
    /// What sidecars say.
    pub beats: Vec<Beat>,
    /// Who was told of what.
    pub deliveries: Vec<Delivery>,
    /// The broker's time: of the newest record or heartbeat, and what has gone by since.
    pub now: Timestamp,
}

impl Gathered {
    /// The facts of it.
    pub fn facts(&self) -> Facts<'_> {
        Facts {
            view: &self.view,
            chronicle: &self.chronicle,
            beats: &self.beats,
            deliveries: &self.deliveries,
            now: self.now,
        }
    }
}

/// Gathers it. What sidecars say and who was told is left out with a warning where it cannot be read: the log is
/// what decides.
pub async fn gather(
    bus: &Bus,
    domain: &Domain,
    rollout: &RolloutId,
    console: &Console,
) -> Result<Gathered, Failure> {
    let (log, beats, deliveries) = tokio::join!(log(bus, domain, rollout), beats(bus, domain), told(bus));
    let (fold, chronicle) = log?;
    let beats = or_warn(console, "what sidecars say at this moment", beats);
    let deliveries = or_warn(console, "who was told", deliveries);
    let newest = beats.iter().map(|beat| beat.at).max().unwrap_or_default();
    Ok(Gathered { view: fold.view(), chronicle, beats, deliveries, now: fold.time().max(newest) })
}

async fn log(bus: &Bus, domain: &Domain, rollout: &RolloutId) -> Result<(Fold, Chronicle), Failure> {
    let mut fold = Fold::open(bus, domain).await?;
    let mut chronicle = Chronicle::of(rollout.clone());
    while let Next::Entry(entry) = fold.next().await? {
        chronicle.read(&entry);
    }
    Ok((fold, chronicle))
}

/// What the sidecars of a domain say while it is listened to, and said just before.
async fn beats(bus: &Bus, domain: &Domain) -> Result<Vec<Beat>, Failure> {
    let mut reader = bus.heartbeats().await.map_err(outage::of)?;
    let mut beats: Vec<Beat> = Vec::new();
    let end = tokio::time::Instant::now() + LISTEN;
    while let Ok(next) = tokio::time::timeout_at(end, reader.next()).await {
        let pavane_bus::Beat { heartbeat, offset, at, .. } = next.map_err(outage::of)?;
        if heartbeat.domain != *domain {
            continue;
        }
        beats.retain(|old| {
            old.heartbeat.instance != heartbeat.instance || old.heartbeat.service != heartbeat.service
        });
        if beats.len() < BEATS {
            beats.push(Beat { heartbeat, offset, at });
        }
    }
    Ok(beats)
}

/// The alerts that receivers have taken.
async fn told(bus: &Bus) -> Result<Vec<Delivery>, Failure> {
    let mut table = bus.table(Topic::Notifications).await.map_err(outage::of)?;
    let rows = table.load().await.map_err(outage::of)?;
    Ok(rows.values().filter_map(|value| told_of(value)).flat_map(|row| deliveries(&row)).collect())
}

/// The alerts of one notification.
fn deliveries(row: &pavane_alerts::Row) -> Vec<Delivery> {
    let delivery = |id: &EventId| {
        let status = if row.resolved.contains(&mark(id)) { "resolved" } else { "firing" };
        let (alert, receiver) = (id.to_string(), row.receiver.clone());
        Delivery { alert, receiver, status: status.to_owned(), at: row.at }
    };
    row.alerts.iter().map(delivery).collect()
}

fn or_warn<T: Default>(console: &Console, what: &str, found: Result<T, Failure>) -> T {
    found.unwrap_or_else(|failure| {
        console.warn(&format!("warning: {what} is not known: {failure}"));
        T::default()
    })
}
