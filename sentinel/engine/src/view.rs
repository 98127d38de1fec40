//! What can be shown of a domain: the same for the HTTP API, the command line and tests.

mod phase;
mod step;

use pavane_events::control::DomainConfigured;
use pavane_events::verdict::{RolloutStalled, SequenceViolated};
use pavane_events::{
    Cause, Instance, Left, Millis, Record, RolloutId, Service, ServiceRow, Timestamp, Version, identity,
};
use serde::Serialize;

use crate::fold::Fold;
use crate::rollout::{Rollout, Status};
use crate::schedule::Schedule;
use crate::skew::Pair;

pub use phase::{PhaseStatus, PhaseView};
pub use step::{InstanceView, StepStatus, StepView};

/// A domain as it stands.
#[derive(Clone, Debug, Serialize)]
pub struct View {
    /// The domain.
    pub domain: String,
    /// Whether a person holds the whole domain.
    pub held: bool,
    /// The offset at which a person began to hold it.
    pub held_at: Option<i64>,
    /// How long after a deadline a stall may be told, in milliseconds.
    pub grace_ms: Millis,
    /// The offset of the newest record that was read; -1 before the first.
    pub offset: i64,
    /// What holds for the domain, as it was configured last.
    pub configured: DomainConfigured,
    /// Where that was said; none while all is as by default.
    pub configured_at: Option<i64>,
    /// The instances that run another version than the last rollout of their service left.
    pub drift: Vec<DriftView>,
    /// The versions that run together, and of which a plan says that they do not.
    pub skew: Vec<SkewView>,
    /// By when choreographies are to start again.
    pub schedules: Vec<ScheduleView>,
    /// What is known of the services that rollouts have moved: their rows of `pavane.services`.
    pub services: Vec<ServiceRow>,
    /// Its rollouts, the newest first.
    pub rollouts: Vec<RolloutView>,
}

/// An instance that runs another version than the last rollout of its service left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DriftView {
    /// The service.
    pub service: Service,
    /// The instance.
    pub instance: Instance,
    /// The version that it runs.
    pub version: Version,
    /// What was left, and by which rollout.
    pub left: Option<Left>,
    /// When a sentinel said so, by the broker's time.
    pub since: Timestamp,
    /// Where it said so.
    pub offset: i64,
}

/// Versions of two services that run together, and of which a plan says that they do not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SkewView {
    /// The service whose plan says it.
    pub service: Service,
    /// The version of it that runs.
    pub version: Version,
    /// The service beside it.
    pub with: Service,
    /// The version of that one.
    pub with_version: Version,
    /// What is wrong with that, and with what it would run, as the alert says it.
    pub summary: String,
    /// When it was told, by the broker's time.
    pub since: Timestamp,
}

/// By when a choreography is to start again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ScheduleView {
    /// The name of the choreography.
    pub choreography: String,
    /// The team that owns it.
    pub owner: String,
    /// The most that may lie between two starts, in milliseconds.
    pub every_ms: Millis,
    /// The rollout of it that started last.
    pub rollout: RolloutId,
    /// The offset of that start.
    pub offset: i64,
    /// When that was, by the broker's time.
    pub started_at: Timestamp,
    /// By when it is to start again, by the broker's time.
    pub due_at: Timestamp,
    /// Whether it did not, and people were told.
    pub missed: bool,
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
    /// Where a person reads what to do.
    pub runbook: Option<String>,
    /// Where it stands.
    pub status: Status,
    /// Whether its clocks stand still.
    pub paused: bool,
    /// When they stopped.
    pub stopped_at: Option<Timestamp>,
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
    /// What keeps the sentinel from asking for a rollback by itself, where a step stands still.
    pub braked: Option<String>,
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
        View {
            domain: self.domain.to_string(),
            held: self.held.is_some(),
            held_at: self.held,
            grace_ms: self.clock.grace,
            configured: self.settings.newest().clone(),
            configured_at: self.settings.since(),
            drift: self.drift_view(),
            skew: self.skew_view(),
            schedules: self
                .schedules
                .iter()
                .map(|(name, schedule)| self.schedule_view(name, schedule))
                .collect(),
            services: self.rows().collect(),
            offset: self.offset,
            rollouts,
        }
    }

    fn drift_view(&self) -> Vec<DriftView> {
        let drifting = self.drifting.iter().map(|((service, instance), drifting)| DriftView {
            service: service.clone(),
            instance: instance.clone(),
            version: drifting.version.clone(),
            left: self.services.known.get(service).and_then(|known| known.left.clone()),
            since: drifting.raw,
            offset: drifting.offset,
        });
        drifting.collect()
    }

    fn skew_view(&self) -> Vec<SkewView> {
        let told = self.skew.told.iter().map(|(pair, alert)| {
            let Pair { service, version, with, with_version } = pair.clone();
            let summary = alert.annotations.get("summary").cloned().unwrap_or_default();
            SkewView { service, version, with, with_version, summary, since: alert.starts_at }
        });
        told.collect()
    }

    fn schedule_view(&self, name: &str, schedule: &Schedule) -> ScheduleView {
        ScheduleView {
            choreography: name.to_owned(),
            owner: schedule.owner.clone(),
            every_ms: schedule.every,
            rollout: schedule.rollout.clone(),
            offset: schedule.offset,
            started_at: schedule.raw,
            due_at: self.clock.unadjusted(schedule.due()),
            missed: schedule.missed.is_some(),
        }
    }

    pub(crate) fn show(&self, rollout: &Rollout) -> RolloutView {
        let now = rollout.time(self.clock.now());
        let plan = &rollout.score.plan;
        RolloutView {
            id: rollout.id.clone(),
            choreography: plan.name.clone(),
            plan_digest: rollout.score.digest.clone(),
            owner: plan.owner.clone(),
            runbook: plan.runbook.clone(),
            status: rollout.status,
            // clocks that wait for a leap to be explained are nobody's pause
            paused: rollout.stopped.is_some() && (rollout.paused || self.held.is_some()),
            stopped_at: rollout.stopped.map(|mark| mark.at),
            epoch: rollout.epoch,
            offset: rollout.started.offset(),
            started_at: rollout.started_raw,
            ended_at: rollout.ended,
            trace_id: identity::hex(&identity::trace_id(&rollout.id)),
            braked: self.braked(rollout),
            deciding: rollout.pending.as_ref().map(|pending| pending.accepted),
            behind: (rollout.status == Status::Queued).then(|| self.behind(rollout)).flatten(),
            phases: (0..rollout.phases.len()).map(|k| PhaseView::of(rollout, k, now)).collect(),
            steps: (0..rollout.steps.len()).map(|i| StepView::of(self, rollout, i, now)).collect(),
            verdicts: rollout.verdicts.all().iter().map(|verdict| verdict.shown(rollout)).collect(),
        }
    }

    fn braked(&self, rollout: &Rollout) -> Option<String> {
        let stands = rollout.status == Status::Open && rollout.steps.iter().any(|step| step.stall.is_some());
        stands.then(|| self.brake(rollout, self.clock.now()))?.map(|brake| brake.to_string())
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
        let noted = self.verdicts.all().len();
        if noted < KEPT {
            self.verdicts.insert(noted, verdict);
        }
    }
}
