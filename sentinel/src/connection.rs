//! The way to Kafka, made when it is first needed and tried again for as long as it takes: a sentinel that
//! starts before its broker says so and waits.

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use pavane_bus::{Bus, Error, Settings, Writer};
use tokio::sync::OnceCell;

use crate::telemetry::Trouble;

/// The way to Kafka and the registry. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Connection {
    inner: Arc<Inner>,
}

struct Inner {
    settings: Option<Settings>,
    client_id: String,
    bus: OnceCell<Bus>,
    writer: OnceCell<Writer>,
}

impl Connection {
    /// A connection that stands.
    pub(crate) fn ready(bus: Bus) -> Self {
        let inner = Inner {
            settings: None,
            client_id: String::new(),
            bus: OnceCell::new_with(Some(bus)),
            writer: OnceCell::new(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// A connection that is yet to be made.
    pub(crate) fn to(settings: Settings, client_id: String) -> Self {
        let (bus, writer) = (OnceCell::new(), OnceCell::new());
        Self { inner: Arc::new(Inner { settings: Some(settings), client_id, bus, writer }) }
    }

    /// The connection; makes it when it does not stand yet.
    pub(crate) async fn bus(&self) -> Result<&Bus, Error> {
        let connect = || async {
            let settings = self.inner.settings.clone().expect("a connection without settings stands already");
            Bus::connect(settings, &self.inner.client_id).await
        };
        self.inner.bus.get_or_try_init(connect).await
    }

    /// The producer that all domains share.
    pub(crate) async fn writer(&self) -> Result<&Writer, Error> {
        let bus = self.bus().await?;
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
}

impl Patience {
    const FIRST: Duration = Duration::from_millis(500);
    const LONGEST: Duration = Duration::from_secs(10);

    pub(crate) fn new(doing: &'static str) -> Self {
        Self { doing, next: Self::FIRST }
    }

    /// Says what failed and waits.
    pub(crate) async fn wait(&mut self, error: &(dyn Display + Sync)) {
        let wait = self.next;
        Trouble { doing: self.doing, error, wait }.emit();
        self.next = (wait * 2).min(Self::LONGEST);
        tokio::time::sleep(wait).await;
    }

    /// It worked: the next failure waits half a second again.
    pub(crate) fn reset(&mut self) {
        self.next = Self::FIRST;
    }
}
