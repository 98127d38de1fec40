//! `pavane diff`: what changed in meaning from one choreography to another, and what that means for a rollout.

use std::path::PathBuf;

use clap::Args;
use pavane_choreography::Plan;
use pavane_events::{Body, Entry, RolloutId};
use pavane_review::difference::between;

use crate::commands::Context;
use crate::document;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::fold::{Fold, Next};

/// Shows what changed in meaning between two choreographies.
///
/// Two files; or one file against what is published under its name; or what a rollout dances against what is
/// published under its name, or against a file. Comments, white space and defaults that are written out are no
/// difference. Each change is told with what it means for a rollout.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  pavane diff users-v2.yaml users-v2.new.yaml     two files; needs neither Kafka nor a registry
  pavane diff users-v2.yaml                       what is published, and the file
  pavane diff --rollout R                         what R dances, and what is published
  pavane diff --rollout R users-v2.yaml           what R dances, and the file

Exit codes: 0 both mean the same, 1 they differ, 2 usage, 3 a file cannot be read or is not sound, \
4 Kafka or the registry cannot be reached.")]
pub struct Diff {
    /// The old file and the new one, or the new one alone.
    #[arg(value_name = "FILE", num_args = 0..=2, required_unless_present = "rollout")]
    files: Vec<PathBuf>,
    /// The rollout whose plan is the old one.
    #[arg(long, value_name = "ID")]
    rollout: Option<RolloutId>,
}

impl Diff {
    /// Compares and shows.
    pub async fn run(self, context: Context<'_>) -> Result<(), Failure> {
        let (old, new) = self.plans(context).await?;
        let difference = between(&old, &new);
        context.console.data(&difference.to_text(), &difference)?;
        if difference.same { Ok(()) } else { Err(Failure::found()) }
    }

    async fn plans(&self, context: Context<'_>) -> Result<(Plan, Plan), Failure> {
        // All files are read before anybody is called.
        let mut read = Vec::new();
        for file in &self.files {
            read.push(document::read(file)?.plan);
        }
        match (&self.rollout, read.as_slice()) {
            (None, [old, new]) => Ok((old.clone(), new.clone())),
            (None, [new]) => {
                let (bus, domain) = (context.connection.bus().await?, context.connection.domain()?);
                Ok((document::published(&bus, &domain, &new.name).await?.plan, new.clone()))
            }
            (Some(rollout), files @ ([] | [_])) => {
                let (bus, domain) = (context.connection.bus().await?, context.connection.domain()?);
                let old = danced(Fold::open(&bus, &domain).await?, rollout).await?;
                let new = match files {
                    [file] => file.clone(),
                    _ => document::published(&bus, &domain, &old.name).await?.plan,
                };
                Ok((old, new))
            }
            _ => Err(Failure::usage("a rollout is compared with one file, or with what is published")),
        }
    }
}

/// The plan that a rollout dances: the one in the start that the log took, not in one that it refused.
async fn danced(mut fold: Fold, rollout: &RolloutId) -> Result<Plan, Failure> {
    let mut plan = None;
    while let Next::Entry(entry) = fold.next().await? {
        let Entry::Event(record) = *entry else { continue };
        let Body::RolloutStarted(started) = record.event.body else { continue };
        let begins = fold.rollout(rollout).is_some_and(|view| view.offset == record.offset);
        if begins {
            plan = Some(started.plan);
        }
    }
    let known = fold.known(rollout)?;
    let plan = plan.ok_or_else(|| {
        Failure::new(
            Exit::Internal,
            format!("the start of {} was not seen at offset {}", known.id, known.offset),
        )
    })?;
    Plan::from_json(&plan).map_err(|error| {
        Failure::new(Exit::Invalid, format!("cannot read the plan that {rollout} dances")).because(error)
    })
}
