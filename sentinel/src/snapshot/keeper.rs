//! Writes snapshots to the topic beside the loop, part by part, and takes out what is older than what is kept.

use std::sync::Arc;

use pavane_bus::{Error, Topic};
use pavane_events::Domain;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::connection::{Connection, Patience};
use crate::snapshot::Snapshot;
use crate::snapshot::archive::Taken;
use crate::snapshot::rack::Rack;
use crate::telemetry::Kept;

/// Writes one after the other until nobody takes any more.
pub(crate) async fn write(
    connection: Connection,
    rack: Arc<Rack>,
    mut taken: mpsc::Receiver<Taken>,
) -> anyhow::Result<()> {
    let mut keeper = Keeper { connection, patience: Patience::new("write a snapshot") };
    while let Some(Taken { domain, fold, alerts, manifest, cost }) = taken.recv().await {
        let cut = move || {
            let begun = Instant::now();
            let snapshot = Snapshot::new(domain, &fold.snapshot(), alerts, manifest);
            cost.note(begun.elapsed());
            snapshot
        };
        let snapshot = tokio::task::spawn_blocking(cut).await?;
        for (key, value) in snapshot.rows() {
            keeper.put(&key, Some(value)).await?;
        }
        let (offset, bytes) = (snapshot.manifest.last.offset, snapshot.bytes.len());
        Kept { domain: &snapshot.domain, offset, bytes }.emit();
        keeper.clear(&rack, &snapshot.domain).await?;
    }
    Ok(())
}

struct Keeper {
    connection: Connection,
    patience: Patience,
}

impl Keeper {
    async fn clear(&mut self, rack: &Rack, domain: &Domain) -> anyhow::Result<()> {
        for key in rack.stale(domain) {
            self.put(&key, None).await?;
        }
        Ok(())
    }

    /// Writes a row until the broker has it.
    async fn put(&mut self, key: &str, value: Option<Vec<u8>>) -> anyhow::Result<()> {
        loop {
            let put = async {
                let writer = self.connection.writer().await?;
                writer.put(Topic::Snapshots, key, value.clone()).await
            };
            match put.await {
                Ok(_) => {
                    self.patience.reset();
                    return Ok(());
                }
                Err(error @ Error::ProducerDead { .. }) => return Err(error.into()),
                Err(error) => self.patience.wait(&error).await,
            }
        }
    }
}
