//! What every released version of the rules has decided stays decided: a log and a snapshot of each lie in `tests/data`,
//! and this program gives the verdicts that were given then. `tests/data/README.md` says how the next version is added.

#![expect(clippy::disallowed_methods, reason = "what was decided lies in files")]

mod floor;
mod stage;
mod troupe;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::PathBuf;

use floor::domain;
use pavane_events::vocabulary::Decode;
use pavane_events::{
    Body, Entry, Envelope, Event, EventId, EventType, Instance, Record, RolloutId, Service, Source,
    Timestamp, Unreadable, UnreadableReason, Version,
};
use pavane_sentinel_engine::{Counter, Effect, Engine, Input, RULES};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What people are told since, and decides nothing: a log of before says it as well.
const TOLD_SINCE: [&str; 3] = ["RolloutPaused", "DomainHeld", "RolloutRefused"];

/// What a fold keeps for the words of alerts alone: a snapshot of before may hold less of it.
const TOLD_WITH: [&str; 12] = [
    "labels",
    "annotations",
    "detail",
    "taint",
    "taint_schema",
    "taint_field",
    "producer",
    "schema_id",
    "field",
    "unread",
    "exit",
    "left_out",
];

/// How many logs are kept of a version.
const LOGS: usize = 5;

#[test]
fn every_released_version_of_the_rules_has_a_log_and_a_snapshot() {
    for rules in 1..=RULES {
        if std::env::var_os("UPDATE_GOLDEN").is_some() && rules == RULES && !folder(rules).exists() {
            record(rules);
        }
        assert!(folder(rules).join("log-1.jsonl").exists(), "rules {rules} left nothing in tests/data");
    }
}

#[test]
fn the_log_of_a_released_version_gives_the_verdicts_that_it_gave() {
    for (rules, n) in ages() {
        let mut engine = Engine::new(domain(), "s".to_owned());
        let told = told(&mut engine, &log(rules, n));
        assert!(told.lines().count() > 5, "the log of rules {rules} decides next to nothing");
        assert!(told == text(rules, &format!("verdicts-{n}.txt")), "rules {rules}, log {n}: {told}");
    }
}

#[test]
fn the_snapshot_of_a_released_version_and_the_rest_of_its_log_give_the_same() {
    for (rules, n) in ages() {
        let snapshot = text(rules, &format!("snapshot-{n}.jsonl"));
        let mut engine = Engine::restore(domain(), "s".to_owned(), snapshot.as_bytes())
            .unwrap_or_else(|error| panic!("rules {rules}, snapshot {n}: {error}"));
        let (log, from) = (log(rules, n), engine.position());
        let rest: Vec<Entry> = log.iter().filter(|entry| entry.offset() > from).cloned().collect();
        assert!(!rest.is_empty() && rest.len() < log.len());
        let told = told(&mut engine, &rest);
        let golden = text(rules, &format!("verdicts-{n}.txt"));
        let after = |line: &&str| line.split(' ').next().and_then(|at| at.parse().ok()) > Some(from);
        let golden: String =
            golden.lines().filter(after).fold(String::new(), |text, line| text + line + "\n");
        assert!(told == golden, "rules {rules}, snapshot {n}: {told}");
        let mut whole = Engine::new(domain(), "s".to_owned());
        self::told(&mut whole, &log);
        assert!(
            folded(&engine.snapshot()) == folded(&whole.snapshot()),
            "rules {rules}, snapshot {n}: another fold"
        );
    }
}

fn strip(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for words in TOLD_WITH {
                fields.remove(words);
            }
            fields.values_mut().for_each(strip);
        }
        Value::Array(items) => items.iter_mut().for_each(strip),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The lines of a snapshot, but for those that hold what is told since, and the last, which counts them.
fn folded(snapshot: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(snapshot).expect("text");
    let since = |line: &&str| TOLD_SINCE.iter().any(|name| line.contains(&format!("\"{name}\"")));
    let lines = text.lines().filter(|line| !since(line) && !line.starts_with("{\"end\""));
    let mut lines: Vec<Value> = lines.map(|line| serde_json::from_str(line).expect("JSON")).collect();
    // a newer program may find better words
    lines.iter_mut().for_each(strip);
    lines
}

fn ages() -> impl Iterator<Item = (i64, usize)> {
    (1..=RULES).flat_map(|rules| (1..=LOGS).map(move |n| (rules, n)))
}

fn folder(rules: i64) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("../../tests/data/rules-{rules}"))
}

fn text(rules: i64, file: &str) -> String {
    let path = folder(rules).join(file);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What reading a log decides, a line each with the offset at which it is decided.
fn told(engine: &mut Engine, log: &[Entry]) -> String {
    let mut lines = String::new();
    for entry in log {
        for effect in engine.handle(0, Input::Read(entry.clone())) {
            let Some(what) = decision(&effect) else { continue };
            writeln!(lines, "{} {what}", entry.offset()).expect("a text takes a line");
        }
    }
    lines
}

fn decision(effect: &Effect) -> Option<String> {
    match effect {
        Effect::Count(Counter::ProposalAccepted(kind)) => Some(format!("accepted {kind}")),
        Effect::Count(Counter::ProposalVoid(kind)) => Some(format!("void {kind}")),
        Effect::Count(Counter::Withdrawn(kind)) => Some(format!("withdrawn {kind}")),
        Effect::Count(Counter::Verdict(kind, cause)) => Some(format!("verdict {kind} {cause}")),
        Effect::Raise(alert) => {
            let name = &alert.labels["alertname"];
            let said = || format!("{name} {} {}", alert.id, alert.status.as_str());
            (!TOLD_SINCE.contains(&name.as_str())).then(said)
        }
        Effect::Ended(ended) => Some(format!("{} {}", ended.rollout, ended.status.as_str())),
        Effect::DeadLetter { .. } => Some("dead letter".to_owned()),
        Effect::Append(_)
        | Effect::Remember(_)
        | Effect::Count(_)
        | Effect::Blind { .. }
        | Effect::Sighted { .. }
        | Effect::Measure { .. } => None,
    }
}

/// Records the logs that reach most, with what this program decides of them and a snapshot in their middle.
fn record(rules: i64) {
    let folder = folder(rules);
    std::fs::create_dir_all(&folder).expect("a folder");
    let put = |file: String, text: &str| std::fs::write(folder.join(file), text).expect("written");
    for (n, log) in richest().iter().enumerate() {
        let (n, half) = (n + 1, log.len() / 2);
        let lines: Vec<String> =
            log.iter().map(|entry| serde_json::to_string(&Line::of(entry)).expect("JSON")).collect();
        put(format!("log-{n}.jsonl"), &(lines.join("\n") + "\n"));
        let mut engine = Engine::new(domain(), "s".to_owned());
        let before = told(&mut engine, &log[..half]);
        let snapshot = String::from_utf8(engine.snapshot()).expect("text");
        put(format!("snapshot-{n}.jsonl"), &snapshot);
        put(format!("verdicts-{n}.txt"), &(before + &told(&mut engine, &log[half..])));
    }
}

/// The logs that decide what the others do not.
fn richest() -> Vec<Vec<Entry>> {
    let histories: Vec<_> = (0..80).map(|seed| troupe::history(seed, 60)).collect();
    let kinds = |log: &Vec<Entry>| {
        let told = told(&mut Engine::new(domain(), "s".to_owned()), log);
        let kind = |line: &str| {
            let words = line.split(' ').skip(1).filter(|word| word.len() < 30 && !word.starts_with('r'));
            words.collect::<Vec<_>>().join(" ")
        };
        told.lines().map(kind).collect::<BTreeSet<_>>()
    };
    let mut all: Vec<_> = histories.into_iter().map(|log| (kinds(&log), log)).collect();
    let (mut reached, mut chosen) = (BTreeSet::new(), Vec::new());
    for _ in 0..LOGS {
        let news = |(kinds, _): &(BTreeSet<String>, _)| kinds.difference(&reached).count();
        let best = (0..all.len()).max_by_key(|i| news(&all[*i])).expect("there are more");
        let (kinds, log) = all.swap_remove(best);
        reached.extend(kinds);
        chosen.push(log);
    }
    chosen
}

fn log(rules: i64, n: usize) -> Vec<Entry> {
    let text = text(rules, &format!("log-{n}.jsonl"));
    text.lines().map(|line| serde_json::from_str::<Line>(line).expect("a record").entry()).collect()
}

/// An entry of a log as it is kept.
#[derive(Serialize, Deserialize)]
struct Line {
    offset: i64,
    at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<EventId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    source: Option<Source>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rollout: Option<RolloutId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    causation: Option<EventId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    service: Option<Service>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    instance: Option<Instance>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    version: Option<Version>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    boot: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sequence: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    replica: Option<String>,
    event: EventName,
    /// None for a record that nobody can read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    body: Option<Value>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    detail: String,
}

/// The short name of an event.
type EventName = String;

/// A body as it is kept.
struct Kept(Value);

impl Decode for Kept {
    type Error = serde_json::Error;

    fn decode<T: DeserializeOwned>(self) -> Result<T, serde_json::Error> {
        serde_json::from_value(self.0)
    }
}

impl Line {
    fn of(entry: &Entry) -> Self {
        match entry {
            Entry::Event(Record { offset, at, event }) => {
                let envelope = event.envelope.clone();
                Self {
                    offset: *offset,
                    at: *at,
                    id: Some(envelope.id),
                    source: Some(envelope.source),
                    rollout: envelope.rollout,
                    causation: envelope.causation,
                    service: envelope.service,
                    instance: envelope.instance,
                    version: envelope.version,
                    boot: envelope.boot,
                    sequence: envelope.sequence,
                    replica: envelope.replica,
                    event: event.body.event_type().as_str().to_owned(),
                    body: Some(serde_json::to_value(&event.body).expect("JSON")),
                    detail: String::new(),
                }
            }
            Entry::Unreadable(unreadable) => Self {
                offset: unreadable.offset,
                at: unreadable.at,
                id: unreadable.id.clone(),
                source: None,
                rollout: unreadable.rollout.clone(),
                causation: None,
                service: unreadable.service.clone(),
                instance: None,
                version: None,
                boot: None,
                sequence: None,
                replica: None,
                event: unreadable.event_type.clone().unwrap_or_default(),
                body: None,
                detail: unreadable.detail.clone(),
            },
        }
    }

    fn entry(self) -> Entry {
        let (offset, at) = (self.offset, self.at);
        let Some(body) = self.body else {
            return Entry::Unreadable(Unreadable {
                offset,
                at,
                event_type: Some(self.event),
                id: self.id,
                service: self.service,
                rollout: self.rollout,
                schema_id: Some(9),
                reason: UnreadableReason::BadDatum,
                field: String::new(),
                detail: self.detail,
            });
        };
        let (source, id) = (self.source.expect("an event has one"), self.id.expect("an event has one"));
        let mut envelope = Envelope::new(domain(), source, id);
        envelope.rollout = self.rollout;
        envelope.causation = self.causation;
        envelope.service = self.service;
        envelope.instance = self.instance;
        envelope.version = self.version;
        envelope.boot = self.boot;
        envelope.sequence = self.sequence;
        envelope.replica = self.replica;
        let event = EventType::from_short(&self.event).expect("an event of the vocabulary");
        let body = Body::decode(event, Kept(body)).expect("a body");
        Entry::Event(Record { offset, at, event: Event { envelope, body } })
    }
}
