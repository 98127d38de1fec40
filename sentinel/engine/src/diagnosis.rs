//! Why a rollout stands where it stands: what is missing, from whom, since when, and what to do.
//!
//! It is a function of what was read and nothing else, so whoever tells it (an alert, a command, a page) tells the same
//! in the same words. Where one thing waits for another, the first of the chain is named, not the last.

pub(crate) mod advice;
mod awaited;
mod chain;
mod chronicle;
mod ending;
mod halt;
mod headline;
mod instances;
pub(crate) mod moment;
mod outlook;
pub(crate) mod record;
pub(crate) mod seen;
pub(crate) mod words;

use pavane_choreography::Severity;
use pavane_events::{Cause, Heartbeat, Millis, RolloutId, Timestamp};
use serde::Serialize;

use crate::rollout::Status;
use crate::view::{RolloutView, StepStatus, View};

pub use chronicle::Chronicle;
pub use words::{ALERTS, lasting, meaning, page, page_of};

/// All that is known when the question is asked.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The domain, as the log folds to it.
    pub view: &'a View,
    /// What the log says of the rollout in so many words.
    pub chronicle: &'a Chronicle,
    /// The newest heartbeats of sidecars; those of other services do no harm.
    pub beats: &'a [Beat],
    /// Who was told of which decision.
    pub deliveries: &'a [Delivery],
    /// The broker's time.
    pub now: Timestamp,
}

/// A heartbeat as it stands on its topic.
#[derive(Clone, Debug)]
pub struct Beat {
    /// What the sidecar says.
    pub heartbeat: Heartbeat,
    /// Its place.
    pub offset: i64,
    /// When the broker appended it.
    pub at: Timestamp,
}

/// An alert that a receiver has taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Delivery {
    /// The id of the alert, which is the id of the decision that it tells.
    pub alert: String,
    /// The receiver.
    pub receiver: String,
    /// `firing` or `resolved`.
    pub status: String,
    /// When.
    pub at: Timestamp,
}

/// Why a rollout stands where it stands. Times are the broker's, in milliseconds since the Unix epoch.
#[derive(Clone, Debug, Serialize)]
pub struct Diagnosis {
    /// The rollout.
    pub rollout: RolloutId,
    /// The name of its choreography.
    pub choreography: String,
    /// The team that owns it.
    pub owner: String,
    /// Where it stands.
    pub status: Status,
    /// Whether something is missing: a step stands still or is over its window, something stops the rollout, or it
    /// ended otherwise than completed.
    pub missing: bool,
    /// The answer in one sentence.
    pub headline: String,
    /// When the question was asked.
    pub asked_at: Timestamp,
    /// When it started.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// What stops the rollout as a whole, the weightiest first.
    pub stopped_by: Vec<Halt>,
    /// What is awaited, the first of the chain first.
    pub awaited: Vec<Awaited>,
    /// The way through the graph: from what is done to what waits.
    pub chain: Vec<Layer>,
    /// What was decided and ordered, in the order of the log.
    pub decisions: Vec<Decision>,
    /// Who was told.
    pub told: Vec<Delivery>,
    /// What the sentinel will do, and when.
    pub outlook: Vec<String>,
    /// What to do.
    pub next: Vec<String>,
    /// Where a person reads what to do.
    pub runbook: Option<String>,
    /// The W3C trace id of the whole rollout.
    pub trace_id: String,
}

/// Something that stops a rollout as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Halt {
    /// `held`, `paused`, `queued`, `approval`, `rejected`, `maintenance`, `watch`, `soak` or `unwatched`.
    pub kind: &'static str,
    /// In a sentence.
    pub text: String,
    /// Who has to act, where it is known.
    pub owner: Option<String>,
    /// Where it stands on the log.
    pub offset: Option<i64>,
    /// Since when.
    pub since: Option<Timestamp>,
    /// Whether it is in the way; a soak that runs as planned is not.
    pub blocks: bool,
}

/// Something that is awaited.
#[derive(Clone, Debug, Serialize)]
pub struct Awaited {
    /// The step.
    pub step: String,
    /// Where it stands.
    pub state: StepStatus,
    /// The event that is missing.
    pub event: String,
    /// The versions that count.
    pub version: Option<String>,
    /// How many instances have said it.
    pub have: usize,
    /// How many must; none while a share has not been counted.
    pub want: Option<u32>,
    /// How many must, as the plan writes it.
    pub instances_wanted: String,
    /// The known instances that owe it.
    pub lacking: Vec<String>,
    /// The service that owes it.
    pub service: String,
    /// The team that owns the step.
    pub owner: String,
    /// How loudly that team is told.
    pub severity: Severity,
    /// The zone whose instances count.
    pub zone: Option<String>,
    /// When its window began.
    pub since: Option<Timestamp>,
    /// When it ends.
    pub deadline: Option<Timestamp>,
    /// What is left of its window, in milliseconds, where the clocks of the rollout stand still.
    pub left_ms: Option<Millis>,
    /// How long it is over its window, in milliseconds.
    pub overdue_ms: Option<Millis>,
    /// The attempt.
    pub attempt: i64,
    /// Why it stands still; none before that is judged.
    pub cause: Option<Cause>,
    /// The cause in words.
    pub meaning: Option<&'static str>,
    /// The page that says what to do about it.
    pub page: Option<String>,
    /// Whose doing it is, where that is not the service that owes the event.
    pub culprit: Option<String>,
    /// The team that owns the culprit, where that is known.
    pub culprit_owner: Option<String>,
    /// The last thing that the service said.
    pub last: Option<Said>,
    /// Whether it said that in this rollout.
    pub last_is_of_this_rollout: bool,
    /// Its instances, those that owe something first.
    pub instances: Vec<InstanceState>,
    /// How far its instances say they are.
    pub progress: Vec<Said>,
    /// What speaks for the cause.
    pub evidence: Vec<Seen>,
    /// The steps that wait for it, near ones first.
    pub waiting: Vec<String>,
}

/// One instance of a service that owes something.
#[derive(Clone, Debug, Serialize)]
pub struct InstanceState {
    /// The instance.
    pub instance: String,
    /// Whether it owes the event.
    pub owes: bool,
    /// Its last word, as in [`crate::InstanceView`]; none when it has said nothing in this rollout.
    pub said: Option<&'static str>,
    /// Where that stands.
    pub offset: Option<i64>,
    /// The version that it reported with it.
    pub version: Option<String>,
    /// What its sidecar says.
    pub sidecar: Option<SidecarState>,
}

/// What a sidecar says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SidecarState {
    /// Whether it was heard a moment ago.
    pub alive: bool,
    /// What it is doing.
    pub phase: String,
    /// The version that its service runs.
    pub version: Option<String>,
    /// How many events wait for the broker.
    pub outbox: i64,
    /// The number of the last event that the broker has acknowledged.
    pub acknowledged: i64,
    /// How many records of the domain it has not read.
    pub behind: i64,
    /// The place of the heartbeat on its topic.
    pub offset: i64,
    /// When it was appended.
    pub at: Timestamp,
}

/// Something that was said on the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Said {
    /// The event.
    pub event: String,
    /// The service.
    pub service: String,
    /// The instance; none where a tool spoke for the service.
    pub instance: Option<String>,
    /// The version.
    pub version: Option<String>,
    /// The rollout.
    pub rollout: Option<String>,
    /// Where it stands.
    pub offset: i64,
    /// When the broker appended it.
    pub at: Timestamp,
    /// What it says besides; empty where that is nothing.
    pub text: String,
}

/// Something that speaks for a cause.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Seen {
    /// `heartbeat`, `silence`, `failure`, `rejection`, `dead_letter`, `uncertain`, `early`, `metric`, `wrong_version`, `gap`.
    pub kind: &'static str,
    /// Where it stands.
    pub offset: Option<i64>,
    /// What was seen.
    pub text: String,
    /// The instance that it is about; empty where that is none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub by: String,
    /// The last lines of a hook, where it is one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub output: Vec<String>,
    /// What the hook ended with, where it is one that ended by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i64>,
    /// The registry's id of the schema that what cannot be read was written in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema_id: Option<i64>,
    /// JSON pointer of the field that differs; empty where that is not known.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub field: String,
    /// How many events wait in the outbox of the instance.
    #[serde(skip_serializing_if = "is_none")]
    pub outbox: i64,
    /// How many records of the domain the instance had not read.
    #[serde(skip_serializing_if = "is_none")]
    pub behind: i64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks with a reference")]
const fn is_none(n: &i64) -> bool {
    *n == 0
}

/// Something that was decided or ordered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Decision {
    /// The event that tells it.
    pub event: String,
    /// Its id.
    pub id: String,
    /// The step that it is about.
    pub step: Option<String>,
    /// Who: `sentinel`, or whoever the record names.
    pub by: String,
    /// Where the log accepted it.
    pub accepted: Option<i64>,
    /// Where it stands.
    pub offset: i64,
    /// When the broker appended it.
    pub at: Timestamp,
    /// What it says.
    pub text: String,
}

/// Steps that stand side by side in the way through the graph.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Layer {
    /// The steps, those that matter most first.
    pub steps: Vec<Place>,
    /// How many more there are than are listed.
    pub more: usize,
}

/// A step in the way through the graph.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Place {
    /// The step.
    pub step: String,
    /// Where it stands.
    pub state: StepStatus,
    /// `done`, `missing` or `waiting`.
    pub part: &'static str,
}

/// Says why a rollout stands where it stands; with a step, why that one does. None when the rollout or the step is
/// not known.
pub fn diagnose(facts: &Facts<'_>, rollout: &RolloutId, step: Option<&str>) -> Option<Diagnosis> {
    let view = facts.view.rollouts.iter().find(|view| view.id == *rollout)?;
    if step.is_some_and(|step| view.steps.iter().all(|other| other.id != step)) {
        return None;
    }
    let blocked = chain::blocked(facts, view, step);
    let awaited: Vec<Awaited> = blocked.iter().map(|i| awaited::of(facts, view, *i)).collect();
    let stopped_by = halt::all(facts, view);
    let decisions: Vec<Decision> = facts.chronicle.decisions().cloned().collect();
    let told = told(facts, &decisions);
    let missing = is_missing(view, step, &awaited, &stopped_by);
    Some(Diagnosis {
        rollout: view.id.clone(),
        choreography: view.choreography.clone(),
        owner: view.owner.clone(),
        status: view.status,
        missing,
        headline: headline::of(facts, view, step, &awaited, &stopped_by),
        asked_at: facts.now,
        started_at: view.started_at,
        ended_at: view.ended_at,
        chain: chain::layers(view, &blocked, step),
        outlook: outlook::of(facts, view, &awaited, &stopped_by),
        next: outlook::next(facts, view, &awaited, &stopped_by),
        runbook: runbook(view, &blocked),
        stopped_by,
        awaited,
        decisions,
        told,
        trace_id: view.trace_id.clone(),
    })
}

/// Whether a rollout has come to its end.
pub(crate) const fn is_over(status: Status) -> bool {
    !status.is_open() && !matches!(status, Status::Queued)
}

fn is_missing(view: &RolloutView, step: Option<&str>, awaited: &[Awaited], stopped_by: &[Halt]) -> bool {
    let stands = |one: &Awaited| one.cause.is_some() || one.overdue_ms.is_some();
    if let Some(step) = step {
        let of_step = view.steps.iter().find(|other| other.id == step);
        let done = of_step.is_some_and(|step| chain::is_done(step.state));
        return !done && (is_over(view.status) || awaited.iter().any(stands) || blocks(stopped_by));
    }
    match view.status {
        Status::Completed => false,
        Status::RolledBack | Status::Partial | Status::Aborted | Status::Queued | Status::RollingBack => true,
        Status::Open => awaited.iter().any(stands) || blocks(stopped_by),
    }
}

fn blocks(stopped_by: &[Halt]) -> bool {
    stopped_by.iter().any(|halt| halt.blocks)
}

/// The alerts of these decisions, and of what the sidecars of the rollout were uncertain of.
fn told(facts: &Facts<'_>, decisions: &[Decision]) -> Vec<Delivery> {
    let of_rollout = |delivery: &&Delivery| {
        decisions.iter().any(|decision| decision.id == delivery.alert)
            || facts.chronicle.uncertain().any(|id| id == delivery.alert)
    };
    facts.deliveries.iter().filter(of_rollout).cloned().collect()
}

fn runbook(view: &RolloutView, blocked: &[usize]) -> Option<String> {
    let of_step = blocked.first().and_then(|i| view.steps[*i].runbook.clone());
    of_step.or_else(|| view.runbook.clone())
}
