//! Who may start: the first start on the log owns its services; a later one that touches them is refused at its
//! offset, or waits where its plan says so. First come, first served.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};

use pavane_choreography::Concurrency;
use pavane_events::command::RolloutStarted;
use pavane_events::{Lookup, Record, RolloutId, Service, Timestamp};

use crate::effect::{Counter, Effect, Ended};
use crate::fold::{Fold, RULES, Touched};
use crate::input::BlindCause;
use crate::rollout::{Rollout, Status};
use crate::score::Score;

/// How many plans are kept for sharing.
const SCORES: usize = 1_024;
/// How many ended rollouts are remembered, for late rollbacks.
const ENDED: usize = 1_000;

/// Why a start is refused: a code and a sentence.
type Refusal = (&'static str, String);

impl Fold {
    /// Takes the start of a rollout.
    pub(crate) fn start(
        &mut self,
        record: &Record,
        started: &RolloutStarted,
        out: &mut Vec<Effect>,
    ) -> Touched {
        let envelope = &record.event.envelope;
        let Some(id) = envelope.rollout.clone() else {
            out.push(Effect::Count(Counter::Stranger));
            return Touched::Nothing;
        };
        if started.rules > RULES {
            self.blind = Some(BlindCause::NewerRules);
            return Touched::Nothing;
        }
        let admitted =
            self.admit(&id, started).and_then(|score| Ok((self.must_wait(&score, record.at)?, score)));
        let (waits, score) = match admitted {
            Ok(admitted) => admitted,
            Err((code, reason)) => {
                self.refuse(record, code, reason);
                return Touched::Nothing;
            }
        };
        if self.scores.len() >= SCORES {
            self.scores = Lookup::default();
        }
        self.scores.insert(score.digest.clone(), Arc::downgrade(&score));
        let n = self.started;
        self.started += 1;
        let rollout = Rollout::new(id.clone(), score, envelope.id.clone(), self.mark(), record.at);
        self.by_id.insert(id, n);
        self.rollouts.insert(n, rollout);
        if waits {
            self.queued.insert(n);
        } else {
            self.begin(n, record.at, out);
        }
        Touched::One(n)
    }

    /// The plan of a start, if it can be danced under this id.
    fn admit(&self, id: &RolloutId, started: &RolloutStarted) -> Result<Arc<Score>, Refusal> {
        if let Some(known) = self.find(id).and_then(|n| self.rollouts.get(&n)) {
            let why = if known.score.digest == started.plan_digest {
                format!("a rollout {id} has started already; take another id")
            } else {
                format!(
                    "rollout {id} dances the plan {}; a changed plan needs another id",
                    known.score.digest
                )
            };
            return Err(("conflict", why));
        }
        let known = self.scores.get(&started.plan_digest).and_then(Weak::upgrade);
        match known.filter(|score| score.plan.to_json() == started.plan) {
            Some(score) => Ok(score),
            None => Score::read(&started.plan, &started.plan_digest).map_err(|error| ("bad_plan", error)),
        }
    }

    /// Whether a start waits for others; an error where it may not start at all.
    fn must_wait(&self, score: &Score, raw: Timestamp) -> Result<bool, Refusal> {
        if let Some(maintenance) = &score.plan.maintenance
            && maintenance.closes(raw).is_none()
        {
            return Err(("outside_maintenance", format!("the plan may only begin {maintenance}")));
        }
        let Some((service, other)) = self.in_the_way(score, &self.queued.iter().copied().collect::<Vec<_>>())
        else {
            return Ok(false);
        };
        match score.plan.concurrency {
            Concurrency::Queue => Ok(true),
            Concurrency::Refuse => Err((
                "conflict",
                format!("{service} takes part in rollout {}; wait for its end or abort it first", other.id),
            )),
        }
    }

    /// The first service that another rollout owns, or that one of these queued ones claims.
    fn in_the_way<'a>(&'a self, score: &'a Score, queued: &[u64]) -> Option<(&'a Service, &'a Rollout)> {
        let claims = |n: &&u64, service: &Service| self.rollouts[*n].touches(service);
        score.plan.steps.iter().find_map(|step| {
            let service = &step.expect.service;
            let owner = self.owners.get(service);
            let other = owner.or_else(|| queued.iter().find(|n| claims(n, service)))?;
            Some((service, self.rollouts.get(other)?))
        })
    }

    /// The rollout that keeps a queued one waiting.
    pub(crate) fn behind(&self, rollout: &Rollout) -> Option<RolloutId> {
        let n = self.find(&rollout.id)?;
        let before: Vec<u64> = self.queued.range(..n).copied().collect();
        Some(self.in_the_way(&rollout.score, &before)?.1.id.clone())
    }

    /// Gives a rollout its services; whatever waits for nothing opens here.
    fn begin(&mut self, n: u64, raw: Timestamp, out: &mut Vec<Effect>) {
        let (mark, held) = (self.mark(), self.held.is_some());
        let Some(rollout) = self.rollouts.get_mut(&n) else { return };
        let maintenance = rollout.score.plan.maintenance.as_ref();
        rollout.begin(mark, maintenance.and_then(|window| window.closes(raw)));
        if held {
            rollout.halt(true, mark);
        }
        let id = rollout.id.clone();
        for step in &rollout.score.plan.steps {
            self.owners.insert(step.expect.service.clone(), n);
        }
        self.open.insert(n);
        let kept = std::mem::take(&mut self.early);
        let (mine, others) =
            kept.into_iter().partition(|early| early.event.envelope.rollout.as_ref() == Some(&id));
        self.early = others;
        for early in &mine as &VecDeque<Record> {
            self.speak(n, early, out);
        }
    }

    /// Ends a rollout: its services are free again, its alerts are over, and whoever waited for it may begin.
    pub(crate) fn end(&mut self, n: u64, status: Status, raw: Timestamp, out: &mut Vec<Effect>) {
        let Some(rollout) = self.rollouts.get_mut(&n) else { return };
        rollout.status = status;
        rollout.pending = None;
        rollout.ended = Some(raw);
        self.open.remove(&n);
        self.queued.remove(&n);
        for step in &rollout.score.plan.steps {
            if self.owners.get(&step.expect.service) == Some(&n) {
                self.owners.remove(&step.expect.service);
            }
        }
        out.push(Effect::Ended(Ended {
            rollout: rollout.id.clone(),
            choreography: rollout.score.plan.name.clone(),
            status,
            started: rollout.started_raw,
            ended: raw,
        }));
        self.resolve_all(n, out);
        self.remember_ended(n);
        self.admit_queued(raw, out);
    }

    /// Begins every queued rollout that nothing stands in the way of any more.
    fn admit_queued(&mut self, raw: Timestamp, out: &mut Vec<Effect>) {
        let waiting: Vec<u64> = self.queued.iter().copied().collect();
        for (place, n) in waiting.iter().enumerate() {
            let before: Vec<u64> =
                waiting[..place].iter().copied().filter(|n| self.queued.contains(n)).collect();
            let free = self
                .rollouts
                .get(n)
                .is_some_and(|rollout| self.in_the_way(&rollout.score, &before).is_none());
            if free {
                self.queued.remove(n);
                self.begin(*n, raw, out);
            }
        }
    }

    fn remember_ended(&mut self, n: u64) {
        self.ended.push_back(n);
        if self.ended.len() > ENDED
            && let Some(oldest) = self.ended.pop_front()
            && self.rollouts.get(&oldest).is_some_and(|rollout| !rollout.status.is_open())
            && let Some(forgotten) = self.rollouts.remove(&oldest)
        {
            self.by_id.remove(&forgotten.id);
        }
    }
}
