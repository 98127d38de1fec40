//! `pavane apply`: checks choreographies and publishes them under their names.

use std::path::PathBuf;

use clap::Args;
use pavane_bus::Topic;
use serde::Serialize;

use crate::commands::Context;
use crate::document::{self, Document, Published};
use crate::exit::Exit;
use crate::failure::{Failure, Findings, counted};
use crate::outage;

/// Checks choreographies and publishes them.
///
/// They can then be started by name. All defects of all files are reported in one go, each with file, line and
/// column; nothing is published unless all files are sound. A running rollout keeps the plan that it started with.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  pavane apply users-v2.yaml
  pavane apply --dry-run choreographies/*.yaml")]
pub struct Apply {
    /// The choreographies.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Check alone; needs neither Kafka nor a registry.
    #[arg(long)]
    dry_run: bool,
}

#[derive(Serialize)]
struct Applied {
    choreographies: Vec<AppliedOne>,
}

#[derive(Serialize)]
struct AppliedOne {
    name: String,
    digest: String,
    steps: usize,
    /// Where it stands on the topic of choreographies; none for a dry run.
    #[serde(skip_serializing_if = "Option::is_none")]
    offset: Option<i64>,
}

impl Apply {
    /// Checks all, then publishes all.
    pub async fn run(self, context: Context<'_>) -> Result<(), Failure> {
        let documents = self.check()?;
        let choreographies = if self.dry_run {
            documents.iter().map(|document| AppliedOne::of(document, None)).collect()
        } else {
            publish(&documents, context).await?
        };
        let verb = if self.dry_run { "sound" } else { "applied" };
        let line = |one: &AppliedOne| {
            format!("{} {verb}: {}, digest {}\n", one.name, counted(one.steps, "step"), &one.digest[..12])
        };
        let human: String = choreographies.iter().map(line).collect();
        context.console.data(&human, &Applied { choreographies })
    }

    /// Reads every file before it says what is wrong with any.
    fn check(&self) -> Result<Vec<Document>, Failure> {
        let mut documents = Vec::new();
        let mut diagnostics = Vec::new();
        for file in &self.files {
            match document::read(file) {
                Ok(document) => documents.push(document),
                Err(failure) => diagnostics.extend(failure.into_diagnostics()?),
            }
        }
        if diagnostics.is_empty() {
            return Ok(documents);
        }
        let (defects, files) = (counted(diagnostics.len(), "defect"), counted(self.files.len(), "file"));
        Err(Failure::new(Exit::Invalid, format!("{defects} in {files}; nothing was published"))
            .findings(Findings::Diagnostics(diagnostics)))
    }
}

async fn publish(documents: &[Document], context: Context<'_>) -> Result<Vec<AppliedOne>, Failure> {
    let domain = context.connection.domain()?;
    let bus = context.connection.bus().await?;
    let writer = bus.writer().await.map_err(outage::of)?;
    let mut applied = Vec::new();
    for document in documents {
        let key = document::key(&domain, &document.plan.name);
        let value = serde_json::to_vec(&Published::from(document))
            .map_err(|error| Failure::new(Exit::Internal, "cannot write a plan as JSON").because(error))?;
        let appended = writer.put(Topic::Choreographies, &key, Some(value)).await.map_err(outage::of)?;
        applied.push(AppliedOne::of(document, Some(appended.offset)));
    }
    Ok(applied)
}

impl AppliedOne {
    fn of(document: &Document, offset: Option<i64>) -> Self {
        let plan = &document.plan;
        Self { name: plan.name.clone(), digest: plan.digest(), steps: plan.steps.len(), offset }
    }
}
