//! Drift: an instance that runs another version than the last rollout of its service left.
//!
//! What runs is heard in heartbeats, which are no part of the log, so the replica that speaks says in its pulse what it
//! sees; every replica folds that, tells the same, and still knows it after a restart. It is no verdict, and nothing
//! follows from it. It is damped: never while a rollout has the service, and only when every heartbeat of an instance has
//! said so for a while.

use std::collections::BTreeMap;

use pavane_events::control::{Sighting, SightingKind};
use pavane_events::identity::sha256_hex;
use pavane_events::{EventId, Heartbeat, Instance, Record, Service, Timestamp, Version};

use crate::alert::outlook;
use crate::diagnosis::words::page_of;
use crate::effect::{Alert, AlertStatus, Effect};
use crate::fold::Fold;
use crate::heartbeats::{ALIVE, Heartbeats};

/// How many instances may drift at the same time and be told.
const TOLD: usize = 1_000;
/// How many are told by one pulse.
const AT_ONCE: usize = 64;

/// An instance of a service.
type Who = (Service, Instance);

/// An instance that drifts, as the log says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Drifting {
    /// What it runs.
    pub(crate) version: Version,
    /// Where it was said.
    pub(crate) offset: i64,
    /// When, unadjusted.
    pub(crate) raw: Timestamp,
}

/// The instances that a replica hears to run another version, told or not.
#[derive(Clone, Debug, Default)]
pub(crate) struct Drifts(BTreeMap<Who, Other>);

#[derive(Clone, Debug)]
struct Other {
    version: Version,
    /// The ending that left what is expected.
    left: i64,
    /// Since when every heartbeat has said so.
    since: Timestamp,
    last: Timestamp,
}

impl Drifts {
    /// Takes a heartbeat.
    pub(crate) fn hear(&mut self, fold: &Fold, heartbeat: &Heartbeat, at: Timestamp) {
        let deviates = fold.deviates(heartbeat);
        if deviates.is_none() && self.0.is_empty() {
            return;
        }
        let who = (heartbeat.service.clone(), heartbeat.instance.clone());
        let Some((version, left)) = deviates else {
            self.0.remove(&who);
            return;
        };
        let same = |other: &&mut Other| other.version == *version && other.left == left;
        match self.0.get_mut(&who).filter(same) {
            Some(other) => other.last = at,
            None => drop(self.0.insert(who, Other { version: version.clone(), left, since: at, last: at })),
        }
    }

    /// What is to be said: who drifts and was not told, and who does no more.
    pub(crate) fn sightings(&self, fold: &Fold, heard: &Heartbeats, now: i64) -> Vec<Sighting> {
        let after = fold.settings.newest().drift_after_ms;
        let newest = heard.newest();
        let told = |who: &Who, other: &Other| {
            fold.drifting.get(who).is_some_and(|drifting| drifting.version == other.version)
        };
        let long = |other: &Other| other.last.since(other.since) >= after && newest.since(other.last) < ALIVE;
        let drifted = self.0.iter().filter(|(who, other)| long(other) && !told(who, other));
        let drifted = drifted.map(|((service, instance), other)| Sighting {
            kind: SightingKind::Drifted,
            service: Some(service.clone()),
            instance: Some(instance.clone()),
            version: Some(other.version.clone()),
            cites: Some(other.left),
            ..Sighting::default()
        });
        let back = fold.drifting.keys().filter_map(|who| {
            let (service, instance) = who;
            let detail = match heard.of(service, instance) {
                Some(heartbeat) if fold.agrees(heartbeat) => "it runs what was left",
                None if heard.is_settled(now) => "it is gone",
                Some(_) | None => return None,
            };
            let (service, instance) = (Some(service.clone()), Some(instance.clone()));
            let (kind, detail) = (SightingKind::Reconciled, detail.to_owned());
            Some(Sighting { kind, service, instance, detail, ..Sighting::default() })
        });
        drifted.chain(back).take(AT_ONCE).collect()
    }
}

impl Fold {
    /// The version that a heartbeat reports, and the ending that left another, if it did.
    fn deviates<'a>(&self, heartbeat: &'a Heartbeat) -> Option<(&'a Version, i64)> {
        let known = self.services.known.get(&heartbeat.service)?;
        let (left, version) = (known.left.as_ref()?, heartbeat.version.as_ref()?);
        let there =
            known.zones.is_empty() || heartbeat.zone.as_ref().is_some_and(|z| known.zones.contains(z));
        let other = there && !left.versions.contains(version) && self.owner(&heartbeat.service).is_none();
        other.then_some((version, left.offset))
    }

    fn agrees(&self, heartbeat: &Heartbeat) -> bool {
        let left = self.services.known.get(&heartbeat.service).and_then(|known| known.left.as_ref());
        let version = heartbeat.version.as_ref();
        left.zip(version).is_some_and(|(left, version)| left.versions.contains(version))
    }

    /// The sentinel that speaks sees an instance drift, or no more.
    pub(crate) fn drift(&mut self, record: &Record, seen: &Sighting, out: &mut Vec<Effect>) {
        let Some(who) = seen.service.clone().zip(seen.instance.clone()) else { return };
        if seen.kind == SightingKind::Reconciled {
            self.reconciled(&who, out);
            return;
        }
        let left = self.services.known.get(&who.0).and_then(|known| known.left.as_ref());
        let (Some(left), Some(version)) = (left, &seen.version) else { return };
        let holds = Some(left.offset) == seen.cites && !left.versions.contains(version);
        let known = self.drifting.get(&who).is_some_and(|drifting| drifting.version == *version);
        if !holds || known || self.owner(&who.0).is_some() || self.drifting.len() >= TOLD {
            return;
        }
        self.reconciled(&who, out);
        let drifting = Drifting { version: version.clone(), offset: record.offset, raw: record.at };
        out.push(Effect::Raise(Box::new(self.drift_alert(&who, &drifting))));
        self.drifting.insert(who, drifting);
    }

    /// A rollout takes its services over: what their instances run is its matter.
    pub(crate) fn settle_drift(&mut self, n: u64, out: &mut Vec<Effect>) {
        if self.drifting.is_empty() {
            return;
        }
        let Some(rollout) = self.rollouts.get(n) else { return };
        let taken = |who: &&Who| rollout.touches(&who.0);
        for who in self.drifting.keys().filter(taken).cloned().collect::<Vec<_>>() {
            self.reconciled(&who, out);
        }
    }

    fn reconciled(&mut self, who: &Who, out: &mut Vec<Effect>) {
        if let Some(drifting) = self.drifting.remove(who) {
            out.push(Effect::Raise(Box::new(self.drift_alert(who, &drifting).over(self.clock.raw()))));
        }
    }

    fn drift_alert(&self, (service, instance): &Who, drifting: &Drifting) -> Alert {
        let known = self.services.known.get(service);
        let left = known.and_then(|known| known.left.as_ref());
        let versions: Vec<&str> = left.iter().flat_map(|left| &left.versions).map(Version::as_str).collect();
        let (versions, rollout) = (versions.join(" or "), left.map_or("?", |left| left.rollout.as_str()));
        let labels = [
            ("alertname", "VersionDrift"),
            ("domain", self.domain.as_str()),
            ("service", service.as_str()),
            ("instance", instance.as_str()),
            ("rollout", rollout),
            ("cause", "conflict"),
            ("severity", "ticket"),
            ("owner", known.map_or("", |known| &known.owner)),
        ];
        let story = format!("{} {service} {instance} {}", self.domain, drifting.offset);
        let mut alert = Alert {
            id: EventId::new(format!("drift-{}", sha256_hex(&story))).expect("70 characters of a name"),
            status: AlertStatus::Firing,
            labels: labels.map(|(key, text)| (key.to_owned(), text.to_owned())).into(),
            annotations: BTreeMap::new(),
            since: None,
            deadline: None,
            starts_at: drifting.raw,
            ends_at: None,
        };
        let version = &drifting.version;
        alert.say("summary", format!("{instance} of {service} runs {version}; {rollout} left {versions}"));
        alert.say(
            "description",
            format!(
                "Every heartbeat of {instance} says that it runs {version}, and no rollout of {service} is open. The \
                 last one, {rollout}, left {versions}. The sentinel does nothing about it."
            ),
        );
        let next = format!("bring {instance} to {versions}, or roll {version} out");
        let owner = known.map_or("", |known| &known.owner).to_owned();
        for (key, text) in [
            ("next_step", next),
            ("outlook", outlook::drifting(service, &versions)),
            ("culprit", service.to_string()),
            ("culprit_owner", owner),
            ("page", page_of("VersionDrift", "conflict")),
            ("offsets", drifting.offset.to_string()),
        ] {
            alert.say(key, text);
        }
        alert
    }
}
