//! Reads the log when the storm is over, and holds every verdict against what stood below it. It knows nothing of
//! sentinels: of each rollout it knows when it began, when it was answered, and what was said.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::Write as _;

use anyhow::{Result, ensure};
use pavane_events::{Body, Entry, EventId, Millis, Record, RolloutId, Timestamp};
use pavane_sentinel_engine::GRACE;
use pavane_tests::stage::log::Log;
use pavane_tests::stage::{SOON, Stage};
use pavane_tests::wait;
use pavane_tests::webhook::Delivery;

use crate::storm_load::{ASKED, Ledger, WITHIN};

/// What stands on the log about one rollout of the load.
#[derive(Debug, Default)]
struct Story {
    started: Option<Timestamp>,
    /// The rules that it began by.
    rules: i64,
    /// Where it was answered by a version that does not count.
    other_version: Option<i64>,
    answered: Option<(i64, Timestamp)>,
    /// The accepted offset of each stall that was said, and when that was appended.
    stalls: BTreeMap<i64, Option<Timestamp>>,
    completed: bool,
}

/// What the oracle found.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    pub(crate) rollouts: usize,
    pub(crate) stalls: usize,
    pub(crate) commands: usize,
    pub(crate) acknowledged: usize,
    /// How many stalls were told before a window ended, since another version had come.
    pub(crate) at_once: usize,
    /// Every broken promise, for a person.
    pub(crate) broken: Vec<String>,
    /// How long after deadline and grace each stall was accepted, in milliseconds.
    overshoot: Vec<Millis>,
    /// How long after that and after whoever judges could see, where nobody could at the deadline.
    in_sight: Vec<Millis>,
}

/// A time in which nothing could be judged: from the last record before a silence until the silence was explained.
type Blindness = (Timestamp, Timestamp);

/// The rollouts of the load about which something is still to be said.
fn unsettled(entries: &[Entry], ledger: &Ledger) -> Vec<RolloutId> {
    let stories = stories(entries);
    let settled = |id: &&RolloutId| {
        stories.get(id).is_some_and(|story| match story.answered {
            Some(_) => story.completed,
            None => !story.stalls.is_empty(),
        })
    };
    ledger.rollouts.iter().filter(|id| !settled(id)).cloned().collect()
}

/// Waits until the last word about every rollout is said and somebody was told of it, and holds all of it against what was
/// promised.
pub(crate) async fn settle(stage: &Stage, log: &Log, ledger: &Ledger) -> Findings {
    let settled = log.wait_for("the last word about every rollout", 2 * SOON, |entries| {
        unsettled(entries, ledger).is_empty().then_some(())
    });
    // what is missing is told below, in fewer lines
    drop(settled.await);
    let told = wait::until("every alert", 2 * SOON, async || {
        let found = judge(&log.entries(), ledger, &stage.on_call().deliveries());
        found.broken.is_empty().then_some(())
    });
    drop(told.await);
    judge(&log.entries(), ledger, &stage.on_call().deliveries())
}

/// Holds the log and the deliveries against what was promised.
fn judge(entries: &[Entry], ledger: &Ledger, deliveries: &[Delivery]) -> Findings {
    let mut found = Findings { rollouts: ledger.rollouts.len(), ..Findings::default() };
    let (stories, blind) = (stories(entries), blindness(entries));
    for (id, story) in stories.iter().filter(|(id, _)| ledger.rollouts.contains(id)) {
        just(id, story, &blind, &mut found);
        told(id, story, deliveries, &mut found);
    }
    for id in unsettled(entries, ledger) {
        found.broken.push(format!("missed: {id}: {:?}", stories.get(&id)));
    }
    said_once(entries, &mut found);
    let on_log: BTreeSet<&EventId> =
        entries.iter().filter_map(record_of).map(|record| &record.event.envelope.id).collect();
    found.acknowledged = ledger.acknowledged.len();
    let lost = ledger.acknowledged.iter().filter(|id| !on_log.contains(id));
    found.broken.extend(lost.map(|id| format!("lost: {id} was acknowledged")));
    found
}

/// No stall above its event, and none before its window and the grace have passed.
fn just(id: &RolloutId, story: &Story, blind: &[Blindness], found: &mut Findings) {
    let Some(started) = story.started else { return };
    for (accepted, at) in &story.stalls {
        found.stalls += 1;
        if story.answered.is_some_and(|(offset, _)| offset < *accepted) {
            found.broken.push(format!("false: {id} stalls at {accepted} above its event: {story:?}"));
        }
        let Some(at) = at else {
            found.broken.push(format!("false: {id} names {accepted}, and no proposal of it stands there"));
            continue;
        };
        if story.rules > 1 && story.other_version.is_some_and(|offset| offset < *accepted) {
            found.at_once += usize::from(at.since(started) <= WITHIN + GRACE);
            continue;
        }
        let over = at.since(started) - WITHIN - GRACE;
        if over <= 0 {
            found.broken.push(format!("false: {id} stalls {over} ms after deadline and grace"));
        }
        found.overshoot.push(over);
        let due = started.plus(WITHIN + GRACE);
        let sees = blind.iter().filter(|(from, to)| (*from..=*to).contains(&due)).map(|(_, to)| *to).max();
        found.in_sight.push(at.since(sees.unwrap_or(due)));
    }
}

/// Whoever is on call was told of each stall, however often, under one id.
fn told(id: &RolloutId, story: &Story, deliveries: &[Delivery], found: &mut Findings) {
    let about = |delivery: &&Delivery| {
        let labels = &delivery.body["alerts"][0]["labels"];
        labels["rollout"] == id.as_str() && labels["alertname"] == "RolloutStalled"
    };
    let firing = |delivery: &&Delivery| delivery.body["status"] == "firing" && delivery.answered == 200;
    let ids: BTreeSet<&str> =
        deliveries.iter().filter(about).filter(firing).map(|one| one.id.as_str()).collect();
    if ids.len() != story.stalls.len() {
        found.broken.push(format!("alerts: {id} has {} stalls and was told as {ids:?}", story.stalls.len()));
    }
}

/// What sentinels say has one id, and an id says one thing.
fn said_once(entries: &[Entry], found: &mut Findings) {
    let (mut by_id, mut by_text) = (BTreeMap::new(), BTreeMap::new());
    for record in entries.iter().filter_map(record_of) {
        let envelope = &record.event.envelope;
        let control =
            matches!(record.event.body, Body::Proposed(_) | Body::Pulse(_) | Body::RolloutPaused(_));
        if envelope.replica.is_none() || control {
            continue;
        }
        let text = format!("{:?} {:?} {:?}", envelope.rollout, envelope.service, record.event.body);
        if by_id.insert(envelope.id.clone(), text.clone()).is_some_and(|before| before != text) {
            found.broken.push(format!("commands: {} says two things: {text}", envelope.id));
        }
        if by_text.insert(text.clone(), envelope.id.clone()).is_some_and(|before| before != envelope.id) {
            found.broken.push(format!("commands: said under two ids: {text}"));
        }
    }
    found.commands = by_id.len();
}

/// When nobody could judge, by what was found about each silence.
fn blindness(entries: &[Entry]) -> Vec<Blindness> {
    let at: BTreeMap<i64, Timestamp> = entries.iter().map(|entry| (entry.offset(), entry.at())).collect();
    let explained = entries.iter().filter_map(record_of).filter_map(|record| {
        let Body::ClockStepped(said) = &record.event.body else { return None };
        let before = at.range(..said.leap).next_back().map(|(_, at)| *at);
        before.zip(at.get(&said.accepted).copied())
    });
    explained.collect()
}

fn stories(entries: &[Entry]) -> BTreeMap<RolloutId, Story> {
    let mut stories: BTreeMap<RolloutId, Story> = BTreeMap::new();
    let mut proposals = BTreeMap::new();
    for record in entries.iter().filter_map(record_of) {
        let Some(id) = record.event.envelope.rollout.clone() else { continue };
        let story = stories.entry(id).or_default();
        let body = &record.event.body;
        if let Body::RolloutStarted(started) = body {
            story.started.get_or_insert(record.at);
            story.rules = started.rules;
        } else if matches!(body, Body::DeploymentComplete(_)) && !is_asked_for(record) {
            story.other_version.get_or_insert(record.offset);
        } else if matches!(body, Body::DeploymentComplete(_)) {
            story.answered.get_or_insert((record.offset, record.at));
        } else if matches!(body, Body::RolloutCompleted(_)) {
            story.completed = true;
        } else if matches!(body, Body::Proposed(_)) {
            proposals.insert(record.offset, record.at);
        } else if let Body::RolloutStalled(stall) = body {
            story.stalls.insert(stall.accepted, proposals.get(&stall.accepted).copied());
        }
    }
    stories
}

fn is_asked_for(record: &Record) -> bool {
    record.event.envelope.version.as_ref().is_some_and(|version| version.as_str() == ASKED)
}

/// The record of an entry that can be read.
pub(crate) fn record_of(entry: &Entry) -> Option<&Record> {
    match entry {
        Entry::Event(record) => Some(record),
        Entry::Unreadable(_) => None,
    }
}

impl Findings {
    /// The findings in lines.
    pub(crate) fn text(&self) -> String {
        let count = |kind: &str| self.broken.iter().filter(|line| line.starts_with(kind)).count();
        let mut text = format!(
            "{} rollouts of the load, {} stalls said, {} of them at once\n",
            self.rollouts, self.stalls, self.at_once
        );
        for (kind, name, of) in [
            ("lost", "lost acknowledged events", self.acknowledged),
            ("false", "false stalls", self.stalls),
            ("missed", "missed stalls and ends", self.rollouts),
            ("commands", "duplicate commands", self.commands),
            ("alerts", "lost alerts, or told under two ids", self.stalls),
        ] {
            writeln!(text, "  {} {name}, of {of}", count(kind)).expect("a text grows");
        }
        for (lateness, after) in [
            (&self.overshoot, "deadline and grace"),
            (&self.in_sight, "that, and after a silence of the log was explained"),
        ] {
            if let Some((p50, p99, max)) = spread(lateness) {
                writeln!(text, "  accepted p50 {p50} ms, p99 {p99} ms, at most {max} ms after {after}")
                    .expect("a text grows");
            }
        }
        text
    }

    /// Prints the findings, with what else there is to say; fails where a promise was broken, or nothing was at stake.
    pub(crate) fn tell(&self, what: &str, more: &str) -> Result<()> {
        let text = format!("{what}: {}{more}", self.text());
        // the harness keeps what a passing test prints
        std::io::stderr().write_all(text.as_bytes())?;
        ensure!(self.broken.is_empty(), "{text}{:#?}", self.broken);
        ensure!(self.stalls > 0, "nothing was at stake: {text}");
        Ok(())
    }
}

/// The middle, the 99th of a hundred, and the most.
fn spread(values: &[Millis]) -> Option<(Millis, Millis, Millis)> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    let of = |percent: usize| sorted.get((sorted.len() * percent / 100).min(sorted.len().saturating_sub(1)));
    Some((*of(50)?, *of(99)?, *sorted.last()?))
}
