//! `pavane watch`: how rollouts stand, live.

use std::collections::BTreeMap;
use std::time::Duration;

use clap::Args;
use pavane_events::RolloutId;
use pavane_sentinel_engine::RolloutView;
use serde_json::{Value, json};

use crate::commands::Context;
use crate::commands::status::overview;
use crate::failure::Failure;
use crate::fold::{Fold, Next};
use crate::picture;

/// How often a picture is painted anew though nothing happened: its clocks run.
const FRAME: Duration = Duration::from_secs(1);

/// Shows how rollouts stand, live.
///
/// Until Ctrl-C; with a rollout, until its end. On a terminal the picture is painted in place. Elsewhere each
/// change is a line; with --output json each change is the rollout as one JSON object on one line.
#[derive(Args, Debug)]
pub struct Watch {
    /// One rollout; without it, all of the domain.
    rollout: Option<RolloutId>,
}

impl Watch {
    /// Shows it until the end.
    pub async fn run(self, context: Context<'_>) -> Result<(), Failure> {
        let domain = context.connection.domain()?;
        let bus = context.connection.bus().await?;
        let mut fold = Fold::of(&bus, &domain).await?;
        if let Some(id) = &self.rollout {
            fold.known(id)?;
        }
        if context.console.is_live() {
            self.paint(&mut fold, context).await
        } else {
            self.list(&mut fold, context).await
        }
    }

    /// Paints the picture over itself.
    async fn paint(&self, fold: &mut Fold, context: Context<'_>) -> Result<(), Failure> {
        loop {
            let text = match &self.rollout {
                Some(id) => picture::list(&fold.known(id)?, fold.time()),
                None => overview(fold),
            };
            context.console.repaint(&text)?;
            if self.has_ended(fold)? {
                return Ok(());
            }
            tokio::select! {
                next = fold.next_however_long(context.console) => drop(next?),
                () = tokio::time::sleep(FRAME) => {}
            }
        }
    }

    /// Writes a line for each change.
    async fn list(&self, fold: &mut Fold, context: Context<'_>) -> Result<(), Failure> {
        let mut seen: BTreeMap<RolloutId, Value> = BTreeMap::new();
        loop {
            for rollout in self.shown(fold, &seen)? {
                let face = json!(rollout);
                if seen.get(&rollout.id) != Some(&face) {
                    let line = picture::line(&rollout, fold.time());
                    context.console.data(&format!("{line}\n"), &face)?;
                    seen.insert(rollout.id, face);
                }
            }
            if self.has_ended(fold)? {
                return Ok(());
            }
            while !matches!(fold.next_however_long(context.console).await?, Next::Entry(_)) {}
        }
    }

    /// The rollout that was asked for; else those that are open, and those that were when last seen.
    fn shown(&self, fold: &Fold, seen: &BTreeMap<RolloutId, Value>) -> Result<Vec<RolloutView>, Failure> {
        if let Some(id) = &self.rollout {
            return Ok(vec![fold.known(id)?]);
        }
        let shown =
            |rollout: &RolloutView| !picture::is_over(rollout.status) || seen.contains_key(&rollout.id);
        Ok(fold.view().rollouts.into_iter().filter(shown).collect())
    }

    fn has_ended(&self, fold: &Fold) -> Result<bool, Failure> {
        let Some(id) = &self.rollout else { return Ok(false) };
        Ok(picture::is_over(fold.known(id)?.status))
    }
}
