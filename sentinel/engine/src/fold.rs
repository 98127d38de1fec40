//! The state of a domain as a fold over its partition. Nothing else changes a verdict.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Weak};

use pavane_events::command::RULES;
use pavane_events::control::{DomainConfigured, Sighting, SightingKind};
use pavane_events::{
    Body, Domain, Entry, EventId, EventType, Instance, Lookup, Record, RolloutId, Service, Source, Speaker,
    Unreadable, UnreadableReason, identity,
};

use crate::alert::About;
use crate::brakes::Brakes;
use crate::clock::{Clock, Mark};
use crate::diagnosis::record;
use crate::drift::Drifting;
use crate::effect::{Alert, Counter, Draft, Effect};
use crate::identities::Identities;
use crate::input::BlindCause;
use crate::known::Services;
use crate::lone::Lone;
use crate::reminder::Reminders;
use crate::rollout::Status;
use crate::rollouts::Rollouts;
use crate::schedule::Schedules;
use crate::score::Score;
use crate::sequences::{Sequence, Sequences};
use crate::settings::Settings;
use crate::skew::Skew;
use crate::step::Taint;

/// How many events are kept for rollouts that have not started, and for how long.
const EARLY: usize = 1_000;
const EARLY_FOR: i64 = 600_000;

/// Which rollouts a record may have changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Touched {
    Nothing,
    One(u64),
    All,
}

/// What was decided and must stand on the log; gone when it is read there.
#[derive(Clone, Debug)]
pub(crate) struct Owed(pub(crate) Arc<Draft>);

/// The state of a domain.
#[derive(Clone, Debug)]
pub(crate) struct Fold {
    pub(crate) domain: Domain,
    pub(crate) sentinel: Source,
    pub(crate) clock: Clock,
    pub(crate) settings: Settings,
    pub(crate) brakes: Brakes,
    pub(crate) services: Services,
    /// The instances that run another version than was left.
    pub(crate) drifting: BTreeMap<(Service, Instance), Drifting>,
    /// Which versions run together by the plans, and which do and should not.
    pub(crate) skew: Skew,
    pub(crate) reminders: Reminders,
    /// What is to start again, and by when.
    pub(crate) schedules: Schedules,
    pub(crate) offset: i64,
    /// Where a person began to hold the domain.
    pub(crate) held: Option<i64>,
    /// What people were told of that.
    pub(crate) hold_told: Option<Box<Alert>>,
    pub(crate) rollouts: Rollouts,
    /// Who owns a service that plans name outright; see [`Fold::owner`] for the others.
    pub(crate) owners: Lookup<Service, u64>,
    /// Of how many rollouts something is awaited.
    pub(crate) open: usize,
    /// The rollouts that wait for others, in the order of their start.
    pub(crate) queued: BTreeSet<u64>,
    pub(crate) owed: Lone<EventId, Owed>,
    /// What was decided since somebody looked. No part of what is judged.
    pub(crate) decided: Vec<EventId>,
    /// The alerts that burn, by rollout and what they are about.
    pub(crate) burning: BTreeMap<(u64, About), Alert>,
    /// The rollouts that were not open when an alert of theirs began to burn. It follows from what burns.
    pub(crate) left_over: BTreeSet<u64>,
    pub(crate) sequences: Sequences,
    pub(crate) blind: Option<BlindCause>,
    /// The newest rules that anything here was judged by.
    pub(crate) rules: i64,
    /// The newest rules that this program can judge by.
    pub(crate) knows: i64,
    pub(crate) ended: VecDeque<u64>,
    /// The plans that rollouts dance, so that many rollouts share one.
    pub(crate) scores: Lookup<String, Weak<Score>>,
    /// The one that a rollout began to dance last: most begin with the same as the one before.
    pub(crate) newest_score: Weak<Score>,
    /// Whether what is ordinary takes the short way; see [`straight`](crate::straight). No part of what is judged.
    pub(crate) short_ways: bool,
    pub(crate) seen: Identities,
    pub(crate) early: VecDeque<Record>,
}

impl Fold {
    pub(crate) fn new(domain: Domain) -> Self {
        Self {
            sentinel: identity::sentinel_source(&domain),
            domain,
            clock: Clock::default(),
            settings: Settings::default(),
            brakes: Brakes::default(),
            services: Services::default(),
            drifting: BTreeMap::new(),
            skew: Skew::default(),
            reminders: Reminders::default(),
            schedules: Schedules::default(),
            offset: -1,
            held: None,
            hold_told: None,
            rollouts: Rollouts::default(),
            owners: Lookup::default(),
            open: 0,
            queued: BTreeSet::new(),
            owed: Lone::default(),
            decided: Vec::new(),
            burning: BTreeMap::new(),
            left_over: BTreeSet::new(),
            sequences: Sequences::default(),
            blind: None,
            rules: 0,
            knows: RULES,
            ended: VecDeque::new(),
            scores: Lookup::default(),
            newest_score: Weak::new(),
            short_ways: true,
            seen: Identities::default(),
            early: VecDeque::new(),
        }
    }

    /// Takes the next entry of the partition.
    pub(crate) fn apply(&mut self, entry: &Entry, out: &mut Vec<Effect>) -> Touched {
        self.offset = entry.offset();
        self.clock.read(entry.at(), self.offset, self.open > 0);
        let (leaping, queued) = (!self.clock.leaps().is_empty(), self.queued.len());
        let touched = match entry {
            Entry::Unreadable(unreadable) => self.unreadable(unreadable, out),
            Entry::Event(record) => self.event(record, out),
        };
        if self.open == 0 {
            self.clock.forget_leaps();
        }
        let touched = if leaping || self.queued.len() < queued { Touched::All } else { touched };
        self.remind(touched, out);
        self.miss_starts(out);
        touched
    }

    /// Now, on the log.
    pub(crate) const fn mark(&self) -> Mark {
        Mark::new(self.clock.now(), self.offset)
    }

    /// The rollout with this id.
    pub(crate) fn find(&self, id: &RolloutId) -> Option<u64> {
        self.rollouts.find(id.as_str())
    }

    /// The rollouts of which something is awaited, in the order of their start.
    pub(crate) fn open(&self) -> impl Iterator<Item = u64> {
        self.rollouts.iter().filter(|(_, rollout)| rollout.status.is_open()).map(|(n, _)| n)
    }

    /// The open rollout that owns a service. One that a rollout has for itself ends in the id of that rollout, so nothing
    /// is kept of it.
    pub(crate) fn owner(&self, service: &Service) -> Option<u64> {
        let name = service.as_str();
        let own = |(at, _): (usize, &str)| {
            let n = self.rollouts.find(&name[at + 1..])?;
            let owns =
                |rollout: &crate::rollout::Rollout| rollout.status.is_open() && rollout.touches(service);
            self.rollouts.get(n).is_some_and(owns).then_some(n)
        };
        self.owners.get(service).copied().or_else(|| name.match_indices('-').find_map(own))
    }

    /// How far an instance of a service has counted its events, if it is remembered.
    pub(crate) fn sequence(&self, service: &Service, instance: &Instance) -> Option<&Sequence> {
        let path = format!("/pavane/{}/{service}/{instance}", self.domain);
        Source::new(path).ok().and_then(|source| self.sequences.get(&source))
    }

    /// Where whoever knows nothing must begin to read: the oldest open rollout's start, or a hold in force.
    pub(crate) fn open_from(&self) -> Option<i64> {
        let open = if self.open > 0 { self.open().next() } else { None };
        let oldest = [open, self.queued.first().copied()].into_iter().flatten();
        let starts = oldest.filter_map(|n| Some(self.rollouts.get(n)?.started.offset()));
        starts.chain(self.held).min()
    }

    fn event(&mut self, record: &Record, out: &mut Vec<Effect>) -> Touched {
        // looked up before anything depends on it: both tables are large, and the processor waits for both at once
        let n = record.event.envelope.rollout.as_ref().and_then(|id| self.find(id));
        if !self.seen.take(&record.event.envelope.source, &record.event.envelope.id) {
            out.push(Effect::Count(Counter::Duplicate));
            return Touched::Nothing;
        }
        let envelope = &record.event.envelope;
        if envelope.source == self.sentinel {
            self.owed.remove(&envelope.id);
        } else if let (Some(boot), Some(sequence)) = (&envelope.boot, envelope.sequence) {
            self.sequences.take(&envelope.source, (boot, sequence), self.offset);
        }
        match &record.event.body {
            Body::Proposed(proposed) => self.proposed(n, record, proposed, out),
            Body::Pulse(pulse) if envelope.source == self.sentinel => {
                self.sighted(record, &pulse.sightings, out)
            }
            Body::Pulse(_) | Body::Progress(_) | Body::ClockStepped(_) | Body::TrustChanged(_) => {
                Touched::Nothing
            }
            Body::DomainConfigured(configured) => {
                self.configure(configured);
                Touched::All
            }
            Body::RolloutStarted(started) => self.start(n, record, started, out),
            Body::DomainHeld(said) => self.hold(Some((record, said)), out),
            Body::DomainReleased(_) => self.hold(None, out),
            Body::Ready(_)
            | Body::DeploymentStarted(_)
            | Body::DeploymentComplete(_)
            | Body::DeploymentFailed(_)
            | Body::Drained(_)
            | Body::RollbackInitiated(_)
            | Body::RollbackComplete(_)
            | Body::RollbackFailed(_)
            | Body::RollbackRefused(_)
            | Body::EventRejected(_)
            | Body::HookUncertain(_)
            | Body::PhaseBegun(_)
            | Body::RolloutPaused(_)
            | Body::RolloutResumed(_)
            | Body::GateApproved(_)
            | Body::GateRejected(_)
            | Body::StepOverridden(_)
            | Body::RollbackRequested(_)
            | Body::RolloutAborted(_)
            | Body::RolloutStalled(_)
            | Body::SequenceViolated(_)
            | Body::RolloutCompleted(_)
            | Body::RolloutRolledBack(_)
            | Body::RolloutPartial(_)
            | Body::CommandRefused(_) => self.of_rollout(n, record, out),
        }
    }

    /// What the sentinel that speaks sees beside the log.
    fn sighted(&mut self, record: &Record, seen: &[Sighting], out: &mut Vec<Effect>) -> Touched {
        for seen in seen {
            match seen.kind {
                SightingKind::Drifted | SightingKind::Reconciled => self.drift(record, seen, out),
                SightingKind::Skewed | SightingKind::Aligned => self.skewed(record, seen, out),
                SightingKind::MetricMissing
                | SightingKind::MetricBack
                | SightingKind::CohortUnheard
                | SightingKind::CohortHeard => self.seen_of_phase(seen, out),
                SightingKind::Unknown => {}
            }
        }
        Touched::Nothing
    }

    fn seen_of_phase(&mut self, seen: &Sighting, out: &mut Vec<Effect>) {
        let Some(n) = seen.rollout.as_ref().and_then(|id| self.find(id)) else { return };
        let Some(rollout) = self.rollouts.get_mut(n).filter(|rollout| rollout.status == Status::Open) else {
            return;
        };
        let Some(k) = seen.phase.as_ref().and_then(|id| rollout.score.phase(id)) else { return };
        let phase = &mut rollout.phases[k];
        match seen.kind {
            SightingKind::MetricMissing => phase.missing = Some(seen.detail.clone()),
            SightingKind::CohortUnheard => phase.unheard = true,
            SightingKind::MetricBack => phase.missing = None,
            SightingKind::CohortHeard => phase.unheard = false,
            SightingKind::Drifted
            | SightingKind::Reconciled
            | SightingKind::Skewed
            | SightingKind::Aligned
            | SightingKind::Unknown => {}
        }
        self.remind(Touched::One(n), out);
    }

    /// What holds from here on.
    fn configure(&mut self, configured: &DomainConfigured) {
        let oldest = self.rollouts.values().next().map_or(self.offset, |rollout| rollout.started.offset());
        self.settings.configure(self.offset, configured.clone(), oldest);
        self.clock.grace = self.settings.newest().grace_ms;
    }

    /// Whether a sentinel of this domain has said this already.
    pub(crate) fn has_said(&self, id: &EventId) -> bool {
        self.seen.hold(&self.sentinel, id)
    }

    /// An event about one rollout: kept when the rollout has not started, refused when it cannot.
    fn of_rollout(&mut self, n: Option<u64>, record: &Record, out: &mut Vec<Effect>) -> Touched {
        let Some(rollout) = &record.event.envelope.rollout else {
            out.push(Effect::Count(Counter::Stranger));
            return Touched::Nothing;
        };
        let Some(n) = n else {
            out.push(Effect::Count(Counter::Stranger));
            match record.event.body.event_type().speaker() {
                Speaker::Service => self.keep_early(record),
                Speaker::Command => {
                    let why =
                        format!("no rollout {rollout} has started; see `pavane status` for those that have");
                    self.refuse(record, "unknown_rollout", why);
                }
                Speaker::Verdict | Speaker::Control => {}
            }
            return Touched::Nothing;
        };
        let by_service = record.event.body.event_type().speaker() == Speaker::Service;
        if by_service && self.queued.contains(&n) {
            self.keep_early(record);
        } else if !by_service || !self.goes_straight(n, record) {
            self.speak(n, record, out);
        }
        Touched::One(n)
    }

    fn keep_early(&mut self, record: &Record) {
        let old = self.clock.now().plus(-EARLY_FOR);
        while self.early.len() >= EARLY || self.early.front().is_some_and(|first| first.at < old) {
            self.early.pop_front();
        }
        self.early.push_back(record.clone());
    }

    /// Stops the clocks of a rollout where something stops them, else lets them run on. For how long they stood still is not
    /// known before a leap of the broker's clock is explained: till then they wait.
    pub(crate) fn set_clocks(&mut self, n: u64) {
        let (mark, held, leaping) = (self.mark(), self.held.is_some(), !self.clock.leaps().is_empty());
        if let Some(rollout) = self.rollouts.get_mut(n).filter(|rollout| rollout.status.is_open()) {
            let stop = held || rollout.paused;
            if stop || !leaping {
                rollout.halt(stop, mark);
            }
        }
    }

    /// An accepted decision whose ground was taken before it was said counts no more; the next attempt may come.
    pub(crate) fn withdraw(&mut self, n: u64, out: &mut Vec<Effect>) {
        let Some(rollout) = self.rollouts.get_mut(n) else { return };
        if let Some(pending) = rollout.take_pending() {
            rollout.attempt += 1;
            self.owed.remove(&pending.id);
            self.brakes.withdrawn(pending.accepted);
            out.push(Effect::Count(Counter::Withdrawn(pending.event.as_str())));
        }
    }

    /// A record that nobody can read may be the very event that is awaited: the step is tainted by it.
    fn unreadable(&mut self, unreadable: &Unreadable, out: &mut Vec<Effect>) -> Touched {
        out.push(Effect::Count(Counter::Unreadable(unreadable.reason.as_str())));
        if unreadable.reason == UnreadableReason::NewerVocabulary {
            self.blind = Some(BlindCause::NewerVocabulary);
            return Touched::Nothing;
        }
        out.push(Effect::DeadLetter { offset: unreadable.offset });
        if let Some(service) = &unreadable.service {
            self.sequences.unreadable(&format!("/pavane/{}/{service}/", self.domain));
        }
        let n = unreadable.rollout.as_ref().and_then(|id| self.find(id));
        let (Some(n), Some(service)) = (n, &unreadable.service) else { return Touched::Nothing };
        let event = unreadable.event_type.as_deref().and_then(EventType::from_full);
        let Some(rollout) = self.rollouts.get_mut(n) else { return Touched::Nothing };
        let open = |i: &usize| rollout.steps[*i].full.is_none();
        let step = event.and_then(|event| rollout.awaiting(service, event).find(open));
        if let Some(i) = step
            && rollout.status == Status::Open
            && rollout.steps[i].full.is_none()
        {
            rollout.steps[i].taint = Some(Taint {
                offset: unreadable.offset,
                why: record::unreadable(unreadable),
                schema_id: unreadable.schema_id,
                field: unreadable.field.clone(),
            });
        }
        Touched::One(n)
    }
}
