//! Reads a domain's partition in order, for as long as the process lives. What it cannot read it says: the
//! same record is offered again, and the sentinel is blind meanwhile.

use std::time::Duration;

use pavane_bus::{Error, Item, Policy, Reader};
use pavane_events::Domain;
use pavane_sentinel_engine::BlindCause;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use crate::connection::{Connection, Patience};
use crate::happening::Happening;
use crate::telemetry;

/// How often it is measured how much is left to read.
const MEASURE: Duration = Duration::from_secs(15);

/// Reads the domain's entries to its loop; ends with an error when only a new process can go on.
pub(crate) async fn watch(
    connection: Connection,
    domain: Domain,
    to: mpsc::Sender<Happening>,
) -> anyhow::Result<()> {
    let mut eye = Eye { domain, to, patience: Patience::new("read the log") };
    let mut reader = eye.open(&connection).await?;
    let mut measure = Instant::now() + MEASURE;
    loop {
        match timeout_at(measure, reader.next()).await {
            Ok(Ok(Item::Entry { entry, raw })) => {
                eye.patience.reset();
                eye.tell(Happening::Read { entry, raw }).await;
            }
            Ok(Ok(Item::CaughtUp { .. })) => eye.tell(Happening::CaughtUp).await,
            Ok(Err(error)) => eye.lost(error).await?,
            Err(_) => {
                measure = Instant::now() + MEASURE;
                match reader.bounds().await {
                    Ok((_, high)) => telemetry::lag(&eye.domain, high - reader.position()),
                    Err(error) => eye.lost(error).await?,
                }
            }
        }
    }
}

struct Eye {
    domain: Domain,
    to: mpsc::Sender<Happening>,
    patience: Patience,
}

impl Eye {
    /// Opens the reader at the log's beginning, which must be the partition's: state is a fold of all of it.
    async fn open(&mut self, connection: &Connection) -> anyhow::Result<Reader> {
        self.connected(connection).await;
        loop {
            match self.try_open(connection).await {
                Ok((reader, low)) => {
                    if low > 0 {
                        telemetry::BeginningLost { domain: &self.domain, low }.emit();
                        self.tell(Happening::Lost(BlindCause::HistoryLost)).await;
                    }
                    self.patience.reset();
                    return Ok(reader);
                }
                Err(error) => self.lost(error).await?,
            }
        }
    }

    /// Waits for the connection, and says so each time that it fails.
    async fn connected(&self, connection: &Connection) {
        let mut failures = connection.failures();
        loop {
            tokio::select! {
                biased;
                _ = connection.bus() => return,
                Ok(()) = failures.changed() => {
                    let cause = *failures.borrow_and_update();
                    self.tell(Happening::Lost(cause.unwrap_or(BlindCause::Broker))).await;
                }
            }
        }
    }

    async fn try_open(&self, connection: &Connection) -> Result<(Reader, i64), Error> {
        let reader = connection.bus().await.reader(&self.domain, Policy::Structural).await?;
        let (low, _) = reader.bounds().await?;
        Ok((reader, low))
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
    if matches!(error, Error::Registry(_) | Error::SchemaMissing { .. }) {
        BlindCause::Registry
    } else if matches!(error, Error::TopicConfig { .. } | Error::TopicMissing { .. }) {
        BlindCause::TopicConfig
    } else if matches!(error, Error::HistoryLost { .. }) {
        BlindCause::HistoryLost
    } else {
        BlindCause::Broker
    }
}
