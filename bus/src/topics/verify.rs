//! Compares what the broker says of the topics with what the log needs.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, ConfigSource, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;
use rdkafka::types::RDKafkaErrorCode;

use super::Topic;
use crate::client::{self, Purpose};
use crate::{Error, Settings, witness};

/// How long a broker of several may take to learn of a topic, and how often they are asked meanwhile.
const LEARNED: Duration = Duration::from_secs(5);
const AGAIN: Duration = Duration::from_millis(100);

/// The client that asks and changes.
pub(crate) type Admin = AdminClient<DefaultClientContext>;

/// What a broker says about its topics.
#[derive(Debug)]
pub(crate) struct Layout {
    pub(crate) brokers: i32,
    pub(crate) topics: BTreeMap<String, Shape>,
}

/// How many partitions a topic has, and copies of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) partitions: i32,
    pub(crate) replication: i32,
}

/// One setting of a topic.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) value: String,
    pub(crate) source: ConfigSource,
}

pub(crate) type Described = BTreeMap<String, Found>;

/// What is worth knowing about a broker before it is used.
#[derive(Debug)]
pub(crate) struct Survey {
    pub(crate) partitions: BTreeMap<Topic, i32>,
    pub(crate) clock: Clock,
    pub(crate) warnings: Vec<String>,
}

/// Whose time the records of a broker carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Clock {
    /// The broker's.
    Broker,
    /// The producers', on the embedded broker of this process: there is one clock, and it counts.
    Ours,
    /// The producers', on the embedded broker of another process: good enough to act by, never to judge by.
    Theirs,
}

/// Refuses a topic that is missing or set up otherwise, by its name; returns what is only worth a warning. The
/// embedded broker of another process is refused too: it does not stamp records.
pub async fn verify_topics(settings: &Settings) -> Result<Vec<String>, Error> {
    let survey = survey(settings).await?;
    match survey.clock {
        Clock::Broker | Clock::Ours => Ok(survey.warnings),
        Clock::Theirs => Err(theirs(&Topic::Lifecycle.name(&settings.prefix))),
    }
}

/// Finds out what there is, and refuses topics of a real broker that are missing or set up otherwise. Of several brokers, one
/// may not have learned of a new topic yet that another has made.
pub(crate) async fn survey(settings: &Settings) -> Result<Survey, Error> {
    let (admin, begun) = (admin(settings)?, Instant::now());
    loop {
        let layout = layout(settings).await?;
        let several = layout.brokers > 1;
        match Box::pin(looked_at(settings, &admin, &layout)).await {
            Err(Error::TopicMissing { .. }) if several && begun.elapsed() < LEARNED => {
                tokio::time::sleep(AGAIN).await;
            }
            found => return found,
        }
    }
}

async fn looked_at(settings: &Settings, admin: &Admin, layout: &Layout) -> Result<Survey, Error> {
    let (mut partitions, mut warnings) = (BTreeMap::new(), Vec::new());
    let clock = layout.clock(settings);
    for topic in Topic::ALL {
        let name = topic.name(&settings.prefix);
        let Some(shape) = layout.topics.get(&name).filter(|shape| shape.partitions > 0) else {
            return Err(Error::TopicMissing { topic: name });
        };
        partitions.insert(topic, shape.partitions);
        if clock == Clock::Broker {
            compare(topic, &name, &describe(settings, admin, &name).await?)?;
            warnings.extend(few_copies(&name, shape.replication));
        }
    }
    Ok(Survey { partitions, clock, warnings })
}

/// Why nobody may judge by the records of an embedded broker that another process has started.
pub(crate) fn theirs(topic: &str) -> Error {
    Error::TopicConfig {
        topic: topic.to_owned(),
        setting: "message.timestamp.type".to_owned(),
        expected: "LogAppendTime".to_owned(),
        found: "CreateTime (the embedded broker of another process; only that process judges by it)"
            .to_owned(),
    }
}

fn few_copies(topic: &str, copies: i32) -> Option<String> {
    let counted = if copies == 1 { "one copy" } else { "two copies" };
    let warning =
        || format!("topic {topic} keeps {counted} of each record; three survive the loss of a broker");
    (copies < 3).then(warning)
}

impl Layout {
    pub(crate) fn clock(&self, settings: &Settings) -> Clock {
        if settings.is_embedded() {
            Clock::Ours
        } else if self.topics.contains_key(&super::embedded_marker(&settings.prefix)) {
            Clock::Theirs
        } else {
            Clock::Broker
        }
    }
}

fn compare(topic: Topic, name: &str, described: &Described) -> Result<(), Error> {
    for (setting, need) in topic.needs() {
        let found = described.get(*setting).map_or("unknown to the broker", |found| found.value.as_str());
        if !need.is_met_by(found) {
            return Err(Error::TopicConfig {
                topic: name.to_owned(),
                setting: (*setting).to_owned(),
                expected: need.in_words(),
                found: found.to_owned(),
            });
        }
    }
    Ok(())
}

/// Makes the client that asks.
pub(crate) fn admin(settings: &Settings) -> Result<Admin, Error> {
    let config = client::config(settings, Purpose::Administer, "pavane-topics")?;
    client::create(&config, "topics")
}

/// Asks which topics there are, without making any.
pub(crate) async fn layout(settings: &Settings) -> Result<Layout, Error> {
    let metadata = witness::metadata(settings).await?;
    let count = |n: usize| i32::try_from(n).unwrap_or(i32::MAX);
    let topics = metadata.topics().iter().filter(|topic| topic.error().is_none()).map(|topic| {
        let replication = topic.partitions().iter().map(|p| count(p.replicas().len())).min().unwrap_or(0);
        (topic.name().to_owned(), Shape { partitions: count(topic.partitions().len()), replication })
    });
    Ok(Layout { brokers: count(metadata.brokers().len()), topics: topics.collect() })
}

/// Asks how a topic is set up.
pub(crate) async fn describe(settings: &Settings, admin: &Admin, name: &str) -> Result<Described, Error> {
    let failed = |why: String| Error::TopicAdmin { topic: name.to_owned(), doing: "describe", why };
    let options = AdminOptions::new().request_timeout(Some(client::ASK));
    let answers = admin.describe_configs([&ResourceSpecifier::Topic(name)], &options).await;
    let answers = answers.map_err(|source| Error::Unreachable {
        kafka: settings.kafka.clone(),
        doing: "how a topic is set up",
        why: source.to_string(),
        source: Box::new(source),
    })?;
    let mut described = Described::new();
    for answer in answers {
        let resource = answer.map_err(|code| {
            if code == RDKafkaErrorCode::UnknownTopicOrPartition {
                Error::TopicMissing { topic: name.to_owned() }
            } else {
                failed(code.to_string())
            }
        })?;
        for entry in resource.entries {
            let value = entry.value.unwrap_or_default();
            described.insert(entry.name, Found { value, source: entry.source });
        }
    }
    Ok(described)
}
