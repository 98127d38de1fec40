//! What can be shown of a domain: the same for the HTTP API, the command line and tests.

mod phase;

use pavane_events::verdict::{RolloutStalled, SequenceViolated};
use pavane_events::{Cause, Record, RolloutId, Timestamp, identity};
use serde::Serialize;

use crate::fold::Fold;
use crate::rollout::{Rollout, Status};
use crate::spoken::Saying;
use crate::step::Answer;

pub use phase::{PhaseStatus, PhaseView};

/// A domain as it stands.
#[derive(Clone, Debug, Serialize)]
pub struct View {
    /// The domain.
    pub domain: String,
    /// Whether a person holds the whole domain.
    pub held: bool,
    /// The offset of the newest record that was read; -1 before the first.
    pub offset: i64,
    /// Its rollouts, the newest first.
    pub rollouts: Vec<RolloutView>,
}

/// A rollout as it stands. Times are partition time, in milliseconds since the Unix epoch.
#[derive(Clone, Debug, Serialize)]
pub struct RolloutView {
    /// The id.
    pub id: RolloutId,
    /// The name of its choreography.
    pub choreography: String,
    /// SHA-256 of its plan, in hexadecimal.
    pub plan_digest: String,
    /// The team that owns it.
    pub owner: String,
    /// Where it stands.
    pub status: Status,
    /// Whether its clocks stand still.
    pub paused: bool,
    /// Counts the rollbacks that were asked for after completion, from 1.
    pub epoch: i64,
    /// The offset of its `RolloutStarted`.
    pub offset: i64,
    /// When it started.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// The W3C trace id of the whole rollout.
    pub trace_id: String,
    /// The offset at which an accepted decision waits to be said.
    pub deciding: Option<i64>,
    /// The rollout that it waits for while it is queued.
    pub behind: Option<RolloutId>,
    /// Its phases in their order; empty for the method `choreography`.
    pub phases: Vec<PhaseView>,
    /// Its steps, each after its prerequisites.
    pub steps: Vec<StepView>,
    /// What was decided about it, in order.
    pub verdicts: Vec<VerdictView>,
}

/// A step as it stands.
#[derive(Clone, Debug, Serialize)]
pub struct StepView {
    /// The name.
    pub id: String,
    /// What it expects, e.g. `user-service.DeploymentComplete`.
    pub expects: String,
    /// The service.
    pub service: String,
    /// The team that owns it.
    pub owner: String,
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
    /// What is missing while something is awaited.
    pub missing: Option<String>,
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
}

/// A decision about a rollout.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct VerdictView {
    /// The event that tells it, e.g. `RolloutStalled`.
    pub kind: String,
    /// The step.
    pub step: Option<String>,
    /// The cause.
    pub cause: Option<String>,
    /// The service that owes the event.
    pub service: Option<String>,
    /// The team that owns the step, or the rollout.
    pub owner: String,
    /// The offset at which the log accepted it.
    pub offset: i64,
}

/// A decision about a rollout, as it is kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Verdict {
    /// The event that tells it.
    pub(crate) kind: &'static str,
    pub(crate) deed: Deed,
    pub(crate) cause: Option<Cause>,
    /// The offset at which the log accepted it.
    pub(crate) offset: i64,
}

/// What a decision is about, by its place in the plan.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Deed {
    Rollout,
    Step(usize),
    Gate(usize),
}

impl Verdict {
    fn shown(&self, rollout: &Rollout) -> VerdictView {
        let (step, owner) = match self.deed {
            Deed::Rollout => (None, rollout.score.plan.owner.as_str()),
            Deed::Step(i) => (Some(i), rollout.plan_step(i).owner.as_str()),
            Deed::Gate(k) => {
                (None, rollout.plan_phase(k).approval.as_ref().map_or("", |approval| &approval.by))
            }
        };
        VerdictView {
            kind: self.kind.to_owned(),
            step: step.map(|i| rollout.plan_step(i).id.to_string()),
            cause: self.cause.map(|cause| cause.as_str().to_owned()),
            service: step.map(|i| rollout.service(i).to_string()),
            owner: owner.to_owned(),
            offset: self.offset,
        }
    }
}

impl Fold {
    pub(crate) fn view(&self) -> View {
        let rollouts = self.rollouts.values().rev().map(|rollout| self.show(rollout)).collect();
        View { domain: self.domain.to_string(), held: self.held.is_some(), offset: self.offset, rollouts }
    }

    pub(crate) fn show(&self, rollout: &Rollout) -> RolloutView {
        let plan = &rollout.score.plan;
        RolloutView {
            id: rollout.id.clone(),
            choreography: plan.name.clone(),
            plan_digest: rollout.score.digest.clone(),
            owner: plan.owner.clone(),
            status: rollout.status,
            paused: rollout.stopped.is_some(),
            epoch: rollout.epoch,
            offset: rollout.started.offset,
            started_at: rollout.started_raw,
            ended_at: rollout.ended,
            trace_id: identity::hex(&identity::trace_id(&rollout.id)),
            deciding: rollout.pending.as_ref().map(|pending| pending.accepted),
            behind: self.behind(rollout).filter(|_| rollout.status == Status::Queued),
            phases: (0..rollout.phases.len()).map(|k| PhaseView::of(rollout, k, self.clock.now())).collect(),
            steps: (0..rollout.steps.len()).map(|i| step_view(rollout, i, self.clock.now())).collect(),
            verdicts: rollout.verdicts.iter().map(|verdict| verdict.shown(rollout)).collect(),
        }
    }

    pub(crate) fn note_stall(&mut self, n: u64, said: &RolloutStalled) {
        self.note(n, |rollout| Verdict {
            kind: rollout.stall_name(),
            deed: rollout.score.place(&said.step).map_or(Deed::Rollout, Deed::Step),
            cause: Some(said.cause),
            offset: said.accepted,
        });
    }

    pub(crate) fn note_violated(&mut self, n: u64, i: usize, said: &SequenceViolated) {
        self.note(n, |_| Verdict {
            kind: "SequenceViolated",
            deed: Deed::Step(i),
            cause: Some(Cause::OutOfOrder),
            offset: said.accepted,
        });
    }

    /// Notes a decision on the whole rollout where it takes force.
    pub(crate) fn note_decision(&mut self, n: u64, record: &Record) {
        self.note(n, |rollout| {
            let pending = rollout.pending.as_ref();
            let step = pending.and_then(|pending| pending.step);
            let stall = step.and_then(|i| rollout.steps[i].stall.as_ref());
            Verdict {
                kind: record.event.body.event_type().as_str(),
                deed: step.map_or(Deed::Rollout, Deed::Step),
                cause: stall.map(|stall| stall.cause),
                offset: pending.map_or(record.offset, |pending| pending.accepted),
            }
        });
    }

    fn note(&mut self, n: u64, verdict: impl FnOnce(&Rollout) -> Verdict) {
        if let Some(rollout) = self.rollouts.get_mut(n) {
            let verdict = verdict(rollout);
            rollout.note(verdict);
        }
    }
}

impl Rollout {
    /// Notes a decision; of very many the first are kept.
    pub(crate) fn note(&mut self, verdict: Verdict) {
        const KEPT: usize = 200;
        if self.verdicts.len() < KEPT {
            self.verdicts.push(verdict);
        }
    }
}

fn step_view(rollout: &Rollout, i: usize, now: Timestamp) -> StepView {
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
        version: word.version.as_ref().map(ToString::to_string),
        offset: word.offset,
    });
    let turn = if rollout.status == Status::Open { state.anchor } else { state.turn.or(state.anchor) };
    StepView {
        id: step.id.to_string(),
        expects: rollout.expects(i),
        service: rollout.service(i).to_string(),
        owner: step.owner.clone(),
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
        missing: awaited.then(|| rollout.missing(i)),
        instances: instances.collect(),
    }
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
