//! Reads a domain's partition in order, for as long as the process lives. What it cannot read it says: the
//! same record is offered again, and the sentinel is blind meanwhile. A log that is not the one that was read is not
//! read on: whatever stands on it, no verdict comes of it.

use std::time::Duration;

use pavane_bus::{Error, Item, Reader};
use pavane_events::Domain;
use pavane_sentinel_engine::BlindCause;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use crate::connection::{Connection, Patience};
use crate::happening::Happening;
use crate::snapshot::rack::Rack;
use crate::telemetry;
use crate::witness::Witness;

mod lie;
mod opening;

use lie::{Lie, Seen};

/// How often the log's bounds and its number of partitions are looked at.
const LOOK: Duration = Duration::from_secs(2);

/// Reads the domain's entries to its loop; ends with an error when only a new process can go on.
pub(crate) async fn watch(
    connection: Connection,
    domain: Domain,
    replica: String,
    rack: std::sync::Arc<Rack>,
    to: mpsc::Sender<Happening>,
) -> anyhow::Result<()> {
    let patience = Patience::brief("read the log");
    let seen = Seen::default();
    let mut eye = Eye { domain, replica, to, patience, seen, expected: None, doubts: false, arrived: false };
    let stopped = match eye.open(&connection, &rack).await? {
        Ok(reader) => eye.follow(reader).await?,
        Err(lie) => lie,
    };
    telemetry::LogLies { domain: &eye.domain, cause: stopped.cause, what: &stopped.what }.emit();
    eye.tell(Happening::Lost(stopped.cause)).await;
    std::future::pending().await
}

struct Eye {
    domain: Domain,
    replica: String,
    to: mpsc::Sender<Happening>,
    patience: Patience,
    seen: Seen,
    /// What must come next, for the log to be the one that was read.
    expected: Option<Witness>,
    /// Whether something happened after which the log may be another one.
    doubts: bool,
    /// Whether the loop knows that the end was reached.
    arrived: bool,
}

impl Eye {
    /// Reads on and on; returns when the log is not to be trusted any more.
    async fn follow(&mut self, mut reader: Reader) -> anyhow::Result<Lie> {
        let mut look = Instant::now() + LOOK;
        loop {
            if Instant::now() >= look {
                look = Instant::now() + LOOK;
                if let Some(lie) = self.look(&mut reader).await {
                    return Ok(lie);
                }
            }
            let item = match timeout_at(look, reader.next()).await {
                Ok(Ok(item)) => item,
                Ok(Err(error)) => match self.failed(&reader, error).await? {
                    Some(lie) => return Ok(lie),
                    None => continue,
                },
                Err(_) => continue,
            };
            if let Some(lie) = self.take(item).await {
                return Ok(lie);
            }
        }
    }

    /// Hands an item over to the loop, once what was to come first has come.
    async fn take(&mut self, item: Item) -> Option<Lie> {
        self.patience.reset();
        if let Some(expected) = &self.expected {
            let found = match &item {
                Item::Entry { entry, .. } => Some(Witness::of(entry)),
                Item::CaughtUp { .. } => None,
            };
            if found.as_ref() != Some(expected) {
                return Some(Lie::another_record(expected, found.as_ref()));
            }
            self.expected = None;
            return None;
        }
        match item {
            Item::Entry { entry, raw } => {
                self.seen.last = Some(Witness::of(&entry));
                self.tell(Happening::Read { entry, raw }).await;
            }
            Item::CaughtUp { .. } if self.arrived => {}
            Item::CaughtUp { .. } => {
                self.arrived = true;
                self.tell(Happening::CaughtUp).await;
            }
        }
        None
    }

    /// Looks whether the log can still be the one that was read, and goes back to the record that was read last where
    /// there is doubt.
    async fn look(&mut self, reader: &mut Reader) -> Option<Lie> {
        let looked = async {
            let (low, high) = reader.bounds().await?;
            Ok((low, high, reader.partitions_now().await?))
        };
        match looked.await {
            Ok((low, high, partitions)) => {
                telemetry::lag(&self.domain, high - reader.position());
                let lie = self.seen.compare(low, high, reader.position(), partitions);
                if lie.is_none() && self.doubts {
                    return self.go_back(reader, low);
                }
                lie
            }
            Err(error) => {
                self.doubt(&error);
                self.tell(Happening::Lost(blind_cause(&error))).await;
                None
            }
        }
    }

    /// Reads on from the record that was read last, which must stand there still.
    fn go_back(&mut self, reader: &mut Reader, low: i64) -> Option<Lie> {
        self.doubts = false;
        let last = self.seen.last.as_ref().filter(|last| last.offset >= low)?;
        let sought = reader.seek(last.offset);
        self.expected = sought.is_ok().then(|| last.clone());
        None
    }

    /// Says that the log cannot be read, and waits; gives the error back when waiting cannot help.
    async fn failed(&mut self, reader: &Reader, error: Error) -> anyhow::Result<Option<Lie>> {
        if let Error::LogRewound { .. } = error {
            return Ok(Some(Lie { cause: BlindCause::LogRewound, what: error.to_string() }));
        }
        if let Error::HistoryLost { .. } = error {
            // the bounds tell what was lost: the beginning, the end, or all of it
            let bounds = reader.bounds().await.ok();
            let lie = bounds.and_then(|(low, high)| self.seen.what_is_gone(low, high, reader.position()));
            let lost = || Lie { cause: BlindCause::HistoryLost, what: error.to_string() };
            return Ok(Some(lie.unwrap_or_else(lost)));
        }
        self.doubt(&error);
        self.lost(error).await.map(|()| None)
    }

    /// Notes it when something failed that a new log would fail by, too.
    fn doubt(&mut self, error: &Error) {
        self.seen.missing |= matches!(error, Error::TopicMissing { .. });
        self.doubts |= matches!(
            error,
            Error::TopicMissing { .. }
                | Error::Read { .. }
                | Error::Denied { .. }
                | Error::Unreachable { .. }
        );
    }

    /// Says that the log cannot be read, and waits; gives the error back when waiting cannot help.
    async fn lost(&mut self, error: Error) -> anyhow::Result<()> {
        if matches!(error, Error::Stopped { .. } | Error::Thread { .. } | Error::Client { .. }) {
            return Err(error.into());
        }
        self.tell(Happening::Lost(blind_cause(&error))).await;
        self.patience.wait(&error).await;
        Ok(())
    }

    async fn tell(&self, happening: Happening) {
        // The loop ends only with the process, which takes this task along.
        let _ended = self.to.send(happening).await;
    }
}

/// What a failure of the bus means for the sentinel's sight.
pub(crate) fn blind_cause(error: &Error) -> BlindCause {
    if error.is_tamper() {
        BlindCause::RegistryTamper
    } else if matches!(error, Error::Registry(_) | Error::SchemaMissing { .. }) {
        BlindCause::Registry
    } else if matches!(error, Error::TopicConfig { .. } | Error::TopicMissing { .. }) {
        BlindCause::TopicConfig
    } else if matches!(error, Error::Denied { .. }) {
        BlindCause::Denied
    } else if matches!(error, Error::HistoryLost { .. }) {
        BlindCause::HistoryLost
    } else if matches!(error, Error::LogRewound { .. }) {
        BlindCause::LogRewound
    } else {
        BlindCause::Broker
    }
}
