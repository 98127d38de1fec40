//! The state of a domain as a sidecar folds it from the log: rollouts, who owns a service, holds.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use pavane_choreography::Expect;
use pavane_events::control::ProposalKind;
use pavane_events::identity::sentinel_source;
use pavane_events::{
    Body, Domain, EventId, Record, RolloutId, Service, Source, Speaker, Timestamp, Unreadable, Zone,
};

use crate::effect::Notice;
use crate::queue::Refused;
use crate::rollout::{Rollout, Status};
use crate::score::Score;
use crate::settings::{Reaction, Settings};

/// How many identities of the domain's own commands are remembered.
const IDENTITIES: usize = 1_000;

/// The state of a domain.
#[derive(Debug)]
pub(crate) struct Fold {
    /// In the order of their start.
    pub(crate) rollouts: Vec<Rollout>,
    pub(crate) position: i64,
    pub(crate) own: Source,
    pub(crate) service: Service,
    pub(crate) zone: Option<Zone>,
    pub(crate) sentinel: Source,
    pub(crate) watched: BTreeSet<Expect>,
    pub(crate) early: VecDeque<Record>,
    /// The starts that met another rollout, in their order.
    pub(crate) refused: VecDeque<Refused>,
    pub(crate) time: Timestamp,
    /// Plans that were read before, by whoever made the engine.
    pub(crate) scores: Vec<Arc<Score>>,
    /// The reactions that do not let everything through.
    pub(crate) sieves: Vec<Reaction>,
    /// What their conditions could not judge.
    pub(crate) unjudged: Vec<Unreadable>,
    held: Option<i64>,
    seen: VecDeque<(Source, EventId)>,
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
            zone: settings.zone.clone(),
            sentinel: sentinel_source(domain),
            watched: watched.collect(),
            held: None,
            early: VecDeque::new(),
            refused: VecDeque::new(),
            seen: VecDeque::new(),
            time: Timestamp(i64::MIN),
            scores: Vec::new(),
            sieves: settings.reactions.iter().filter(|known| !known.sieve.is_open()).cloned().collect(),
            unjudged: Vec::new(),
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
        let awaits = |rollout: &&Rollout| rollout.status.is_open() || rollout.status == Status::Queued;
        let open = self.rollouts.iter().filter(awaits);
        let latest = self.rollouts.iter().rfind(|rollout| rollout.touches(&self.service));
        let latest = latest.filter(|rollout| rollout.status == Status::Completed);
        let starts = open.chain(latest).map(|rollout| rollout.since);
        let early = self.early.iter().map(|record| record.offset);
        let from = starts.chain(early).chain(self.held).min().unwrap_or(self.position + 1);
        // Who reads that a start was refused must know of whom it met.
        let refused = self.refused.iter().rev();
        refused
            .fold(from, |from, refused| if refused.offset >= from { from.min(refused.since) } else { from })
    }

    /// Takes the time of a record that says nothing to sidecars; false when it may say something.
    pub(crate) fn lets_pass(&mut self, record: &Record) -> bool {
        let passes = matches!(record.event.body, Body::Pulse(_));
        if passes {
            self.time = self.time.max(record.at);
            self.position = self.position.max(record.offset);
        }
        passes
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
        let counts =
            matches!(body, Body::Proposed(proposed) if proposed.kind == ProposalKind::InstancesCounted);
        match (body.event_type().speaker(), self.find(rollout).is_some()) {
            (Speaker::Service | Speaker::Command | Speaker::Verdict, true) => self.of_rollout(record),
            (Speaker::Control, true) if counts => self.of_rollout(record),
            (Speaker::Service, false) => self.keep_early(record.clone()),
            (Speaker::Command | Speaker::Verdict, false) | (Speaker::Control, _) => None,
        }
    }

    /// Whether no record of this identity was read before, among the domain's own commands and the starts; notes it.
    pub(crate) fn is_new(&mut self, record: &Record) -> bool {
        let identity = (record.event.envelope.source.clone(), record.event.envelope.id.clone());
        if self.seen.contains(&identity) {
            return false;
        }
        self.seen.push_back(identity);
        if self.seen.len() > IDENTITIES {
            self.seen.pop_front();
        }
        true
    }

    fn hold(&mut self, record: &Record, held: bool) -> Option<Notice> {
        if !self.is_new(record) {
            return Some(duplicate(record));
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
}

pub(crate) fn notice(record: &Record, kind: &'static str, detail: String) -> Notice {
    Notice { offset: record.offset, kind, detail }
}

pub(crate) fn duplicate(record: &Record) -> Notice {
    notice(record, "duplicate", format!("{} was read before", record.event.envelope.id))
}
