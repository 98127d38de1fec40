//! One domain's partition: its log, its heartbeats, its snapshots, and an oracle that reads each record as it comes.

use std::collections::BTreeMap;

use pavane_choreography::Plan;
use pavane_events::control::{ProposalKind, Proposed};
use pavane_events::{Body, Domain, Entry, Event, EventId, Heartbeat, Record, Timestamp};
use pavane_sentinel_engine::{Alert, AlertStatus, Counter, Effect, Engine, Input, Status};

use crate::board::{Board, Zero};
use crate::justice;

/// A heartbeat on its topic.
#[derive(Clone)]
pub(crate) struct Beat {
    /// When it came, in truth.
    pub(crate) came: i64,
    pub(crate) heartbeat: Heartbeat,
    pub(crate) at: Timestamp,
}

/// A snapshot on its topic.
pub(crate) struct Kept {
    pub(crate) bytes: Vec<u8>,
    /// Whether a sentinel of the next version made it.
    pub(crate) by_next: bool,
}

pub(crate) struct Partition {
    pub(crate) domain: Domain,
    pub(crate) entries: Vec<Entry>,
    /// When each entry was appended, in truth.
    pub(crate) truth: Vec<i64>,
    pub(crate) beats: Vec<Beat>,
    pub(crate) snapshots: Vec<Kept>,
    /// What each rollout dances.
    pub(crate) plans: BTreeMap<&'static str, Plan>,
    /// Reads every record when it is appended, and nothing else.
    pub(crate) oracle: Engine,
    /// Every stall that was accepted: of which step of which rollout, and when, in truth.
    pub(crate) stalls: Vec<(pavane_events::RolloutId, String, i64)>,
    /// Every alert that the log alone raises, and when it was, in truth.
    pub(crate) raised: BTreeMap<(EventId, AlertStatus), (Alert, i64)>,
}

impl Partition {
    pub(crate) fn new(domain: &str) -> Self {
        let domain = Domain::new(domain).expect("a name");
        Self {
            oracle: Engine::new(domain.clone(), "oracle".to_owned()),
            domain,
            entries: Vec::new(),
            truth: Vec::new(),
            beats: Vec::new(),
            snapshots: Vec::new(),
            plans: BTreeMap::new(),
            stalls: Vec::new(),
            raised: BTreeMap::new(),
        }
    }

    pub(crate) fn end(&self) -> usize {
        self.entries.len()
    }

    /// Takes the next record, and holds what the oracle makes of it against what stands below.
    pub(crate) fn append(&mut self, now: i64, at: i64, event: Event, board: &mut Board) {
        let offset = i64::try_from(self.end()).expect("a short log");
        let entry = Entry::Event(Record { offset, at: Timestamp(at), event });
        let stall = proposed(&entry).filter(|proposed| proposed.kind == ProposalKind::RolloutStalled);
        let before = stall.map(|_| self.oracle.view());
        let effects = self.oracle.handle(now, Input::Read(entry.clone()));
        self.entries.push(entry);
        self.truth.push(now);
        for effect in &effects {
            match effect {
                Effect::Count(counter) => board.note(format!("{counter:?}")),
                Effect::Ended(ended) => self.ended(ended, board),
                Effect::Raise(alert) => {
                    self.raised.entry((alert.id.clone(), alert.status)).or_insert(((**alert).clone(), now));
                }
                Effect::Append(_)
                | Effect::DeadLetter { .. }
                | Effect::Measure { .. }
                | Effect::Blind { .. }
                | Effect::Sighted { .. }
                | Effect::Remember(_) => {}
            }
        }
        let accepted = Effect::Count(Counter::ProposalAccepted("RolloutStalled"));
        if let (Some(before), true) = (before, effects.contains(&accepted)) {
            justice::of_stall(self, &before, board);
            self.note_stall(now);
        }
        let queued = |entry: &Entry| matches!(entry, Entry::Event(record) if matches!(record.event.body, Body::RolloutStarted(_)));
        if self.entries.last().is_some_and(queued)
            && self.oracle.view().rollouts.iter().any(|rollout| rollout.status == Status::Queued)
        {
            board.note("queued".to_owned());
        }
    }

    fn note_stall(&mut self, now: i64) {
        if let Some(Entry::Event(record)) = self.entries.last()
            && let (Body::Proposed(Proposed { step: Some(step), .. }), Some(rollout)) =
                (&record.event.body, &record.event.envelope.rollout)
        {
            self.stalls.push((rollout.clone(), step.to_string(), now));
        }
    }

    fn ended(&self, ended: &pavane_sentinel_engine::Ended, board: &mut Board) {
        board.note(format!("{:?}", ended.status));
        let view = self.oracle.rollout(&ended.rollout).expect("known");
        let unmet = view.steps.iter().find(|step| !justice::is_met(step));
        if let (Status::Completed, Some(step)) = (ended.status, unmet) {
            board.break_promise(Zero::Agreement, format!("{} completed with {} unmet", view.id, step.id));
        }
    }
}

/// The proposal that an entry is.
pub(crate) fn proposed(entry: &Entry) -> Option<&Proposed> {
    let Entry::Event(record) = entry else { return None };
    if let Body::Proposed(proposed) = &record.event.body { Some(proposed) } else { None }
}
