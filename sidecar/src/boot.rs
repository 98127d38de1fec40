//! The way to the log: made at the start, tried for as long as it takes, and begun at the right place.
//!
//! A sidecar that starts before its broker says so and waits; it is never quietly unsubscribed.

use std::time::Duration;

use pavane_bus::{Bus, Error as BusError, Item, Policy, Reader, Settings, Topic, Writer};
use pavane_events::{Body, Domain, Entry};
use tokio_util::sync::CancellationToken;

use crate::error::Error;
use crate::shared::Shared;
use crate::telemetry;

/// How long to wait before the way is tried again; doubled up to the longest.
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(15);
/// Up to so many records are read whole by a sidecar without a journal.
const SHORT: i64 = 10_000;
/// In so many records at the end of a longer log a sentinel's pulse is looked for.
const TAIL: i64 = 1_000;

/// How Kafka and the registry are reached.
pub(crate) enum Way {
    /// A connection that stands.
    Open(Box<Bus>),
    /// A connection that is yet to be made.
    To(Box<Settings>),
}

impl Way {
    /// Whether the sidecar is a process of its own, and makes its connections itself.
    pub(crate) const fn is_of_a_process(&self) -> bool {
        matches!(self, Self::To(_))
    }

    /// How Kafka and the registry are reached.
    pub(crate) fn settings(&self) -> &Settings {
        match self {
            Self::Open(bus) => bus.settings(),
            Self::To(settings) => settings,
        }
    }
}

/// A way to the log, at the place where it is to be read on.
pub(crate) struct Connected {
    pub(crate) bus: Bus,
    pub(crate) writer: Writer,
    pub(crate) reader: Reader,
    pub(crate) topic: String,
}

/// Connects; none when it is stopped first.
pub(crate) async fn connect(
    mut way: Way,
    domain: &Domain,
    position: Option<i64>,
    shared: &Shared,
    stop: &CancellationToken,
) -> Result<Option<Connected>, Error> {
    let mut wait = FIRST_WAIT;
    loop {
        let error = tokio::select! {
            tried = attempt(&mut way, domain, position) => match tried {
                Ok(connected) => return Ok(Some(connected)),
                Err(Error::Bus(error)) if is_awaited(&error) => error,
                Err(error) => return Err(error),
            },
            () = stop.cancelled() => return Ok(None),
        };
        shared.set_blind(&error);
        telemetry::trouble("connect", &error, wait);
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = stop.cancelled() => return Ok(None),
        }
        wait = (2 * wait).min(LONGEST_WAIT);
    }
}

/// What an operator or time may heal while the sidecar waits.
const fn is_awaited(error: &BusError) -> bool {
    let missing = matches!(error, BusError::SchemaMissing { .. } | BusError::TopicMissing { .. });
    // A registry whose answers make no sense may have something else in front of it for a while.
    error.is_transient() || missing || matches!(error, BusError::Registry(_))
}

async fn attempt(way: &mut Way, domain: &Domain, position: Option<i64>) -> Result<Connected, Error> {
    let bus = match way {
        Way::Open(bus) => (**bus).clone(),
        Way::To(settings) => {
            let bus = Bus::connect((**settings).clone(), "pavane-sidecar").await?;
            *way = Way::Open(Box::new(bus.clone()));
            bus
        }
    };
    let writer = bus.writer().await?;
    let mut reader = bus.reader(domain, Policy::AllowList).await?;
    let topic = Topic::Lifecycle.name(&bus.settings().prefix);
    let (low, high) = reader.bounds().await?;
    let from = match position {
        Some(position) if position > high => {
            let partition = reader.partition();
            return Err(Error::LogShrank { topic, partition, position, end: high });
        }
        Some(position) => position.max(low),
        None if high - low <= SHORT => low,
        None => open_from(&mut reader, low, high).await?,
    };
    if position.is_some_and(|position| position < low) {
        tracing::error!(
            ?position,
            low,
            "the log does not reach back to where the journal stands; reading what is left"
        );
    }
    reader.seek(from)?;
    tracing::info!(topic, partition = reader.partition(), from, end = high, "reading the log");
    Ok(Connected { bus, writer, reader, topic })
}

/// Where a sidecar without a journal begins: at the oldest open rollout, as the newest pulse says, or at the
/// beginning when there is none.
async fn open_from(reader: &mut Reader, low: i64, high: i64) -> Result<i64, Error> {
    reader.seek(low.max(high - TAIL))?;
    let mut from = low;
    loop {
        match reader.next().await? {
            Item::Entry { entry: Entry::Event(record), .. } => {
                if let Body::Pulse(pulse) = &record.event.body {
                    from = pulse.open_from.unwrap_or(record.offset).max(low);
                }
            }
            Item::Entry { .. } => {}
            Item::CaughtUp { .. } => return Ok(from),
        }
    }
}
