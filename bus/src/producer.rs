//! One idempotent producer: a record counts as appended only when the broker has said so.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use pavane_events::Timestamp;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, Producer as _};
use tokio::sync::oneshot;

use crate::answers::{self, Answer, Record};
use crate::client::{self, Purpose};
use crate::error::is_denial;
use crate::metrics::Metrics;
use crate::topics::Clock;
use crate::{Bus, Error};

/// How long a full queue is waited for, and how long apart it is tried.
const QUEUE: Duration = Duration::from_secs(1);
const AGAIN: Duration = Duration::from_millis(100);
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
    inner: Arc<answers::Client>,
    limit: Duration,
    clock: Clock,
    metrics: Metrics,
}

impl Producer {
    pub(crate) fn new(bus: &Bus) -> Result<Self, Error> {
        let config = client::config(bus.settings(), Purpose::Append, bus.client_id())?;
        let limit = client::delivery_limit(&config)? + QUEUE + GRACE;
        let inner = answers::client(&config)?;
        Ok(Self { inner, limit, clock: bus.clock(), metrics: bus.metrics().clone() })
    }

    /// Appends a record and waits for the broker's answer. Abandoning the wait does not take the record back.
    pub(crate) async fn append(&self, outgoing: Outgoing<'_>) -> Result<Appended, Error> {
        let underway = self.underway(&outgoing);
        let (mut record, answer) = record(outgoing, underway.created);
        while let Err((error, back)) = self.inner.send(record) {
            let is_full = error.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull);
            if !is_full || underway.begun.elapsed() >= QUEUE {
                return Err(underway.fail(error));
            }
            record = back;
            tokio::time::sleep(AGAIN).await;
        }
        underway.wait(answer).await
    }

    /// Hands a record over behind all that were handed over before it. What it returns ends with the broker's answer;
    /// to drop it does not take the record back. Fails at once when the client's queue is full.
    pub(crate) fn hand_over(
        &self,
        outgoing: Outgoing<'_>,
    ) -> Result<impl Future<Output = Result<Appended, Error>> + Send + use<>, Error> {
        let underway = self.underway(&outgoing);
        let (record, answer) = record(outgoing, underway.created);
        match self.inner.send(record) {
            Ok(()) => Ok(underway.wait(answer)),
            Err((error, _)) => Err(underway.fail(error)),
        }
    }

    fn underway(&self, outgoing: &Outgoing<'_>) -> Underway {
        Underway {
            producer: self.clone(),
            topic: outgoing.topic.to_owned(),
            partition: outgoing.partition,
            created: self.created(),
            begun: Instant::now(),
        }
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
        if is_denial(&error) {
            return Error::Denied { what: format!("{topic}/{partition}"), source: error };
        }
        match error.rdkafka_error_code() {
            Some(code) if surely_not_appended(code) => Error::Append { topic, partition, source: error },
            Some(_) | None => Error::OutcomeUnknown { topic, partition, why: error.to_string() },
        }
    }
}

/// A record that was handed over, until the broker's answer.
struct Underway {
    producer: Producer,
    topic: String,
    partition: i32,
    created: Option<Timestamp>,
    begun: Instant,
}

impl Underway {
    /// Waits for the broker's answer, for as long as one may take.
    async fn wait(self, answer: oneshot::Receiver<Answer>) -> Result<Appended, Error> {
        let answer = tokio::time::timeout(self.producer.limit, answer).await;
        self.end(answer.ok().map(|answer| answer.unwrap_or(Err(KafkaError::Canceled))))
    }

    /// Takes the client's report; none when it did not come in time.
    fn end(self, report: Option<Answer>) -> Result<Appended, Error> {
        let unknown = |why: &str| {
            let (topic, why) = (self.topic.clone(), why.to_owned());
            Err(Error::OutcomeUnknown { topic, partition: self.partition, why })
        };
        let result = match report {
            None => unknown("the client has not reported in time"),
            Some(Ok(delivery)) if delivery.offset < 0 => {
                unknown("the broker has it and does not say at which offset")
            }
            Some(Ok(delivery)) => Ok(Appended {
                partition: delivery.partition,
                offset: delivery.offset,
                at: self.created.unwrap_or_else(|| Timestamp(delivery.timestamp.to_millis().unwrap_or(0))),
            }),
            Some(Err(error)) => return Err(self.fail(error)),
        };
        self.count(result.as_ref().err());
        result
    }

    fn fail(self, error: KafkaError) -> Error {
        let error = self.producer.failed(&self.topic, self.partition, error);
        self.count(Some(&error));
        error
    }

    fn count(&self, error: Option<&Error>) {
        self.producer.metrics.sent(&self.topic, self.begun.elapsed(), error.map(Error::class));
    }
}

/// A record as the client takes it, and where its answer comes.
fn record(outgoing: Outgoing<'_>, created: Option<Timestamp>) -> (Record<'_>, oneshot::Receiver<Answer>) {
    let (waiter, answer) = oneshot::channel();
    let record = BaseRecord::with_opaque_to(outgoing.topic, Box::new(waiter));
    let mut record = record.partition(outgoing.partition).key(outgoing.key).headers(outgoing.headers);
    record.payload = outgoing.value;
    record.timestamp = created.map(|created| created.0);
    (record, answer)
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
    )
}
