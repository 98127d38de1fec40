//! What the log made of a start, and what comes of it until the end.

use std::collections::BTreeMap;

use pavane_events::RolloutId;
use pavane_sentinel_engine::{PhaseStatus, PhaseView, RolloutView, Status};

use crate::commands::start::Started;
use crate::console::Console;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::fold::{self, Fold, Next};
use crate::picture;

/// A rollout that is followed from its start.
pub(super) struct Course<'a> {
    fold: Fold,
    started: &'a Started,
    console: &'a Console,
    told: Told,
}

/// What was told already.
#[derive(Default)]
struct Told {
    verdicts: usize,
    behind: Option<RolloutId>,
    phases: BTreeMap<String, String>,
}

impl<'a> Course<'a> {
    /// Reads as far as the start and finds out what the log made of it; that it was refused is a failure.
    pub(super) async fn begin(
        mut fold: Fold,
        started: &'a Started,
        digest: &str,
        console: &'a Console,
    ) -> Result<Self, Failure> {
        loop {
            let Next::Entry(entry) = fold.next_however_long(console).await? else { continue };
            if entry.offset() >= started.offset {
                break;
            }
        }
        match fold.rollout(&started.rollout) {
            Some(rollout) if rollout.offset == started.offset => {
                Ok(Self { fold, started, console, told: Told::default() })
            }
            Some(other) => Err(taken(&other, digest)),
            None => Err(refused(&mut fold, started).await),
        }
    }

    /// The rollout that this one is queued behind; none when it has begun.
    pub(super) fn behind(&self) -> Option<RolloutId> {
        self.fold.rollout(&self.started.rollout).and_then(|rollout| rollout.behind)
    }

    /// Tells what happens until the rollout ends; returns the end in the words of JSON.
    pub(super) async fn end(mut self) -> Result<&'static str, Failure> {
        loop {
            let rollout = self.fold.known(&self.started.rollout)?;
            for line in self.told.news(&rollout) {
                self.console.note(&line);
            }
            if picture::is_over(rollout.status) {
                return Ok(rollout.status.as_str());
            }
            while !matches!(self.fold.next_however_long(self.console).await?, Next::Entry(_)) {}
        }
    }
}

impl Told {
    /// What was not told before, a line each.
    fn news(&mut self, rollout: &RolloutView) -> Vec<String> {
        let mut lines = Vec::new();
        if self.behind != rollout.behind {
            lines.push(match &rollout.behind {
                Some(other) => format!("queued behind {other}"),
                None => "its turn has come".to_owned(),
            });
            self.behind.clone_from(&rollout.behind);
        }
        if rollout.status == Status::Open {
            for phase in &rollout.phases {
                let Some(line) = stands(phase, &rollout.id) else { continue };
                if self.phases.get(&phase.id) != Some(&line) {
                    self.phases.insert(phase.id.clone(), line.clone());
                    lines.push(line);
                }
            }
        }
        lines.extend(rollout.verdicts.iter().skip(self.verdicts).map(picture::verdict));
        self.verdicts = rollout.verdicts.len();
        lines
    }
}

/// Where a phase stands, in a line; none while nothing is to be said of it.
fn stands(phase: &PhaseView, rollout: &RolloutId) -> Option<String> {
    let id = &phase.id;
    match phase.state {
        PhaseStatus::Waiting | PhaseStatus::Ready => None,
        PhaseStatus::AwaitingApproval => {
            let by = phase.approval.as_deref().map_or_else(|| "someone".to_owned(), picture::plain);
            let again = if phase.attempt > 1 { ", which was rejected before" } else { "" };
            Some(format!("phase {id} awaits the approval of {by}{again}: pavane approve {rollout} {id}"))
        }
        PhaseStatus::Open => Some(format!("phase {id} has begun")),
        PhaseStatus::Soaking => Some(format!("phase {id}: all its steps are met; it soaks")),
        PhaseStatus::Watching => Some(format!("phase {id}: all its steps are met; its metric is watched")),
        PhaseStatus::Complete => Some(format!("phase {id} is complete")),
    }
}

/// The id belongs to another start. Whoever changed a plan and started it under the old id learns that both differ.
fn taken(other: &RolloutView, digest: &str) -> Failure {
    let RolloutView { id, choreography, offset, plan_digest, .. } = other;
    let status = other.status.as_str().replace('_', " ");
    let name = picture::plain(choreography);
    if plan_digest == digest {
        let what = format!(
            "the start of {id} was refused: it has started already, at offset {offset}, and is {status}"
        );
        return Failure::new(Exit::Findings, what)
            .help(format!("follow it with `pavane watch {id}`, or take another id"));
    }
    let what = format!(
        "the start of {id} was refused: it dances another plan, and a rollout keeps the plan that it began with: {name} \
         {} since offset {offset}, {status}; this one is {}",
        short(plan_digest),
        short(digest)
    );
    Failure::new(Exit::Findings, what).help(format!(
        "see what differs with `pavane diff --rollout {id}`, and start the changed plan under another id"
    ))
}

async fn refused(fold: &mut Fold, started: &Started) -> Failure {
    let id = &started.rollout;
    match fold::reason(fold, started.offset).await {
        Ok(why) => Failure::new(Exit::Findings, format!("the start of {id} was refused: {why}")),
        Err(failure) => failure,
    }
}

fn short(digest: &str) -> &str {
    digest.get(..12).unwrap_or(digest)
}
