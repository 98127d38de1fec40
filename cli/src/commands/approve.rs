//! `pavane approve` and `pavane reject`: what a person says about the gate of a phase.

use std::time::Duration;

use clap::Args;
use pavane_choreography::yaml::did_you_mean;
use pavane_events::command::{GateApproved, GateRejected};
use pavane_events::{Body, Entry, PhaseId, RolloutId};
use pavane_sentinel_engine::{PhaseStatus, PhaseView, RolloutView, Status, StepStatus};
use serde::Serialize;

use crate::commands::Context;
use crate::console::Console;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::fold::{self, Fold, Next};
use crate::speaker::{self, Said, Voice};
use crate::{outage, picture};

/// How long to wait for the phase to begin once its gate is approved: no longer than a sentinel that runs takes.
const BEGINS: Duration = Duration::from_secs(5);

/// Says that a phase may begin.
///
/// The approval counts for this plan and this attempt of the gate alone, and only once the gate is open: what comes
/// before is met and has soaked. The first word on the log counts, approval or rejection.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  pavane status r-42                         which gate is open, and whom it waits for
  pavane approve r-42 rest --reason 'error rate is flat'

Exit codes: 0 it counts; 1 it does not, and why (nothing was said where that is plain from the log); \
2 usage, 4 Kafka or the registry cannot be reached.")]
pub struct Approve {
    /// The rollout.
    rollout: RolloutId,
    /// The phase.
    phase: PhaseId,
    /// Why; stands on the log and in the audit.
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
    /// Who.
    #[command(flatten)]
    voice: Voice,
}

/// Says that a phase may not begin.
///
/// Its gate stays shut and can be approved later, as the next attempt. What has moved stays where it is: `pavane
/// rollback` takes it back.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  pavane reject r-42 rest --reason 'error rate has doubled'

Exit codes: 0 it counts; 1 it does not, and why (nothing was said where that is plain from the log); \
2 usage, 4 Kafka or the registry cannot be reached.")]
pub struct Reject {
    /// The rollout.
    rollout: RolloutId,
    /// The phase.
    phase: PhaseId,
    /// Why; stands on the log and in the audit.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Who.
    #[command(flatten)]
    voice: Voice,
}

/// What became of a word about a gate.
#[derive(Debug, Serialize)]
struct Decided<'a> {
    #[serde(flatten)]
    said: Said,
    phase: &'a PhaseId,
    attempt: i64,
    outcome: &'static str,
    /// Where the phase began, if it has.
    begun: Option<i64>,
}

/// A gate that is open, as far as was read.
#[derive(Debug)]
struct Gate<'a> {
    rollout: &'a RolloutId,
    phase: &'a PhaseId,
    plan_digest: String,
    attempt: i64,
}

impl Approve {
    /// Says it, and waits until the log shows what came of it.
    pub async fn run(self, context: Context<'_>) -> Result<(), Failure> {
        let Self { rollout, phase, reason, voice } = self;
        let body = |Gate { plan_digest, attempt, .. }: &Gate<'_>| {
            let (gate, plan_digest, by) = (phase.to_string(), plan_digest.clone(), voice.by);
            GateApproved { gate, plan_digest, attempt: *attempt, by, reason }.into()
        };
        decide(&rollout, &phase, context, body).await
    }
}

impl Reject {
    /// Says it, and waits until the log shows what came of it.
    pub async fn run(self, context: Context<'_>) -> Result<(), Failure> {
        let Self { rollout, phase, reason, voice } = self;
        let body = |Gate { plan_digest, attempt, .. }: &Gate<'_>| {
            let (gate, plan_digest, by) = (phase.to_string(), plan_digest.clone(), voice.by);
            GateRejected { gate, plan_digest, attempt: *attempt, by, reason }.into()
        };
        decide(&rollout, &phase, context, body).await
    }
}

async fn decide(
    rollout: &RolloutId,
    phase: &PhaseId,
    context: Context<'_>,
    body: impl FnOnce(&Gate<'_>) -> Body,
) -> Result<(), Failure> {
    let Context { console, connection } = context;
    let (bus, domain) = (connection.bus().await?, connection.domain()?);
    let mut fold = Fold::of(&bus, &domain).await?;
    let gate = Gate::of(&fold, rollout, phase)?;
    let event = speaker::event(&domain, Some(rollout), body(&gate));
    let name = event.body.event_type();
    let writer = bus.writer().await.map_err(outage::of)?;
    let appended = writer.append(&event).await.map_err(outage::of)?;
    let said = Said::new(event.envelope.id, appended);
    let outcome = gate.outcome(&mut fold, said.offset, console).await?;
    let begun = if outcome == "approved" { gate.begins(&mut fold, console).await? } else { None };
    let (partition, offset) = (said.partition, said.offset);
    let human = format!("{name} stands at partition {partition} offset {offset}\n");
    let second = begun.map_or_else(String::new, |place| format!("phase {phase} began at offset {place}\n"));
    if begun.is_none() && outcome == "approved" {
        console.note(&format!("phase {phase} has not begun yet; follow it with: pavane watch {rollout}"));
    }
    console.data(&(human + &second), &Decided { said, phase, attempt: gate.attempt, outcome, begun })
}

impl<'a> Gate<'a> {
    /// The gate, if it is open; otherwise what it waits for.
    fn of(fold: &Fold, id: &'a RolloutId, phase: &'a PhaseId) -> Result<Self, Failure> {
        let rollout = fold.known(id)?;
        let shown = shown(&rollout, phase)?;
        let shut =
            |why: String| Err(Failure::new(Exit::Findings, why).help(format!("see pavane status {id}")));
        match rollout.status {
            Status::Open => {}
            Status::Queued => {
                let other = rollout.behind.as_ref().map_or("another rollout", RolloutId::as_str);
                return shut(format!("{id} has not begun: it waits for the end of {other}"));
            }
            Status::RollingBack => return shut(format!("{id} goes back; it begins no phase any more")),
            Status::Completed | Status::RolledBack | Status::Partial | Status::Aborted => {
                return shut(format!("{id} has ended: {}", rollout.status.as_str().replace('_', " ")));
            }
        }
        if shown.approval.is_none() {
            return shut(format!("phase {phase} asks for no approval; it begins by itself"));
        }
        if let Some(by) = &shown.approved {
            return shut(format!("the gate of phase {phase} was approved before, by {}", picture::plain(by)));
        }
        if let Some(awaited) = awaited(&rollout, shown, fold) {
            return shut(format!("the gate of phase {phase} is not open yet: {awaited}"));
        }
        let (plan_digest, attempt) = (rollout.plan_digest.clone(), shown.attempt);
        Ok(Self { rollout: id, phase, plan_digest, attempt })
    }

    /// What the log made of the word that stands at an offset.
    async fn outcome(
        &self,
        fold: &mut Fold,
        offset: i64,
        console: &Console,
    ) -> Result<&'static str, Failure> {
        let mut before = self.stands(fold)?;
        loop {
            let Next::Entry(entry) = fold.next_however_long(console).await? else { continue };
            let after = self.stands(fold)?;
            if entry.offset() < offset {
                before = after;
                continue;
            }
            return match (after.0 > before.0, after.1 && !before.1) {
                (true, _) => Ok("rejected"),
                (false, true) => Ok("approved"),
                (false, false) => Err(self.refused(fold, offset).await),
            };
        }
    }

    /// The attempt of the gate, and whether it is approved.
    fn stands(&self, fold: &Fold) -> Result<(i64, bool), Failure> {
        let rollout = fold.known(self.rollout)?;
        let phase = shown(&rollout, self.phase)?;
        Ok((phase.attempt, phase.approved.is_some()))
    }

    async fn refused(&self, fold: &mut Fold, offset: i64) -> Failure {
        match fold::reason(fold, offset).await {
            Ok(why) => {
                let what = format!("what was said about phase {} does not count: {why}", self.phase);
                Failure::new(Exit::Findings, what).help(format!("see pavane status {}", self.rollout))
            }
            Err(failure) => failure,
        }
    }

    /// Where the phase begins, if it does so soon.
    async fn begins(&self, fold: &mut Fold, console: &Console) -> Result<Option<i64>, Failure> {
        let begins = async {
            loop {
                if let Next::Entry(entry) = fold.next_however_long(console).await?
                    && let Entry::Event(record) = *entry
                    && let Body::PhaseBegun(begun) = &record.event.body
                    && record.event.envelope.rollout.as_ref() == Some(self.rollout)
                    && begun.phase == *self.phase
                    && has_begun(shown(&fold.known(self.rollout)?, self.phase)?)
                {
                    return Ok(record.offset);
                }
            }
        };
        tokio::time::timeout(BEGINS, begins).await.ok().transpose()
    }
}

fn shown<'r>(rollout: &'r RolloutView, phase: &PhaseId) -> Result<&'r PhaseView, Failure> {
    let found = rollout.phases.iter().find(|shown| shown.id == phase.as_str());
    found.ok_or_else(|| {
        let id = &rollout.id;
        if rollout.phases.is_empty() {
            let what = format!("{id} has no phases: its services move without being told to");
            return Failure::new(Exit::Findings, what);
        }
        let names: Vec<&str> = rollout.phases.iter().map(|phase| phase.id.as_str()).collect();
        let meant = did_you_mean(phase.as_str(), &names);
        Failure::new(Exit::Findings, format!("{id} has no phase {phase}; {meant}"))
    })
}

fn has_begun(phase: &PhaseView) -> bool {
    match phase.state {
        PhaseStatus::Waiting | PhaseStatus::AwaitingApproval | PhaseStatus::Ready => false,
        PhaseStatus::Open | PhaseStatus::Soaking | PhaseStatus::Watching | PhaseStatus::Complete => true,
    }
}

/// What stands before the gate of a phase; none when it is open, or must be by this time.
fn awaited(rollout: &RolloutView, phase: &PhaseView, fold: &Fold) -> Option<String> {
    if phase.state != PhaseStatus::Waiting {
        return None;
    }
    let before = rollout.phases.iter().take_while(|other| other.id != phase.id);
    let open =
        before.clone().find(|other| !matches!(other.state, PhaseStatus::Complete | PhaseStatus::Watching))?;
    let last = before.last()?;
    if open.state == PhaseStatus::Soaking && open.id == last.id {
        let left = open.soaks_until?.since(fold.time());
        return (left > 0).then(|| format!("phase {} soaks for another {}", open.id, picture::lasting(left)));
    }
    if !has_begun(open) {
        return Some(format!("phase {} has not begun", open.id));
    }
    let steps = rollout.steps.iter().filter(|step| step.phase.as_ref() == Some(&open.id));
    let missing = steps.filter(|step| !matches!(step.state, StepStatus::Met | StepStatus::Overridden));
    let missing: Vec<String> =
        missing.map(|step| format!("{} ({})", step.id, picture::word(step.state))).collect();
    Some(format!("phase {} is open, and waits for {}", open.id, missing.join(", ")))
}
