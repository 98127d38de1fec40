//! What somebody does to the topics behind everyone's back: cuts them, makes them anew, changes how they are set up.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use pavane_bus::{ApplyOptions, Bus, Topic, apply_topics, partition_of};
use pavane_tests::stage::{SOON, Stage};
use pavane_tests::wait;
use rdkafka::admin::{AdminClient, AdminOptions, AlterConfig, NewPartitions, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::metadata::{MetadataPartition, MetadataTopic};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use serde_json::Value;

/// How many partitions a stage's log has.
const PARTITIONS: i32 = 3;

/// The stage's log, as an administrator knows it.
pub(crate) struct Broker {
    admin: AdminClient<DefaultClientContext>,
    log: String,
    partition: i32,
}

impl Broker {
    pub(crate) fn of(stage: &Stage) -> Result<Self> {
        let admin = ClientConfig::new().set("bootstrap.servers", &stage.settings().kafka).create()?;
        let log = Topic::Lifecycle.name(&stage.settings().prefix);
        let partition = partition_of(stage.domain().as_str().as_bytes(), PARTITIONS);
        Ok(Self { admin, log, partition })
    }

    /// Deletes what stands in the domain's partition below this offset, as retention does.
    pub(crate) async fn cut(&self, below: i64) -> Result<()> {
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(&self.log, self.partition, Offset::Offset(below))?;
        let cut = self.admin.delete_records(&list, &AdminOptions::new()).await?;
        let low = cut.elements().first().map(|element| (element.offset(), element.error()));
        ensure!(low == Some((Offset::Offset(below), Ok(()))), "cut at {below}, and the log says {low:?}");
        Ok(())
    }

    /// Deletes the log and makes it again under its name.
    pub(crate) async fn replace(&self, stage: &Stage) -> Result<()> {
        let deleted = self.admin.delete_topics(&[&self.log], &AdminOptions::new()).await?;
        ensure!(deleted.iter().all(Result::is_ok), "the log was not deleted: {deleted:?}");
        let options = ApplyOptions { partitions: PARTITIONS, ..ApplyOptions::default() };
        let made = wait::until("the log to be made anew", SOON, async || {
            let made = apply_topics(stage.settings(), options).await.ok()?;
            made.iter().all(|topic| topic.partitions > 0).then_some(())
        });
        made.await
    }

    /// Gives the log more partitions.
    pub(crate) async fn widen(&self, partitions: usize) -> Result<()> {
        let more = [NewPartitions::new(&self.log, partitions)];
        let widened = self.admin.create_partitions(&more, &AdminOptions::new()).await?;
        ensure!(widened.iter().all(Result::is_ok), "no partition was added: {widened:?}");
        Ok(())
    }

    /// Lets producers stamp the records from here on.
    pub(crate) async fn stop_stamping(&self) -> Result<()> {
        let change =
            AlterConfig::new(ResourceSpecifier::Topic(&self.log)).set("message.timestamp.type", "CreateTime");
        let altered = self.admin.alter_configs([&change], &AdminOptions::new()).await?;
        ensure!(altered.iter().all(Result::is_ok), "the setting was not changed: {altered:?}");
        Ok(())
    }
}

/// The id of the broker that leads the domain's partition, if one does.
pub(crate) fn leader(stage: &Stage) -> Result<Option<usize>> {
    let asking: BaseConsumer =
        ClientConfig::new().set("bootstrap.servers", &stage.settings().kafka).create()?;
    let topic = Topic::Lifecycle.name(&stage.settings().prefix);
    let metadata = asking.fetch_metadata(Some(&topic), Duration::from_secs(5))?;
    let partition = partition_of(stage.domain().as_str().as_bytes(), PARTITIONS);
    let all = metadata.topics().iter().flat_map(MetadataTopic::partitions);
    let led = all.filter(|one| one.id() == partition && one.error().is_none()).map(MetadataPartition::leader);
    Ok(led.filter_map(|id| usize::try_from(id).ok()).find(|id| *id > 0))
}

/// Waits until a snapshot is closed that has read the record at this offset; returns where it ends.
pub(crate) async fn kept(stage: &Stage, offset: i64) -> Result<i64> {
    let bus = stage.bus().await?;
    let ends = wait::until("a snapshot", SOON, async || {
        let rows = bus.table(Topic::Snapshots).await.ok()?.load().await.ok()?;
        let manifests = rows.iter().filter(|(key, _)| key.ends_with("/manifest"));
        let ends = manifests
            .filter_map(|(_, value)| serde_json::from_slice::<Value>(value).ok()?["last"]["offset"].as_i64());
        ends.max().filter(|end| *end >= offset)
    });
    ends.await.with_context(|| format!("of offset {offset} or later"))
}

/// Sets the offsets of the sentinels' group far past the end, as an administrator may: nothing may rest on them.
pub(crate) fn skip_to_the_end(stage: &Stage, bus: &Bus) -> Result<()> {
    let prefix = &bus.settings().prefix;
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", &stage.settings().kafka)
        .set("group.id", format!("{prefix}-pavane-sentinel"))
        .create()?;
    let mut offsets = TopicPartitionList::new();
    for partition in 0..bus.partitions() {
        offsets.add_partition_offset(&Topic::Lifecycle.name(prefix), partition, Offset::Offset(1_000_000))?;
    }
    consumer.commit(&offsets, CommitMode::Sync).context("failed to commit offsets for the group")
}
