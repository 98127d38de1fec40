//! `pavane topics`: the topics as they must be, made and verified.

use clap::{Args, Subcommand};
use pavane_bus::{ApplyOptions, TopicAction, TopicOutcome, apply_topics, verify_topics};
use serde::Serialize;

use crate::commands::Context;
use crate::failure::Failure;
use crate::outage;

/// The two things one can do with topics.
#[derive(Debug, Subcommand)]
pub enum Topics {
    /// Makes the topics that are missing and sets what is set wrong.
    #[command(after_help = "Safe to repeat: what is as it must be is left alone.")]
    Apply(Apply),
    /// Verifies the topics and changes nothing; exit code 3 names the first wrong setting.
    Verify,
}

/// How the topics are made.
#[derive(Args, Debug)]
pub struct Apply {
    /// Partitions of the lifecycle topic: the most domains that can be judged at a time. Never changed later.
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(i32).range(1..))]
    partitions: i32,
    /// Copies of each partition; below 3 a broken broker can lose what was said. By default as many as there are
    /// brokers, at most 3.
    #[arg(long, value_parser = clap::value_parser!(i32).range(1..))]
    replication: Option<i32>,
}

#[derive(Serialize)]
struct Applied {
    topics: Vec<AppliedOne>,
}

#[derive(Serialize)]
struct AppliedOne {
    topic: String,
    /// `created`, `exists` or `altered`.
    action: &'static str,
    partitions: i32,
    replication: i32,
    changes: Vec<Change>,
}

#[derive(Serialize)]
struct Change {
    setting: String,
    was: String,
    is: String,
}

#[derive(Serialize)]
struct Verified {
    warnings: Vec<String>,
}

impl Topics {
    /// Makes or verifies.
    pub async fn run(self, context: Context<'_>) -> Result<(), Failure> {
        let settings = context.connection.settings()?;
        match self {
            Self::Apply(apply) => {
                let options = ApplyOptions { partitions: apply.partitions, replication: apply.replication };
                let topics = apply_topics(&settings, options).await.map_err(outage::of)?;
                let topics: Vec<AppliedOne> = topics.into_iter().map(AppliedOne::from).collect();
                let human: String = topics.iter().map(AppliedOne::text).collect();
                context.console.data(&human, &Applied { topics })
            }
            Self::Verify => {
                let warnings = verify_topics(&settings).await.map_err(outage::of)?;
                for warning in &warnings {
                    context.console.warn(&format!("warning: {warning}"));
                }
                context.console.data("the topics are as they must be\n", &Verified { warnings })
            }
        }
    }
}

impl From<TopicOutcome> for AppliedOne {
    fn from(outcome: TopicOutcome) -> Self {
        let (action, changes) = match outcome.action {
            TopicAction::Created => ("created", Vec::new()),
            TopicAction::Exists => ("exists", Vec::new()),
            TopicAction::Altered(changes) => ("altered", changes),
        };
        let changes = changes.into_iter().map(|(setting, was, is)| Change { setting, was, is }).collect();
        let TopicOutcome { topic, partitions, replication, .. } = outcome;
        Self { topic, action, partitions, replication, changes }
    }
}

impl AppliedOne {
    fn text(&self) -> String {
        let (partitions, copies) = (self.partitions, self.replication);
        let head = format!("{:<8} {}  {partitions} partitions × {copies}\n", self.action, self.topic);
        let change = |Change { setting, was, is }: &Change| format!("         {setting}: {was} → {is}\n");
        std::iter::once(head).chain(self.changes.iter().map(change)).collect()
    }
}
