//! `pavane plan`: what a choreography means once every default is resolved.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use pavane_choreography::{OnStall, Plan as Resolved, Step};
use pavane_events::StepId;
use serde::Serialize;

use crate::commands::Context;
use crate::document;
use crate::failure::Failure;
use crate::picture::lasting;

/// What one can ask about a plan.
#[derive(Debug, Subcommand)]
pub enum Plan {
    /// Shows the plan of a file with every default resolved; needs neither Kafka nor a registry.
    Show(Show),
}

/// Which plan.
#[derive(Args, Debug)]
pub struct Show {
    /// The choreography.
    file: PathBuf,
}

#[derive(Serialize)]
struct Shown<'a> {
    digest: String,
    plan: &'a Resolved,
}

impl Plan {
    /// Shows it.
    pub fn run(self, context: Context<'_>) -> Result<(), Failure> {
        let Self::Show(show) = self;
        let document = document::read(&show.file)?;
        let plan = &document.plan;
        context.console.data(&text(plan), &Shown { digest: plan.digest(), plan })
    }
}

fn text(plan: &Resolved) -> String {
    let mut text = format!("{} · owner {} · digest {}\n", plan.name, plan.owner, plan.digest());
    for step in &plan.steps {
        text.push_str(&step_text(step));
    }
    text
}

fn step_text(step: &Step) -> String {
    let names: Vec<&str> = step.after.iter().map(StepId::as_str).collect();
    let after = if names.is_empty() { "the start".to_owned() } else { names.join(", ") };
    let version = step.version.as_ref().map_or_else(|| "any".to_owned(), ToString::to_string);
    let started = step.started_within.map_or_else(|| "not asked".to_owned(), lasting);
    let on_stall = match step.on_stall {
        OnStall::Alert => "alert",
        OnStall::Pause => "pause",
        OnStall::Rollback => "rollback",
    };
    let back = if step.reversible {
        format!("{} within {}", step.compensate.expect, lasting(step.compensate.within))
    } else {
        "never asked back".to_owned()
    };
    format!(
        "\n{}\n  expects     {} × {} of version {version}\n  after       {after}\n  within      {}\n  \
         started     {started}\n  healthy for {}\n  on stall    {on_stall} ({})\n  way back    {back}\n  owner       {}\n",
        step.id,
        step.instances,
        step.expect,
        lasting(step.within),
        lasting(step.healthy_for),
        step.severity.as_str(),
        step.owner,
    )
}
