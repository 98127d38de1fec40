//! What people are told although nothing on the log says it: that a rollout waits for them, or cannot go on.
//!
//! A reminder is a condition, not a verdict: it is told while it holds, and is over when it no longer does. Its id
//! and its words are computed from the log, so that all replicas tell the same.

use std::collections::BTreeMap;

use pavane_events::{EventId, Millis, Timestamp, identity};

use crate::effect::{Alert, Effect};
use crate::fold::Fold;
use crate::propose::{self, Known};
use crate::rollout::{Rollout, Status};
use crate::watch::Blind;

/// How long there may be no value of a metric before someone is told.
const BLIND: Millis = 60_000;
/// How long a phase may wait for heartbeats before someone is told.
pub(crate) const UNHEARD: Millis = 10_000;

/// The reminders that burn, by rollout and id.
#[derive(Debug, Default)]
pub(crate) struct Reminders(BTreeMap<u64, BTreeMap<EventId, Alert>>);

/// What a replica sees at a moment.
pub(crate) struct Sight<'a> {
    pub(crate) fold: &'a Fold,
    pub(crate) known: &'a Known<'a>,
    /// Partition time as it is likely to be.
    pub(crate) estimate: Timestamp,
}

impl Reminders {
    /// Tells what holds of a rollout, and that what was told no longer does.
    pub(crate) fn look(&mut self, sight: &Sight<'_>, n: u64, out: &mut Vec<Effect>) {
        let fold = sight.fold;
        let wanted = fold.rollouts.get(n).map(|rollout| conditions(sight, n, rollout)).unwrap_or_default();
        let burning = self.0.remove(&n).unwrap_or_default();
        for (id, alert) in &burning {
            if wanted.iter().all(|alert| alert.id != *id) {
                out.push(Effect::Raise(Box::new(alert.clone().over(fold.clock.raw()))));
            }
        }
        let new = wanted.iter().filter(|alert| !burning.contains_key(&alert.id));
        out.extend(new.map(|alert| Effect::Raise(Box::new(alert.clone()))));
        if !wanted.is_empty() {
            self.0.insert(n, wanted.into_iter().map(|alert| (alert.id.clone(), alert)).collect());
        }
    }
}

fn conditions(sight: &Sight<'_>, n: u64, rollout: &Rollout) -> Vec<Alert> {
    if rollout.status != Status::Open || rollout.stopped.is_some() {
        return Vec::new();
    }
    let next = rollout.phase_next().filter(|k| rollout.gate_is_open(*k, sight.estimate));
    let gate = next.and_then(|k| gate(sight, rollout, k));
    let blind = rollout.phase_open().and_then(|k| blind(sight, n, rollout, k));
    gate.into_iter().chain(blind).collect()
}

/// The gate of a phase is open, and the phase does not begin by itself.
fn gate(sight: &Sight<'_>, rollout: &Rollout, k: usize) -> Option<Alert> {
    let (phase, attempt) = (rollout.plan_phase(k), rollout.phases[k].attempt);
    let opens = rollout.gate_opens(k)?;
    let plan = &rollout.score.plan;
    let about = |name, cause, attempt| about(sight, rollout, k, (name, attempt), cause, opens);
    if rollout.closes.is_some_and(|closes| sight.estimate >= closes) {
        let mut alert = about("MaintenanceOver", "not_started", attempt);
        alert
            .say("summary", format!("{}: phase {} is left over when the window closes", plan.name, phase.id));
        alert.say(
            "description",
            format!(
                "The maintenance window of rollout {} has closed before phase {} began. It begins in no window: \
                 `pavane rollback {0}` goes back, `pavane abort {0}` leaves it as it is.",
                rollout.id, phase.id
            ),
        );
        return Some(alert);
    }
    if rollout.awaits_approval(k) {
        let by = phase.approval.as_ref().map_or(plan.owner.as_str(), |approval| &approval.by);
        let mut alert = about("ApprovalAwaited", "not_started", 1);
        alert.labels.insert("severity".to_owned(), "ticket".to_owned());
        alert.labels.insert("owner".to_owned(), by.to_owned());
        alert.say("summary", format!("{}: phase {} waits for the approval of {by}", plan.name, phase.id));
        alert.say(
            "description",
            format!(
                "What comes before phase {} of rollout {} is complete. It begins when someone approves: \
                 `pavane approve {1} {0}`, or `pavane reject {1} {0} --reason …`.",
                phase.id, rollout.id
            ),
        );
        return Some(alert);
    }
    let waited = sight.estimate >= opens.plus(UNHEARD);
    let unheard = waited && propose::cohort(sight.fold, sight.known, rollout, k).is_none();
    unheard.then(|| {
        let mut alert = about("CohortUnknown", "unreachable", attempt);
        alert.say("summary", format!("{}: phase {} cannot begin, nobody is heard", plan.name, phase.id));
        alert.say(
            "description",
            format!(
                "Phase {} of rollout {} moves a share of the instances, and of one of its services no sidecar is \
                 heard. It begins when they are: look whether they run.",
                phase.id, rollout.id
            ),
        );
        alert
    })
}

/// A phase is watched, and there has been no value for a while.
fn blind(sight: &Sight<'_>, n: u64, rollout: &Rollout, k: usize) -> Option<Alert> {
    let Blind { since, times, why } = sight.known.watches.blind(n, k)?;
    if sight.known.own - since < BLIND {
        return None;
    }
    let (phase, met) = (rollout.plan_phase(k), rollout.phase_met(k)?);
    let mut alert = about(sight, rollout, k, ("MetricMissing", times), "unknown", met);
    alert.say("summary", format!("{}: phase {} is watched blindly", rollout.score.plan.name, phase.id));
    alert.say(
        "description",
        format!(
            "There has been no value of the metric that phase {} of rollout {} is watched by for a minute: {why}. \
             Nothing is decided without it. Mend it, or count step {} as met by `pavane override`.",
            phase.id,
            rollout.id,
            rollout.plan_step(rollout.told_of(k)).id
        ),
    );
    Some(alert)
}

/// An alert about a phase, with the id that all replicas give it: of its name and how often it has been told.
fn about(
    sight: &Sight<'_>,
    rollout: &Rollout,
    k: usize,
    (name, attempt): (&str, i64),
    cause: &str,
    since: Timestamp,
) -> Alert {
    let phase = &rollout.plan_phase(k).id;
    let id = identity::decision_id(&rollout.id, rollout.epoch, None, &format!("{name}/{phase}"), attempt);
    let since = sight.fold.clock.unadjusted(since);
    let mut alert = sight.fold.alert(rollout, name, None, cause, &id, since);
    alert.labels.insert("phase".to_owned(), phase.to_string());
    alert
}
