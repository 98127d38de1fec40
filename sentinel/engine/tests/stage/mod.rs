//! One sentinel on a stage: its log, its time, and what it tells.

#![allow(dead_code, reason = "each test uses what it needs")]

use std::collections::BTreeMap;
use std::sync::Arc;

use pavane_choreography::Plan;
use pavane_events::{Body, Entry, EventId, EventType, ServiceRow, Timestamp};
use pavane_sentinel_engine::{
    Alert, AlertStatus, Counter, Effect, Engine, Input, RolloutView, Status, StepStatus,
};

use crate::floor::{Log, domain, heartbeat, rollout_id, word};

/// One sentinel beside a log that answers at once.
pub(crate) struct Stage {
    pub(crate) log: Log,
    pub(crate) engine: Engine,
    pub(crate) read: usize,
    pub(crate) alerts: Vec<Alert>,
    pub(crate) ended: Vec<Status>,
    /// How many events each sidecar says that the broker has acknowledged.
    pub(crate) acknowledged: i64,
    /// What the metrics answer, by query; nothing else has a value.
    pub(crate) metrics: BTreeMap<String, f64>,
    /// The table of services, as it was written.
    pub(crate) rows: BTreeMap<String, ServiceRow>,
    /// What was counted.
    pub(crate) counted: BTreeMap<Counter, usize>,
    /// One that takes the same inputs by the long way, where it is asked for: both must do the same.
    pub(crate) beside: Option<Engine>,
}

impl Stage {
    pub(crate) fn new(plan: &Plan) -> Self {
        let mut stage = Self::empty();
        stage.log.start("r1", plan);
        stage.settle();
        stage
    }

    /// A stage on which nothing has started.
    pub(crate) fn empty() -> Self {
        let mut stage = Self {
            log: Log::default(),
            engine: Engine::new(domain(), "s1".to_owned()),
            read: 0,
            alerts: Vec::new(),
            ended: Vec::new(),
            acknowledged: 0,
            metrics: BTreeMap::new(),
            rows: BTreeMap::new(),
            counted: BTreeMap::new(),
            beside: None,
        };
        stage.feed(Input::Speaks(true));
        stage.feed(Input::CaughtUp);
        stage
    }

    /// Sets another engine beside the first, which takes the long way.
    pub(crate) fn compare(&mut self) {
        let mut other = self.engine.clone();
        other.take_long_ways();
        self.beside = Some(other);
    }

    pub(crate) fn feed(&mut self, input: Input) {
        let other = self
            .beside
            .as_mut()
            .map(|other| (format!("{input:?}"), other.handle(self.log.time, input.clone())));
        let effects = self.engine.handle(self.log.time, input);
        if let (Some((input, long)), Some(other)) = (other, &self.beside) {
            assert_eq!(effects, long, "the short way and the long way do the same: {input}");
            assert!(self.engine.snapshot() == other.snapshot(), "and what is folded is the same: {input}");
        }
        self.carry_out(effects);
    }

    pub(crate) fn carry_out(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Append(draft) => {
                    self.log.draft("s1", Arc::unwrap_or_clone(draft));
                }
                Effect::Raise(alert) => self.alerts.push(*alert),
                Effect::Ended(ended) => self.ended.push(ended.status),
                Effect::Measure { query } => {
                    let value = self.metrics.get(&query).copied().ok_or_else(|| "no data".to_owned());
                    self.feed(Input::Measured { query, value });
                }
                Effect::Count(what) => *self.counted.entry(what).or_default() += 1,
                Effect::Remember(row) => drop(self.rows.insert(row.service.to_string(), *row)),
                Effect::DeadLetter { .. } | Effect::Blind { .. } | Effect::Sighted { .. } => {}
            }
        }
    }

    /// Reads to the end of the log.
    pub(crate) fn settle(&mut self) {
        while self.feed_next() {}
    }

    /// Reads one entry; false at the end.
    pub(crate) fn feed_next(&mut self) -> bool {
        let entry = self.log.entries.get(self.read).cloned();
        self.read += usize::from(entry.is_some());
        let read = entry.map(|entry| self.feed(Input::Read(entry)));
        read.is_some()
    }

    /// Lets time go by, with a heartbeat of each of these instances every second.
    pub(crate) fn wait(&mut self, ms: i64, alive: &[&str]) {
        let end = self.log.time + ms;
        while self.log.time < end {
            let next = (self.log.time / 1_000 + 1) * 1_000;
            let due = self.engine.next_deadline().unwrap_or(end).max(self.log.time + 1);
            self.log.time = next.min(due).min(end);
            if self.log.time % 1_000 == 0 {
                for instance in alive {
                    let at = Timestamp(self.log.time);
                    let mut heartbeat = heartbeat(instance, "hook");
                    heartbeat.acknowledged = self.acknowledged;
                    self.feed(Input::Heartbeat { heartbeat, offset: 0, at });
                }
            }
            self.feed(Input::Tick);
            self.settle();
        }
    }

    /// Lets time go by until the sentinel writes, and does not read it.
    pub(crate) fn wait_for_a_record(&mut self, alive: &[&str]) {
        while self.read == self.log.entries.len() {
            self.log.time += 500;
            for instance in alive {
                let (heartbeat, at) = (heartbeat(instance, "hook"), Timestamp(self.log.time));
                self.feed(Input::Heartbeat { heartbeat, offset: 0, at });
            }
            self.feed(Input::Tick);
        }
    }

    pub(crate) fn says(&mut self, instance: &str, body: Body) {
        self.log.says("r1", instance, "2.0.0", body);
        self.settle();
    }

    /// What an instance says as the event of this number in its boot.
    pub(crate) fn numbered(&mut self, instance: &str, number: i64, body: Body) {
        self.of_boot(instance, "b", number, body);
    }

    /// What an instance says as the event of this number in this boot.
    pub(crate) fn of_boot(&mut self, instance: &str, boot: &str, number: i64, body: Body) {
        let id = EventId::new(format!("{instance}/{boot}/{number}")).expect("a name");
        let mut event = word("r1", instance, "2.0.0", id, body);
        event.envelope.boot = Some(boot.to_owned());
        event.envelope.sequence = Some(number);
        self.log.append(event);
        self.settle();
    }

    pub(crate) fn person(&mut self, body: Body) {
        self.log.person("r1", body);
        self.settle();
    }

    pub(crate) fn view(&self) -> RolloutView {
        self.engine.rollout(&rollout_id("r1")).expect("it has started")
    }

    pub(crate) fn step(&self, i: usize) -> StepStatus {
        self.view().steps[i].state
    }

    pub(crate) fn said(&self, event: EventType) -> Vec<&Body> {
        let bodies = self.log.entries.iter().filter_map(|entry| match entry {
            Entry::Event(record) => Some(&record.event.body),
            Entry::Unreadable(_) => None,
        });
        bodies.filter(|body| body.event_type() == event).collect()
    }

    /// The names of the alerts that burn, in order.
    pub(crate) fn burning(&self) -> Vec<String> {
        let mut burning = BTreeMap::new();
        for alert in &self.alerts {
            match alert.status {
                AlertStatus::Firing => drop(burning.insert(&alert.id, alert.labels["alertname"].clone())),
                AlertStatus::Resolved => drop(burning.remove(&alert.id)),
            }
        }
        let mut names: Vec<String> = burning.into_values().collect();
        names.sort();
        names
    }

    /// The alert of this name that was told last.
    pub(crate) fn alert(&self, name: &str) -> &Alert {
        let named = |alert: &&Alert| alert.labels["alertname"] == name;
        self.alerts.iter().rev().find(named).unwrap_or_else(|| panic!("no {name} was told"))
    }

    /// The codes of what was refused.
    pub(crate) fn refusals(&self) -> Vec<String> {
        let code = |body: &Body| {
            if let Body::CommandRefused(said) = body { Some(said.code.clone()) } else { None }
        };
        self.said(EventType::CommandRefused).into_iter().filter_map(code).collect()
    }

    pub(crate) fn verdicts(&self) -> Vec<String> {
        let view = self.view();
        let show = |v: &pavane_sentinel_engine::VerdictView| {
            let text = |text: &Option<String>| text.clone().unwrap_or_default();
            format!("{} {} {}", v.kind, text(&v.step), text(&v.cause)).trim_end().to_owned()
        };
        view.verdicts.iter().map(show).collect()
    }
}
