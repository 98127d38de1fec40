//! Listens to the heartbeats of all sidecars, once for all domains, and tells each loop those of its own.

use std::collections::BTreeMap;

use pavane_bus::{Beat, Error, HeartbeatReader};
use pavane_events::Domain;
use tokio::sync::mpsc;

use crate::connection::{Connection, Patience};
use crate::happening::Happening;
use crate::telemetry::Dropped;

/// Listens for as long as the process lives. A heartbeat that finds a loop's queue full is dropped and counted:
/// there is one every second, and a missing one only makes the sentinel more careful.
pub(crate) async fn listen(
    connection: Connection,
    loops: BTreeMap<Domain, mpsc::Sender<Happening>>,
) -> anyhow::Result<()> {
    let mut patience = Patience::brief("read the heartbeats");
    let mut reader: Option<HeartbeatReader> = None;
    loop {
        let beat = match &mut reader {
            Some(reader) => reader.next().await,
            None => match open(&connection).await {
                Ok(opened) => {
                    reader = Some(opened);
                    continue;
                }
                Err(error) => Err(error),
            },
        };
        match beat {
            Ok(beat) => {
                patience.reset();
                pass_on(beat, &loops);
            }
            Err(error @ Error::Stopped { .. }) => return Err(error.into()),
            Err(error) => patience.wait(&error).await,
        }
    }
}

async fn open(connection: &Connection) -> Result<HeartbeatReader, Error> {
    connection.bus().await.heartbeats().await
}

fn pass_on(beat: Beat, loops: &BTreeMap<Domain, mpsc::Sender<Happening>>) {
    let Some((domain, to)) = loops.get_key_value(&beat.heartbeat.domain) else { return };
    let Beat { heartbeat, offset, at, .. } = beat;
    if to.try_send(Happening::Heartbeat { heartbeat, offset, at }).is_err() {
        Dropped { queue: "heartbeats", domain }.emit();
    }
}
