//! `pavane start`: begins a rollout, and if asked waits for its end.

mod course;

use std::time::Duration;

use clap::Args;
use pavane_bus::Writer;
use pavane_choreography::Plan;
use pavane_choreography::plan::MAX_LABELS;
use pavane_choreography::yaml::deceives;
use pavane_events::command::{RULES, RolloutStarted};
use pavane_events::{Domain, Event, EventId, RolloutId};
use serde::Serialize;

use crate::commands::Context;
use crate::commands::start::course::Course;
use crate::document;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::fold::Fold;
use crate::outage;
use crate::speaker::{self, Voice};

/// The most bytes that the name or the text of a label may have.
const LONGEST_LABEL: usize = 256;

/// Starts a rollout.
///
/// Of a published choreography, or of a file, which is checked first. The resolved plan travels in the start itself:
/// whatever is published later, this rollout keeps its plan. The log decides whether it begins, waits behind
/// another rollout, or is refused: because the id is taken, another rollout holds one of its services, or its
/// maintenance window is closed.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  pavane start users-v2                               by the name it was published under
  pavane start users-v2.yaml --wait --timeout 30m     from a file; exit code 0 only if it completes
  pavane start users-v2 --label environment=prod      reactions may ask for rollout.labels.environment
  R=$(pavane start users-v2 --output json | jq -r .rollout)

Exit code 0: it has begun, or is queued. 1: it was refused, and why.
With --wait: 0 completed, 1 ended otherwise or refused, 5 still open after --timeout.")]
pub struct Start {
    /// The name of a published choreography, or a file.
    #[arg(value_name = "CHOREOGRAPHY|FILE")]
    choreography: String,
    /// The rollout's id: the correlation id of all its events. Made up when not given.
    #[arg(long, value_name = "ID")]
    rollout: Option<RolloutId>,
    /// A label of this rollout, beside those of its choreography or in place of one; may be given several times.
    #[arg(long, value_name = "KEY=VALUE", value_parser = label)]
    label: Vec<(String, String)>,
    /// Wait for the rollout's end.
    #[arg(long)]
    wait: bool,
    /// How long to wait at most, e.g. `90s` or `1h30m`.
    #[arg(long, value_name = "TIME", requires = "wait", value_parser = length)]
    timeout: Option<Duration>,
    /// The version of the rules that it is judged by, where programs of an older version still take part.
    #[arg(long, value_name = "VERSION", default_value_t = RULES, value_parser = clap::value_parser!(i64).range(1..=RULES))]
    rules: i64,
    /// Why; stands on the log.
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
    /// Who.
    #[command(flatten)]
    voice: Voice,
}

/// A rollout that was begun.
#[derive(Clone, Debug, Serialize)]
pub struct Started {
    /// The rollout.
    pub rollout: RolloutId,
    /// The id of its `RolloutStarted`.
    pub id: EventId,
    /// The partition that all its events stand in.
    pub partition: i32,
    /// The place of its `RolloutStarted`.
    pub offset: i64,
    /// The trace id of all its spans.
    pub trace_id: String,
}

#[derive(Serialize)]
struct Begun<'a> {
    #[serde(flatten)]
    started: &'a Started,
    /// The rollout that it is queued behind; none when it has begun.
    behind: Option<RolloutId>,
}

#[derive(Serialize)]
struct Ended<'a> {
    #[serde(flatten)]
    started: &'a Started,
    outcome: &'static str,
}

impl Start {
    /// Starts it.
    pub async fn run(self, context: Context<'_>) -> Result<(), Failure> {
        let domain = context.connection.domain()?;
        let file = document::as_file(&self.choreography);
        let checked = file.map(|file| document::read(&file)).transpose()?;
        let bus = context.connection.bus().await?;
        let plan = match checked {
            Some(document) => document.plan,
            None => document::published(&bus, &domain, &self.choreography).await?.plan,
        };
        let plan = self.labelled(plan)?;
        let rollout = self.rollout.clone().unwrap_or_else(fresh_rollout);
        let writer = bus.writer().await.map_err(outage::of)?;
        let started =
            begin(&writer, &domain, &plan, rollout, self.rules, &self.voice.by, &self.reason).await?;
        let fold = Fold::open(&bus, &domain).await?;
        let course = Course::begin(fold, &started, &plan.digest(), context.console).await?;
        if self.wait {
            self.follow(course, &started, context).await
        } else {
            tell(&course, &started, context)
        }
    }

    /// The plan with the labels of this rollout.
    fn labelled(&self, mut plan: Plan) -> Result<Plan, Failure> {
        plan.labels.extend(self.label.iter().cloned());
        if plan.labels.len() > MAX_LABELS {
            let all = plan.labels.len();
            return Err(Failure::usage(format!(
                "the rollout would have {all} labels; {MAX_LABELS} are the most"
            ))
            .help("keep those that somebody asks for"));
        }
        Ok(plan)
    }

    async fn follow(
        &self,
        course: Course<'_>,
        started: &Started,
        context: Context<'_>,
    ) -> Result<(), Failure> {
        context.console.note(&format!("{} started at offset {}", started.rollout, started.offset));
        let outcome = match self.timeout {
            None => course.end().await?,
            Some(limit) => tokio::time::timeout(limit, course.end()).await.unwrap_or_else(|_| {
                let open = format!("{} is still open after {}", started.rollout, jiff_text(limit));
                Err(Failure::new(Exit::TimedOut, open)
                    .help(format!("see who is awaited: pavane status {}", started.rollout)))
            })?,
        };
        let human = format!("{} {}\n", started.rollout, outcome.replace('_', " "));
        context.console.data(&human, &Ended { started, outcome })?;
        if outcome == "completed" {
            return Ok(());
        }
        Err(Failure::new(Exit::Findings, format!("{} ended {}", started.rollout, outcome.replace('_', " "))))
    }
}

/// Appends the start of a rollout.
pub async fn begin(
    writer: &Writer,
    domain: &Domain,
    plan: &Plan,
    rollout: RolloutId,
    rules: i64,
    by: &str,
    reason: &str,
) -> Result<Started, Failure> {
    let body = RolloutStarted {
        choreography: plan.name.clone(),
        plan: plan.to_json(),
        plan_digest: plan.digest(),
        rules,
        by: by.to_owned(),
        reason: reason.to_owned(),
    };
    let event: Event = speaker::event(domain, Some(&rollout), body);
    let appended = writer.append(&event).await.map_err(outage::of)?;
    Ok(Started {
        trace_id: speaker::trace_id(&rollout),
        rollout,
        id: event.envelope.id,
        partition: appended.partition,
        offset: appended.offset,
    })
}

/// A rollout id that nobody else makes.
pub fn fresh_rollout() -> RolloutId {
    RolloutId::new(uuid::Uuid::now_v7().to_string()).expect("a UUID is a name")
}

fn tell(course: &Course<'_>, started: &Started, context: Context<'_>) -> Result<(), Failure> {
    let rollout = &started.rollout;
    let behind = course.behind();
    let place = format!("partition {} offset {}", started.partition, started.offset);
    let verb = behind.as_ref().map_or_else(|| "started".to_owned(), |other| format!("queued behind {other}"));
    let human = format!("{rollout} {verb} at {place}, trace {}\n", started.trace_id);
    context.console.note(&format!("follow it with: pavane watch {rollout}"));
    context.console.data(&human, &Begun { started, behind })
}

pub(super) fn length(text: &str) -> Result<Duration, String> {
    let span: jiff::SignedDuration =
        text.parse().map_err(|_| format!("{text:?} is not a length of time such as 90s, 30m or 1h30m"))?;
    Duration::try_from(span).map_err(|_| "a length of time cannot be negative".to_owned())
}

/// A label as it is written: the first `=` parts its name from its text.
fn label(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or_else(|| format!("{text:?} is not KEY=VALUE"))?;
    for (part, name) in [(key, "name"), (value, "text")] {
        if part.is_empty() || part.len() > LONGEST_LABEL || part.chars().any(deceives) {
            return Err(format!("the {name} of a label has 1 to {LONGEST_LABEL} bytes, all of them visible"));
        }
    }
    Ok((key.to_owned(), value.to_owned()))
}

fn jiff_text(limit: Duration) -> String {
    crate::picture::lasting(i64::try_from(limit.as_millis()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_a_name_and_a_text() {
        let said = |key: &str, text: &str| Ok((key.to_owned(), text.to_owned()));
        assert_eq!(label("environment=prod"), said("environment", "prod"));
        assert_eq!(label("query=a=b"), said("query", "a=b"), "the first one parts them");
        for wrong in ["environment", "=prod", "environment=", "a=\n", &format!("a={}", "b".repeat(257))] {
            assert!(label(wrong).is_err(), "{wrong:?}");
        }
    }
}
