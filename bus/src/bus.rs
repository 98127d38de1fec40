//! A connection to one broker and one registry.

use std::collections::BTreeMap;
use std::sync::Arc;

use pavane_events::{Domain, Instance};

use crate::certificates;
use crate::metrics::Metrics;
use crate::registry::Registry;
use crate::topics::{self, Clock, Survey, Topic};
use crate::trust::Trust;
use crate::{Error, HeartbeatReader, LetterReader, Ownership, Policy, Reader, Settings, TableReader, Writer};

/// A connection to one broker and one registry; cheap to clone.
#[derive(Clone)]
pub struct Bus {
    inner: Arc<Inner>,
}

struct Inner {
    settings: Settings,
    client_id: String,
    partitions: BTreeMap<Topic, i32>,
    clock: Clock,
    registry: Registry,
    trust: Trust,
    metrics: Metrics,
}

impl Bus {
    /// Connects, and refuses topics that are missing or set up otherwise. Fails when the broker does not answer;
    /// whether to try again is the caller's to say, loudly. Each warning of [`crate::verify_topics`] is logged.
    ///
    /// The embedded broker of another process lets everybody in who acts; who judges is refused by
    /// [`Bus::reader`], because the producers' time counts only in the process that started it.
    pub async fn connect(settings: Settings, client_id: &str) -> Result<Self, Error> {
        let Survey { partitions, clock, warnings } = topics::survey(&settings).await?;
        for warning in warnings.into_iter().chain(certificates::warnings(&settings)) {
            tracing::warn!("{warning}");
        }
        certificates::observe(&settings);
        let registry = Registry::new(&settings)?;
        let client_id = client_id.to_owned();
        let (trust, metrics) = (Trust::default(), Metrics::new());
        let inner = Inner { settings, client_id, partitions, clock, registry, trust, metrics };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// What it was connected with.
    pub fn settings(&self) -> &Settings {
        &self.inner.settings
    }

    /// The registry.
    pub fn registry(&self) -> &Registry {
        &self.inner.registry
    }

    /// How many partitions the log has.
    pub fn partitions(&self) -> i32 {
        self.partitions_of(Topic::Lifecycle)
    }

    /// Opens a producer, and looks up the ids of all schemas that this program writes.
    pub async fn writer(&self) -> Result<Writer, Error> {
        Writer::open(self).await
    }

    /// Reads a domain's entries, from the first that the log holds unless an offset is sought.
    pub async fn reader(&self, domain: &Domain, policy: Policy) -> Result<Reader, Error> {
        Reader::open(self, domain, policy).await
    }

    /// Reads the heartbeats of all domains, the newest few thousand of each partition first.
    pub async fn heartbeats(&self) -> Result<HeartbeatReader, Error> {
        HeartbeatReader::open(self).await
    }

    /// Reads the heartbeats of one instance alone, from here on.
    pub async fn heartbeats_of(
        &self,
        domain: &Domain,
        instance: &Instance,
    ) -> Result<HeartbeatReader, Error> {
        HeartbeatReader::open_for(self, domain, instance).await
    }

    /// Reads a topic that keeps the newest row of each key.
    pub async fn table(&self, topic: Topic) -> Result<TableReader, Error> {
        TableReader::open(self, topic).await
    }

    /// Reads the dead letters.
    pub async fn dead_letters(&self) -> Result<LetterReader, Error> {
        LetterReader::open(self).await
    }

    /// Joins a group that shares out the log's partitions. On the embedded broker it owns all of them at once.
    #[expect(clippy::unused_async, reason = "joining is a conversation with the broker for its callers")]
    pub async fn ownership(&self, group: &str) -> Result<Ownership, Error> {
        match self.clock() {
            Clock::Ours => Ok(Ownership::of_all(self.partitions())),
            Clock::Broker | Clock::Theirs => {
                Ownership::join(self.settings(), &self.topic(Topic::Lifecycle), group, self.client_id())
            }
        }
    }

    pub(crate) fn client_id(&self) -> &str {
        &self.inner.client_id
    }

    pub(crate) fn partitions_of(&self, topic: Topic) -> i32 {
        *self.inner.partitions.get(&topic).expect("connecting fails when a topic is missing")
    }

    pub(crate) fn clock(&self) -> Clock {
        self.inner.clock
    }

    pub(crate) fn trust(&self) -> &Trust {
        &self.inner.trust
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.inner.metrics
    }

    pub(crate) fn topic(&self, topic: Topic) -> String {
        topic.name(&self.inner.settings.prefix)
    }
}
