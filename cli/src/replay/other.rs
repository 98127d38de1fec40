//! The same facts, judged by another plan.
//!
//! What services and people said is replayed as it came. What sentinels proposed and said of the rollouts concerned is
//! left out: the engine proposes by itself, and its proposals are read back at the moment at which they were due.
//! Facts that rest on a decision that was taken in one of the two worlds alone are left out too: from there on nothing
//! can be known.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use pavane_choreography::Plan;
use pavane_events::control::ProposalKind;
use pavane_events::{
    Body, Domain, Entry, Envelope, Event, EventId, Millis, Record, RolloutId, Source, Speaker, Timestamp,
    identity,
};
use pavane_sentinel_engine::{Draft, Effect, Input, View};

use super::court::{Court, Told};
use super::life::Lives;
use super::outcome::NEAR;
use crate::failure::Failure;

/// How far the offsets of the log are drawn apart, so that what is read back fits between them.
const APART: i64 = 1_000_000;
/// How often sidecars are heard, in milliseconds.
const BEAT: Millis = 1_000;
/// The name under which the engine speaks.
const REPLICA: &str = "replay";

/// The other plan, and whom it concerns.
#[derive(Debug)]
pub(super) struct Change {
    /// The other plan.
    pub(super) plan: Plan,
    /// The rollouts that dance it instead of theirs.
    pub(super) rollouts: BTreeSet<RolloutId>,
    /// When the sentinel first intervened in each of them, as the log has it.
    pub(super) then: BTreeMap<RolloutId, Timestamp>,
}

/// What was decided with the other plan.
#[derive(Debug)]
pub(super) struct Judged {
    /// The verdicts.
    pub(super) told: Vec<Told>,
    /// How the domain stands at the end.
    pub(super) view: View,
    /// From when on nothing can be known of a rollout.
    pub(super) unknown: BTreeMap<RolloutId, Timestamp>,
}

/// Judges the records of a log again.
pub(super) fn judge(
    domain: &Domain,
    entries: &[Entry],
    lives: &Lives,
    change: &Change,
) -> Result<Judged, Failure> {
    let mut play = Play::new(domain, lives, change, entries.first().map_or(0, |entry| entry.at().0));
    play.begin()?;
    for entry in entries {
        play.hear(entry)?;
    }
    play.part();
    let view = play.court.view();
    Ok(Judged { told: play.told, view, unknown: play.unknown })
}

/// Whether a verdict changes what services do.
pub(super) fn intervenes(told: &Told) -> bool {
    told.what == "accepted"
        && [ProposalKind::RollbackRequested.as_str(), ProposalKind::RolloutPaused.as_str()]
            .contains(&&*told.event)
}

struct Play<'a> {
    court: Court,
    domain: &'a Domain,
    sentinel: Source,
    lives: &'a Lives,
    change: &'a Change,
    json: String,
    digest: String,
    now: Millis,
    heard: Millis,
    offset: i64,
    said: u64,
    queue: VecDeque<Event>,
    told: Vec<Told>,
    intervened: BTreeMap<RolloutId, Timestamp>,
    unknown: BTreeMap<RolloutId, Timestamp>,
}

impl<'a> Play<'a> {
    fn new(domain: &'a Domain, lives: &'a Lives, change: &'a Change, now: Millis) -> Self {
        Self {
            court: Court::new(domain, 1),
            domain,
            sentinel: identity::sentinel_source(domain),
            lives,
            change,
            json: change.plan.to_json(),
            digest: change.plan.digest(),
            now,
            heard: i64::MIN,
            offset: -1,
            said: 0,
            queue: VecDeque::new(),
            told: Vec::new(),
            intervened: BTreeMap::new(),
            unknown: BTreeMap::new(),
        }
    }

    fn begin(&mut self) -> Result<(), Failure> {
        for input in [Input::Speaks(true), Input::CaughtUp] {
            self.hand(input)?;
        }
        self.read_back()
    }

    /// Lets time run to a record, and reads it unless it is left out.
    fn hear(&mut self, entry: &Entry) -> Result<(), Failure> {
        self.run_to(entry.at().0)?;
        if self.is_left_out(entry) {
            return Ok(());
        }
        self.offset = (self.offset + 1).max(entry.offset().saturating_mul(APART));
        let entry = self.rewritten(entry);
        self.read(&entry)?;
        self.read_back()
    }

    /// Notes where the two worlds part though no fact came after it.
    fn part(&mut self) {
        for rollout in &self.change.rollouts {
            match (self.change.then.get(rollout), self.intervened.get(rollout)) {
                (Some(at), None) | (None, Some(at)) => {
                    self.unknown.entry(rollout.clone()).or_insert(*at);
                }
                (Some(_), Some(_)) | (None, None) => {}
            }
        }
    }

    fn run_to(&mut self, at: Millis) -> Result<(), Failure> {
        let mut last = i64::MIN;
        while let Some(due) = self.due().filter(|due| *due < at) {
            // whatever is due again at once is due a millisecond later
            self.now = self.now.max(due).max(last.saturating_add(1));
            last = self.now;
            if self.now >= at {
                break;
            }
            self.beat()?;
            self.hand(Input::Tick)?;
            self.read_back()?;
        }
        self.now = self.now.max(at);
        Ok(())
    }

    /// When something is to be done without a record: the engine looks again, or sidecars are heard.
    fn due(&self) -> Option<Millis> {
        let heard = self.heard.saturating_add(BEAT).max(self.now.saturating_add(1));
        let beat = (self.court.open() > 0).then_some(heard);
        self.court.next_deadline().into_iter().chain(beat).min()
    }

    /// What sidecars would have said.
    fn beat(&mut self) -> Result<(), Failure> {
        if self.court.open() == 0 || self.now.saturating_sub(self.heard) < BEAT {
            return Ok(());
        }
        self.heard = self.now;
        let at = Timestamp(self.now);
        for heartbeat in self.lives.heartbeats(self.domain, at) {
            self.hand(Input::Heartbeat { heartbeat, offset: 0, at })?;
        }
        Ok(())
    }

    fn hand(&mut self, input: Input) -> Result<(), Failure> {
        let effects = self.court.hand(self.now, input);
        self.carry_out(effects)
    }

    fn read(&mut self, entry: &Entry) -> Result<(), Failure> {
        let (told, effects) = self.court.judge(self.now, entry)?;
        for told in told {
            if let Some(rollout) = told.rollout.clone().filter(|_| intervenes(&told)) {
                self.intervened.entry(rollout).or_insert(told.at);
            }
            if told.what == "accepted" && told.event == ProposalKind::RolloutStalled.as_str() {
                // a rollback rests on a heartbeat after the stall, and the live one may have come at once
                self.heard = i64::MIN;
            }
            if told.rollout.as_ref().is_some_and(|id| self.change.rollouts.contains(id)) {
                self.told.push(told);
            }
        }
        self.carry_out(effects)
    }

    fn read_back(&mut self) -> Result<(), Failure> {
        while let Some(event) = self.queue.pop_front() {
            self.offset += 1;
            let record = Record { offset: self.offset, at: Timestamp(self.now), event };
            self.read(&Entry::Event(record))?;
        }
        Ok(())
    }

    fn carry_out(&mut self, effects: Vec<Effect>) -> Result<(), Failure> {
        for effect in effects {
            match effect {
                Effect::Append(draft) => self.say(Arc::unwrap_or_clone(draft)),
                Effect::Measure { query } => {
                    let value = self.lives.metric(Timestamp(self.now));
                    let value = value.ok_or_else(|| "no verdict quotes a value".to_owned());
                    self.hand(Input::Measured { query, value })?;
                }
                Effect::Raise(_)
                | Effect::DeadLetter { .. }
                | Effect::Blind { .. }
                | Effect::Sighted { .. }
                | Effect::Ended(_)
                | Effect::Remember(_)
                | Effect::Count(_) => {}
            }
        }
        Ok(())
    }

    /// What the engine says stands on the log, where it is of a rollout concerned; the others have their own records.
    fn say(&mut self, draft: Draft) {
        let concerned = draft.rollout.as_ref().is_some_and(|id| self.change.rollouts.contains(id));
        if !concerned && !matches!(draft.body, Body::Pulse(_)) {
            return;
        }
        self.said += 1;
        let any = || EventId::new(format!("replay-{}", self.said)).expect("a number is a name");
        let id = draft.id.unwrap_or_else(any);
        let mut envelope = Envelope::new(self.domain.clone(), self.sentinel.clone(), id);
        envelope.rollout = draft.rollout;
        envelope.causation = draft.causation;
        envelope.service = draft.service;
        envelope.replica = Some(REPLICA.to_owned());
        self.queue.push_back(Event { envelope, body: draft.body });
    }

    /// Whether a record is not read: a sentinel's word on a rollout concerned, and what came of a decision that was
    /// taken in one of the two worlds alone.
    fn is_left_out(&mut self, entry: &Entry) -> bool {
        let (rollout, ours, speaker) = match entry {
            Entry::Unreadable(unreadable) => (unreadable.rollout.clone(), false, Speaker::Service),
            Entry::Event(record) => {
                let (envelope, body) = (&record.event.envelope, &record.event.body);
                let ours = envelope.source == self.sentinel && !matches!(body, Body::RolloutStarted(_));
                if ours && matches!(body, Body::Pulse(_) | Body::ClockStepped(_)) {
                    return true;
                }
                if matches!(body, Body::Proposed(proposed) if proposed.kind == ProposalKind::ClockStepped) {
                    return true;
                }
                (envelope.rollout.clone(), ours, body.event_type().speaker())
            }
        };
        let Some(rollout) = rollout.filter(|id| self.change.rollouts.contains(id)) else { return false };
        if ours {
            return true;
        }
        if speaker != Speaker::Service {
            return false;
        }
        let passed = |at: Option<&Timestamp>| at.copied().filter(|at| *at < entry.at());
        let (then, now) = (self.change.then.get(&rollout), self.intervened.get(&rollout));
        let agree = then.zip(now).is_some_and(|(then, now)| then.since(*now).abs() <= NEAR);
        let (then, now) = if agree { (None, None) } else { (passed(then), passed(now)) };
        match (then, now) {
            (Some(_), Some(_)) | (None, None) => self.unknown.contains_key(&rollout),
            (Some(at), None) | (None, Some(at)) => {
                self.unknown.entry(rollout).or_insert(at);
                true
            }
        }
    }

    /// The record as it stands in this world: the plan of a rollout concerned is the other one, and what cites an
    /// offset cites it where it is here.
    fn rewritten(&self, entry: &Entry) -> Entry {
        let mut entry = entry.clone();
        match &mut entry {
            Entry::Unreadable(unreadable) => unreadable.offset = self.offset,
            Entry::Event(record) => {
                record.offset = self.offset;
                let rollout = record.event.envelope.rollout.as_ref();
                let concerned = rollout.is_some_and(|id| self.change.rollouts.contains(id));
                self.rewrite(&mut record.event.body, concerned);
            }
        }
        entry
    }

    fn rewrite(&self, body: &mut Body, concerned: bool) {
        if let Body::Proposed(proposed) = body {
            proposed.cites = proposed.cites.map(|offset| offset.saturating_mul(APART));
        }
        if !concerned {
            return;
        }
        if let Body::RolloutStarted(started) = body {
            started.plan.clone_from(&self.json);
            started.plan_digest.clone_from(&self.digest);
            started.choreography.clone_from(&self.change.plan.name);
        } else if let Body::GateApproved(approved) = body {
            approved.plan_digest.clone_from(&self.digest);
        } else if let Body::GateRejected(rejected) = body {
            rejected.plan_digest.clone_from(&self.digest);
        }
    }
}
