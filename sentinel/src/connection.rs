//! The way to Kafka, made when it is first needed and tried again for as long as it takes: a sentinel that
//! starts before its broker says so and waits.

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use pavane_bus::{Bus, Error, Settings, Writer};
use pavane_sentinel_engine::BlindCause;
use tokio::sync::{OnceCell, SetOnce, watch};

use crate::eye::blind_cause;
use crate::telemetry::Trouble;

/// The way to Kafka and the registry. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Connection {
    inner: Arc<Inner>,
}

struct Inner {
    settings: Option<(Settings, String)>,
    bus: SetOnce<Bus>,
    writer: OnceCell<Writer>,
    /// Why the last attempt failed.
    failed: watch::Sender<Option<BlindCause>>,
}

impl Connection {
    /// A connection that stands.
    pub(crate) fn ready(bus: Bus) -> Self {
        Self::new(None, SetOnce::new_with(Some(bus)))
    }

    /// A connection that [`Connection::make`] is to make, under this client id.
    pub(crate) fn to(settings: Settings, client_id: String) -> Self {
        Self::new(Some((settings, client_id)), SetOnce::new())
    }

    fn new(settings: Option<(Settings, String)>, bus: SetOnce<Bus>) -> Self {
        let (writer, failed) = (OnceCell::new(), watch::Sender::new(None));
        Self { inner: Arc::new(Inner { settings, bus, writer, failed }) }
    }

    /// Makes the connection, trying for as long as it takes; then only keeps the task alive.
    pub(crate) async fn make(self) -> anyhow::Result<()> {
        if let Some((settings, client_id)) = &self.inner.settings {
            let mut patience = Patience::new("connect");
            let bus = loop {
                match Bus::connect(settings.clone(), client_id).await {
                    Ok(bus) => break bus,
                    Err(error) => {
                        self.inner.failed.send_replace(Some(blind_cause(&error)));
                        patience.wait(&error).await;
                    }
                }
            };
            self.inner.bus.set(bus).map_err(|_| anyhow::anyhow!("the connection was made twice"))?;
        }
        std::future::pending().await
    }

    /// The connection, as soon as it stands.
    pub(crate) async fn bus(&self) -> &Bus {
        self.inner.bus.wait().await
    }

    /// Why the connection cannot be made; waits for the next failure.
    pub(crate) fn failures(&self) -> watch::Receiver<Option<BlindCause>> {
        self.inner.failed.subscribe()
    }

    /// The producer that all domains share.
    pub(crate) async fn writer(&self) -> Result<&Writer, Error> {
        let bus = self.bus().await;
        self.inner.writer.get_or_try_init(|| bus.writer()).await
    }

    /// Waits until what was appended has been answered for, for so long at most.
    pub(crate) async fn flush(&self, limit: Duration) -> Result<(), Error> {
        match self.inner.writer.get() {
            Some(writer) => writer.flush(limit).await,
            None => Ok(()),
        }
    }
}

/// Waits that grow from half a second to ten, each said loudly.
#[derive(Debug)]
pub(crate) struct Patience {
    doing: &'static str,
    next: Duration,
    longest: Duration,
}

impl Patience {
    const FIRST: Duration = Duration::from_millis(500);
    const LONGEST: Duration = Duration::from_secs(10);
    /// For what sight depends on: whoever waits is blind for as long, though the broker may be back.
    const BRIEF: Duration = Duration::from_secs(1);

    pub(crate) fn new(doing: &'static str) -> Self {
        Self { doing, next: Self::FIRST, longest: Self::LONGEST }
    }

    /// Waits of a second at most.
    pub(crate) fn brief(doing: &'static str) -> Self {
        Self { longest: Self::BRIEF, ..Self::new(doing) }
    }

    /// Says what failed and waits.
    pub(crate) async fn wait(&mut self, error: &(dyn Display + Sync)) {
        let wait = self.next;
        Trouble { doing: self.doing, error, wait }.emit();
        self.next = (wait * 2).min(self.longest);
        tokio::time::sleep(wait).await;
    }

    /// It worked: the next failure waits half a second again.
    pub(crate) fn reset(&mut self) {
        self.next = Self::FIRST;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn waits(patience: &mut Patience) -> Vec<u128> {
        let mut waits = Vec::new();
        for _ in 0..6 {
            let begun = tokio::time::Instant::now();
            patience.wait(&"nobody answers").await;
            waits.push(begun.elapsed().as_millis());
        }
        waits
    }

    #[tokio::test(start_paused = true)]
    async fn what_sight_depends_on_is_tried_again_within_a_second_however_often_it_failed() {
        let mut patience = Patience::brief("read the log");
        assert_eq!(waits(&mut patience).await, [500, 1_000, 1_000, 1_000, 1_000, 1_000]);
        let mut patience = Patience::new("write a snapshot");
        assert_eq!(waits(&mut patience).await, [500, 1_000, 2_000, 4_000, 8_000, 10_000]);
        patience.reset();
        assert_eq!(waits(&mut patience).await[0], 500);
    }
}
