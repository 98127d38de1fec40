//! Which versions a replica hears run together, held against what the plans say and what was told, and for how long.

use std::collections::{BTreeMap, BTreeSet};

use pavane_events::control::{Sighting, SightingKind};
use pavane_events::{Instance, Millis, Service, Timestamp, Version, Zone};

use super::{Claim, Pair};
use crate::diagnosis::words::listed;
use crate::fold::Fold;
use crate::heartbeats::{ALIVE, GONE, Heartbeats};

/// How many pairs are told by one pulse.
const AT_ONCE: usize = 64;
/// How many instances of a service are named.
const NAMED: usize = 5;

/// The pairs of which something else is heard than was told, and since when.
#[derive(Clone, Debug, Default)]
pub(crate) struct Skews(BTreeMap<Pair, Timestamp>);

/// Who runs a version, by zone.
type Running<'a> = BTreeMap<(&'a Version, Option<&'a Zone>), BTreeSet<&'a Instance>>;

/// Who runs the two versions of a pair.
type Together<'a> = (BTreeSet<&'a Instance>, BTreeSet<&'a Instance>);

impl Skews {
    /// Looks at what is heard. Whoever hears that an instance runs another version than before must do so at once, so that
    /// nothing counts as going on that was broken off.
    pub(crate) fn look(&mut self, fold: &Fold, heard: &Heartbeats, now: Millis) {
        if fold.skew.is_empty() {
            self.0.clear();
            return;
        }
        let seen = together(fold, heard, ALIVE, now);
        let told = &fold.skew.told;
        let mut others: BTreeSet<Pair> = seen.into_keys().filter(|pair| !told.contains_key(pair)).collect();
        // who is silent may be back; a replica that has just begun has not heard everybody
        if heard.is_settled(now) && !told.is_empty() {
            let still = together(fold, heard, GONE, now);
            others.extend(told.keys().filter(|pair| !still.contains_key(pair)).cloned());
        }
        self.0.retain(|pair, _| others.contains(pair));
        for pair in others {
            self.0.entry(pair).or_insert(heard.newest());
        }
    }

    /// What is to be said: which versions have run together for a while that do not, and which do so no more.
    pub(crate) fn sightings(&self, fold: &Fold, heard: &Heartbeats, now: Millis) -> Vec<Sighting> {
        let after = fold.settings.newest().drift_after_ms;
        let long = |since: Timestamp| heard.newest().since(since) >= after;
        let due: Vec<&Pair> =
            self.0.iter().filter(|(_, since)| long(**since)).map(|(pair, _)| pair).collect();
        if due.is_empty() {
            return Vec::new();
        }
        let seen = together(fold, heard, ALIVE, now);
        let sighting = |pair: &Pair| {
            let (kind, detail) = match seen.get(pair) {
                _ if fold.skew.told.contains_key(pair) => (SightingKind::Aligned, String::new()),
                Some(who) => (SightingKind::Skewed, names(pair, who)),
                None => return None,
            };
            let Pair { service, version, with, with_version } = pair.clone();
            let (service, version) = (Some(service), Some(version));
            let (with, with_version) = (Some(with), Some(with_version));
            Some(Sighting { kind, service, version, with, with_version, detail, ..Sighting::default() })
        };
        due.into_iter().filter_map(sighting).take(AT_ONCE).collect()
    }
}

fn names(pair: &Pair, (these, others): &Together<'_>) -> String {
    let named =
        |all: &BTreeSet<&Instance>| listed(&all.iter().map(ToString::to_string).collect::<Vec<_>>(), NAMED);
    if others.is_empty() {
        return format!("{} beside {}, as its last rollout left it", named(these), pair.with);
    }
    format!("{} beside {}", named(these), named(others))
}

/// The pairs that run together by the heartbeats of so long a time, against what a plan says.
fn together<'a>(
    fold: &'a Fold,
    heard: &'a Heartbeats,
    limit: Millis,
    now: Millis,
) -> BTreeMap<Pair, Together<'a>> {
    let mut found: BTreeMap<Pair, Together<'a>> = BTreeMap::new();
    for (service, claims) in &fold.skew.claims {
        let these = running(heard, service, limit);
        for claim in claims {
            let others = beside(fold, heard, claim, limit, now);
            for ((version, zone), instances) in
                these.iter().filter(|((version, _), _)| claim.is_about(version))
            {
                let meets = |there: Option<&Zone>| zone.is_none() || there.is_none() || *zone == there;
                for ((other, there), with) in &others {
                    let itself = service == &claim.with && version == other;
                    if itself || !meets(*there) || !claim.excludes(other) {
                        continue;
                    }
                    let pair = Pair {
                        service: service.clone(),
                        version: (*version).clone(),
                        with: claim.with.clone(),
                        with_version: (*other).clone(),
                    };
                    let who = found.entry(pair).or_default();
                    who.0.extend(instances);
                    who.1.extend(with);
                }
            }
        }
    }
    found
}

/// What runs of a service.
fn running<'a>(heard: &'a Heartbeats, service: &Service, limit: Millis) -> Running<'a> {
    let mut running = Running::new();
    for heartbeat in heard.within(service, limit) {
        if let Some(version) = &heartbeat.version {
            running.entry((version, heartbeat.zone.as_ref())).or_default().insert(&heartbeat.instance);
        }
    }
    running
}

/// What runs of the service that a claim names. A service that has no heartbeats, as one that a deploy tool speaks for, runs
/// what its last rollout left.
fn beside<'a>(
    fold: &'a Fold,
    heard: &'a Heartbeats,
    claim: &Claim,
    limit: Millis,
    now: Millis,
) -> Running<'a> {
    let silent = heard.is_settled(now) && heard.within(&claim.with, GONE).next().is_none();
    if !silent || fold.owner(&claim.with).is_some() {
        return running(heard, &claim.with, limit);
    }
    let Some(known) = fold.services.known.get(&claim.with) else { return Running::new() };
    let versions = known.left.iter().flat_map(|left| &left.versions);
    let mut running = Running::new();
    for version in versions {
        for zone in &known.zones {
            running.insert((version, Some(zone)), BTreeSet::new());
        }
        if known.zones.is_empty() {
            running.insert((version, None), BTreeSet::new());
        }
    }
    running
}
