//! Where reading begins: after the newest snapshot that the log bears out; without one at the log's beginning, if that is
//! the partition's.
//!
//! What the consumer group committed plays no part in it: the group only says who speaks first.

use pavane_bus::{Error, Policy, Reader};
use pavane_sentinel_engine::{Alert, BlindCause, Engine};

use crate::connection::Connection;
use crate::eye::Eye;
use crate::eye::lie::Lie;
use crate::happening::Happening;
use crate::snapshot::rack::Rack;
use crate::snapshot::{Manifest, Snapshot, Unusable};
use crate::telemetry::{NotCounted, Resumed};

/// The log as it is found.
struct Found {
    reader: Reader,
    low: i64,
    high: i64,
}

impl Eye {
    /// Opens the reader where it has to go on.
    pub(super) async fn open(
        &mut self,
        connection: &Connection,
        rack: &Rack,
    ) -> anyhow::Result<Result<Reader, Lie>> {
        self.connected(connection).await;
        let found = loop {
            match find(connection, self).await {
                Ok(found) => break found,
                Err(error) => self.lost(error).await?,
            }
        };
        self.patience.reset();
        let (partition, partitions) = (found.reader.partition(), self.seen.partitions);
        self.tell(Happening::Opened { partition, partitions }).await;
        for snapshot in rack.take(&self.domain).await {
            let (id, manifest) = (snapshot.id.clone(), snapshot.manifest.clone());
            match self.unpack(snapshot, &found).await? {
                Ok(opened) => return self.go_on(found, manifest, opened).await,
                Err(why) => NotCounted { domain: &self.domain, id: &id, why: &why }.emit(),
            }
        }
        Ok(begin(found))
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

    /// Unpacks a snapshot beside the loop; says why when it does not count.
    async fn unpack(
        &self,
        snapshot: Snapshot,
        found: &Found,
    ) -> anyhow::Result<Result<(Engine, Vec<Alert>), Unusable>> {
        let (end, low) = (snapshot.manifest.last.offset, found.low);
        if end + 1 < low {
            return Ok(Err(Unusable::TooOld { end, low }));
        }
        let replica = self.replica.clone();
        Ok(tokio::task::spawn_blocking(move || snapshot.open(replica)).await?)
    }

    /// Goes on after a snapshot, unless the log is not the one that it was taken of.
    async fn go_on(
        &mut self,
        found: Found,
        manifest: Manifest,
        (engine, alerts): (Engine, Vec<Alert>),
    ) -> anyhow::Result<Result<Reader, Lie>> {
        let Found { mut reader, low, high } = found;
        let Manifest { last, partitions, at, .. } = manifest;
        if partitions != self.seen.partitions {
            let now = self.seen.partitions;
            let what =
                format!("the log had {partitions} partitions when the snapshot was taken, and has {now}");
            return Ok(Err(Lie { cause: BlindCause::PartitionsChanged, what }));
        }
        if let Some(lie) = self.seen.what_is_gone(low, high, last.offset + 1) {
            return Ok(Err(lie));
        }
        // the record itself may have been deleted, and nothing after it: then there is no witness any more
        let stands = last.offset >= low;
        reader.seek(if stands { last.offset } else { low })?;
        self.expected = stands.then(|| last.clone());
        self.seen.last = Some(last.clone());
        Resumed { domain: &self.domain, offset: last.offset, behind: high - last.offset - 1, at }.emit();
        self.tell(Happening::Resumed { engine: Box::new(engine), alerts, last }).await;
        Ok(Ok(reader))
    }
}

/// Begins with the log, which must be the partition's whole: state is a fold of all of it.
fn begin(Found { reader, low, .. }: Found) -> Result<Reader, Lie> {
    if low == 0 {
        return Ok(reader);
    }
    let what = format!("the log begins at offset {low}, and no snapshot reaches that far");
    Err(Lie { cause: BlindCause::HistoryLost, what })
}

async fn find(connection: &Connection, eye: &mut Eye) -> Result<Found, Error> {
    let bus = connection.bus().await;
    let reader = bus.reader(&eye.domain, Policy::Structural).await?;
    let (low, high) = reader.bounds().await?;
    (eye.seen.low, eye.seen.partitions) = (low, bus.partitions());
    Ok(Found { reader, low, high })
}
