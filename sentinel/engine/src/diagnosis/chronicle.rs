//! What the log says of one rollout in so many words: who said what last, what was decided, what speaks for a cause.
//!
//! The fold keeps what verdicts need and no more. Whoever wants to tell the story reads the log along with it.

use std::collections::{BTreeMap, VecDeque};

use pavane_events::verdict::RolloutStalled;
use pavane_events::{
    Body, Entry, EventType, Instance, Record, RolloutId, Service, Speaker, StepId, Timestamp, Unreadable,
    identity,
};

use super::{Decision, Said, Seen, record};

/// How many decisions are kept; of more the newest.
const DECISIONS: usize = 500;
/// How many pieces of evidence are kept; of more the newest.
const EVIDENCE: usize = 500;
/// Of how many services it is kept what they said in other rollouts.
const SERVICES: usize = 10_000;

/// A piece of evidence, and whom it concerns.
#[derive(Clone, Debug)]
pub(super) struct Exhibit {
    /// The service whose event it is about.
    pub(super) about: Option<Service>,
    /// The service that said it.
    pub(super) by: Option<Service>,
    pub(super) seen: Seen,
}

/// A hold of the domain in force, or the last pause of the rollout.
#[derive(Clone, Debug)]
pub(super) struct Order {
    pub(super) by: String,
    pub(super) reason: String,
    pub(super) offset: i64,
    pub(super) at: Timestamp,
}

/// What the log says of one rollout.
#[derive(Clone, Debug)]
pub struct Chronicle {
    rollout: RolloutId,
    records: usize,
    last: BTreeMap<(Service, String), Said>,
    elsewhere: BTreeMap<Service, Said>,
    progress: BTreeMap<(Service, String), Said>,
    decisions: VecDeque<Decision>,
    exhibits: VecDeque<Exhibit>,
    stalls: BTreeMap<StepId, RolloutStalled>,
    uncertain: Vec<String>,
    pub(super) held: Option<Order>,
    pub(super) paused: Option<Order>,
    pub(super) newest: Option<(i64, Timestamp)>,
    pub(super) sentinel: Option<(i64, Timestamp)>,
    seen: Option<Said>,
}

impl Chronicle {
    /// A chronicle of this rollout that has read nothing.
    pub const fn of(rollout: RolloutId) -> Self {
        Self {
            rollout,
            records: 0,
            last: BTreeMap::new(),
            elsewhere: BTreeMap::new(),
            progress: BTreeMap::new(),
            decisions: VecDeque::new(),
            exhibits: VecDeque::new(),
            stalls: BTreeMap::new(),
            uncertain: Vec::new(),
            held: None,
            paused: None,
            newest: None,
            sentinel: None,
            seen: None,
        }
    }

    /// Reads the next entry of the domain's partition.
    pub fn read(&mut self, entry: &Entry) {
        self.newest = Some((entry.offset(), entry.at()));
        match entry {
            Entry::Unreadable(unreadable) => self.unreadable(unreadable),
            Entry::Event(record) => self.event(record),
        }
    }

    /// How many records name the rollout.
    pub const fn records(&self) -> usize {
        self.records
    }

    /// The last thing that was said under the rollout's id, by whomever.
    pub const fn seen(&self) -> Option<&Said> {
        self.seen.as_ref()
    }

    /// What was decided and ordered, in the order of the log.
    pub fn decisions(&self) -> impl DoubleEndedIterator<Item = &Decision> {
        self.decisions.iter()
    }

    /// The ids of what sidecars were uncertain of.
    pub(super) fn uncertain(&self) -> impl Iterator<Item = &str> {
        self.uncertain.iter().map(String::as_str)
    }

    /// The newest word of a service in this rollout.
    pub(super) fn last_of(&self, service: &str) -> Option<&Said> {
        of_service(&self.last, service).max_by_key(|said| said.offset)
    }

    /// The newest word of a service in any other rollout.
    pub(super) fn last_elsewhere(&self, service: &str) -> Option<&Said> {
        self.elsewhere.get(&Service::new(service).ok()?)
    }

    /// How far the instances of a service say they are.
    pub(super) fn progress_of(&self, service: &str) -> impl Iterator<Item = &Said> {
        of_service(&self.progress, service)
    }

    /// What was seen that concerns a service.
    pub(super) fn exhibits(&self) -> impl Iterator<Item = &Exhibit> {
        self.exhibits.iter()
    }

    /// The stall of a step as it was said last.
    pub(super) fn stall(&self, step: &str) -> Option<&RolloutStalled> {
        self.stalls.get(&StepId::new(step).ok()?)
    }

    fn event(&mut self, record: &Record) {
        let envelope = &record.event.envelope;
        if envelope.source == identity::sentinel_source(&envelope.domain) {
            self.sentinel = Some((record.offset, record.at));
        }
        if let Body::DomainHeld(body) = &record.event.body {
            let first = self.held.take();
            self.held = first.or_else(|| Some(order(record, &body.by, &body.reason)));
        } else if let Body::DomainReleased(_) = &record.event.body {
            self.held = None;
        }
        if envelope.rollout.as_ref() == Some(&self.rollout) {
            self.own(record);
        } else if record.event.body.event_type().speaker() == Speaker::Service
            && let Some(service) = &envelope.service
            && let Some(said) = record::said(record)
            && (self.elsewhere.len() < SERVICES || self.elsewhere.contains_key(service))
        {
            self.elsewhere.insert(service.clone(), said);
        }
    }

    /// A record of the rollout itself.
    fn own(&mut self, record: &Record) {
        self.records += 1;
        let event = record.event.body.event_type();
        let envelope = &record.event.envelope;
        if let Some(decision) = record::decision(record) {
            if self.decisions.len() >= DECISIONS {
                self.decisions.remove(1);
            }
            self.decisions.push_back(decision);
        }
        if let Body::RolloutPaused(body) = &record.event.body {
            self.paused = Some(order(record, &body.by, &body.reason));
        } else if let Body::RolloutResumed(_) = &record.event.body {
            self.paused = None;
        } else if let Body::RolloutStalled(body) = &record.event.body {
            self.stalls.insert(body.step.clone(), body.clone());
        } else if let Body::HookUncertain(_) = &record.event.body {
            self.uncertain.push(envelope.id.to_string());
        }
        let Some(said) = record::said(record) else { return };
        self.exhibit(record, event);
        if event.speaker() == Speaker::Service {
            self.seen = Some(said.clone());
            self.insert(record, said, |chronicle| &mut chronicle.last);
        } else if event == EventType::Progress {
            self.insert(record, said, |chronicle| &mut chronicle.progress);
        }
    }

    fn insert(
        &mut self,
        record: &Record,
        said: Said,
        map: fn(&mut Self) -> &mut BTreeMap<(Service, String), Said>,
    ) {
        if let Some(service) = &record.event.envelope.service {
            let instance = said.instance.clone().unwrap_or_default();
            map(self).insert((service.clone(), instance), said);
        }
    }

    /// Keeps what speaks for a cause.
    fn exhibit(&mut self, record: &Record, event: EventType) {
        let by = record.event.envelope.service.clone();
        let failed = [EventType::DeploymentFailed, EventType::RollbackFailed, EventType::RollbackRefused];
        let (kind, about) = if failed.contains(&event) {
            ("failure", by.clone())
        } else if let Body::EventRejected(body) = &record.event.body {
            ("rejection", body.producer.clone())
        } else if event == EventType::HookUncertain {
            ("uncertain", by.clone())
        } else {
            return;
        };
        let envelope = &record.event.envelope;
        let who = envelope.instance.as_ref().map(Instance::as_str);
        let who = who.or(by.as_ref().map(Service::as_str)).unwrap_or("somebody").to_owned();
        let text = format!("{who} said {event}: {}", record::detail(&record.event.body));
        let body = &record.event.body;
        let (output, exit_code) = (record::output(body), record::exit_code(body));
        let (schema_id, field) = record::differs(body);
        let offset = Some(record.offset);
        let seen = Seen { kind, offset, text, output, exit_code, schema_id, field, ..Seen::default() };
        self.keep(Exhibit { about, by, seen });
    }

    fn unreadable(&mut self, unreadable: &Unreadable) {
        if unreadable.rollout.as_ref() != Some(&self.rollout) {
            return;
        }
        self.records += 1;
        let text = record::unreadable(unreadable);
        let (offset, schema_id, field) =
            (Some(unreadable.offset), unreadable.schema_id, unreadable.field.clone());
        let seen = Seen { kind: "dead_letter", offset, text, schema_id, field, ..Seen::default() };
        let service = unreadable.service.clone();
        self.keep(Exhibit { about: service.clone(), by: service, seen });
    }

    fn keep(&mut self, exhibit: Exhibit) {
        if self.exhibits.len() >= EVIDENCE {
            self.exhibits.pop_front();
        }
        self.exhibits.push_back(exhibit);
    }
}

fn order(record: &Record, by: &str, reason: &str) -> Order {
    let by = if by.is_empty() { "somebody" } else { by }.to_owned();
    Order { by, reason: reason.to_owned(), offset: record.offset, at: record.at }
}

/// What the instances of one service said.
fn of_service<'a>(
    all: &'a BTreeMap<(Service, String), Said>,
    service: &str,
) -> impl Iterator<Item = &'a Said> + use<'a> {
    let name = Service::new(service).ok();
    let from = name.clone().map(|name| (name, String::new()));
    let all = from.map(|from| all.range(from..)).into_iter().flatten();
    all.take_while(move |((other, _), _)| Some(other) == name.as_ref()).map(|(_, said)| said)
}
