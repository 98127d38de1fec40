//! `pavane why`: what a rollout is waiting for, from whom, since when, and what to do.

use clap::Args;
use pavane_events::{RolloutId, StepId};
use pavane_sentinel_engine::diagnosis::diagnose;

use crate::commands::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::why::{gather, sheet, unknown};

/// Says what a rollout waits for: the missing event, whose it is, since when, why, and what to do.
///
/// Walks the graph to the first thing that is missing: where one step waits for another, the first of the chain is
/// named, not the last. The log is folded by the engine that the sentinel judges with; sidecars are listened to for a
/// moment. Works on rollouts that have ended too, and says what ended them. Nothing is written.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  pavane why r-42                     why does it not go on
  pavane why r-42 --step messaging    why does this step not go on
  pavane why r-42 --output json       the same for programs; the shape is in docs/operations.md

Exit codes: 0 nothing is missing (it completed, or all that is awaited is within its window), 1 something is: a \
step stands still or is over its window, the rollout is held, paused, queued or awaits an approval, or it ended \
otherwise than completed; also when there is no such rollout. 2 usage, 3 a topic is not as it must be, 4 Kafka or \
the registry cannot be reached.")]
pub struct Why {
    /// The rollout.
    rollout: RolloutId,
    /// One step of it.
    #[arg(long, value_name = "STEP")]
    step: Option<StepId>,
}

impl Why {
    /// Says it.
    pub async fn run(self, context: Context<'_>) -> Result<(), Failure> {
        let domain = context.connection.domain()?;
        let bus = context.connection.bus().await?;
        let gathered = gather(&bus, &domain, &self.rollout, context.console).await?;
        let Some(view) = gathered.view.rollouts.iter().find(|view| view.id == self.rollout) else {
            return Err(unknown(&gathered, &self.rollout));
        };
        let step = self.step.as_ref().map(StepId::as_str);
        let Some(diagnosis) = diagnose(&gathered.facts(), &self.rollout, step) else {
            let names: Vec<&str> = view.steps.iter().map(|step| step.id.as_str()).collect();
            let what = format!("{} has no step {}", self.rollout, step.unwrap_or_default());
            let help = pavane_choreography::yaml::did_you_mean(step.unwrap_or_default(), &names);
            return Err(Failure::new(Exit::Findings, what).help(help));
        };
        context.console.data(&sheet(&diagnosis), &diagnosis)?;
        if diagnosis.missing { Err(Failure::found()) } else { Ok(()) }
    }
}
