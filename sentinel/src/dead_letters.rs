//! Sets records aside that nobody can read: the owner of the partition at once, a standby when nobody has after
//! two pulses, each record once.

use std::sync::Arc;
use std::time::Duration;

use pavane_bus::{Error, Raw};
use pavane_events::{Domain, Unreadable};
use pavane_sentinel_engine::PULSE;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use crate::alert::marks::{Marks, Row, dead_letter_key};
use crate::clock::wall;
use crate::connection::{Connection, Patience};
use crate::telemetry::{self, SetAside};

const HOLD: Duration = Duration::from_millis(2 * PULSE.unsigned_abs());

/// A record to set aside.
pub(crate) struct Letter {
    pub(crate) raw: Raw,
    pub(crate) unreadable: Unreadable,
    pub(crate) since: Instant,
    /// Dropped when the record is set aside.
    pub(crate) open: Arc<()>,
}

/// Sets aside one after the other until nobody asks any more.
pub(crate) async fn write(
    connection: Connection,
    domain: Domain,
    marks: Arc<Marks>,
    mut speaks: watch::Receiver<bool>,
    mut letters: mpsc::UnboundedReceiver<Letter>,
) -> anyhow::Result<()> {
    telemetry::none_set_aside(&domain);
    let mut patience = Patience::new("set a record aside");
    while let Some(Letter { raw, unreadable, since, open }) = letters.recv().await {
        marks.loaded().await;
        let key = dead_letter_key(&raw.topic, raw.partition, raw.offset);
        tokio::select! {
            // The sender goes when the process ends; until then the hold decides.
            Ok(_) = speaks.wait_for(|speaks| *speaks) => {}
            () = tokio::time::sleep_until(since + HOLD) => {}
        }
        while !marks.dead_lettered(&key) {
            let append = async { connection.writer().await?.dead_letter(&raw, &unreadable).await };
            match append.await {
                Ok(_) => {
                    patience.reset();
                    let (offset, reason) = (raw.offset, unreadable.reason.as_str());
                    SetAside { domain: &domain, offset, reason, detail: &unreadable.detail }.emit();
                    marks.note(key.clone(), Row::DeadLettered { at: wall() });
                }
                Err(error @ Error::ProducerDead { .. }) => return Err(error.into()),
                Err(error) => patience.wait(&error).await,
            }
        }
        drop(open);
    }
    Ok(())
}
