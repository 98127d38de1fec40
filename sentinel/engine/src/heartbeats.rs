//! Who is alive: the newest heartbeat of every instance. It says when to speak and why; what is accepted quotes it.

use std::collections::{BTreeMap, BTreeSet};

use pavane_events::{Cause, Evidence, EvidenceKind, Heartbeat, Instance, Millis, Service, Timestamp, Zone};

use crate::fold::Fold;
use crate::rollout::{Rollout, Status};
use crate::step::Saying;

/// An instance is alive when it was heard within this time of the deadline.
const ALIVE: Millis = 3_000;
/// An instance that was not heard for so long takes no part.
const GONE: Millis = 60_000;
/// How long after a heartbeat the log must have been read for a gap to be told.
const SETTLED: Millis = 1_000;

#[derive(Clone, Debug)]
struct Heard {
    heartbeat: Heartbeat,
    offset: i64,
    at: Timestamp,
}

/// The newest heartbeat of every instance.
#[derive(Debug, Default)]
pub(crate) struct Heartbeats {
    heard: BTreeMap<Service, BTreeMap<Instance, Heard>>,
    newest: Timestamp,
}

impl Heartbeats {
    pub(crate) fn hear(&mut self, heartbeat: Heartbeat, offset: i64, at: Timestamp) {
        self.newest = self.newest.max(at);
        let service = self.heard.entry(heartbeat.service.clone()).or_default();
        service.retain(|_, heard| at.since(heard.at) < GONE);
        service.insert(heartbeat.instance.clone(), Heard { heartbeat, offset, at });
    }

    /// The instances of a service, in a zone where one is given, that are alive by the newest heartbeat or record.
    pub(crate) fn alive(&self, service: &Service, zone: Option<&Zone>, raw: Timestamp) -> Vec<&Instance> {
        let now = self.newest.max(raw);
        let concerns = |heard: &Heard| zone.is_none() || heard.heartbeat.zone.as_ref() == zone;
        let alive = |heard: &Heard| concerns(heard) && now.since(heard.at) < ALIVE;
        let heard = self.heard.get(service).into_iter().flatten();
        heard.filter(|(_, heard)| alive(heard)).map(|(instance, _)| instance).collect()
    }

    /// What was seen of every instance that owes the step's event. `after` is the unadjusted time that a
    /// heartbeat is held against: the deadline for a stall, the stall for a rollback.
    pub(crate) fn evidence(
        &self,
        fold: &Fold,
        rollout: &Rollout,
        i: usize,
        after: Timestamp,
    ) -> Vec<Evidence> {
        let state = &rollout.steps[i];
        let service = &rollout.plan_step(i).expect.service;
        let heard = self.heard.get(service);
        let zone = rollout.plan_step(i).zone.as_ref();
        let concerns = |instance: &Instance, heard: &Heard| {
            let there = zone.is_none() || heard.heartbeat.zone.as_ref() == zone;
            there && (state.members.is_empty() || state.members.contains(instance))
        };
        let going_back = rollout.status == Status::RollingBack;
        let owing: BTreeSet<&Instance> = if going_back {
            state.moved().collect()
        } else {
            let heard = heard.into_iter().flatten().filter(|(instance, heard)| concerns(instance, heard));
            state.words.keys().chain(heard.map(|(instance, _)| instance)).collect()
        };
        let owes = |instance: &&Instance| match state.words.get(*instance) {
            _ if going_back => !state.answers.contains_key(*instance),
            Some(word) => word.saying != Saying::Awaited,
            None => true,
        };
        let look = |instance: &Instance| {
            let heard = heard.and_then(|heard| heard.get(instance));
            Self::look(fold, rollout, i, instance, heard, after)
        };
        let mut seen: Vec<Evidence> = owing.into_iter().filter(owes).map(look).collect();
        if seen.is_empty() {
            let detail = format!("no heartbeat of any instance of {service}");
            seen.push(Evidence {
                kind: EvidenceKind::Silence,
                cause: Cause::Unreachable,
                detail,
                ..Evidence::default()
            });
        }
        seen
    }

    fn look(
        fold: &Fold,
        rollout: &Rollout,
        i: usize,
        instance: &Instance,
        heard: Option<&Heard>,
        after: Timestamp,
    ) -> Evidence {
        let word = rollout.steps[i].words.get(instance);
        if let Some(word) =
            word.filter(|word| word.saying == Saying::Failed && rollout.status == Status::Open)
        {
            return Evidence {
                kind: EvidenceKind::Failure,
                cause: Cause::Failed,
                instance: Some(instance.clone()),
                version: word.version.clone(),
                offset: Some(word.offset),
                detail: format!("it said so itself: {}", word.detail),
                ..Evidence::default()
            };
        }
        let Some(heard) = heard.filter(|heard| heard.at.since(after) > -ALIVE) else {
            let last = heard.map_or("never heard".to_owned(), |heard| {
                format!("last heard {} ms before", after.since(heard.at))
            });
            return Evidence {
                kind: EvidenceKind::Silence,
                cause: Cause::Unreachable,
                instance: Some(instance.clone()),
                detail: last,
                ..Evidence::default()
            };
        };
        let heartbeat = &heard.heartbeat;
        let started = word.is_some();
        let (cause, what) = if heartbeat.outbox > 0 {
            (Cause::Undelivered, format!("alive, {} event(s) wait in its outbox", heartbeat.outbox))
        } else if gap(fold, rollout, i, heard) {
            (
                Cause::Gap,
                format!("alive, says that the broker acknowledged its event {}", heartbeat.acknowledged),
            )
        } else if started {
            (Cause::NotFinished, "alive, and not done".to_owned())
        } else {
            (Cause::NotStarted, "alive, and has not begun".to_owned())
        };
        Evidence {
            kind: EvidenceKind::Heartbeat,
            cause,
            instance: Some(instance.clone()),
            version: heartbeat.version.clone(),
            phase: heartbeat.phase.clone(),
            offset: Some(heard.offset),
            at: Some(heard.at),
            outbox: heartbeat.outbox,
            value: String::new(),
            detail: what,
        }
    }
}

/// Whether the sidecar says that the broker holds an event which the log, read well past that moment, does not.
fn gap(fold: &Fold, rollout: &Rollout, i: usize, heard: &Heard) -> bool {
    let heartbeat = &heard.heartbeat;
    let service = &rollout.plan_step(i).expect.service;
    let path = format!("/pavane/{}/{service}/{}", fold.domain, heartbeat.instance);
    let last = pavane_events::Source::new(path).ok().and_then(|source| fold.sequences.get(&source));
    let held = last.filter(|(boot, _)| *boot == heartbeat.boot).map_or(0, |(_, sequence)| *sequence);
    heartbeat.acknowledged > held && fold.clock.raw().since(heard.at) > SETTLED
}
