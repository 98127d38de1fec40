//! How far a consumer group is behind the end of a topic, told by the broker; the group is not joined.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::topic_partition_list::Offset;
use rdkafka::types::RDKafkaErrorCode;

use crate::client::{self, Purpose};
use crate::{Error, Settings};

/// Asks how many records a consumer group has yet to read of a topic.
pub struct Lag {
    topic: String,
    group: String,
    consumer: Arc<BaseConsumer>,
}

impl Lag {
    /// A client that asks after this group and this topic; nothing is asked yet.
    pub fn new(settings: &Settings, client_id: &str, group: &str, topic: &str) -> Result<Self, Error> {
        let mut config = client::config(settings, Purpose::Read, client_id)?;
        config.set("group.id", group);
        let made = config.create();
        let consumer =
            made.map_err(|source| Error::Client { purpose: format!("the lag of {group}"), source })?;
        Ok(Self { topic: topic.to_owned(), group: group.to_owned(), consumer: Arc::new(consumer) })
    }

    /// How many records stand on the topic that the group has not committed, over all partitions; all that a
    /// partition holds where it has committed none. Fails when the broker has not told all of it within the limit.
    pub async fn read(&self, limit: Duration) -> Result<i64, Error> {
        let (consumer, topic, until) =
            (Arc::clone(&self.consumer), self.topic.clone(), Instant::now() + limit);
        let answer = client::blocking(move || lag(&consumer, &topic, until)).await?;
        answer.map_err(|source| Error::reading(format!("{} for {}", self.topic, self.group), source))
    }
}

fn lag(consumer: &BaseConsumer, topic: &str, until: Instant) -> KafkaResult<i64> {
    let left = || until.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
    // What the client has to tell beside is kept until somebody asks for it, and nobody else does.
    drop(consumer.poll(Duration::ZERO));
    let metadata = consumer.fetch_metadata(Some(topic), left())?;
    let found = metadata.topics().first();
    let partitions = found.map_or(&[][..], |topic| topic.partitions());
    if partitions.is_empty() {
        return Err(KafkaError::MetadataFetch(RDKafkaErrorCode::UnknownTopicOrPartition));
    }
    let mut asked = TopicPartitionList::new();
    for partition in partitions {
        asked.add_partition(topic, partition.id());
    }
    let mut lag = 0;
    for element in consumer.committed_offsets(asked, left())?.elements() {
        element.error()?;
        let (low, high) = consumer.fetch_watermarks(topic, element.partition(), left())?;
        let committed = match element.offset() {
            Offset::Offset(offset) => offset.max(low),
            Offset::Beginning | Offset::End | Offset::Stored | Offset::Invalid | Offset::OffsetTail(_) => low,
        };
        lag += (high - committed).max(0);
    }
    Ok(lag)
}

#[cfg(test)]
mod tests {
    use pavane_events::command::RolloutAborted;
    use pavane_events::{Domain, Envelope, Event, EventId, Source};
    use rdkafka::consumer::CommitMode;

    use super::*;
    use crate::{Bus, Topic, embedded};

    const LIMIT: Duration = Duration::from_secs(10);

    #[tokio::test]
    async fn what_a_group_has_not_committed_is_its_lag() {
        let embedded = embedded::start().await.unwrap();
        let settings = embedded.settings();
        let writer = Bus::connect(settings.clone(), "lag-test").await.unwrap().writer().await.unwrap();
        let mut last = None;
        for number in 0..5 {
            let id = EventId::new(format!("e-{number}")).unwrap();
            let (domain, source) = (Domain::new("shop").unwrap(), Source::new("/ci").unwrap());
            let event =
                Event { envelope: Envelope::new(domain, source, id), body: RolloutAborted::default().into() };
            last = Some(writer.append(&event).await.unwrap());
        }
        let (last, topic) = (last.unwrap(), Topic::Lifecycle.name(&settings.prefix));
        let lag = Lag::new(&settings, "lag-test", "readers", &topic).unwrap();
        assert_eq!(lag.read(LIMIT).await.unwrap(), 5, "nothing is committed");
        let mut done = TopicPartitionList::new();
        done.add_partition_offset(&topic, last.partition, Offset::Offset(last.offset - 1)).unwrap();
        lag.consumer.commit(&done, CommitMode::Sync).unwrap();
        assert_eq!(lag.read(LIMIT).await.unwrap(), 2, "of five");
        let other = Lag::new(&settings, "lag-test", "others", &topic).unwrap();
        assert_eq!(other.read(LIMIT).await.unwrap(), 5, "each group has its own");
    }

    #[tokio::test]
    async fn a_topic_that_is_not_there_and_a_broker_that_is_away_are_errors() {
        let embedded = embedded::start().await.unwrap();
        let lag = Lag::new(&embedded.settings(), "lag-test", "readers", "nothing-of-the-kind").unwrap();
        assert!(lag.read(LIMIT).await.is_err());
        let away =
            Lag::new(&Settings::new("127.0.0.1:1", "http://127.0.0.1:1"), "a", "readers", "a").unwrap();
        let begun = Instant::now();
        assert!(away.read(Duration::from_millis(300)).await.is_err());
        assert!(begun.elapsed() < Duration::from_secs(5), "within its limit");
    }
}
