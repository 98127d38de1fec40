//! What must hold of every rehearsal, whatever its scenario expects: nobody is left in silence, and a way back leads
//! to one version.

use pavane_choreography::{Plan, Step};
use pavane_events::StepId;
use pavane_sentinel_engine::{AlertStatus, PhaseStatus, RolloutView, Status, StepStatus};

use crate::performance::Performance;
use crate::script::Script;

/// A promise that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Broken {
    /// A rollout is open, and nobody has been told of anything.
    Silence(String),
    /// A rollout is back, and somebody runs something else.
    Mixed(String),
}

impl Broken {
    /// What was broken, for a person.
    pub fn told(&self) -> &str {
        let (Self::Silence(told) | Self::Mixed(told)) = self;
        told
    }

    /// What was expected, for a person.
    pub const fn promise(&self) -> &'static str {
        match self {
            Self::Silence(_) => "no rollout is left in silence",
            Self::Mixed(_) => "a rollout that is back has all services on one version",
        }
    }
}

/// The promises that a rehearsal broke.
pub fn broken(script: &Script, performance: &Performance) -> Vec<Broken> {
    let views = performance.view.rollouts.iter().rev();
    views.filter_map(|view| silence(performance, view).or_else(|| mixed(script, performance, view))).collect()
}

fn silence(performance: &Performance, view: &RolloutView) -> Option<Broken> {
    let stands = view.steps.iter().any(|step| step.state == StepStatus::Stalled);
    let awaits = view.phases.iter().any(|phase| phase.state == PhaseStatus::AwaitingApproval);
    let waits = view.status == Status::Queued || view.paused || awaits || stands;
    if !(view.status.is_open() || view.status == Status::Queued) || waits || burns(performance, view) {
        return None;
    }
    let awaited = view.steps.iter().filter(|step| step.missing.is_some()).map(|step| step.id.as_str());
    let awaited: Vec<&str> = awaited.collect();
    let (id, status) = (&view.id, view.status.as_str());
    Some(Broken::Silence(format!("rollout {id} is {status}, waits for {awaited:?}, and nobody is told")))
}

/// Whether an alert about the rollout burns.
fn burns(performance: &Performance, view: &RolloutView) -> bool {
    let about = || performance.told.iter().filter(|told| told.label("rollout") == view.id.as_str());
    let over = |id| {
        about()
            .rfind(|told| told.alert.id == id)
            .is_some_and(|told| told.alert.status == AlertStatus::Resolved)
    };
    about().any(|told| !over(told.alert.id.clone()))
}

/// A rollout that is rolled back has all that went back on the old version. What an irreversible step keeps, with all
/// below it, stays where it is.
fn mixed(script: &Script, performance: &Performance, view: &RolloutView) -> Option<Broken> {
    let later = performance.view.rollouts.iter().take_while(|other| other.id != view.id).count();
    if view.status != Status::RolledBack || later > 0 {
        return None;
    }
    let piece = script.pieces().find(|piece| piece.plan().name == view.choreography)?;
    let stays = staying(piece.plan(), view);
    let goes_back = |runs: &&crate::performance::Runs| {
        let own = || piece.plan().steps.iter().filter(|step| step.expect.service == runs.service);
        runs.alive && own().next().is_some() && !own().any(|step| stays.contains(&&step.id))
    };
    let wrong = performance.runs.iter().filter(goes_back).filter_map(|runs| {
        let (old, _) = piece.versions(&runs.service)?;
        (runs.version != *old).then(|| format!("{} runs {}", runs.instance, runs.version))
    });
    let wrong: Vec<String> = wrong.collect();
    (!wrong.is_empty())
        .then(|| Broken::Mixed(format!("rollout {} is rolled back, and {}", view.id, wrong.join(", "))))
}

/// The steps that no rollback asks: the irreversible ones of which something was heard, and all below them.
fn staying<'p>(plan: &'p Plan, view: &RolloutView) -> Vec<&'p StepId> {
    let heard = |step: &&Step| {
        view.steps.iter().any(|seen| seen.id == step.id.as_str() && !seen.instances.is_empty())
    };
    let kept = plan.steps.iter().filter(|step| !step.reversible).filter(heard);
    let mut stays: Vec<&StepId> = kept.map(|step| &step.id).collect();
    // The steps stand after their prerequisites, so one walk from the end finds all that lies below.
    for step in plan.steps.iter().rev() {
        if stays.contains(&&step.id) {
            stays.extend(step.prerequisites());
        }
    }
    stays
}
