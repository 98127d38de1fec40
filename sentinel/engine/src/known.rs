//! What is known of services from the rollouts that ended: which versions completed one, and what was left running.
//!
//! A service of one rollout alone ends with it, so nothing is kept of it. Only what deployments say counts: a
//! prerequisite that said `Ready` has no version to go back to.

use std::collections::{BTreeMap, BTreeSet};

use pavane_events::{KnownGood, Left, RolloutId, Service, ServiceRow, Version, Zone};

use crate::fold::Fold;
use crate::rollout::{Rollout, Status};
use crate::spoken::Saying;

/// The services that rollouts have moved.
#[derive(Clone, Debug, Default)]
pub(crate) struct Services {
    pub(crate) known: BTreeMap<Service, Known>,
    /// Whose rows have changed since they were last handed out. No part of what is folded.
    pub(crate) changed: BTreeSet<Service>,
}

/// What is known of one service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) good: Vec<KnownGood>,
    pub(crate) left: Option<Left>,
    /// The zones that it was left in; everywhere when there is none.
    pub(crate) zones: BTreeSet<Zone>,
    /// The team that owned its step.
    pub(crate) owner: String,
}

impl Fold {
    /// A rollout that had begun came to this end.
    pub(crate) fn note_ended(&mut self, n: u64, status: Status) {
        let Some(rollout) = self.rollouts.get(n).filter(|rollout| !rollout.score.own.all) else { return };
        let (id, offset) = (rollout.id.clone(), self.offset);
        let moved = |i: &usize| {
            let state = &rollout.steps[*i];
            !rollout.plan_step(*i).per_rollout && (state.moved().next().is_some() || state.overridden)
        };
        let mut by_service: BTreeMap<Service, Vec<usize>> = BTreeMap::new();
        for i in (0..rollout.steps.len()).filter(moved) {
            by_service.entry(rollout.service(i).into_owned()).or_default().push(i);
        }
        let ends = by_service.into_iter().map(|(service, steps)| {
            let versions = left_running(rollout, &steps, status);
            let zone = |i: &usize| rollout.plan_step(*i).zone.clone();
            let everywhere = steps.iter().any(|i| zone(i).is_none());
            let zones = if everywhere { BTreeSet::new() } else { steps.iter().filter_map(zone).collect() };
            let owner = rollout.plan_step(steps[0]).owner.clone();
            (service, versions, zones, owner)
        });
        for (service, versions, zones, owner) in ends.collect::<Vec<_>>() {
            self.services.note(service, versions, (zones, owner), (&id, offset), status);
        }
    }

    /// The row of a service in `pavane.services`.
    pub(crate) fn row(&self, service: &Service) -> Option<ServiceRow> {
        let known = self.services.known.get(service)?;
        Some(ServiceRow {
            domain: self.domain.clone(),
            service: service.clone(),
            known_good: known.good.clone(),
            left: known.left.clone(),
        })
    }

    /// All rows, by service.
    pub(crate) fn rows(&self) -> impl Iterator<Item = ServiceRow> {
        self.services.known.keys().filter_map(|service| self.row(service))
    }
}

impl Services {
    fn note(
        &mut self,
        service: Service,
        versions: Option<BTreeSet<Version>>,
        (zones, owner): (BTreeSet<Zone>, String),
        (rollout, offset): (&RolloutId, i64),
        status: Status,
    ) {
        if versions.is_none() && !self.known.contains_key(&service) {
            return;
        }
        let known = self.known.entry(service.clone()).or_default();
        (known.zones, known.owner) = (zones, owner);
        known.left = versions.map(|versions| Left {
            versions: versions.into_iter().collect(),
            rollout: rollout.clone(),
            offset,
        });
        if status == Status::Completed {
            for version in known.left.iter().flat_map(|left| left.versions.clone()).rev() {
                known.good.retain(|good| good.version != version);
                known.good.insert(0, KnownGood { version, rollout: rollout.clone(), offset });
            }
            known.good.truncate(ServiceRow::KEPT);
        }
        self.changed.insert(service);
    }
}

/// The versions that these steps of one service left running; none where nobody can tell.
fn left_running(rollout: &Rollout, steps: &[usize], status: Status) -> Option<BTreeSet<Version>> {
    let mut versions = BTreeSet::new();
    for &i in steps {
        let state = &rollout.steps[i];
        let is_back = state.goes_back && state.turn.is_some() && state.compensated();
        match status {
            Status::Completed if state.moved().next().is_none() => return None,
            Status::Completed => versions.extend(said(rollout, i)),
            Status::RolledBack | Status::Partial if is_back => {
                let from = state.words.values().filter(|word| word.moved).map(|word| word.from().cloned());
                versions.extend(from.collect::<Option<Vec<_>>>()?);
            }
            // it could not be taken back, and what its instances said last is what runs
            Status::RolledBack if !state.goes_back && state.full.is_some() => {
                versions.extend(said(rollout, i));
            }
            Status::RolledBack
            | Status::Partial
            | Status::Aborted
            | Status::Queued
            | Status::Open
            | Status::RollingBack => return None,
        }
    }
    Some(versions).filter(|versions| !versions.is_empty())
}

fn said(rollout: &Rollout, i: usize) -> impl Iterator<Item = Version> + '_ {
    let words = rollout.steps[i].words.values();
    words
        .filter(|word| word.moved && word.saying == Saying::Awaited)
        .filter_map(|word| word.version().cloned())
}
