//! What the replica that speaks sees beside the log, for its next pulse to say: what is not folded yet, and what no longer
//! holds.

use std::collections::BTreeSet;

use pavane_events::Timestamp;
use pavane_events::control::{Sighting, SightingKind};

use crate::fold::Fold;
use crate::propose::{self, Known};
use crate::reminder::{BLIND, UNHEARD};
use crate::rollout::{Rollout, Status};

/// How many phases are told of by one pulse.
const AT_ONCE: usize = 64;

/// What there is to say of these rollouts, which have phases. `now` is partition time as it is likely to be.
pub(crate) fn of_phases(
    fold: &Fold,
    known: &Known<'_>,
    phased: &BTreeSet<u64>,
    now: Timestamp,
) -> Vec<Sighting> {
    let metrics = known.watches.phases().filter_map(|(n, k)| metric(fold, known, n, k));
    let cohorts = phased.iter().filter_map(|n| cohort(fold, known, *n, now));
    metrics.chain(cohorts).take(AT_ONCE).collect()
}

/// A metric has had no value for a while, or has one again.
fn metric(fold: &Fold, known: &Known<'_>, n: u64, k: usize) -> Option<Sighting> {
    let rollout = fold.rollouts.get(n)?;
    let told = rollout.phases.get(k)?.missing.is_some();
    let blind = known.watches.blind(n, k).filter(|blind| known.own - blind.since >= BLIND);
    match blind {
        Some(blind) if !told => Some(sighting(rollout, k, SightingKind::MetricMissing, blind.why)),
        None if told && known.watches.has_value((n, k)) => {
            Some(sighting(rollout, k, SightingKind::MetricBack, String::new()))
        }
        Some(_) | None => None,
    }
}

/// The next phase asks for a share of instances, and nobody is heard; or somebody is again.
fn cohort(fold: &Fold, known: &Known<'_>, n: u64, now: Timestamp) -> Option<Sighting> {
    let rollout = fold.rollouts.get(n).filter(|rollout| rollout.status == Status::Open)?;
    let k = rollout.phase_next().filter(|k| rollout.stopped.is_none() && rollout.gate_is_open(*k, now))?;
    rollout.plan_phase(k).cohort?;
    let waited = !rollout.awaits_approval(k) && now >= rollout.gate_opens(k)?.plus(UNHEARD);
    let heard = propose::cohort(fold, known, rollout, k).is_some();
    match (heard, rollout.phases[k].unheard) {
        (false, false) if waited => Some(sighting(rollout, k, SightingKind::CohortUnheard, String::new())),
        (true, true) => Some(sighting(rollout, k, SightingKind::CohortHeard, String::new())),
        (true | false, _) => None,
    }
}

fn sighting(rollout: &Rollout, k: usize, kind: SightingKind, detail: String) -> Sighting {
    let (id, phase) = (Some(rollout.id.clone()), Some(rollout.plan_phase(k).id.clone()));
    Sighting { kind, rollout: id, phase, detail, ..Sighting::default() }
}
