//! What people are told although nothing on the log says it: that a rollout waits for them, or cannot go on.
//!
//! A reminder is a condition, not a verdict: it is told while it holds, and is over when it no longer does. Its id
//! and its words are computed from the log, so that all replicas tell the same.

use std::collections::BTreeMap;

use pavane_events::{EventId, Millis, Timestamp, identity};

use crate::effect::{Alert, Effect};
use crate::fold::Fold;
use crate::rollout::{Rollout, Status};
use crate::watch::Watches;

/// How long there may be no value of a metric before someone is told.
const BLIND: Millis = 60_000;

/// The reminders that burn, by rollout and id.
#[derive(Debug, Default)]
pub(crate) struct Reminders(BTreeMap<u64, BTreeMap<EventId, Alert>>);

/// What a replica knows besides the log.
pub(crate) struct Sight<'a> {
    pub(crate) watches: &'a Watches,
    /// Partition time as it is likely to be.
    pub(crate) estimate: Timestamp,
    pub(crate) now: Millis,
    /// Whether a phase that may begin cannot: nobody of whom a share is asked for has been heard.
    pub(crate) unheard: bool,
}

impl Reminders {
    /// Tells what holds of a rollout, and that what was told no longer does.
    pub(crate) fn look(&mut self, fold: &Fold, n: u64, sight: &Sight<'_>, out: &mut Vec<Effect>) {
        let wanted =
            fold.rollouts.get(&n).map(|rollout| conditions(fold, n, rollout, sight)).unwrap_or_default();
        let burning = self.0.remove(&n).unwrap_or_default();
        for (id, alert) in &burning {
            if wanted.iter().all(|alert| alert.id != *id) {
                out.push(Effect::Raise(alert.clone().over(fold.clock.raw())));
            }
        }
        let new = wanted.iter().filter(|alert| !burning.contains_key(&alert.id));
        out.extend(new.map(|alert| Effect::Raise(alert.clone())));
        if !wanted.is_empty() {
            self.0.insert(n, wanted.into_iter().map(|alert| (alert.id.clone(), alert)).collect());
        }
    }
}

fn conditions(fold: &Fold, n: u64, rollout: &Rollout, sight: &Sight<'_>) -> Vec<Alert> {
    if rollout.status != Status::Open || rollout.stopped.is_some() {
        return Vec::new();
    }
    let next = rollout.phase_next().filter(|k| rollout.gate_is_open(*k, sight.estimate));
    let gate = next.and_then(|k| gate(fold, rollout, k, sight));
    let blind = rollout.phase_open().and_then(|k| blind(fold, n, rollout, k, sight));
    gate.into_iter().chain(blind).collect()
}

/// The gate of a phase is open, and the phase does not begin by itself.
fn gate(fold: &Fold, rollout: &Rollout, k: usize, sight: &Sight<'_>) -> Option<Alert> {
    let phase = rollout.plan_phase(k);
    let opened = fold.clock.unadjusted(rollout.gate_opens(k)?);
    let plan = &rollout.score.plan;
    if rollout.closes.is_some_and(|closes| sight.estimate >= closes) {
        let mut alert = about(fold, rollout, k, "MaintenanceOver", "not_started", opened);
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
        let mut alert = about(fold, rollout, k, "ApprovalAwaited", "not_started", opened);
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
    sight.unheard.then(|| {
        let mut alert = about(fold, rollout, k, "CohortUnknown", "unreachable", opened);
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
fn blind(fold: &Fold, n: u64, rollout: &Rollout, k: usize, sight: &Sight<'_>) -> Option<Alert> {
    let (_, why) = sight.watches.blind(n, k).filter(|(since, _)| sight.now - since >= BLIND)?;
    let phase = rollout.plan_phase(k);
    let met = fold.clock.unadjusted(rollout.phase_met(k)?);
    let mut alert = about(fold, rollout, k, "MetricMissing", "unknown", met);
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

/// An alert about a phase, with the id that all replicas give it.
fn about(fold: &Fold, rollout: &Rollout, k: usize, name: &str, cause: &str, since: Timestamp) -> Alert {
    let (phase, attempt) = (&rollout.plan_phase(k).id, rollout.phases[k].attempt);
    let id = identity::decision_id(&rollout.id, rollout.epoch, None, &format!("{name}/{phase}"), attempt);
    let mut alert = fold.alert(rollout, name, None, cause, &id, since);
    alert.labels.insert("phase".to_owned(), phase.to_string());
    alert
}
