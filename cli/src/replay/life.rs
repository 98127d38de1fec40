//! Who was alive when, as far as a log tells. Heartbeats are not on it: a record is a sign of life, and verdicts quote
//! what was heard or not.

use std::collections::BTreeMap;

use pavane_choreography::Plan;
use pavane_events::control::Proposed;
use pavane_events::{
    Body, Cause, Domain, Entry, Evidence, EvidenceKind, Heartbeat, Instance, Millis, Record, RolloutId,
    Service, Speaker, StepId, Timestamp, Version, Zone,
};

/// How long before it was heard a heartbeat is taken to hold, in milliseconds.
const SOON: Millis = 5_000;

/// The instances that a log knows, and their signs of life.
#[derive(Debug, Default)]
pub(super) struct Lives {
    known: BTreeMap<(Service, Instance), Life>,
    /// Which service a step is of.
    steps: BTreeMap<(RolloutId, StepId), Service>,
    /// The values of metrics that verdicts quote, in order.
    metrics: Vec<(Timestamp, f64)>,
}

#[derive(Debug, Default)]
struct Life {
    zone: Option<Zone>,
    signs: Vec<Sign>,
}

/// What a log says of an instance at a moment.
#[derive(Clone, Debug, Default)]
struct Sign {
    at: Timestamp,
    is_silent: bool,
    is_quoted: bool,
    boot: Option<String>,
    sequence: i64,
    version: Option<Version>,
    phase: String,
    outbox: i64,
    is_gap: bool,
}

impl Lives {
    /// Takes the next record.
    pub(super) fn read(&mut self, entry: &Entry) {
        let Entry::Event(record) = entry else { return };
        if let Body::RolloutStarted(started) = &record.event.body {
            self.learn(record, &started.plan);
        } else if let Body::Proposed(proposed) = &record.event.body {
            self.quoted(record, proposed);
        } else if record.event.body.event_type().speaker() == Speaker::Service {
            self.spoken(record);
        }
    }

    /// What the sidecars would have said at a moment, as far as the log tells.
    pub(super) fn heartbeats(&self, domain: &Domain, now: Timestamp) -> Vec<Heartbeat> {
        let said = |((service, instance), life): (&(Service, Instance), &Life)| {
            life.at(now).map(|(sign, number)| Heartbeat {
                domain: domain.clone(),
                service: service.clone(),
                instance: instance.clone(),
                zone: life.zone.clone(),
                boot: sign.boot.clone().unwrap_or_else(|| "unknown".to_owned()),
                version: sign.version.clone(),
                phase: sign.phase.clone(),
                rollout: None,
                acknowledged: number + i64::from(sign.is_gap),
                outbox: sign.outbox,
                position: i64::MAX,
            })
        };
        self.known.iter().filter_map(said).collect()
    }

    /// The value of a metric that was quoted last before a moment, else the first one after it.
    pub(super) fn metric(&self, now: Timestamp) -> Option<f64> {
        let before = self.metrics.iter().rev().find(|(at, _)| *at <= now);
        before.or_else(|| self.metrics.first()).map(|(_, value)| *value)
    }

    fn learn(&mut self, record: &Record, plan: &str) {
        let Some(rollout) = &record.event.envelope.rollout else { return };
        let Ok(plan) = Plan::from_json(plan) else { return };
        for step in &plan.steps {
            if let Ok(service) = step.service(rollout) {
                self.steps.insert((rollout.clone(), step.id.clone()), service.into_owned());
            }
        }
    }

    fn spoken(&mut self, record: &Record) {
        let envelope = &record.event.envelope;
        let (Some(service), Some(instance)) = (&envelope.service, &envelope.instance) else { return };
        let life = self.known.entry((service.clone(), instance.clone())).or_default();
        life.zone = envelope.zone.clone().or_else(|| life.zone.take());
        life.put(Sign {
            at: record.at,
            boot: envelope.boot.clone(),
            sequence: envelope.sequence.unwrap_or(0),
            version: envelope.version.clone(),
            ..Sign::default()
        });
    }

    /// What a verdict quotes of the instances that owe it something.
    fn quoted(&mut self, record: &Record, proposed: &Proposed) {
        for seen in &proposed.evidence {
            if seen.kind == EvidenceKind::Metric
                && let Ok(value) = seen.value.parse::<f64>()
            {
                self.metrics.push((record.at, value));
            }
            self.heard(record, proposed, seen);
        }
    }

    fn heard(&mut self, record: &Record, proposed: &Proposed, seen: &Evidence) {
        if !matches!(seen.kind, EvidenceKind::Heartbeat | EvidenceKind::Silence) {
            return;
        }
        let place = record.event.envelope.rollout.clone().zip(proposed.step.clone());
        let service = place.and_then(|place| self.steps.get(&place).cloned());
        let (Some(service), Some(instance)) = (service, &seen.instance) else { return };
        let life = self.known.entry((service, instance.clone())).or_default();
        let is_silent = seen.kind == EvidenceKind::Silence;
        let boot = life.signs.last().and_then(|sign| sign.boot.clone());
        life.put(Sign {
            at: if is_silent { record.at } else { seen.at.unwrap_or(record.at) },
            is_silent,
            is_quoted: true,
            boot,
            sequence: 0,
            version: seen.version.clone(),
            phase: seen.phase.clone(),
            outbox: seen.outbox,
            is_gap: seen.cause == Cause::Gap,
        });
    }
}

impl Life {
    fn put(&mut self, sign: Sign) {
        let place = self.signs.partition_point(|other| other.at <= sign.at);
        self.signs.insert(place, sign);
    }

    /// The sign that holds at a moment and the highest number read until then; none while it is taken for silent: from
    /// its last sign of life before a verdict that quotes its silence to the next one after it.
    fn at(&self, now: Timestamp) -> Option<(&Sign, i64)> {
        let before = self.signs.iter().rev().find(|sign| sign.at <= now);
        let after = self.signs.iter().find(|sign| sign.at > now);
        if before.is_some_and(|sign| sign.is_silent) || after.is_some_and(|sign| sign.is_silent) {
            return None;
        }
        // what a verdict quotes a moment later was so already
        let soon = after.filter(|sign| sign.is_quoted && sign.at.since(now) <= SOON);
        let sign = soon.or(before).or(after)?;
        let boot = &sign.boot;
        let read = self.signs.iter().take_while(|other| other.at <= now && before.is_some());
        let number = read.filter(|other| other.boot == *boot).map(|other| other.sequence).max();
        Some((sign, number.unwrap_or(0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_quoted_as_silent_is_so_between_its_signs_of_life() {
        let sign = |at: i64, is_silent| Sign { at: Timestamp(at), is_silent, ..Sign::default() };
        let life = Life { zone: None, signs: vec![sign(10, false), sign(50, true), sign(90, false)] };
        let alive: Vec<i64> =
            (0..=10).map(|tens| tens * 10).filter(|at| life.at(Timestamp(*at)).is_some()).collect();
        assert_eq!(alive, [0, 90, 100]);
    }

    #[test]
    fn whoever_was_never_quoted_as_silent_is_taken_for_alive() {
        let sign = Sign { at: Timestamp(10), sequence: 4, boot: Some("b".into()), ..Sign::default() };
        let life = Life { zone: None, signs: vec![sign] };
        assert_eq!(
            life.at(Timestamp(5)).map(|(_, number)| number),
            Some(0),
            "it has not said its fourth yet"
        );
        assert_eq!(life.at(Timestamp(99)).map(|(_, number)| number), Some(4));
    }
}
