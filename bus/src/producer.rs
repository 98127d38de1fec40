//! One idempotent producer: a record counts as appended only when the broker has said so.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use pavane_events::Timestamp;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord, Producer as _};

use crate::client::{self, Purpose};
use crate::metrics::Metrics;
use crate::topics::Clock;
use crate::{Bus, Error};

/// How long a full queue is waited for.
const QUEUE: Duration = Duration::from_secs(1);
/// How long after its own limit the client may take to report.
const GRACE: Duration = Duration::from_secs(5);

/// Where a record stands, as the broker has said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// The partition.
    pub partition: i32,
    /// Its place in the partition.
    pub offset: i64,
    /// When the broker appended it.
    pub at: Timestamp,
}

/// A record on its way.
pub(crate) struct Outgoing<'a> {
    pub(crate) topic: &'a str,
    pub(crate) partition: i32,
    pub(crate) key: &'a [u8],
    pub(crate) value: Option<&'a [u8]>,
    pub(crate) headers: OwnedHeaders,
}

#[derive(Clone)]
pub(crate) struct Producer {
    inner: FutureProducer,
    limit: Duration,
    clock: Clock,
    metrics: Metrics,
}

impl Producer {
    pub(crate) fn new(bus: &Bus) -> Result<Self, Error> {
        let config = client::config(bus.settings(), Purpose::Append, bus.client_id())?;
        let limit = client::delivery_limit(&config)? + QUEUE + GRACE;
        let inner = client::create(&config, "appending")?;
        Ok(Self { inner, limit, clock: bus.clock(), metrics: bus.metrics().clone() })
    }

    /// Appends a record and waits for the broker's answer. Abandoning the wait does not take the record back.
    pub(crate) async fn append(&self, outgoing: Outgoing<'_>) -> Result<Appended, Error> {
        let (topic, partition) = (outgoing.topic, outgoing.partition);
        let created = self.created();
        let mut record =
            FutureRecord::to(topic).partition(partition).key(outgoing.key).headers(outgoing.headers);
        record.payload = outgoing.value;
        record.timestamp = created.map(|created| created.0);
        let begun = Instant::now();
        let unknown = |why: &str| {
            Err(Error::OutcomeUnknown { topic: topic.to_owned(), partition, why: why.to_owned() })
        };
        let result = match tokio::time::timeout(self.limit, self.inner.send(record, QUEUE)).await {
            Err(_) => unknown("the client has not reported in time"),
            Ok(Ok(delivery)) if delivery.offset < 0 => {
                unknown("the broker has it and does not say at which offset")
            }
            Ok(Ok(delivery)) => Ok(Appended {
                partition: delivery.partition,
                offset: delivery.offset,
                at: created.unwrap_or_else(|| Timestamp(delivery.timestamp.to_millis().unwrap_or(0))),
            }),
            Ok(Err((error, _))) => Err(self.failed(topic, partition, error)),
        };
        self.metrics.sent(topic, begun.elapsed(), result.as_ref().err().map(Error::class));
        result
    }

    /// Waits until the broker has answered for every record.
    pub(crate) async fn flush(&self, limit: Duration) -> Result<(), Error> {
        let producer = self.inner.clone();
        let answer = client::blocking(move || producer.flush(limit)).await?;
        answer.map_err(|source| Error::Flush {
            unanswered: self.inner.in_flight_count(),
            limit_ms: limit.as_millis(),
            source,
        })
    }

    /// The time that a record is given here, where the broker gives none.
    fn created(&self) -> Option<Timestamp> {
        match self.clock {
            Clock::Broker => None,
            Clock::Ours | Clock::Theirs => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                Some(Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX)))
            }
        }
    }

    fn failed(&self, topic: &str, partition: i32, error: KafkaError) -> Error {
        let topic = topic.to_owned();
        if let Some((_, why)) = self.inner.client().fatal_error() {
            return Error::ProducerDead { topic, why };
        }
        match error.rdkafka_error_code() {
            Some(code) if surely_not_appended(code) => Error::Append { topic, partition, source: error },
            Some(_) | None => Error::OutcomeUnknown { topic, partition, why: error.to_string() },
        }
    }
}

/// The headers of a record.
pub(crate) fn headers<'a>(pairs: impl IntoIterator<Item = (&'a str, Option<&'a [u8]>)>) -> OwnedHeaders {
    pairs.into_iter().fold(OwnedHeaders::new(), |headers, (key, value)| headers.insert(Header { key, value }))
}

/// Answers after which the record is certainly not on the log; all others leave it open.
const fn surely_not_appended(code: RDKafkaErrorCode) -> bool {
    matches!(
        code,
        RDKafkaErrorCode::QueueFull
            | RDKafkaErrorCode::MessageSizeTooLarge
            | RDKafkaErrorCode::MessageBatchTooLarge
            | RDKafkaErrorCode::UnknownTopic
            | RDKafkaErrorCode::UnknownPartition
            | RDKafkaErrorCode::UnknownTopicOrPartition
            | RDKafkaErrorCode::InvalidTopic
            | RDKafkaErrorCode::InvalidArgument
            | RDKafkaErrorCode::InvalidRecord
            | RDKafkaErrorCode::PolicyViolation
            | RDKafkaErrorCode::TopicAuthorizationFailed
            | RDKafkaErrorCode::ClusterAuthorizationFailed
    )
}
