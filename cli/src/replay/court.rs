//! The sentinel's engine, reading a log again, and what it says of each record: the verdicts, with their offsets.
//!
//! Nothing here knows a clock: the same records are the same verdicts, to the byte.

use std::collections::BTreeSet;

use pavane_events::control::Proposed;
use pavane_events::{
    Body, Domain, Entry, EventType, Millis, Record, RolloutId, Speaker, Timestamp, identity,
};
use pavane_sentinel_engine::diagnosis::lasting;
use pavane_sentinel_engine::{Alert, AlertStatus, Counter, Effect, Ended, Engine, Input, View};
use serde::Serialize;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::picture::plain;

/// One thing that the log decides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Told {
    /// The offset of the record that decides it.
    pub offset: i64,
    /// When the broker appended that.
    pub at: Timestamp,
    /// `started`, `ordered`, `accepted`, `void`, `said`, `unfounded`, `withdrawn`, `refused`, `ended`, `alert`, `resolved`,
    /// `duplicate` or `unreadable`.
    pub what: &'static str,
    /// The event that is proposed, said or ordered, or the name of the alert.
    pub event: String,
    /// The rollout.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rollout: Option<RolloutId>,
    /// The step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// The cause.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// The deadline that has passed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Timestamp>,
    /// In words.
    pub text: String,
}

/// What was read and found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// How many records were read.
    pub records: u64,
    /// How many nobody can read.
    pub unreadable: u64,
    /// How many had been read before, and changed nothing.
    pub duplicates: u64,
    /// How many proposals the log accepted.
    pub accepted: u64,
    /// How many it voided.
    pub void: u64,
    /// How many rollouts ended.
    pub ended: u64,
    /// How many verdicts were said that the log did not accept.
    pub unfounded: u64,
}

/// The engine, and what it was asked.
#[derive(Debug)]
pub struct Court {
    engine: Engine,
    accepted: BTreeSet<i64>,
    summary: Summary,
    /// The offset up to which nobody can say what was accepted.
    unseen: i64,
}

impl Court {
    /// A court that has read nothing. Where the log does not begin at 0, what was decided before is not known.
    pub fn new(domain: &Domain, begins: i64) -> Self {
        let engine = Engine::new(domain.clone(), "replay".to_owned());
        let unseen = if begins <= 0 { -1 } else { i64::MAX };
        Self { engine, accepted: BTreeSet::new(), summary: Summary::default(), unseen }
    }

    /// A court that goes on from a snapshot. What is known up to its place is known from it.
    pub fn resumed(engine: Engine) -> Self {
        let unseen = engine.position();
        Self { engine, accepted: BTreeSet::new(), summary: Summary::default(), unseen }
    }

    /// The offset of the record that was judged last, here or by whoever wrote the snapshot; -1 before the first.
    pub fn position(&self) -> i64 {
        self.engine.position()
    }

    /// Reads the next record, and says what it decides.
    pub fn read(&mut self, entry: &Entry) -> Result<Vec<Told>, Failure> {
        Ok(self.judge(0, entry)?.0)
    }

    /// Reads the next record at a moment of the engine's own time: what it decides, and what the engine orders.
    pub fn judge(&mut self, now: Millis, entry: &Entry) -> Result<(Vec<Told>, Vec<Effect>), Failure> {
        self.summary.records += 1;
        let effects = self.engine.handle(now, Input::Read(entry.clone()));
        let duplicate = effects.iter().any(|effect| matches!(effect, Effect::Count(Counter::Duplicate)));
        let mut told = Vec::new();
        match entry {
            Entry::Event(_) if duplicate => self.summary.duplicates += 1,
            Entry::Event(record) => told.extend(self.spoken(record, &effects)),
            Entry::Unreadable(unreadable) => {
                self.summary.unreadable += 1;
                let event = unreadable.event_type.as_deref().and_then(EventType::from_full);
                let event = event.map_or("a record", EventType::as_str).to_owned();
                let why = unreadable.reason.as_str().replace('_', " ");
                let text = format!("cannot be read: {why}: {}", unreadable.detail);
                let mut line = line(entry, "unreadable", event, text);
                line.rollout.clone_from(&unreadable.rollout);
                told.push(line);
            }
        }
        for effect in &effects {
            told.extend(self.followed(entry, effect)?);
        }
        Ok((told, effects))
    }

    /// Hands something over that is no record.
    pub(super) fn hand(&mut self, now: Millis, input: Input) -> Vec<Effect> {
        self.engine.handle(now, input)
    }

    /// When the engine wants to look again, in its own time.
    pub(super) fn next_deadline(&self) -> Option<Millis> {
        self.engine.next_deadline()
    }

    /// How many rollouts are open.
    pub(super) fn open(&self) -> usize {
        self.engine.open_rollouts()
    }

    /// How the domain stands.
    pub fn view(&self) -> View {
        self.engine.view()
    }

    /// What was read and found.
    pub const fn summary(&self) -> &Summary {
        &self.summary
    }

    /// What the record itself says, where that is a decision.
    fn spoken(&mut self, record: &Record, effects: &[Effect]) -> Option<Told> {
        let body = &record.event.body;
        let envelope = &record.event.envelope;
        if let Body::Proposed(proposed) = body {
            return Some(self.judged(record, proposed, effects));
        }
        let event = body.event_type();
        let ours = envelope.source == identity::sentinel_source(&envelope.domain);
        let what = match event.speaker() {
            Speaker::Service | Speaker::Control => return None,
            Speaker::Command | Speaker::Verdict if event == EventType::CommandRefused => "refused",
            Speaker::Command if event == EventType::RolloutStarted => "started",
            Speaker::Command if !ours => "ordered",
            Speaker::Command | Speaker::Verdict => self.is_founded(body),
        };
        let mut told = of_record(record, what, event.as_str().to_owned(), words(body));
        told.step = step(body);
        if let Body::RolloutStalled(said) = body {
            told.cause = Some(said.cause.as_str().to_owned());
            told.deadline = said.deadline;
        }
        Some(told)
    }

    /// A proposal, as the log judged it where it stands.
    fn judged(&mut self, record: &Record, proposed: &Proposed, effects: &[Effect]) -> Told {
        let accepts = |effect: &Effect| matches!(effect, Effect::Count(Counter::ProposalAccepted(_)));
        let accepted = effects.iter().any(accepts);
        if accepted {
            self.summary.accepted += 1;
            self.accepted.insert(record.offset);
        } else {
            self.summary.void += 1;
        }
        let what = if accepted { "accepted" } else { "void" };
        // a stall's own cause may differ from what the proposer saw
        let verdict = |effect: &Effect| {
            if let Effect::Count(Counter::Verdict(_, cause)) = effect {
                Some((*cause).to_owned())
            } else {
                None
            }
        };
        let verdict = effects.iter().find_map(verdict);
        let about = proposed.step.as_ref().map(|step| format!(" of step {step}"));
        let about = about.or_else(|| proposed.phase.as_ref().map(|phase| format!(" of phase {phase}")));
        let text = format!("attempt {}{}", proposed.attempt, about.unwrap_or_default());
        let mut told = of_record(record, what, proposed.kind.as_str().to_owned(), text);
        told.step = proposed.step.as_ref().map(ToString::to_string);
        told.deadline = proposed.deadline;
        told.cause = verdict;
        told
    }

    /// Whether the log accepted what is said. Of what was accepted before the court began nobody can say.
    fn is_founded(&mut self, body: &Body) -> &'static str {
        let known = |offset: i64| offset <= self.unseen || self.accepted.contains(&offset);
        if accepted(body).is_none_or(known) {
            return "said";
        }
        self.summary.unfounded += 1;
        "unfounded"
    }

    /// What follows from a record.
    fn followed(&mut self, entry: &Entry, effect: &Effect) -> Result<Option<Told>, Failure> {
        Ok(match effect {
            Effect::Raise(alert) => Some(raised(entry, alert)),
            Effect::Ended(ended) => {
                self.summary.ended += 1;
                Some(over(entry, ended))
            }
            Effect::Count(Counter::Withdrawn(event)) => {
                let text = "what was decided lost its ground before it was said".to_owned();
                Some(line(entry, "withdrawn", (*event).to_owned(), text))
            }
            Effect::Blind { cause, .. } if cause.lasts() => {
                let what = format!(
                    "cannot judge this log from offset {} on: {}",
                    entry.offset(),
                    cause.as_str().replace('_', " ")
                );
                return Err(Failure::new(Exit::Invalid, what).help("a newer pavane wrote it; use one as new"));
            }
            Effect::Append(_)
            | Effect::DeadLetter { .. }
            | Effect::Blind { .. }
            | Effect::Sighted { .. }
            | Effect::Measure { .. }
            | Effect::Remember(_)
            | Effect::Count(_) => None,
        })
    }
}

impl Told {
    /// The line that a person reads.
    pub fn to_text(&self) -> String {
        let rollout = self.rollout.as_ref().map_or("-", |rollout| rollout.as_str());
        let cause =
            self.cause.as_ref().map_or(String::new(), |cause| format!(" ({})", cause.replace('_', " ")));
        let text = format!(
            "{:>8}  {}  {:<10}  {rollout}  {}{cause}: {}",
            self.offset,
            utc(self.at),
            self.what,
            self.event,
            self.text
        );
        plain(&text).trim_end().trim_end_matches(':').to_owned()
    }
}

/// A moment of the broker's time in UTC, to the millisecond.
pub(crate) fn utc(at: Timestamp) -> String {
    match jiff::Timestamp::from_millisecond(at.0) {
        Ok(moment) => moment.strftime("%Y-%m-%d %H:%M:%S%.3fZ").to_string(),
        Err(_) => format!("{} ms", at.0),
    }
}

fn line(entry: &Entry, what: &'static str, event: String, text: String) -> Told {
    let rollout = match entry {
        Entry::Event(record) => record.event.envelope.rollout.clone(),
        Entry::Unreadable(unreadable) => unreadable.rollout.clone(),
    };
    let (offset, at) = (entry.offset(), entry.at());
    Told { offset, at, what, event, rollout, step: None, cause: None, deadline: None, text }
}

fn of_record(record: &Record, what: &'static str, event: String, text: String) -> Told {
    let rollout = record.event.envelope.rollout.clone();
    let (offset, at) = (record.offset, record.at);
    Told { offset, at, what, event, rollout, step: None, cause: None, deadline: None, text }
}

fn raised(entry: &Entry, alert: &Alert) -> Told {
    let label = |key: &str| alert.labels.get(key).cloned();
    let what = match alert.status {
        AlertStatus::Firing => "alert",
        AlertStatus::Resolved => "resolved",
    };
    let severity = label("severity").unwrap_or_default();
    let owner = label("owner").unwrap_or_default();
    let summary = alert.annotations.get("summary").map_or("", String::as_str);
    let text = format!("{severity} to {owner}: {summary}");
    let mut told = line(entry, what, label("alertname").unwrap_or_default(), text);
    told.rollout = label("rollout").and_then(|rollout| RolloutId::new(rollout).ok());
    told.step = label("step");
    told.cause = label("cause");
    told.deadline = alert.deadline;
    told
}

fn over(entry: &Entry, ended: &Ended) -> Told {
    let text = format!("{} after {}", ended.choreography, lasting(ended.ended.since(ended.started)));
    let mut told = line(entry, "ended", ended.status.as_str().to_owned(), text);
    told.rollout = Some(ended.rollout.clone());
    told
}

/// The offset at which a sentinel says that a decision was accepted.
fn accepted(body: &Body) -> Option<i64> {
    if let Body::RolloutStalled(body) = body {
        return Some(body.accepted);
    }
    if let Body::SequenceViolated(body) = body {
        return Some(body.accepted);
    }
    if let Body::RollbackRequested(body) = body {
        return body.accepted;
    }
    if let Body::PhaseBegun(body) = body {
        return body.accepted;
    }
    if let Body::RolloutPaused(body) = body {
        return body.accepted;
    }
    if let Body::RolloutCompleted(body) = body {
        return Some(body.accepted);
    }
    if let Body::RolloutRolledBack(body) = body {
        return Some(body.accepted);
    }
    if let Body::RolloutPartial(body) = body {
        return Some(body.accepted);
    }
    None
}

fn step(body: &Body) -> Option<String> {
    if let Body::RolloutStalled(body) = body {
        return Some(body.step.to_string());
    }
    if let Body::SequenceViolated(body) = body {
        return Some(body.step.to_string());
    }
    if let Body::RollbackRequested(body) = body {
        return body.step.as_ref().map(ToString::to_string);
    }
    if let Body::StepOverridden(body) = body {
        return Some(body.step.to_string());
    }
    None
}

/// What a decision says beside its name.
fn words(body: &Body) -> String {
    if let Body::RolloutStarted(body) = body {
        return format!("{} (plan {})", body.choreography, body.plan_digest.get(..12).unwrap_or_default());
    }
    if let Body::RolloutStalled(body) = body {
        return format!("step {}: {} is missing, accepted at {}", body.step, body.missing, body.accepted);
    }
    if let Body::CommandRefused(body) = body {
        return format!("the {} at offset {} ({}): {}", body.event, body.cites, body.code, body.reason);
    }
    if let Body::RollbackRequested(body) = body {
        let whom = body.service.as_ref().map_or("everyone who moved", |service| service.as_str());
        return format!("{whom}, by {}: {}", body.by, body.reason);
    }
    if let Body::RolloutPartial(body) = body {
        return format!("{}, accepted at {}", body.failed.join("; "), body.accepted);
    }
    accepted(body).map_or_else(String::new, |offset| format!("accepted at {offset}"))
}
