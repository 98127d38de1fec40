//! One rollout as the log tells it: what its services said, where it stands, and what was decided.
//!
//! A sidecar reads no proposals. It believes a decision that names the offset at which it was accepted when
//! nothing between there and here has taken its ground; for that the last offset of each kind of ground is enough.

use std::collections::{BTreeMap, BTreeSet};

use pavane_choreography::{Expect, Plan, Step};
use pavane_events::command::RollbackRequested;
use pavane_events::{Body, EventId, EventType, Record, RolloutId, Service, StepId, Version};

use crate::tally::{Tally, Word, speaker};

/// What takes the ground from an ending that was accepted and not yet said.
const MOVES: [EventType; 4] = [
    EventType::DeploymentStarted,
    EventType::DeploymentComplete,
    EventType::DeploymentFailed,
    EventType::Drained,
];

/// Where a rollout stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Open,
    RollingBack,
    Completed,
    RolledBack,
    Partial,
    Aborted,
}

impl Status {
    pub(crate) const fn is_open(self) -> bool {
        matches!(self, Self::Open | Self::RollingBack)
    }
}

/// The last offset at which something took, or could have taken, the ground from a decision.
#[derive(Clone, Debug, Default, PartialEq)]
struct Grounds {
    stop: i64,
    overridden: i64,
    person: i64,
    moved: i64,
    filled: BTreeMap<StepId, i64>,
}

/// One rollout, as folded from the log.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Rollout {
    pub(crate) id: RolloutId,
    pub(crate) plan: Plan,
    pub(crate) started: Record,
    pub(crate) status: Status,
    pub(crate) epoch: i64,
    pub(crate) paused: bool,
    /// The request that is addressed to the own service in this epoch.
    pub(crate) asked: Option<Record>,
    /// The record that fills the trigger of a reaction, by the trigger.
    pub(crate) triggers: BTreeMap<Expect, Record>,
    /// The first claim of what runs once for a service, by its id: whose it is.
    pub(crate) claims: BTreeMap<EventId, String>,
    /// The ids of the own announcements that have been read back.
    pub(crate) read_back: BTreeSet<EventId>,
    decision: Option<i64>,
    steps: BTreeMap<StepId, Tally>,
    others: BTreeMap<Expect, Tally>,
    grounds: Grounds,
    seen: BTreeSet<(String, EventId)>,
}

impl Rollout {
    pub(crate) fn new(id: RolloutId, plan: Plan, started: Record) -> Self {
        let steps = plan
            .steps
            .iter()
            .map(|step| (step.id.clone(), Tally::new(step.instances.count().unwrap_or(u32::MAX))))
            .collect();
        Self {
            id,
            plan,
            started,
            status: Status::Open,
            epoch: 1,
            paused: false,
            asked: None,
            triggers: BTreeMap::new(),
            claims: BTreeMap::new(),
            read_back: BTreeSet::new(),
            decision: None,
            steps,
            others: BTreeMap::new(),
            grounds: Grounds { stop: -1, overridden: -1, person: -1, moved: -1, filled: BTreeMap::new() },
            seen: BTreeSet::new(),
        }
    }

    /// Whether the identity was not read before in this rollout.
    pub(crate) fn is_new(&mut self, record: &Record) -> bool {
        let envelope = &record.event.envelope;
        self.seen.insert((envelope.source.as_str().to_owned(), envelope.id.clone()))
    }

    /// Whether the service takes part.
    pub(crate) fn touches(&self, service: &Service) -> bool {
        self.plan.steps.iter().any(|step| step.expect.service == *service)
    }

    /// The step that awaits exactly this event.
    pub(crate) fn awaiting(&self, service: &Service, event: EventType) -> Option<&Step> {
        self.plan.steps.iter().find(|step| step.expect.service == *service && step.expect.event == event)
    }

    /// Whether all prerequisites of a step are full.
    pub(crate) fn is_due(&self, step: &Step) -> bool {
        step.after.iter().all(|id| self.steps.get(id).is_some_and(Tally::is_full))
    }

    /// Whether so many distinct instances have said this event last, with a version that counts.
    pub(crate) fn has_come(&self, expect: &Expect, instances: u32) -> bool {
        let tally = match self.awaiting(&expect.service, expect.event) {
            Some(step) => self.steps.get(&step.id),
            None => self.others.get(expect),
        };
        tally.is_some_and(|tally| tally.reaches(instances))
    }

    /// What an instance said last about a step.
    pub(crate) fn word_of(&self, step: &StepId, instance: &pavane_events::Instance) -> Option<Word> {
        self.steps.get(step)?.word_of(instance)
    }

    /// Whether an instance of a service has said anything in this rollout that a rollback must answer for.
    pub(crate) fn has_moved(&self, service: &Service, instance: &pavane_events::Instance) -> bool {
        let own = self.plan.steps.iter().filter(|step| step.expect.service == *service);
        own.into_iter().any(|step| self.word_of(&step.id, instance).is_some())
    }

    /// Whether an instance has said last that it runs the new version.
    pub(crate) fn has_arrived(&self, service: &Service, instance: &pavane_events::Instance) -> bool {
        let own = self.plan.steps.iter().filter(|step| step.expect.service == *service);
        own.into_iter().any(|step| self.word_of(&step.id, instance) == Some(Word::Said))
    }

    /// Takes a service's word about the step that it is at.
    pub(crate) fn hear(&mut self, record: &Record, watched: &BTreeSet<Expect>) {
        let envelope = &record.event.envelope;
        let event = record.event.body.event_type();
        let Some(service) = envelope.service.clone() else { return };
        self.note_claim(record, event);
        let expect = Expect { service: service.clone(), event };
        if self.awaiting(&service, event).is_none() && watched.contains(&expect) {
            let tally = self.others.entry(expect.clone()).or_insert_with(|| Tally::new(1));
            tally.hear(Word::Said, envelope);
        }
        if watched.contains(&expect) {
            self.triggers.insert(expect, record.clone());
        }
        if !self.status.is_open() {
            return;
        }
        if MOVES.contains(&event) {
            self.grounds.moved = record.offset;
        }
        let word = self.read_word(&service, event, envelope.version.as_ref());
        if let Some((step, word)) = word
            && self.steps.get_mut(&step).is_some_and(|tally| tally.hear(word, envelope))
        {
            self.grounds.filled.insert(step, record.offset);
        }
    }

    fn note_claim(&mut self, record: &Record, event: EventType) {
        if event == EventType::DeploymentStarted {
            let envelope = &record.event.envelope;
            self.claims.entry(envelope.id.clone()).or_insert_with(|| speaker(envelope).to_string());
        }
    }

    /// Which step a word is about, and what it says: the step that awaits the event, else the last step of the
    /// service whose window is open, else its first.
    fn read_word(
        &self,
        service: &Service,
        event: EventType,
        version: Option<&Version>,
    ) -> Option<(StepId, Word)> {
        if let Some(step) = self.awaiting(service, event) {
            let word = if step.accepts(version) { Word::Said } else { Word::Started };
            return Some((step.id.clone(), word));
        }
        let words = [
            (EventType::DeploymentStarted, Word::Started),
            (EventType::DeploymentComplete, Word::Started),
            (EventType::DeploymentFailed, Word::Failed),
            (EventType::Drained, Word::Drained),
        ];
        let (_, word) = words.into_iter().find(|(of, _)| *of == event)?;
        let own = || self.plan.steps.iter().filter(|step| step.expect.service == *service);
        let full = |id: &StepId| self.steps.get(id).is_some_and(Tally::is_full);
        let current = own().rfind(|step| self.is_due(step) || full(&step.id)).or_else(|| own().next());
        current.map(|step| (step.id.clone(), word))
    }

    /// A person says that a step counts as met.
    pub(crate) fn override_step(&mut self, step: &StepId, record: &Record) {
        self.grounds.overridden = record.offset;
        if self.status != Status::Open {
            return;
        }
        let Some(tally) = self.steps.get_mut(step) else { return };
        if tally.override_count() {
            self.grounds.filled.insert(step.clone(), record.offset);
        }
        if let Some(step) = self.plan.step(step) {
            self.triggers.insert(step.expect.clone(), record.clone());
        }
    }

    /// A hold, a pause or an abort stands here.
    pub(crate) const fn note_stop(&mut self, offset: i64) {
        self.grounds.stop = offset;
    }

    /// A person asked here to go back.
    pub(crate) const fn note_person(&mut self, offset: i64) {
        self.grounds.person = offset;
    }

    /// Whether the sentinel's decision to go back, accepted at an offset, still has its ground.
    pub(crate) fn believes_rollback(&self, body: &RollbackRequested, accepted: i64) -> bool {
        let filled = body.step.as_ref().and_then(|step| self.grounds.filled.get(step)).copied();
        self.status == Status::Open
            && body.epoch == self.epoch
            && self.unstopped_since(accepted)
            && filled.is_none_or(|offset| offset <= accepted)
    }

    /// Whether the sentinel's word that the rollout has ended, accepted at an offset, still has its ground.
    pub(crate) fn believes_ending(&self, epoch: i64, accepted: i64) -> bool {
        epoch == self.epoch && self.unstopped_since(accepted) && self.grounds.moved <= accepted
    }

    fn unstopped_since(&self, accepted: i64) -> bool {
        self.grounds.stop.max(self.grounds.overridden).max(self.grounds.person) <= accepted
    }

    /// Begins to go back; the decision stands at this offset.
    pub(crate) fn begin_rollback(&mut self, offset: i64) {
        if self.status == Status::Completed {
            self.epoch += 1;
        }
        self.status = Status::RollingBack;
        self.decision = Some(offset);
        self.asked = None;
    }

    /// Takes the request that is addressed to the own service; false when it is not of this epoch's decision.
    pub(crate) fn ask(&mut self, body: &RollbackRequested, record: &Record) -> bool {
        let fits =
            self.status == Status::RollingBack && body.epoch == self.epoch && body.decision == self.decision;
        if fits {
            self.asked = Some(record.clone());
        }
        fits
    }

    /// The request that is addressed to the own service.
    pub(crate) fn request(&self) -> Option<(&Record, &RollbackRequested)> {
        let record = self.asked.as_ref()?;
        if let Body::RollbackRequested(body) = &record.event.body { Some((record, body)) } else { None }
    }
}
