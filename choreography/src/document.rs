//! A choreography as it is written, read into the plan that is meant.
//!
//! A file is read whole: every defect is reported with its place, and only a file without any becomes a plan.
//! What the design knows and this release does not carry out is refused by name, never skipped.

use crate::diagnostic::{Code, Diagnostic};
use crate::plan::{Concurrency, Method, Plan, Severity, Step};
use crate::resolve::resolve;
use crate::written;
use crate::yaml::{self, Item, Reported};

/// The most steps that a choreography may have.
pub const MAX_STEPS: usize = 200;

/// Reads a choreography. `file` is the name that stands in the diagnostics.
pub fn read(text: &str, file: &str) -> Result<Plan, Vec<Diagnostic>> {
    yaml::read(text, file, choreography)
}

fn choreography(item: &Item<'_>) -> Result<Plan, Reported> {
    item.fields(|f| {
        let version = f.required("apiVersion", |i| exactly(i, "pavane/v1"));
        let kind = f.required("kind", |i| exactly(i, "Choreography"));
        if let Err(reported) = version.and(kind) {
            f.ignore_rest();
            return Err(reported);
        }
        let metadata = f.required("metadata", metadata);
        let method = f.optional("method", method);
        let phases = f.unsupported("phases", "phases are not carried out", "order the steps with `after`");
        let trigger = f.unsupported("trigger", "triggers are not carried out", "use `pavane start`");
        let queue = f.unsupported("queue", "rollouts do not queue", "start it when the other one has ended");
        let steps = f.required("steps", |i| steps(i, metadata.as_ref().map_err(|reported| *reported)));
        phases.and(trigger).and(queue)?;
        let Metadata { name, owner, runbook, severity: told } = metadata?;
        Ok(Plan {
            name,
            owner,
            runbook,
            severity: told,
            method: method?.unwrap_or_default(),
            trigger: None,
            concurrency: Concurrency::Refuse,
            maintenance: None,
            phases: Vec::new(),
            steps: steps?,
        })
    })
}

fn exactly(item: &Item<'_>, wanted: &str) -> Result<(), Reported> {
    if item.scalar("a word")? == wanted {
        return Ok(());
    }
    let message = format!("`{}` is not `{wanted}`", item.field());
    Err(item.refuse(
        Code::WrongDocument,
        message,
        format!("a choreography says `{}: {wanted}`", item.field()),
    ))
}

/// What is said about the rollout as a whole; what a step does not say itself, it takes from here.
pub(crate) struct Metadata {
    name: String,
    pub(crate) owner: String,
    pub(crate) runbook: Option<String>,
    pub(crate) severity: Severity,
}

fn metadata(item: &Item<'_>) -> Result<Metadata, Reported> {
    item.fields(|f| {
        let name = f.required("name", Item::label);
        let owner = f.required("owner", Item::text);
        let runbook = f.optional("runbook", Item::url);
        let severity = f.optional("severity", severity);
        Ok(Metadata {
            name: name?,
            owner: owner?,
            runbook: runbook?,
            severity: severity?.unwrap_or_default(),
        })
    })
}

fn method(item: &Item<'_>) -> Result<Method, Reported> {
    let methods = [
        ("choreography", Method::Choreography),
        ("hybrid", Method::Hybrid),
        ("orchestrated", Method::Orchestrated),
    ];
    match item.one_of(&methods)? {
        Method::Choreography => Ok(Method::Choreography),
        Method::Hybrid | Method::Orchestrated => {
            let message = "only the method `choreography` is carried out";
            Err(item.refuse(Code::NotSupported, message, "let the services react to each other"))
        }
    }
}

pub(crate) fn severity(item: &Item<'_>) -> Result<Severity, Reported> {
    item.one_of(&[("page", Severity::Page), ("ticket", Severity::Ticket)])
}

fn steps(item: &Item<'_>, metadata: Result<&Metadata, Reported>) -> Result<Vec<Step>, Reported> {
    let written = item.each(|item| written::step(item, metadata))?;
    match written.len() {
        0 => Err(item.refuse(Code::NoSteps, "there are no steps", "name at least one event to await")),
        1..=MAX_STEPS => resolve(written),
        count => {
            let message = format!("there are {count} steps; at most {MAX_STEPS} are judged");
            Err(item.refuse(Code::TooManySteps, message, "make it several choreographies"))
        }
    }
}
