//! Brings heartbeats to the broker, the newest first: an old one says nothing.

use std::time::Duration;

use pavane_bus::Writer;
use pavane_events::Heartbeat;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::error::Error;
use crate::telemetry;

/// How long after the one before a heartbeat is due.
pub(crate) const EVERY: Duration = Duration::from_secs(1);
/// How long the broker may take before the next one is tried.
const PATIENCE: Duration = Duration::from_secs(3);

/// Sends each heartbeat that is newer than the last, until there are no more to come.
pub(crate) async fn beat(writer: Writer, mut beats: watch::Receiver<Option<Heartbeat>>) -> Result<(), Error> {
    while beats.changed().await.is_ok() {
        let Some(heartbeat) = beats.borrow_and_update().clone() else { continue };
        match timeout(PATIENCE, writer.heartbeat(&heartbeat)).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) if error.is_transient() => telemetry::trouble("heartbeat", &error, EVERY),
            Ok(Err(error)) => return Err(error.into()),
            Err(_) => telemetry::trouble("heartbeat", &"append a heartbeat: no answer within 3 s", EVERY),
        }
    }
    Ok(())
}
