//! What can be shown of a step.

use pavane_choreography::{OnStall, Severity};
use pavane_events::{Cause, Timestamp};
use serde::Serialize;

use crate::fold::Fold;
use crate::rollout::{Rollout, Status};
use crate::spoken::Saying;
use crate::step::{Answer, Overriding, StepState};

/// A step as it stands.
#[derive(Clone, Debug, Serialize)]
pub struct StepView {
    /// The name.
    pub id: String,
    /// What it expects, e.g. `user-service.DeploymentComplete`.
    pub expects: String,
    /// What it expects on the way back, e.g. `user-service.RollbackComplete`.
    pub expects_back: String,
    /// The service.
    pub service: String,
    /// The team that owns it.
    pub owner: String,
    /// Where a person reads what to do about it.
    pub runbook: Option<String>,
    /// The versions that count, as the plan writes them.
    pub version: Option<String>,
    /// What the sentinel does when it stands still.
    pub on_stall: OnStall,
    /// How loudly that is told.
    pub severity: Severity,
    /// Whether its service may be asked back.
    pub reversible: bool,
    /// What it waits for.
    pub after: Vec<String>,
    /// What it waits for one of.
    pub after_any: Vec<String>,
    /// The zone whose instances count.
    pub zone: Option<String>,
    /// The phase that opens it.
    pub phase: Option<String>,
    /// Where it stands.
    pub state: StepStatus,
    /// How many instances have said the event.
    pub have: usize,
    /// How many must; none while a share of them has not been counted.
    pub want: Option<u32>,
    /// How many must, as the plan writes it: a number or a share.
    pub instances_wanted: String,
    /// When its window began.
    pub since: Option<Timestamp>,
    /// When it ends.
    pub deadline: Option<Timestamp>,
    /// The attempt, from 1.
    pub attempt: i64,
    /// Why it stands still.
    pub cause: Option<Cause>,
    /// When that was judged.
    pub stalled_at: Option<Timestamp>,
    /// Whether the plan's remedy has been taken since, or a person has gone on without it.
    pub in_hand: bool,
    /// When nobody waits for its way back any more, where it stands still on it.
    pub gives_up_at: Option<Timestamp>,
    /// What is missing while something is awaited.
    pub missing: Option<String>,
    /// When its count was complete.
    pub full_at: Option<Timestamp>,
    /// When it is met, or was: its count has held for long enough.
    pub met_at: Option<Timestamp>,
    /// The records that speak against it: an event that a service which waits could not read, one that nobody can.
    pub tainted_by: Vec<i64>,
    /// Who counted it as met, whatever its service says.
    pub overridden_by: Option<Overriding>,
    /// The last word of each instance.
    pub instances: Vec<InstanceView>,
}

/// Where a step stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StepStatus {
    /// It waits for other steps.
    Waiting,
    /// Its window is open and nobody has said anything.
    Open,
    /// Its window is open and an instance has begun.
    Running,
    /// Its count is full, and it must hold.
    Holding,
    /// It is met.
    Met,
    /// A person counted it as met.
    Overridden,
    /// It stands still.
    Stalled,
    /// Its turn to go back has come.
    GoingBack,
    /// It is back.
    Back,
    /// It failed or refused to go back.
    NotBack,
}

/// What an instance said last.
#[derive(Clone, Debug, Serialize)]
pub struct InstanceView {
    /// The instance.
    pub instance: String,
    /// Its last word: `started`, `awaited`, `wrong_version`, `failed`, `drained`; on the way back also `back`,
    /// `back_failed`, `back_refused`.
    pub said: &'static str,
    /// The version that it reported.
    pub version: Option<String>,
    /// The offset of its last word.
    pub offset: i64,
    /// Why its word does not count, or what it said besides; empty where there is nothing to say.
    pub detail: String,
}

impl StepView {
    pub(super) fn of(fold: &Fold, rollout: &Rollout, i: usize, now: Timestamp) -> Self {
        let (state, step) = (&rollout.steps[i], rollout.plan_step(i));
        let have = state.words.values().filter(|word| word.saying == Saying::Awaited).count();
        let awaited = rollout.deadline(i).is_some();
        let instances = state.words.iter().map(|(instance, word)| InstanceView {
            instance: instance.to_string(),
            said: match state.answers.get(instance) {
                Some(Answer::Complete) => "back",
                Some(Answer::Failed) => "back_failed",
                Some(Answer::Refused) => "back_refused",
                None => word.saying.as_str(),
            },
            version: word.version().map(ToString::to_string),
            offset: word.offset,
            detail: match word.saying {
                Saying::WrongVersion => rollout.contradiction(i, instance),
                Saying::Started | Saying::Awaited | Saying::Failed | Saying::Drained => {
                    word.detail().to_owned()
                }
            },
        });
        let turn = if rollout.status == Status::Open { state.anchor } else { state.turn.or(state.anchor) };
        Self {
            id: step.id.to_string(),
            expects: rollout.expects(i),
            expects_back: rollout.expects_back(i),
            service: rollout.service(i).to_string(),
            owner: step.owner.clone(),
            runbook: step.runbook.clone(),
            version: step.version.as_ref().map(ToString::to_string),
            on_stall: step.on_stall,
            severity: step.severity,
            reversible: step.reversible,
            after: step.after.iter().map(ToString::to_string).collect(),
            after_any: step.after_any.iter().map(ToString::to_string).collect(),
            zone: step.zone.as_ref().map(ToString::to_string),
            phase: rollout.score.phase_of[i].map(|k| rollout.plan_phase(k).id.to_string()),
            state: step_status(rollout, i, now),
            have,
            want: rollout.wanted(i),
            instances_wanted: step.instances.to_string(),
            since: turn.map(|mark| mark.at),
            deadline: rollout.deadline(i),
            attempt: state.attempt,
            cause: state.stall.as_ref().map(|stall| stall.cause),
            stalled_at: state.stall.as_ref().map(|stall| fold.clock.adjusted(stall.raw)),
            in_hand: state.stall.as_ref().is_some_and(|stall| stall.in_hand),
            gives_up_at: rollout.gives_up(i, fold.settings.grace(rollout)),
            missing: awaited.then(|| rollout.missing(i)),
            full_at: state.full.map(|mark| mark.at),
            met_at: state.full.map(|mark| mark.at.plus(if state.overridden { 0 } else { step.healthy_for })),
            tainted_by: tainted_by(state),
            overridden_by: state.overridden_by.clone(),
            instances: instances.collect(),
        }
    }
}

fn tainted_by(state: &StepState) -> Vec<i64> {
    let rejected = state.rejection.as_ref().map(|rejection| rejection.offset);
    let unreadable = state.taint.as_ref().map(|taint| taint.offset);
    rejected.into_iter().chain(unreadable).collect()
}

fn step_status(rollout: &Rollout, i: usize, now: Timestamp) -> StepStatus {
    let state = &rollout.steps[i];
    let goes_back = !matches!(rollout.status, Status::Open | Status::Completed) && state.turn.is_some();
    if state.stall.is_some() {
        StepStatus::Stalled
    } else if goes_back && state.answers.values().any(|answer| *answer != Answer::Complete) {
        StepStatus::NotBack
    } else if goes_back && state.moved().next().is_some() {
        if state.compensated() { StepStatus::Back } else { StepStatus::GoingBack }
    } else if state.overridden {
        StepStatus::Overridden
    } else if rollout.met(i, now) {
        StepStatus::Met
    } else if state.full.is_some() {
        StepStatus::Holding
    } else if state.anchor.is_none() {
        StepStatus::Waiting
    } else if state.words.is_empty() {
        StepStatus::Open
    } else {
        StepStatus::Running
    }
}

impl Saying {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Awaited => "awaited",
            Self::WrongVersion => "wrong_version",
            Self::Failed => "failed",
            Self::Drained => "drained",
        }
    }
}
