//! One thread that polls one consumer of assigned partitions, and hands records over a bounded channel.
//!
//! A poll that is dropped half-way, or not called for a while, loses nothing here: the thread alone touches
//! the consumer's queue, and the receiving end of a channel can be awaited and abandoned at will. What is at hand
//! goes over together: waking somebody for each record of a long log costs more than reading it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::metadata::MetadataTopic;
use rdkafka::topic_partition_list::Offset;
use rdkafka::{ClientContext, TopicPartitionList};
use tokio::sync::mpsc;

use crate::client::{self, Purpose};
use crate::raw::Stamped;
use crate::topics::Clock;
use crate::{Bus, Error};

/// How many records are handed over together at most, and after how many bytes of them no more are added. So many may wait in
/// the channel, and as many beside it.
const TOGETHER: usize = 256;
const BYTES: usize = 262_144;
/// How long the thread waits for a record before it looks for orders. An order that comes while there is nothing to read is
/// not kept waiting.
const POLL: Duration = Duration::from_millis(250);

/// How long a broker keeps a question for records before it answers that there are none. A real one answers as soon as
/// there is one, so a long wait costs nothing; the embedded one answers at the end of the wait.
const WAIT: &str = "fetch.wait.max.ms";
const WAIT_EMBEDDED: &str = "10";

/// What the thread hands over.
#[derive(Debug)]
pub(crate) enum Pumped {
    /// A record.
    Record(Stamped),
    /// All records of this partition that the broker has were handed over.
    End(i32),
    /// The client met an error; it goes on by itself unless the offset is gone.
    Failed(KafkaError),
}

/// Where to read from, in each partition of a topic.
///
/// Never by a name such as "the beginning": the library asks the broker where that is, and when the answer comes after
/// the partition was given another start, it asks again half a second later and goes on from there.
pub(crate) type Starts = Vec<(i32, i64)>;

/// The near end of the thread. Dropping it ends the thread.
pub(crate) struct Pump {
    topic: String,
    consumer: Arc<BaseConsumer<Ear>>,
    orders: Sender<Order>,
    records: mpsc::Receiver<Batch>,
    /// What was handed over and not yet taken.
    at_hand: VecDeque<Pumped>,
    generation: u64,
}

/// What was at hand together, and by which order it was read.
struct Batch {
    generation: u64,
    pumped: VecDeque<Pumped>,
}

/// Hears what the client says beside its records. That a partition was read to its end is no error.
struct Ear;

impl ClientContext for Ear {
    fn error(&self, error: KafkaError, reason: &str) {
        if error.rdkafka_error_code() != Some(RDKafkaErrorCode::PartitionEOF) {
            tracing::warn!(%error, reason, "the Kafka client met an error and goes on");
        }
    }
}

impl ConsumerContext for Ear {}

struct Order {
    generation: u64,
    starts: Starts,
}

impl Pump {
    /// Makes the consumer and its thread; nothing is read before [`Pump::start`].
    pub(crate) fn new(bus: &Bus, topic: String) -> Result<Self, Error> {
        let mut config = client::config(bus.settings(), Purpose::Read, bus.client_id())?;
        if bus.clock() != Clock::Broker && !bus.settings().client.contains_key(WAIT) {
            config.set(WAIT, WAIT_EMBEDDED);
        }
        // The library wants a group for a consumer that is polled; it is never joined nor committed to.
        config.set("group.id", bus.client_id());
        let made = config.create_with_context(Ear);
        let made = made.map_err(|source| Error::Client { purpose: "reading".to_owned(), source })?;
        let consumer: Arc<BaseConsumer<Ear>> = Arc::new(made);
        let (orders, inbox) = channel();
        let (outbox, records) = mpsc::channel(1);
        let worker = Worker { topic: topic.clone(), consumer: Arc::clone(&consumer), inbox, outbox };
        let name = "pavane-read";
        std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || worker.run())
            .map_err(|source| Error::Thread { name: name.to_owned(), source })?;
        Ok(Self { topic, consumer, orders, records, at_hand: VecDeque::new(), generation: 0 })
    }

    pub(crate) fn topic(&self) -> &str {
        &self.topic
    }

    /// Reads from these places on, or nothing where there are none; what was handed over and not yet taken is forgotten.
    pub(crate) fn start(&mut self, starts: Starts) -> Result<(), Error> {
        self.generation += 1;
        self.at_hand.clear();
        let order = Order { generation: self.generation, starts };
        self.orders.send(order).map_err(|_| self.stopped())
    }

    /// The next thing that the thread handed over. Can be abandoned at any await.
    pub(crate) async fn next(&mut self) -> Result<Pumped, Error> {
        loop {
            if let Some(pumped) = self.at_hand.pop_front() {
                return Ok(pumped);
            }
            let Some(Batch { generation, pumped }) = self.records.recv().await else {
                return Err(self.stopped());
            };
            if generation == self.generation {
                self.at_hand = pumped;
            }
        }
    }

    /// Asks the broker for the first offset of a partition and the one after its last.
    pub(crate) async fn bounds(&self, partition: i32) -> Result<(i64, i64), Error> {
        let (consumer, topic) = (Arc::clone(&self.consumer), self.topic.clone());
        let answer =
            client::blocking(move || consumer.fetch_watermarks(&topic, partition, client::BOUNDS)).await?;
        let gone = [RDKafkaErrorCode::UnknownTopicOrPartition, RDKafkaErrorCode::UnknownPartition];
        answer.map_err(|source| match source.rdkafka_error_code() {
            Some(code) if gone.contains(&code) => Error::TopicMissing { topic: self.topic.clone() },
            Some(_) | None => Error::reading(format!("{}/{partition}", self.topic), source),
        })
    }

    /// How many partitions the topic has.
    pub(crate) async fn partitions(&self) -> Result<i32, Error> {
        let (consumer, topic) = (Arc::clone(&self.consumer), self.topic.clone());
        let answer = client::blocking(move || {
            let metadata = consumer.fetch_metadata(Some(&topic), client::METADATA)?;
            let topic = metadata.topics().first();
            match topic.and_then(MetadataTopic::error).map(RDKafkaErrorCode::from) {
                // a topic of which nothing may be known is not one that is gone
                Some(code @ RDKafkaErrorCode::TopicAuthorizationFailed) => {
                    Err(KafkaError::MetadataFetch(code))
                }
                Some(_) | None => Ok(topic.map_or(0, |topic| topic.partitions().len())),
            }
        });
        let count: KafkaResult<usize> = answer.await?;
        match count {
            Ok(0) => Err(Error::TopicMissing { topic: self.topic.clone() }),
            Ok(count) => Ok(i32::try_from(count).unwrap_or(i32::MAX)),
            Err(source) => Err(Error::reading(self.topic.clone(), source)),
        }
    }

    fn stopped(&self) -> Error {
        let why = "it met an error that it reported before, or it panicked".to_owned();
        Error::Stopped { what: format!("reading {}", self.topic), why }
    }
}

struct Worker {
    topic: String,
    consumer: Arc<BaseConsumer<Ear>>,
    inbox: Receiver<Order>,
    outbox: mpsc::Sender<Batch>,
}

impl Worker {
    fn run(self) {
        let (mut generation, mut reads) = (0, false);
        loop {
            let mut pumped = VecDeque::new();
            match self.inbox.recv_timeout(if reads { Duration::ZERO } else { POLL }) {
                Ok(order) => {
                    (generation, reads) = (order.generation, !order.starts.is_empty());
                    pumped.extend(self.assign(&order.starts).err().map(Pumped::Failed));
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            let waits = reads && pumped.is_empty();
            self.fill(&mut pumped, if waits { POLL } else { Duration::ZERO });
            if !pumped.is_empty() && self.outbox.blocking_send(Batch { generation, pumped }).is_err() {
                return;
            }
        }
    }

    /// Waits for one record, and adds what is at hand with it.
    fn fill(&self, pumped: &mut VecDeque<Pumped>, mut wait: Duration) {
        let mut bytes = 0;
        while pumped.len() < TOGETHER && bytes < BYTES {
            let next = match self.consumer.poll(wait) {
                None => return,
                Some(Ok(message)) => Pumped::Record(Stamped::copy_of(&message)),
                Some(Err(KafkaError::PartitionEOF(partition))) => Pumped::End(partition),
                Some(Err(error)) => Pumped::Failed(error),
            };
            if let Pumped::Record(Stamped { raw, .. }) = &next {
                bytes += raw.value.as_ref().map_or(0, Vec::len);
            }
            pumped.push_back(next);
            wait = Duration::ZERO;
        }
    }

    fn assign(&self, starts: &Starts) -> KafkaResult<()> {
        let mut list = TopicPartitionList::with_capacity(starts.len());
        for (partition, offset) in starts {
            list.add_partition_offset(&self.topic, *partition, Offset::Offset(*offset))?;
        }
        self.consumer.assign(&list)
    }
}
