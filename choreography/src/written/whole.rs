//! What is written about the rollout as a whole: what it is called, how it starts, and when it may move.

use std::collections::{BTreeMap, BTreeSet};

use pavane_events::Millis;
use serde_json::json;

use crate::diagnostic::Code;
use crate::maintenance::{Maintenance, Weekday};
use crate::plan::{Concurrency, MAX_LABELS, Method, Severity, Trigger};
use crate::written::step::done;
use crate::yaml::{Item, Reported, shown};

const MINUTE: Millis = 60_000;
const MINUTES_OF_A_DAY: u32 = 24 * 60;
/// The version of the language that is read.
const LANGUAGE: &str = "pavane/v1";

/// Reads which language the document is written in.
pub(crate) fn api_version(item: &Item<'_>) -> Result<(), Reported> {
    let text = item.constant(LANGUAGE)?;
    if text == LANGUAGE {
        return Ok(());
    }
    if text.starts_with("pavane/") {
        let message = format!("`apiVersion` is {}; `{LANGUAGE}` alone is read", shown(text));
        let help =
            format!("write the document in `{LANGUAGE}`, or use a pavane that reads the other version");
        return Err(item.refuse(Code::WrongDocument, message, help));
    }
    let message = format!("`apiVersion` is not `{LANGUAGE}`");
    Err(item.refuse(Code::WrongDocument, message, format!("a choreography says `apiVersion: {LANGUAGE}`")))
}

/// Reads what kind of document it is.
pub(crate) fn kind(item: &Item<'_>) -> Result<(), Reported> {
    if item.constant("Choreography")? == "Choreography" {
        return Ok(());
    }
    let message = "`kind` is not `Choreography`";
    Err(item.refuse(Code::WrongDocument, message, "a choreography says `kind: Choreography`"))
}

/// What is said about the rollout as a whole; what a step does not say itself, it takes from here.
pub(crate) struct Metadata {
    pub(crate) name: String,
    pub(crate) owner: String,
    pub(crate) runbook: Option<String>,
    pub(crate) severity: Severity,
    pub(crate) labels: BTreeMap<String, String>,
}

/// Reads the metadata.
pub(crate) fn metadata(item: &Item<'_>) -> Result<Metadata, Reported> {
    item.fields(|f| {
        let name = f.required("name", Item::label);
        let owner = f.required("owner", Item::text);
        let runbook = f.optional("runbook", Item::url);
        let severity = f.optional("severity", severity);
        let labels = f.optional("labels", labels);
        Ok(Metadata {
            name: name?,
            owner: owner?,
            runbook: runbook?,
            severity: severity?.unwrap_or_default(),
            labels: labels?.unwrap_or_default(),
        })
    })
}

/// Reads what the rollout is told apart from others by.
fn labels(item: &Item<'_>) -> Result<BTreeMap<String, String>, Reported> {
    item.note("maxProperties", json!(MAX_LABELS));
    let labels = item.entries(Item::text)?;
    if labels.len() <= MAX_LABELS {
        return Ok(labels);
    }
    let message = format!("there are {} labels; {MAX_LABELS} are the most", labels.len());
    Err(item.refuse(Code::BadNumber, message, "keep those that somebody asks for"))
}

/// Reads how loudly something is told.
pub(crate) fn severity(item: &Item<'_>) -> Result<Severity, Reported> {
    item.one_of(&[("page", Severity::Page), ("ticket", Severity::Ticket)])
}

/// Reads who moves the rollout from step to step.
pub(crate) fn method(item: &Item<'_>) -> Result<Method, Reported> {
    item.one_of(&[
        ("choreography", Method::Choreography),
        ("hybrid", Method::Hybrid),
        ("orchestrated", Method::Orchestrated),
    ])
}

/// Reads the event that starts a rollout by itself.
pub(crate) fn trigger(item: &Item<'_>) -> Result<Trigger, Reported> {
    item.fields(|f| {
        let on = f.required("on", |i| done(i, "a rollout cannot start at"));
        let version = f.optional("version", Item::version_requirement);
        Ok(Trigger { on: on?, version: version? })
    })
}

/// Reads what happens when another rollout owns one of the services.
pub(crate) fn concurrency(item: &Item<'_>) -> Result<Concurrency, Reported> {
    item.one_of(&[("refuse", Concurrency::Refuse), ("queue", Concurrency::Queue)])
}

/// Reads the maintenance window. Every day is meant when no days are given.
pub(crate) fn maintenance(item: &Item<'_>) -> Result<Maintenance, Reported> {
    item.fields(|f| {
        let days = f.optional("days", days);
        let from = f.required("from", Item::time_of_day);
        let to = f.required("to", Item::time_of_day);
        let (days, from, to) = (days?.unwrap_or_else(|| Weekday::ALL.to_vec()), from?, to?);
        let minutes = if to > from { to - from } else { to + MINUTES_OF_A_DAY - from };
        Ok(Maintenance { days, from, length: Millis::from(minutes) * MINUTE })
    })
}

fn days(item: &Item<'_>) -> Result<Vec<Weekday>, Reported> {
    let choices = Weekday::ALL.map(|day| (day.as_str(), day));
    item.note("minItems", json!(1));
    item.note("uniqueItems", json!(true));
    let (mut days, mut outcome) = (BTreeSet::new(), Ok(()));
    for day in item.list(|item| item.spanned(|item| item.one_of(&choices)))? {
        if !days.insert(day.value) {
            let message = format!("`{}` stands twice in `days`", day.value.as_str());
            outcome = Err(day.item.refuse(Code::Duplicate, message, "keep one of them"));
        }
    }
    outcome?;
    if days.is_empty() {
        let message = "`days` is empty: the window would never open";
        return Err(item.refuse(
            Code::MissingField,
            message,
            "name at least one, or leave it out for every day",
        ));
    }
    Ok(days.into_iter().collect())
}
