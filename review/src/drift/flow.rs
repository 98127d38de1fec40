//! What a log holds, folded record by record: who said what, by which schemas, with which fields, and moved by whom.

use std::collections::{BTreeMap, BTreeSet};

use pavane_choreography::{Expect, Plan};
use pavane_events::{Body, Entry, EventId, Service, Speaker, Unreadable};
use serde_json::Value;

use super::Declared;

/// The longest text that is remembered to see whether a field ever holds another; whatever is longer counts as filled.
const LONGEST: usize = 64;
/// How many ids are remembered to find who was moved by whom. Who answers later than so many events is not found.
const IDS: usize = 1_000_000;

/// A log as far as it was read.
#[derive(Clone, Debug, Default)]
pub struct Flow {
    /// The log as it is named to the reader: a file, or a topic with its partition.
    pub log: String,
    /// How many records were read.
    pub records: u64,
    /// How many records were moved by one that was not read: it stands before the range.
    pub unknown_causes: u64,
    pub(super) said: BTreeMap<Expect, Said>,
    pub(super) ways: BTreeMap<(Expect, Service), Way>,
    pub(super) strange: BTreeMap<(String, Option<Service>), Way>,
    plans: BTreeMap<String, Plan>,
    ids: BTreeMap<EventId, Option<Expect>>,
    order: std::collections::VecDeque<EventId>,
}

/// What is known of a record beside what it says.
#[derive(Clone, Copy, Debug, Default)]
pub struct Told<'a> {
    /// The line of the file, from 1; 1 for a log.
    pub line: u32,
    /// The fingerprint of the schema that it was written by.
    pub fingerprint: Option<&'a str>,
    /// All its fields, those of the service's own form too; none where only the event's own are known.
    pub fields: Option<&'a Value>,
}

/// How often something was seen, and where first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Way {
    /// How often.
    pub times: u64,
    /// The first offset.
    pub offset: i64,
    /// The line of the file that it stands in, from 1.
    pub line: u32,
}

/// An event of a service as it was said.
#[derive(Clone, Debug, Default)]
pub(super) struct Said {
    pub(super) seen: Way,
    pub(super) schemas: BTreeMap<String, Way>,
    pub(super) fields: BTreeMap<String, Values>,
}

/// What a field has held.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Values {
    /// This and nothing else.
    One(Value),
    /// Several values, or one that is clearly its own.
    Many,
}

impl Flow {
    /// A log of which nothing was read yet.
    pub fn new(log: impl Into<String>) -> Self {
        Self { log: log.into(), ..Self::default() }
    }

    /// Takes the next record. `declared` knows the services that every rollout has anew.
    pub fn read(&mut self, entry: &Entry, told: Told<'_>, declared: &Declared) {
        self.records += 1;
        let record = match entry {
            Entry::Event(record) => record,
            Entry::Unreadable(found) => return self.strange(found, told.line),
        };
        if let Body::RolloutStarted(started) = &record.event.body
            && let Ok(plan) = Plan::from_json(&started.plan)
        {
            self.plans.insert(started.plan_digest.clone(), plan);
        }
        let envelope = &record.event.envelope;
        let event = record.event.body.event_type();
        let rollout = envelope.rollout.as_ref().map(pavane_events::RolloutId::as_str);
        let service = envelope.service.as_ref().filter(|_| event.speaker() == Speaker::Service);
        let expect = service.map(|one| Expect { service: declared.named(one, rollout), event });
        if let Some(expect) = &expect {
            self.said.entry(expect.clone()).or_default().take(record.offset, told, &record.event.body);
            match envelope.causation.as_ref().map(|id| self.ids.get(id)) {
                Some(Some(Some(cause))) if cause.service != expect.service => {
                    let way = (cause.clone(), expect.service.clone());
                    self.ways.entry(way).or_default().note(record.offset, told.line);
                }
                Some(None) => self.unknown_causes += 1,
                Some(Some(_)) | None => {}
            }
        }
        self.remember(envelope.id.clone(), expect);
    }

    /// The plans that the rollouts on the log carry, each once.
    pub fn plans(&self) -> impl Iterator<Item = &Plan> {
        self.plans.values()
    }

    /// Who moved on whose word: the event, the service that it moved, and how often.
    pub fn ways(&self) -> impl Iterator<Item = (&Expect, &Service, &Way)> {
        self.ways.iter().map(|((event, to), way)| (event, to, way))
    }

    /// The services that said anything.
    pub fn services(&self) -> BTreeSet<&Service> {
        self.said.keys().map(|expect| &expect.service).collect()
    }

    fn remember(&mut self, id: EventId, said: Option<Expect>) {
        if self.ids.insert(id.clone(), said).is_none() {
            self.order.push_back(id);
        }
        if self.order.len() > IDS
            && let Some(oldest) = self.order.pop_front()
        {
            self.ids.remove(&oldest);
        }
    }

    /// A record that is no event of the vocabulary: its type, and who seems to have said it.
    fn strange(&mut self, found: &Unreadable, line: u32) {
        let name = found.event_type.clone().unwrap_or_else(|| found.reason.as_str().to_owned());
        self.strange.entry((name, found.service.clone())).or_default().note(found.offset, line);
    }
}

impl Way {
    fn note(&mut self, offset: i64, line: u32) {
        if self.times == 0 {
            (self.offset, self.line) = (offset, line);
        }
        self.times += 1;
    }
}

impl Said {
    fn take(&mut self, offset: i64, told: Told<'_>, body: &Body) {
        self.seen.note(offset, told.line);
        if let Some(fingerprint) = told.fingerprint {
            self.schemas.entry(fingerprint.to_owned()).or_default().note(offset, told.line);
        }
        let own = if told.fields.is_none() { serde_json::to_value(body).ok() } else { None };
        let fields = told.fields.or(own.as_ref()).and_then(Value::as_object);
        for (name, value) in fields.into_iter().flatten() {
            match self.fields.get_mut(name) {
                Some(Values::Many) => {}
                Some(known) if *known == Values::One(value.clone()) => {}
                Some(known) => *known = Values::Many,
                None => drop(self.fields.insert(name.clone(), Values::of(value))),
            }
        }
    }
}

impl Values {
    fn of(value: &Value) -> Self {
        let is_long = match value {
            Value::String(text) => text.len() > LONGEST,
            Value::Array(items) => !items.is_empty(),
            Value::Object(fields) => !fields.is_empty(),
            Value::Null | Value::Bool(_) | Value::Number(_) => false,
        };
        if is_long { Self::Many } else { Self::One(value.clone()) }
    }

    /// Whether the field has never held anything but nothing, or its default.
    pub(super) fn is_never_filled(&self, default: Option<&Value>) -> bool {
        match self {
            Self::Many => false,
            Self::One(Value::Null) => true,
            Self::One(Value::String(text)) if text.is_empty() => true,
            Self::One(Value::Array(items)) if items.is_empty() => true,
            Self::One(value) => default == Some(value),
        }
    }
}
