//! Which partitions of the log this member of a group owns.
//!
//! Ownership decides who speaks first, never what is true; so the group reads nothing and commits nothing. It
//! is polled on a thread of its own, because a member that is not polled is thrown out.

use std::collections::BTreeSet;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rdkafka::client::ClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext, Rebalance};
use rdkafka::error::KafkaError;
use rdkafka::topic_partition_list::TopicPartitionListElem;
use rdkafka::types::RDKafkaErrorCode;
use tokio::sync::watch;

use crate::client::{self, Purpose};
use crate::{Error, Settings};

/// How long the thread waits for the group before it looks whether it is still wanted.
const POLL: Duration = Duration::from_millis(100);

/// This member's share of the partitions. Dropping it leaves the group.
pub struct Ownership {
    owned: watch::Receiver<BTreeSet<i32>>,
    failure: Arc<Mutex<Option<String>>>,
    _wanted: Option<Sender<()>>,
    _held: Option<watch::Sender<BTreeSet<i32>>>,
}

impl Ownership {
    /// The partitions that this member owns.
    pub fn owned(&self) -> BTreeSet<i32> {
        self.owned.borrow().clone()
    }

    /// Whether this member owns a partition.
    pub fn owns(&self, partition: i32) -> bool {
        self.owned.borrow().contains(&partition)
    }

    /// A view of the share that another task may watch.
    pub fn watch(&self) -> watch::Receiver<BTreeSet<i32>> {
        self.owned.clone()
    }

    /// Waits until the share has changed; fails when the group can no longer be followed. Can be abandoned at
    /// any await.
    pub async fn changed(&mut self) -> Result<BTreeSet<i32>, Error> {
        if self.owned.changed().await.is_ok() {
            return Ok(self.owned.borrow_and_update().clone());
        }
        let failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let why = failure.unwrap_or_else(|| "it panicked".to_owned());
        Err(Error::Stopped { what: "following the consumer group".to_owned(), why })
    }

    /// Owns everything: there is nobody to share with.
    pub(crate) fn of_all(partitions: i32) -> Self {
        let (sender, owned) = watch::channel((0..partitions).collect());
        Self { owned, failure: Arc::default(), _wanted: None, _held: Some(sender) }
    }

    /// Joins a group on a topic.
    pub(crate) fn join(
        settings: &Settings,
        topic: &str,
        group: &str,
        client_id: &str,
    ) -> Result<Self, Error> {
        let mut config = client::config(settings, Purpose::Own, client_id)?;
        config.set("group.id", group);
        let (shares, owned) = watch::channel(BTreeSet::new());
        let consumer: BaseConsumer<Member> = config
            .create_with_context(Member { shares })
            .map_err(|source| Error::Client { purpose: format!("the group {group}"), source })?;
        consumer.subscribe(&[topic]).map_err(|source| Error::Read { topic: topic.to_owned(), source })?;
        let failure = Arc::new(Mutex::new(None));
        let (wanted, unwanted) = channel::<()>();
        let (told, name) = (Arc::clone(&failure), "pavane-own");
        std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || {
                while let Err(RecvTimeoutError::Timeout) = unwanted.recv_timeout(Duration::ZERO) {
                    if let Err(why) = follow(&consumer) {
                        *told.lock().unwrap_or_else(PoisonError::into_inner) = Some(why);
                        return;
                    }
                }
            })
            .map_err(|source| Error::Thread { name: name.to_owned(), source })?;
        Ok(Self { owned, failure, _wanted: Some(wanted), _held: None })
    }
}

/// One poll. What the group says comes through the callbacks; an error that does not pass ends the thread.
fn follow(consumer: &BaseConsumer<Member>) -> Result<(), String> {
    let Some(Err(error)) = consumer.poll(POLL) else { return Ok(()) };
    let lasting = match error.rdkafka_error_code() {
        Some(
            RDKafkaErrorCode::Fatal
            | RDKafkaErrorCode::GroupAuthorizationFailed
            | RDKafkaErrorCode::TopicAuthorizationFailed
            | RDKafkaErrorCode::InconsistentGroupProtocol
            | RDKafkaErrorCode::InvalidSessionTimeout,
        ) => true,
        Some(_) | None => false,
    };
    if lasting {
        return Err(error.to_string());
    }
    if !matches!(error, KafkaError::PartitionEOF(_)) {
        tracing::warn!(%error, "the consumer group cannot be followed at the moment; trying again");
    }
    Ok(())
}

/// Keeps the share up to date from the callbacks of the group.
struct Member {
    shares: watch::Sender<BTreeSet<i32>>,
}

impl ClientContext for Member {}

impl ConsumerContext for Member {
    fn pre_rebalance(&self, _: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        match rebalance {
            Rebalance::Revoke(list) => {
                let gone: BTreeSet<i32> =
                    list.elements().iter().map(TopicPartitionListElem::partition).collect();
                self.shares.send_modify(|owned| owned.retain(|partition| !gone.contains(partition)));
            }
            Rebalance::Error(error) => {
                tracing::warn!(%error, "the consumer group failed to share out; owning nothing until it has");
                self.shares.send_modify(BTreeSet::clear);
            }
            Rebalance::Assign(_) => {}
        }
    }

    fn post_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        match rebalance {
            Rebalance::Assign(list) => {
                if let Err(error) = consumer.pause(list) {
                    tracing::warn!(%error, "owned partitions cannot be paused; their records are read and dropped");
                }
                let gained = list.elements();
                self.shares
                    .send_modify(|owned| owned.extend(gained.iter().map(TopicPartitionListElem::partition)));
            }
            Rebalance::Revoke(_) | Rebalance::Error(_) => {}
        }
    }
}
