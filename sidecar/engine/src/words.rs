//! What services say in a rollout: which steps a word is about, and which steps are full.

use std::collections::BTreeSet;

use pavane_choreography::{Expect, Step};
use pavane_events::control::Proposed;
use pavane_events::{Envelope, EventType, Instance, Record, Service, StepId, Version, Zone};

use crate::rollout::{Rollout, Status};
use crate::settings::Reaction;
use crate::tally::{Tally, Word, speaker};

/// What takes the ground from an ending that was accepted and not yet said.
const MOVES: [EventType; 4] = [
    EventType::DeploymentStarted,
    EventType::DeploymentComplete,
    EventType::DeploymentFailed,
    EventType::Drained,
];

impl Rollout {
    /// The steps that await exactly this event; several where a step was parted into cohorts or zones.
    pub(crate) fn awaiting(&self, service: &Service, event: EventType) -> impl Iterator<Item = &Step> {
        self.plan.steps_of(service).filter(move |step| step.expect.event == event)
    }

    /// Whether what a step waits for is there, phases apart.
    pub(crate) fn is_due(&self, step: &Step) -> bool {
        step.is_due(|id| self.steps.get(id).is_some_and(Tally::is_full))
    }

    /// Whether as many distinct instances as a reaction wants have said this event last, with a version that counts, and
    /// what it lets through.
    pub(crate) fn has_come(&self, expect: &Expect, reaction: &Reaction) -> bool {
        let of = |step: &Step| self.steps.get(&step.id);
        let mut tallies: Vec<&Tally> = self.awaiting(&expect.service, expect.event).filter_map(of).collect();
        if tallies.is_empty() {
            tallies.extend(self.others.get(expect));
        }
        let said: BTreeSet<&Instance> = tallies.iter().flat_map(|tally| tally.said()).collect();
        let sifted = self.sifted(reaction, &expect.to_string());
        let counts = |instance: &&&Instance| {
            reaction.sieve.is_open() || sifted.is_some_and(|sifted| sifted.counts(instance))
        };
        said.iter().filter(counts).count() >= reaction.instances as usize
            || tallies.iter().any(|tally| tally.is_overridden())
    }

    /// The last record of an event that a reaction lets through; that of a person, who says that it counts as met.
    pub(crate) fn trigger(&self, expect: &Expect, reaction: &Reaction) -> Option<&Record> {
        let sifted = self.sifted(reaction, &expect.to_string()).and_then(|sifted| sifted.record.as_ref());
        sifted.or_else(|| self.triggers.get(expect))
    }

    /// What an instance said last about the steps that await an event of its service: that it has begun counts less
    /// than anything else.
    pub(crate) fn word_about(
        &self,
        service: &Service,
        event: EventType,
        instance: &Instance,
    ) -> Option<Word> {
        let words = self.awaiting(service, event).filter_map(|step| self.word_of(&step.id, instance));
        words.max_by_key(|word| *word != Word::Started)
    }

    /// Whether an instance of a service has said anything in this rollout that a rollback must answer for.
    pub(crate) fn has_moved(&self, service: &Service, instance: &Instance) -> bool {
        self.words_of(service, instance).next().is_some()
    }

    /// Whether an instance has said last that it runs the new version.
    pub(crate) fn has_arrived(&self, service: &Service, instance: &Instance) -> bool {
        self.words_of(service, instance).any(|word| word == Word::Said)
    }

    /// Takes a service's word about the step that it is at.
    pub(crate) fn hear(&mut self, record: &Record, watched: &BTreeSet<Expect>, own: &Service) {
        let envelope = &record.event.envelope;
        let event = record.event.body.event_type();
        let Some(service) = envelope.service.clone() else { return };
        self.note_claim(record, event);
        if service == *own {
            self.note_move(record, event);
        }
        let expect = Expect { service: service.clone(), event };
        if self.awaiting(&service, event).next().is_none() && watched.contains(&expect) {
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
        for (step, word) in self.read_words(&service, event, envelope) {
            if self.steps.get_mut(&step).is_some_and(|tally| tally.hear(word, envelope)) {
                self.grounds.filled.insert(step, record.offset);
            }
        }
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

    /// The sentinel proposes how many instances a share is. The log accepts the first proposal that it reads while
    /// the step is open. A sidecar that is not sure of that takes the number all the same, until it hears a better
    /// one: a little early or late is better than never.
    pub(crate) fn count_instances(&mut self, proposed: &Proposed, stopped: bool, offset: i64) {
        let Some(step) = proposed.step.as_ref().and_then(|id| self.plan.step(id)) else { return };
        let count = proposed.count.and_then(|count| u32::try_from(count).ok()).filter(|count| *count > 0);
        let Some(count) = count.filter(|_| step.instances.share().is_some()) else { return };
        if self.status == Status::Open && proposed.epoch == self.epoch {
            let certain = !stopped && self.is_open(step);
            let id = step.id.clone();
            self.take_count(&id, count, certain, offset);
        }
    }

    /// A step wants so many instances from here on; what was certain stays.
    pub(crate) fn take_count(&mut self, step: &StepId, count: u32, certain: bool, offset: i64) {
        if self.counted.get(step).is_some_and(|before| *before || !certain) {
            return;
        }
        self.counted.insert(step.clone(), certain);
        if self.steps.get_mut(step).is_some_and(|tally| tally.want(count)) {
            self.grounds.filled.insert(step.clone(), offset);
        }
    }

    fn word_of(&self, step: &StepId, instance: &Instance) -> Option<Word> {
        self.steps.get(step)?.word_of(instance)
    }

    fn words_of(&self, service: &Service, instance: &Instance) -> impl Iterator<Item = Word> {
        self.plan.steps_of(service).filter_map(move |step| self.word_of(&step.id, instance))
    }

    fn note_claim(&mut self, record: &Record, event: EventType) {
        if event == EventType::DeploymentStarted {
            let envelope = &record.event.envelope;
            self.claims.entry(envelope.id.clone()).or_insert_with(|| speaker(envelope).to_string());
        }
    }

    /// Which steps a word is about, and what it says: all that await the event, else the one that the service is at.
    fn read_words(&self, service: &Service, event: EventType, envelope: &Envelope) -> Vec<(StepId, Word)> {
        let zone = envelope.zone.as_ref();
        let exact = self.awaiting(service, event).filter(|step| step.concerns(zone));
        let exact: Vec<_> =
            exact.map(|step| (step.id.clone(), said(step, envelope.version.as_ref()))).collect();
        let words = [
            (EventType::DeploymentStarted, Word::Started),
            (EventType::DeploymentComplete, Word::Started),
            (EventType::DeploymentFailed, Word::Failed),
            (EventType::Drained, Word::Drained),
        ];
        match words.into_iter().find(|(of, _)| *of == event) {
            Some((_, word)) if exact.is_empty() => {
                self.current(service, zone).map(|step| (step.id.clone(), word)).into_iter().collect()
            }
            Some(_) | None => exact,
        }
    }

    /// The step that a service is at: the last one whose window is open, else its first.
    fn current(&self, service: &Service, zone: Option<&Zone>) -> Option<&Step> {
        let own: Vec<_> = self.plan.steps_of(service).filter(|step| step.concerns(zone)).collect();
        let full = |step: &Step| self.steps.get(&step.id).is_some_and(Tally::is_full);
        let open = own.iter().rfind(|step| self.is_open(step) || full(step));
        open.or(own.first()).copied()
    }
}

fn said(step: &Step, version: Option<&Version>) -> Word {
    if step.accepts(version) { Word::Said } else { Word::Started }
}
