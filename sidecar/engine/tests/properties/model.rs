//! The dumb model: scans the whole log for what is in force when a hook begins.

#![expect(clippy::wildcard_enum_match_arm, reason = "the dumb model looks at what matters to it alone")]

use std::collections::BTreeMap;

use pavane_events::command::PhaseBegun;
use pavane_events::{Body, Entry, EventType, Record};
use pavane_sidecar_engine::Call;

use crate::shape::Shape;

/// The instance that plays.
const OWN: &str = "user-service-0";

/// Nothing that stands on the log forbids a hook; `again` when an attempt that goes on is asked for its end.
pub(crate) fn nothing_stands_against(shape: Shape, log: &[Entry], call: &Call, again: bool) {
    let (mut held, mut paused, mut over, mut announced) = (false, false, false, None);
    for record in records(log) {
        let own = is_of(record, call.rollout.as_str());
        // A rollout that waits takes no such word; that it has begun is certain where it announced itself.
        let certain = own && (!shape.queue || announced.is_some());
        match &record.event.body {
            Body::DomainHeld(_) => held = true,
            Body::DomainReleased(_) => held = false,
            Body::RolloutPaused(_) if certain => paused = true,
            Body::RolloutResumed(_) if own => paused = false,
            Body::RolloutAborted(_) if own => over = true,
            Body::RollbackRequested(body) if certain && body.accepted.is_none() && body.service.is_none() => {
                over |= call.reaction != "RollbackRequested";
            }
            Body::DeploymentStarted(_) | Body::RollbackInitiated(_)
                if record.event.envelope.id.as_str() == call.run =>
            {
                announced = Some(record.offset);
            }
            _ => {}
        }
    }
    let Some(announced) = announced else { panic!("the announcement does not stand on the log") };
    if again {
        return;
    }
    assert!(!(held || paused || over), "held {held}, paused {paused}, over {over}");
    if call.reaction == "RollbackRequested" {
        return;
    }
    assert!(!shape.queue || others_ended(log, call.rollout.as_str()), "it is not its turn");
    let plan = shape.plan();
    let step = plan.step(call.step.as_ref().expect("a step")).expect("of the plan");
    if let Some(place) = plan.phase_of(&step.id) {
        let phase = plan.phases[place].id.as_str();
        let lets_move = |body: &&PhaseBegun| {
            let all = body.cohort.is_empty() && plan.phases[place].cohort.is_none();
            all || body.cohort.iter().any(|member| member.instance.as_str() == OWN)
        };
        let mut words = begun(log, call.rollout.as_str(), phase);
        assert!(words.any(|body| lets_move(&body)), "{phase} has not begun for it");
    }
    if let Some(most) = step.max_parallel
        && call.attempt == 1
    {
        let moving = moving(log, call.rollout.as_str());
        let before = moving.into_iter().filter(|(who, at)| who != OWN && *at < announced);
        assert!(before.count() < most as usize, "too many move at the same time");
    }
}

/// The words with which a phase of a rollout began, as far as nothing took their ground before they were said.
pub(crate) fn begun<'a>(
    log: &'a [Entry],
    rollout: &'a str,
    phase: &'a str,
) -> impl Iterator<Item = &'a PhaseBegun> {
    records(log).filter(move |record| is_of(record, rollout)).filter_map(move |record| {
        let Body::PhaseBegun(body) = &record.event.body else { return None };
        let accepted = body.accepted.filter(|_| body.phase.as_str() == phase)?;
        let mut between =
            records(log).filter(|other| accepted < other.offset && other.offset < record.offset);
        let taken = between.any(|other| match &other.event.body {
            Body::DomainHeld(_) => true,
            Body::RolloutPaused(_) | Body::RolloutAborted(_) | Body::StepOverridden(_) => {
                is_of(other, rollout)
            }
            _ => false,
        });
        (!taken).then_some(body)
    })
}

/// Whether a service has said that it is ready in a rollout.
pub(crate) fn has_said(log: &[Entry], rollout: &str, service: &str) -> bool {
    records(log).any(|record| {
        let by = record.event.envelope.service.as_ref().map_or("", |service| service.as_str());
        record.event.body.event_type() == EventType::Ready && is_of(record, rollout) && by == service
    })
}

/// Whether another rollout started before this one.
pub(crate) fn started_before(log: &[Entry], rollout: &str) -> bool {
    let started = records(log).find(|record| matches!(record.event.body, Body::RolloutStarted(_)));
    started.is_some_and(|record| !is_of(record, rollout))
}

/// Whether an entry asks the service to go back.
pub(crate) fn asks_back(entry: &Entry) -> bool {
    let Entry::Event(record) = entry else { return false };
    matches!(&record.event.body, Body::RollbackRequested(body) if body.service.is_some())
}

/// Whether every rollout that started before this one has been said to be over.
fn others_ended(log: &[Entry], rollout: &str) -> bool {
    let starts = records(log).filter(|record| matches!(record.event.body, Body::RolloutStarted(_)));
    let mut before = starts.take_while(|record| !is_of(record, rollout));
    before.all(|start| {
        let id = start.event.envelope.rollout.as_ref().expect("a rollout").as_str();
        records(log).any(|record| {
            use EventType::{RolloutAborted, RolloutCompleted, RolloutPartial, RolloutRolledBack};
            let event = record.event.body.event_type();
            is_of(record, id)
                && [RolloutAborted, RolloutCompleted, RolloutPartial, RolloutRolledBack].contains(&event)
        })
    })
}

/// The instances of the service between their announcement and its end, and where they announced themselves.
fn moving(log: &[Entry], rollout: &str) -> BTreeMap<String, i64> {
    let mut moving = BTreeMap::new();
    for record in records(log).filter(|record| is_of(record, rollout)) {
        let envelope = &record.event.envelope;
        let (Some(service), Some(instance)) = (&envelope.service, &envelope.instance) else { continue };
        if service.as_str() != "user-service" {
            continue;
        }
        match record.event.body {
            Body::DeploymentStarted(_) => {
                moving.entry(instance.to_string()).or_insert(record.offset);
            }
            Body::DeploymentComplete(_)
            | Body::DeploymentFailed(_)
            | Body::Drained(_)
            | Body::RollbackComplete(_) => {
                moving.remove(instance.as_str());
            }
            _ => {}
        }
    }
    moving
}

fn records(log: &[Entry]) -> impl Iterator<Item = &Record> {
    log.iter().filter_map(|entry| match entry {
        Entry::Event(record) => Some(record),
        Entry::Unreadable(_) => None,
    })
}

fn is_of(record: &Record, rollout: &str) -> bool {
    record.event.envelope.rollout.as_ref().is_some_and(|id| id.as_str() == rollout)
}
