//! Compares what the broker says of the topics with what the log needs.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, ConfigSource, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;
use rdkafka::types::RDKafkaErrorCode;

use super::Topic;
use crate::client::{self, Purpose};
use crate::{Error, Settings};

/// The client that asks; shared, since some of its questions block a thread.
pub(crate) type Admin = Arc<AdminClient<DefaultClientContext>>;

/// How long a broker may take to say how a topic is set up. An embedded broker of another process never does.
const DESCRIBE: Duration = Duration::from_secs(5);

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

/// Refuses a topic that is missing or set up otherwise, by its name; returns what is only worth a warning.
pub async fn verify_topics(settings: &Settings) -> Result<Vec<String>, Error> {
    let admin = admin(settings)?;
    let layout = layout(settings, &admin).await?;
    let mut warnings = Vec::new();
    for topic in Topic::ALL {
        let name = topic.name(&settings.prefix);
        let Some(shape) = layout.topics.get(&name) else {
            return Err(Error::TopicMissing { topic: name });
        };
        compare(topic, &name, &describe(&admin, &name).await?)?;
        if shape.replication < 3 {
            warnings.push(format!(
                "topic {name} keeps {} of each record; three copies survive the loss of a broker",
                if shape.replication == 1 { "one copy" } else { "two copies" }
            ));
        }
    }
    Ok(warnings)
}

/// How many partitions each topic has.
pub(crate) async fn partitions(settings: &Settings) -> Result<BTreeMap<Topic, i32>, Error> {
    let layout = layout(settings, &admin(settings)?).await?;
    let count = |topic: Topic| {
        let name = topic.name(&settings.prefix);
        let shape = layout.topics.get(&name).filter(|shape| shape.partitions > 0);
        shape.map(|shape| (topic, shape.partitions)).ok_or(Error::TopicMissing { topic: name })
    };
    Topic::ALL.into_iter().map(count).collect()
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
    Ok(Arc::new(client::create(&config, "topics")?))
}

/// Asks which topics there are, without making any.
pub(crate) async fn layout(settings: &Settings, admin: &Admin) -> Result<Layout, Error> {
    let asking = Arc::clone(admin);
    let answer = client::blocking(move || asking.inner().fetch_metadata(None, client::ASK)).await?;
    let metadata = answer.map_err(|source| Error::Unreachable {
        kafka: settings.kafka.clone(),
        doing: "which topics there are",
        source,
    })?;
    let count = |n: usize| i32::try_from(n).unwrap_or(i32::MAX);
    let topics = metadata.topics().iter().filter(|topic| topic.error().is_none()).map(|topic| {
        let replication = topic.partitions().iter().map(|p| count(p.replicas().len())).min().unwrap_or(0);
        (topic.name().to_owned(), Shape { partitions: count(topic.partitions().len()), replication })
    });
    Ok(Layout { brokers: count(metadata.brokers().len()), topics: topics.collect() })
}

/// Asks how a topic is set up.
pub(crate) async fn describe(admin: &Admin, name: &str) -> Result<Described, Error> {
    let failed = |why: String| Error::TopicAdmin { topic: name.to_owned(), doing: "describe", why };
    let options = AdminOptions::new().request_timeout(Some(DESCRIBE));
    let answers = admin.describe_configs([&ResourceSpecifier::Topic(name)], &options).await;
    let answers = answers.map_err(|error| {
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::OperationTimedOut) {
            not_told(name)
        } else {
            failed(error.to_string())
        }
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

/// A topic of which nothing is known is not trusted with the time.
fn not_told(name: &str) -> Error {
    Error::TopicConfig {
        topic: name.to_owned(),
        setting: "message.timestamp.type".to_owned(),
        expected: "LogAppendTime".to_owned(),
        found: format!(
            "not told by the broker within {} s (the embedded broker of another process never tells)",
            DESCRIBE.as_secs()
        ),
    }
}
