//! The state of a domain as a sidecar folds it from the log: rollouts, who owns a service, holds.

use std::collections::{BTreeSet, VecDeque};

use pavane_choreography::{Expect, Plan};
use pavane_events::identity::{sentinel_source, sha256_hex};
use pavane_events::{Body, Domain, EventId, Record, RolloutId, Service, Source, Speaker, Timestamp};

use crate::effect::Notice;
use crate::rollout::{Rollout, Status};
use crate::settings::Settings;

/// How many events are kept for rollouts that have not started, and for how long.
const EARLY: usize = 1_000;
const EARLY_FOR: i64 = 600_000;
/// How many ended rollouts are remembered, for late rollbacks.
const ENDED: usize = 256;
/// How many identities of the domain's own commands are remembered.
const IDENTITIES: usize = 1_000;
/// The version of the rules by which this program takes part.
const RULES: i64 = 1;

/// The state of a domain.
#[derive(Debug)]
pub(crate) struct Fold {
    /// In the order of their start.
    pub(crate) rollouts: Vec<Rollout>,
    pub(crate) position: i64,
    pub(crate) own: Source,
    pub(crate) service: Service,
    pub(crate) sentinel: Source,
    pub(crate) watched: BTreeSet<Expect>,
    held: Option<i64>,
    early: VecDeque<Record>,
    seen: VecDeque<(Source, EventId)>,
    time: Timestamp,
}

impl Fold {
    pub(crate) fn new(settings: &Settings) -> Self {
        let watched = settings.reactions.iter().flat_map(|reaction| reaction.on.events()).cloned();
        let domain: &Domain = &settings.domain;
        Self {
            rollouts: Vec::new(),
            position: -1,
            own: settings.source(),
            service: settings.service.clone(),
            sentinel: sentinel_source(domain),
            watched: watched.collect(),
            held: None,
            early: VecDeque::new(),
            seen: VecDeque::new(),
            time: Timestamp(i64::MIN),
        }
    }

    /// The rollout with this id.
    pub(crate) fn find(&self, id: &RolloutId) -> Option<&Rollout> {
        self.rollouts.iter().find(|rollout| rollout.id == *id)
    }

    /// The open rollout that owns the own service.
    pub(crate) fn owner(&self) -> Option<&Rollout> {
        self.rollouts.iter().find(|rollout| rollout.status.is_open() && rollout.touches(&self.service))
    }

    /// Whether nothing may begin under this rollout: it is paused, or the domain is held.
    pub(crate) const fn is_stopped(&self, rollout: &Rollout) -> bool {
        self.held.is_some() || rollout.paused
    }

    /// Where a restarted sidecar must begin to read to come to the same state: the oldest thing still in force.
    pub(crate) fn resume_from(&self) -> i64 {
        let open = self.rollouts.iter().filter(|rollout| rollout.status.is_open());
        let latest = self.rollouts.iter().rfind(|rollout| rollout.touches(&self.service));
        let latest = latest.filter(|rollout| rollout.status == Status::Completed);
        let starts = open.chain(latest).map(|rollout| rollout.started.offset);
        let early = self.early.iter().map(|record| record.offset);
        starts.chain(early).chain(self.held).min().unwrap_or(self.position + 1)
    }

    /// Takes the next record.
    pub(crate) fn apply(&mut self, record: &Record) -> Option<Notice> {
        self.time = self.time.max(record.at);
        let body = &record.event.body;
        if matches!(body, Body::RolloutStarted(_)) {
            return self.start(record);
        }
        if matches!(body, Body::DomainHeld(_) | Body::DomainReleased(_)) {
            return self.hold(record, matches!(body, Body::DomainHeld(_)));
        }
        let rollout = record.event.envelope.rollout.as_ref()?;
        match (body.event_type().speaker(), self.find(rollout).is_some()) {
            (Speaker::Service | Speaker::Command | Speaker::Verdict, true) => self.of_rollout(record),
            (Speaker::Service, false) => self.keep_early(record.clone()),
            (Speaker::Command | Speaker::Verdict, false) | (Speaker::Control, _) => None,
        }
    }

    fn hold(&mut self, record: &Record, held: bool) -> Option<Notice> {
        let identity = (record.event.envelope.source.clone(), record.event.envelope.id.clone());
        if self.seen.contains(&identity) {
            return Some(duplicate(record));
        }
        self.seen.push_back(identity);
        if self.seen.len() > IDENTITIES {
            self.seen.pop_front();
        }
        if held {
            self.held = self.held.or(Some(record.offset));
            for rollout in self.rollouts.iter_mut().filter(|rollout| rollout.status.is_open()) {
                rollout.note_stop(record.offset);
            }
        } else {
            self.held = None;
        }
        None
    }

    fn keep_early(&mut self, record: Record) -> Option<Notice> {
        let old = self.time.plus(-EARLY_FOR);
        while self.early.front().is_some_and(|first| first.at < old) {
            self.early.pop_front();
        }
        let full = self.early.len() >= EARLY;
        let dropped = if full { self.early.pop_front() } else { None };
        self.early.push_back(record);
        dropped.map(|first| notice(&first, "early_dropped", format!("{EARLY} early events are kept at most")))
    }

    fn start(&mut self, record: &Record) -> Option<Notice> {
        let envelope = &record.event.envelope;
        let Some(id) = envelope.rollout.clone() else {
            return Some(notice(record, "rollout_ignored", "it names no rollout".to_owned()));
        };
        if let Some(known) = self.rollouts.iter_mut().find(|rollout| rollout.id == id) {
            let again = !known.is_new(record);
            let why = format!("a rollout {id} has started already");
            return Some(if again { duplicate(record) } else { notice(record, "rollout_ignored", why) });
        }
        let plan = match self.admit(record) {
            Ok(plan) => plan,
            Err(why) => return Some(notice(record, "rollout_ignored", format!("rollout {id}: {why}"))),
        };
        let mut rollout = Rollout::new(id.clone(), plan, record.clone());
        rollout.is_new(record);
        self.forget_ended();
        self.rollouts.push(rollout);
        let kept = std::mem::take(&mut self.early);
        let is_own = |early: &Record| early.event.envelope.rollout.as_ref() == Some(&id);
        let (own, others): (VecDeque<_>, VecDeque<_>) = kept.into_iter().partition(is_own);
        self.early = others;
        for early in &own {
            self.of_rollout(early);
        }
        None
    }

    /// The first rollout owns its services; one that cannot be understood is nobody's.
    fn admit(&self, record: &Record) -> Result<Plan, String> {
        let Body::RolloutStarted(started) = &record.event.body else { return Err("not a start".to_owned()) };
        if started.rules > RULES {
            return Err(format!("it is judged by rules {}, this program knows {RULES}", started.rules));
        }
        let own = sha256_hex(&started.plan);
        if own != started.plan_digest {
            return Err(format!("the plan's digest is {own}, not {}", started.plan_digest));
        }
        let plan =
            Plan::from_json(&started.plan).map_err(|error| format!("the plan cannot be read: {error}"))?;
        plan.check().map_err(|error| format!("the plan cannot be followed: {error}"))?;
        let open = || self.rollouts.iter().filter(|rollout| rollout.status.is_open());
        let taken = plan.steps.iter().map(|step| &step.expect.service).find_map(|service| {
            open().find(|rollout| rollout.touches(service)).map(|owner| (service, &owner.id))
        });
        match taken {
            Some((service, owner)) => Err(format!("{service} takes part in rollout {owner}")),
            None => Ok(plan),
        }
    }

    fn forget_ended(&mut self) {
        let ended = self.rollouts.iter().filter(|rollout| !rollout.status.is_open()).count();
        let oldest = self.rollouts.iter().position(|rollout| !rollout.status.is_open());
        if let Some(oldest) = oldest.filter(|_| ended >= ENDED) {
            self.rollouts.remove(oldest);
        }
    }
}

pub(crate) fn notice(record: &Record, kind: &'static str, detail: String) -> Notice {
    Notice { offset: record.offset, kind, detail }
}

pub(crate) fn duplicate(record: &Record) -> Notice {
    notice(record, "duplicate", format!("{} was read before", record.event.envelope.id))
}
