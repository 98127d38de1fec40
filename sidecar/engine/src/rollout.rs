//! One rollout as the log tells it: where it stands, and what was decided.
//!
//! A sidecar reads no proposals, but for the count of a step's instances, which is never said otherwise. It believes
//! a decision that names the offset at which it was accepted when nothing between there and here has taken its
//! ground; for that the last offset of each kind of ground is enough.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use pavane_choreography::{Expect, Instances};
use pavane_events::command::{PhaseBegun, RollbackRequested};
use pavane_events::{Body, EventId, PhaseId, Record, RolloutId, Service, StepId};

use crate::parallel::Moving;
use crate::score::Score;
use crate::sieve::Sieved;
use crate::tally::Tally;

/// Where a rollout stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// It waits for the end of others that own one of its services.
    Queued,
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
pub(crate) struct Grounds {
    stop: i64,
    pub(crate) overridden: i64,
    person: i64,
    pub(crate) moved: i64,
    pub(crate) filled: BTreeMap<StepId, i64>,
}

/// An announcement under the own name.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Announced {
    pub(crate) id: EventId,
    pub(crate) boot: String,
    pub(crate) offset: i64,
    /// Whether the service goes back.
    pub(crate) back: bool,
    /// What is reacted to.
    pub(crate) causation: Option<EventId>,
}

/// One rollout, as folded from the log.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Rollout {
    pub(crate) id: RolloutId,
    pub(crate) plan: Arc<Score>,
    pub(crate) started: Record,
    /// Where it began: at its start, or where the last rollout that stood in its way ended.
    pub(crate) begun: i64,
    /// Where the first rollout started that it must be known of to know this one.
    pub(crate) since: i64,
    pub(crate) status: Status,
    pub(crate) epoch: i64,
    pub(crate) paused: bool,
    /// The request that is addressed to the own service in this epoch.
    pub(crate) asked: Option<Record>,
    /// The record that fills the trigger of a reaction, by the trigger.
    pub(crate) triggers: BTreeMap<Expect, Record>,
    /// What the sieves of reactions have let through.
    pub(crate) sieved: Sieved,
    /// The first claim of what runs once for a service, by its id: whose it is.
    pub(crate) claims: BTreeMap<EventId, String>,
    /// The own announcements that have been read back, and where they stand.
    pub(crate) read_back: BTreeMap<EventId, i64>,
    /// What was announced under the own name, by this sidecar or by another of its name, in its order.
    pub(crate) announced: Vec<Announced>,
    /// The records with which phases began.
    pub(crate) phases: BTreeMap<PhaseId, Record>,
    /// The instances of the own service that are at their hooks, or wait to be.
    pub(crate) moving: Moving,
    pub(crate) steps: BTreeMap<StepId, Tally>,
    pub(crate) others: BTreeMap<Expect, Tally>,
    /// The steps whose share of the instances was counted, and whether it is certain that the count was accepted.
    pub(crate) counted: BTreeMap<StepId, bool>,
    pub(crate) grounds: Grounds,
    decision: Option<i64>,
    seen: BTreeSet<(String, EventId)>,
}

impl Rollout {
    pub(crate) fn new(id: RolloutId, plan: Arc<Score>, started: Record) -> Self {
        // A share is a number that nobody reaches until it has been counted.
        let tally = |instances: Instances| Tally::new(instances.count().unwrap_or(u32::MAX));
        let steps = plan.steps.iter().map(|step| (step.id.clone(), tally(step.instances))).collect();
        let offset = started.offset;
        Self {
            id,
            plan,
            started,
            begun: offset,
            since: offset,
            status: Status::Queued,
            epoch: 1,
            paused: false,
            asked: None,
            triggers: BTreeMap::new(),
            sieved: Sieved::new(),
            claims: BTreeMap::new(),
            read_back: BTreeMap::new(),
            announced: Vec::new(),
            phases: BTreeMap::new(),
            moving: Moving::default(),
            steps,
            others: BTreeMap::new(),
            counted: BTreeMap::new(),
            decision: None,
            grounds: Grounds { stop: -1, overridden: -1, person: -1, moved: -1, filled: BTreeMap::new() },
            seen: BTreeSet::new(),
        }
    }

    /// Whether the identity was not read before in this rollout.
    pub(crate) fn is_new(&mut self, record: &Record) -> bool {
        let envelope = &record.event.envelope;
        self.seen.insert((envelope.source.as_str().to_owned(), envelope.id.clone()))
    }

    /// Begins; for one that has waited, where the last rollout in its way has ended.
    pub(crate) fn begin(&mut self, offset: i64) {
        self.status = Status::Open;
        self.begun = offset;
    }

    /// Takes note of a record under the own name.
    pub(crate) fn note_own(&mut self, record: &Record) {
        let envelope = &record.event.envelope;
        self.read_back.insert(envelope.id.clone(), record.offset);
        let back = matches!(record.event.body, Body::RollbackInitiated(_));
        let announces = back || matches!(record.event.body, Body::DeploymentStarted(_));
        if let Some(boot) = envelope.boot.clone().filter(|_| announces) {
            let (id, causation) = (envelope.id.clone(), envelope.causation.clone());
            self.announced.push(Announced { id, boot, offset: record.offset, back, causation });
        }
    }

    /// Whether the service takes part.
    pub(crate) fn touches(&self, service: &Service) -> bool {
        self.plan.touches(service)
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

    /// Whether the sentinel's word that the clocks stop, accepted at an offset, still has its ground.
    pub(crate) fn believes_pause(&self, accepted: i64) -> bool {
        self.status == Status::Open && self.unstopped_since(accepted)
    }

    /// Whether the sentinel's word that the rollout has ended, accepted at an offset, still has its ground.
    pub(crate) fn believes_ending(&self, epoch: i64, accepted: i64) -> bool {
        epoch == self.epoch && self.unstopped_since(accepted) && self.grounds.moved <= accepted
    }

    /// Whether the sentinel's word that a phase has begun still has its ground.
    pub(crate) fn believes_phase(&self, body: &PhaseBegun) -> bool {
        self.status == Status::Open
            && body.epoch == self.epoch
            && body.accepted.is_some_and(|accepted| self.unstopped_since(accepted))
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
