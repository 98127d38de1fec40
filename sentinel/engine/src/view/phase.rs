//! What can be shown of a phase.

use pavane_events::{Millis, Timestamp};
use serde::Serialize;

use crate::rollout::{Rollout, Status};

/// A phase as it stands.
#[derive(Clone, Debug, Serialize)]
pub struct PhaseView {
    /// The name, of its gate too.
    pub id: String,
    /// Where it stands.
    pub state: PhaseStatus,
    /// The steps that it opens.
    pub steps: Vec<String>,
    /// Where it stands since: when it began, was met, or its gate opened.
    pub since: Option<Timestamp>,
    /// When its soak is over.
    pub soaks_until: Option<Timestamp>,
    /// The metric that it is watched by, and what it must keep to.
    pub watch: Option<String>,
    /// When its watch is over at the earliest: the metric has kept to the bound ever since the phase was met.
    pub watched_until: Option<Timestamp>,
    /// The team that is asked for its approval.
    pub approval: Option<String>,
    /// Who has approved it.
    pub approved: Option<String>,
    /// The attempt of its gate, from 1.
    pub attempt: i64,
}

/// Where a phase stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PhaseStatus {
    /// It waits for the phase before.
    Waiting,
    /// It waits for someone to approve it.
    AwaitingApproval,
    /// It may begin and has not yet.
    Ready,
    /// Its steps are open.
    Open,
    /// Its steps are met, and it soaks.
    Soaking,
    /// It has soaked, and its metric is watched.
    Watching,
    /// It is complete.
    Complete,
}

impl PhaseView {
    pub(super) fn of(rollout: &Rollout, k: usize, now: Timestamp) -> Self {
        let (state, phase) = (&rollout.phases[k], rollout.plan_phase(k));
        let status = phase_status(rollout, k, now);
        let since = match status {
            PhaseStatus::Waiting => None,
            PhaseStatus::AwaitingApproval | PhaseStatus::Ready => rollout.gate_opens(k),
            PhaseStatus::Open => state.begun.map(|mark| mark.at),
            PhaseStatus::Soaking | PhaseStatus::Watching | PhaseStatus::Complete => rollout.phase_met(k),
        };
        let watch = phase.watch.as_ref();
        Self {
            id: phase.id.to_string(),
            state: status,
            steps: phase.steps.iter().map(ToString::to_string).collect(),
            since,
            soaks_until: rollout.phase_soaked(k).filter(|_| phase.soak > 0),
            watch: watch.map(|watch| format!("{} {} for {}", watch.query, watch.bound, lasting(watch.hold))),
            watched_until: watch.and_then(|watch| Some(rollout.phase_met(k)?.plus(watch.hold))),
            approval: phase.approval.as_ref().map(|approval| approval.by.clone()),
            approved: state.approved.clone(),
            attempt: state.attempt,
        }
    }
}

fn lasting(millis: Millis) -> String {
    if millis % 1_000 == 0 { format!("{} s", millis / 1_000) } else { format!("{millis} ms") }
}

fn phase_status(rollout: &Rollout, k: usize, now: Timestamp) -> PhaseStatus {
    let next_begun = rollout.phases.get(k + 1).is_some_and(|next| next.begun.is_some());
    if rollout.phases[k].begun.is_none() {
        return match rollout.gate_is_open(k, now) {
            false => PhaseStatus::Waiting,
            true if rollout.awaits_approval(k) => PhaseStatus::AwaitingApproval,
            true => PhaseStatus::Ready,
        };
    }
    if next_begun || rollout.status == Status::Completed {
        return PhaseStatus::Complete;
    }
    let past = |at: Option<Timestamp>| at.is_some_and(|at| at <= now);
    match (past(rollout.phase_met(k)), past(rollout.phase_soaked(k)), rollout.is_watched(k, now)) {
        (false, ..) => PhaseStatus::Open,
        (true, false, _) => PhaseStatus::Soaking,
        (true, true, true) => PhaseStatus::Watching,
        (true, true, false) => PhaseStatus::Complete,
    }
}
