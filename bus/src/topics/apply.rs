//! Creates the topics that are missing and mends those that are set up otherwise.
//!
//! Doing it twice changes nothing. Partitions are never added to a topic that is there: every domain would
//! move to another partition, and its order would be lost.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rdkafka::admin::{
    AdminOptions, AlterConfig, ConfigSource, NewTopic, ResourceSpecifier, TopicReplication,
};

use super::verify::{self, Admin, Clock, Described};
use super::{Need, Topic};
use crate::client;
use crate::{Error, Settings};

/// How topics are made that are not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ApplyOptions {
    /// The partitions of the log and of the heartbeats; 12 unless set.
    pub partitions: i32,
    /// The copies of each record; unless set, as many as there are brokers, at most 3.
    pub replication: Option<i32>,
}

impl Default for ApplyOptions {
    fn default() -> Self {
        Self { partitions: 12, replication: None }
    }
}

/// What became of one topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicOutcome {
    /// The topic.
    pub topic: String,
    /// What was done.
    pub action: TopicAction,
    /// How many partitions it has.
    pub partitions: i32,
    /// How many copies it keeps of each record.
    pub replication: i32,
}

/// What was done to a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TopicAction {
    /// It was not there and was made.
    Created,
    /// It is there and needed nothing.
    Exists,
    /// Settings of it were changed: name, what it was, what it is.
    Altered(Vec<(String, String, String)>),
}

/// Creates or mends every topic; reports what was done to each.
pub async fn apply_topics(settings: &Settings, options: ApplyOptions) -> Result<Vec<TopicOutcome>, Error> {
    let admin = verify::admin(settings)?;
    let before = verify::layout(settings).await?;
    let replication = options.replication.unwrap_or_else(|| before.brokers.min(3));
    let mut outcomes = Vec::with_capacity(Topic::ALL.len());
    for topic in Topic::ALL {
        let name = topic.name(&settings.prefix);
        let outcome = if let Some(found) = before.topics.get(&name) {
            let action = match before.clock(settings) {
                Clock::Broker => mend(settings, &admin, topic, &name).await?,
                Clock::Ours | Clock::Theirs => TopicAction::Exists,
            };
            let (partitions, replication) = (found.partitions, found.replication);
            TopicOutcome { topic: name, action, partitions, replication }
        } else {
            let partitions = topic.partitions(options.partitions);
            create(&admin, topic, &name, partitions, replication).await?;
            TopicOutcome { topic: name, action: TopicAction::Created, partitions, replication }
        };
        outcomes.push(outcome);
    }
    settle(settings, &outcomes).await?;
    Ok(outcomes)
}

/// Waits until the broker that is asked lists the topics that were made.
async fn settle(settings: &Settings, outcomes: &[TopicOutcome]) -> Result<(), Error> {
    let begun = Instant::now();
    loop {
        let layout = verify::layout(settings).await?;
        match outcomes.iter().find(|outcome| !layout.topics.contains_key(&outcome.topic)) {
            None => return Ok(()),
            Some(_) if begun.elapsed() < client::ASK => tokio::time::sleep(Duration::from_millis(50)).await,
            Some(missing) => {
                let why = "the broker took it and does not list it yet; run the command again".to_owned();
                return Err(Error::TopicAdmin { topic: missing.topic.clone(), doing: "create", why });
            }
        }
    }
}

async fn create(
    admin: &Admin,
    topic: Topic,
    name: &str,
    partitions: i32,
    replication: i32,
) -> Result<(), Error> {
    let values: Vec<(&str, String)> = wanted(topic, replication);
    let mut new = NewTopic::new(name, partitions, TopicReplication::Fixed(replication));
    for (setting, value) in &values {
        new = new.set(setting, value);
    }
    let options = AdminOptions::new().operation_timeout(Some(client::ASK)).request_timeout(Some(client::ASK));
    let failed = |why: String| Error::TopicAdmin { topic: name.to_owned(), doing: "create", why };
    let results = admin.create_topics([&new], &options).await.map_err(|error| failed(error.to_string()))?;
    for result in results {
        result.map_err(|(_, code)| failed(code.to_string()))?;
    }
    Ok(())
}

/// The settings that a new topic gets. Two copies have to be in sync where there are three.
fn wanted(topic: Topic, replication: i32) -> Vec<(&'static str, String)> {
    let mut values: Vec<_> = topic.needs().iter().map(|(name, need)| (*name, need.value())).collect();
    if replication >= 3 {
        values.push(("min.insync.replicas", "2".to_owned()));
    }
    values
}

async fn mend(settings: &Settings, admin: &Admin, topic: Topic, name: &str) -> Result<TopicAction, Error> {
    let described = verify::describe(settings, admin, name).await?;
    let changes = changes(topic, &described);
    if changes.is_empty() {
        return Ok(TopicAction::Exists);
    }
    let overrides = merged(&described, &changes);
    let mut alter = AlterConfig::new(ResourceSpecifier::Topic(name));
    for (setting, value) in &overrides {
        alter = alter.set(setting, value);
    }
    let failed = |why: String| Error::TopicAdmin { topic: name.to_owned(), doing: "alter", why };
    let options = AdminOptions::new().request_timeout(Some(client::ASK));
    let results = admin.alter_configs([&alter], &options).await.map_err(|error| failed(error.to_string()))?;
    for result in results {
        result.map_err(|(_, code)| failed(code.to_string()))?;
    }
    Ok(TopicAction::Altered(changes))
}

fn changes(topic: Topic, described: &Described) -> Vec<(String, String, String)> {
    let differs = |(name, need): &(&'static str, Need)| {
        let found = described.get(*name).map_or("", |setting| setting.value.as_str());
        (!need.is_met_by(found)).then(|| ((*name).to_owned(), found.to_owned(), need.value()))
    };
    topic.needs().iter().filter_map(differs).collect()
}

/// The request replaces all of a topic's own settings, so those that somebody else made go with it.
fn merged(described: &Described, changes: &[(String, String, String)]) -> BTreeMap<String, String> {
    let own = described.iter().filter(|(_, setting)| setting.source == ConfigSource::DynamicTopic);
    let mut overrides: BTreeMap<_, _> =
        own.map(|(name, setting)| (name.clone(), setting.value.clone())).collect();
    overrides.extend(changes.iter().map(|(name, _, value)| (name.clone(), value.clone())));
    overrides
}
