//! What is the domain's and no rollout's, as it is written: what was configured, what its brakes look at, what is known of
//! its services.

use std::collections::{BTreeMap, BTreeSet};

use pavane_events::control::DomainConfigured;
use pavane_events::{EventId, Instance, KnownGood, Left, RolloutId, Service, Timestamp, Version, Zone};
use serde::{Deserialize, Serialize};

use crate::brakes::{Asked, Brakes};
use crate::drift::Drifting;
use crate::effect::{Alert, AlertStatus};
use crate::fold::Fold;
use crate::known::{Known, Services};
use crate::schedule::{Missed, Schedule, Schedules};
use crate::settings::Settings;
use crate::skew::Skew;

use super::skew;
use super::written::{Line, Number, Point};

/// What people were told and is not over: of a hold in force, or of versions that run together.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Hold {
    id: EventId,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
    starts_at: Timestamp,
}

impl Hold {
    /// What was told, without what such an alert does not have.
    pub(super) fn of(alert: &Alert) -> Self {
        let Alert { id, status: _, labels, annotations, since: _, deadline: _, starts_at, ends_at: _ } =
            alert.clone();
        Self { id, labels, annotations, starts_at }
    }

    /// The alert, which burns.
    pub(super) fn alert(self) -> Alert {
        let Self { id, labels, annotations, starts_at } = self;
        let (status, since, deadline, ends_at) = (AlertStatus::Firing, None, None, None);
        Alert { id, status, labels, annotations, since, deadline, starts_at, ends_at }
    }
}

/// One of these.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Own {
    #[serde(skip_serializing_if = "Option::is_none")]
    configured: Option<Configured>,
    /// Where automatic rollbacks were accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    rollbacks: Option<Vec<Point>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    asked_back: Option<AskedBack>,
    #[serde(skip_serializing_if = "Option::is_none")]
    known: Option<KnownService>,
    #[serde(skip_serializing_if = "Option::is_none")]
    drifting: Option<Drifts>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scheduled: Option<Scheduled>,
    #[serde(skip_serializing_if = "Option::is_none")]
    claim: Option<skew::Claimed>,
    #[serde(skip_serializing_if = "Option::is_none")]
    skewed: Option<skew::Told>,
}

/// What holds from an offset on.
#[derive(Debug, Serialize, Deserialize)]
struct Configured {
    offset: Number,
    said: DomainConfigured,
}

/// That a service was asked back.
#[derive(Debug, Serialize, Deserialize)]
struct AskedBack {
    service: Service,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    target: Option<Version>,
    at: Point,
}

/// What is known of a service.
#[derive(Debug, Serialize, Deserialize)]
struct KnownService {
    service: Service,
    #[serde(default)]
    known_good: Vec<KnownGood>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    left: Option<Left>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    zones: BTreeSet<Zone>,
    #[serde(default)]
    owner: String,
}

/// An instance that runs another version than was left.
#[derive(Debug, Serialize, Deserialize)]
struct Drifts {
    service: Service,
    instance: Instance,
    version: Version,
    offset: Number,
    raw: Timestamp,
}

/// By when a choreography is to start again.
#[derive(Debug, Serialize, Deserialize)]
struct Scheduled {
    choreography: String,
    every: Number,
    owner: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    runbook: Option<String>,
    rollout: RolloutId,
    offset: Number,
    raw: Timestamp,
    from: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    missed: Option<(Timestamp, Number)>,
}

impl Scheduled {
    fn of(name: &str, schedule: &Schedule) -> Self {
        let Schedule { every, owner, runbook, rollout, offset, raw, from, missed } = schedule.clone();
        Self {
            choreography: name.to_owned(),
            every: Number::of(every),
            owner,
            runbook,
            rollout,
            offset: Number::of(offset),
            raw,
            from,
            missed: missed.map(|missed| (missed.raw, Number::of(missed.offset))),
        }
    }

    /// The schedule, and the name of its choreography.
    fn read(self) -> (String, Schedule) {
        let Self { choreography, every, owner, runbook, rollout, offset, raw, from, missed } = self;
        let missed = missed.map(|(raw, offset)| Missed { offset: offset.get(), raw });
        let (every, offset) = (every.get(), offset.get());
        (choreography, Schedule { every, owner, runbook, rollout, offset, raw, from, missed })
    }
}

/// The lines of what is the domain's.
pub(super) fn lines(
    settings: &Settings,
    brakes: &Brakes,
    services: &Services,
    drifting: &BTreeMap<(Service, Instance), Drifting>,
    skew: &Skew,
    schedules: &Schedules,
) -> Vec<Line> {
    let Brakes { accepted, asked } = brakes;
    let configured = settings.configured.iter().map(|(offset, said)| {
        let configured = Configured { offset: Number::of(*offset), said: said.clone() };
        Own { configured: Some(configured), ..Own::default() }
    });
    let rollbacks: Vec<Point> = accepted.iter().map(|mark| Point::from(*mark)).collect();
    let rollbacks = Some(rollbacks).filter(|rollbacks| !rollbacks.is_empty());
    let rollbacks = rollbacks.map(|rollbacks| Own { rollbacks: Some(rollbacks), ..Own::default() });
    let asked = asked.iter().flat_map(|(service, all)| all.iter().map(move |asked| (service, asked)));
    let asked = asked.map(|(service, asked)| {
        let Asked { target, mark } = asked.clone();
        let asked_back = AskedBack { service: service.clone(), target, at: mark.into() };
        Own { asked_back: Some(asked_back), ..Own::default() }
    });
    let Services { known, changed: _ } = services;
    let known = known.iter().map(|(service, known)| {
        let Known { good: known_good, left, zones, owner } = known.clone();
        let known = KnownService { service: service.clone(), known_good, left, zones, owner };
        Own { known: Some(known), ..Own::default() }
    });
    let drifting = drifting.iter().map(|((service, instance), drifting)| {
        let Drifting { version, offset, raw } = drifting.clone();
        let (service, instance, offset) = (service.clone(), instance.clone(), Number::of(offset));
        Own { drifting: Some(Drifts { service, instance, version, offset, raw }), ..Own::default() }
    });
    let again = schedules
        .iter()
        .map(|(name, schedule)| Own { scheduled: Some(Scheduled::of(name, schedule)), ..Own::default() });
    let all = configured.chain(rollbacks).chain(asked).chain(known).chain(drifting).chain(again);
    let claims = skew::claims(skew).map(|claim| Own { claim: Some(claim), ..Own::default() });
    let skewed = skew::told(skew).map(|told| Own { skewed: Some(told), ..Own::default() });
    let all = all.chain(claims).chain(skewed);
    all.map(|own| Line { own: Some(Box::new(own)), ..Line::default() }).collect()
}

/// Takes a line of what is the domain's.
pub(super) fn take(fold: &mut Fold, written: Own) {
    let Own { configured, rollbacks, asked_back, known, drifting, scheduled, claim, skewed } = written;
    if let Some(Configured { offset, said }) = configured {
        fold.settings.configure(offset.get(), said, i64::MIN);
    }
    for point in rollbacks.into_iter().flatten() {
        fold.brakes.note(point.into());
    }
    if let Some(AskedBack { service, target, at }) = asked_back {
        fold.brakes.ask(&service, target.as_ref(), at.into());
    }
    if let Some(KnownService { service, known_good, left, zones, owner }) = known {
        fold.services.known.insert(service, Known { good: known_good, left, zones, owner });
    }
    if let Some(Drifts { service, instance, version, offset, raw }) = drifting {
        let drifting = Drifting { version, offset: offset.get(), raw };
        fold.drifting.insert((service, instance), drifting);
    }
    if let Some((name, schedule)) = scheduled.map(Scheduled::read) {
        fold.schedules.put(&name, Some(schedule));
    }
    skew::take(&mut fold.skew, claim, skewed);
}
