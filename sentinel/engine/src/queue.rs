//! Who may start: the first start on the log owns its services; a later one that touches them is refused at its
//! offset, or waits where its plan says so. First come, first served.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::{Arc, Weak};

use pavane_choreography::{Concurrency, Step};
use pavane_events::command::RolloutStarted;
use pavane_events::{Lookup, Record, RolloutId, Service, Timestamp};

use crate::alert::{About, Matter, outlook};
use crate::effect::{Counter, Effect, Ended};
use crate::fold::{Fold, Touched};
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
    /// Takes the start of a rollout. `known` is the one that has its id already.
    pub(crate) fn start(
        &mut self,
        known: Option<u64>,
        record: &Record,
        started: &RolloutStarted,
        out: &mut Vec<Effect>,
    ) -> Touched {
        let envelope = &record.event.envelope;
        let Some(id) = envelope.rollout.clone() else {
            out.push(Effect::Count(Counter::Stranger));
            return Touched::Nothing;
        };
        if started.rules > self.knows {
            self.blind = Some(BlindCause::NewerRules);
            return Touched::Nothing;
        }
        let score = match self.admit(&id, known, started) {
            Ok(score) => score,
            Err((code, reason)) => {
                self.refuse(record, code, reason);
                return Touched::Nothing;
            }
        };
        let waits = match self.must_wait(&score, &id, record.at) {
            Ok(waits) => waits,
            Err((code, reason)) => {
                self.refuse(record, code, reason);
                self.raise_refused(&score, &id, record, out);
                return Touched::Nothing;
            }
        };
        self.rules = self.rules.max(started.rules);
        self.scheduled(&score.plan, &id, out);
        let rollout = Rollout::new(id, score, envelope.id.clone(), self.mark(), record.at);
        let n = self.rollouts.push(rollout);
        if waits {
            self.queued.insert(n);
        } else {
            self.begin(n, record.at, out);
        }
        Touched::One(n)
    }

    /// The plan of a start, if it can be danced under this id.
    fn admit(
        &mut self,
        id: &RolloutId,
        known: Option<u64>,
        started: &RolloutStarted,
    ) -> Result<Arc<Score>, Refusal> {
        if let Some(known) = known.and_then(|n| self.rollouts.get(n)) {
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
        let same = |score: &Arc<Score>| score.rules == started.rules.max(1) && *score.json == *started.plan;
        let newest = self.newest_score.upgrade().filter(|score| score.digest == started.plan_digest);
        let known = newest.or_else(|| self.scores.get(&started.plan_digest).and_then(Weak::upgrade));
        let score = match known.filter(same) {
            Some(score) => score,
            None => self.learn(started).map_err(|error| ("bad_plan", error))?,
        };
        score.bind(id).map_err(|error| ("bad_plan", error))?;
        if !std::ptr::eq(self.newest_score.as_ptr(), Arc::as_ptr(&score)) {
            self.newest_score = Arc::downgrade(&score);
        }
        Ok(score)
    }

    /// Reads a plan that no rollout dances, and keeps it for those that follow.
    fn learn(&mut self, started: &RolloutStarted) -> Result<Arc<Score>, String> {
        let score = Score::read(&started.plan, &started.plan_digest, started.rules.max(1))?;
        if self.scores.len() >= SCORES {
            self.scores = Lookup::default();
        }
        self.share(&score);
        Ok(score)
    }

    /// Keeps a plan at hand for those that dance it too.
    pub(crate) fn share(&mut self, score: &Arc<Score>) {
        self.scores.insert(score.digest.clone(), Arc::downgrade(score));
    }

    /// Whether a start waits for others; an error where it may not start at all.
    fn must_wait(&self, score: &Score, id: &RolloutId, raw: Timestamp) -> Result<bool, Refusal> {
        if let Some(maintenance) = &score.plan.maintenance
            && maintenance.closes(raw).is_none()
        {
            return Err(("outside_maintenance", format!("the plan may only begin {maintenance}")));
        }
        let queued: Vec<u64> = self.queued.iter().copied().collect();
        let Some((service, other)) = self.in_the_way(score, id, &queued) else { return Ok(false) };
        match score.plan.concurrency {
            Concurrency::Queue => Ok(true),
            Concurrency::Refuse => Err((
                "conflict",
                format!("{service} takes part in rollout {}; wait for its end or abort it first", other.id),
            )),
        }
    }

    /// The first service that another rollout owns, or that one of these queued ones claims.
    fn in_the_way<'a>(
        &'a self,
        score: &'a Score,
        id: &RolloutId,
        queued: &[u64],
    ) -> Option<(Cow<'a, Service>, &'a Rollout)> {
        let claims = |n: &&u64, service: &Service| self.rollouts[**n].touches(service);
        // a name without a further hyphen ends in this id alone, and nobody else has it
        let plain = |name: &str| !name.contains('-');
        let alone = self.owners.is_empty() && queued.is_empty() && plain(id.as_str());
        if alone && score.own.plain {
            return None;
        }
        let is_free = |step: &Step| alone && step.per_rollout && plain(step.expect.service.as_str());
        score.plan.steps.iter().filter(|step| !is_free(step)).find_map(|step| {
            let service = step.service(id).ok()?;
            let other =
                self.owner(&service).or_else(|| queued.iter().find(|n| claims(n, &service)).copied())?;
            Some((service, self.rollouts.get(other)?))
        })
    }

    /// Tells of a start that another rollout is in the way of: the first that it keeps out, until it ends.
    fn raise_refused(&mut self, score: &Score, id: &RolloutId, record: &Record, out: &mut Vec<Effect>) {
        let queued: Vec<u64> = self.queued.iter().copied().collect();
        let Some((service, other)) = self.in_the_way(score, id, &queued) else { return };
        let (service, other_id) = (service.into_owned(), other.id.clone());
        let Some(n) = self.find(&other_id) else { return };
        let about = About::Whole(Matter::InTheWay);
        if self.burning.contains_key(&(n, about)) {
            return;
        }
        let mut alert = self.alert(
            &self.rollouts[n],
            "RolloutRefused",
            None,
            "conflict",
            &record.event.envelope.id,
            record.at,
        );
        let (plan, owner) = (&score.plan.name, &score.plan.owner);
        for (key, text) in [
            ("rollout", id.as_str()),
            ("choreography", plan.as_str()),
            ("service", service.as_str()),
            ("owner", owner.as_str()),
            ("severity", "ticket"),
        ] {
            alert.labels.insert(key.to_owned(), text.to_owned());
        }
        for (key, text) in [
            ("summary", format!("{plan}: {id} was not started, {other_id} is in its way (conflict)")),
            (
                "description",
                format!(
                    "Rollout {id} wants to move {service}, which takes part in rollout {other_id} already: the first on the \
                     log has it. Nothing of {id} was begun. The sentinel refused the start at offset {} and does not \
                     try it again.",
                    record.offset
                ),
            ),
            (
                "next_step",
                format!("wait for the end of {other_id}, or `pavane abort {other_id}`; then start it again"),
            ),
            ("outlook", outlook::refused(id.as_str(), other_id.as_str())),
            ("why", format!("pavane why {other_id}")),
            ("culprit", service.to_string()),
            ("culprit_owner", owner.clone()),
            ("origin", other_id.to_string()),
            ("offsets", record.offset.to_string()),
        ] {
            alert.say(key, text);
        }
        self.burn(n, about, alert, out);
    }

    /// The rollout that keeps a queued one waiting.
    pub(crate) fn behind(&self, rollout: &Rollout) -> Option<RolloutId> {
        let n = self.find(&rollout.id)?;
        let before: Vec<u64> = self.queued.range(..n).copied().collect();
        Some(self.in_the_way(&rollout.score, &rollout.id, &before)?.1.id.clone())
    }

    /// Gives a rollout its services; whatever waits for nothing opens here.
    fn begin(&mut self, n: u64, raw: Timestamp, out: &mut Vec<Effect>) {
        let (mark, held) = (self.mark(), self.held.is_some());
        let Some(rollout) = self.rollouts.get_mut(n) else { return };
        let maintenance = rollout.score.plan.maintenance.as_ref();
        rollout.begin(mark, maintenance.and_then(|window| window.closes(raw)));
        if held {
            rollout.halt(true, mark);
        }
        let id = rollout.id.clone();
        self.own(n);
        self.settle_drift(n, out);
        self.claim(n);
        if self.early.is_empty() {
            return;
        }
        let kept = std::mem::take(&mut self.early);
        let (mine, others) =
            kept.into_iter().partition(|early| early.event.envelope.rollout.as_ref() == Some(&id));
        self.early = others;
        for early in &mine as &VecDeque<Record> {
            self.speak(n, early, out);
        }
    }

    /// Gives a rollout that opens its services.
    pub(crate) fn own(&mut self, n: u64) {
        self.open += 1;
        let Some(rollout) = self.rollouts.get(n).filter(|rollout| !rollout.score.own.all) else { return };
        for step in rollout.score.plan.steps.iter().filter(|step| !step.per_rollout) {
            self.owners.insert(step.expect.service.clone(), n);
        }
    }

    /// Ends a rollout: its services are free again, its alerts are over, and whoever waited for it may begin.
    pub(crate) fn end(&mut self, n: u64, status: Status, raw: Timestamp, out: &mut Vec<Effect>) {
        if self.rollouts.get(n).is_some_and(|rollout| rollout.status.is_open()) {
            self.note_ended(n, status);
            self.settle_claims(n, status, out);
        }
        let Some(rollout) = self.rollouts.get_mut(n) else { return };
        self.open -= usize::from(rollout.status.is_open());
        rollout.status = status;
        rollout.pending = None;
        rollout.ended = Some(raw);
        self.queued.remove(&n);
        let shared = if rollout.score.own.all { &[][..] } else { &rollout.score.plan.steps };
        for step in shared.iter().filter(|step| !step.per_rollout) {
            if self.owners.get(&step.expect.service) == Some(&n) {
                self.owners.remove(&step.expect.service);
            }
        }
        out.push(Effect::Ended(Box::new(Ended {
            rollout: rollout.id.clone(),
            choreography: Arc::clone(&rollout.score.name),
            status,
            started: rollout.started_raw,
            ended: raw,
        })));
        self.resolve_all(n, out);
        self.remember_ended(n, out);
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
                .get(*n)
                .is_some_and(|rollout| self.in_the_way(&rollout.score, &rollout.id, &before).is_none());
            if free {
                self.queued.remove(n);
                self.begin(*n, raw, out);
            }
        }
    }

    fn remember_ended(&mut self, n: u64, out: &mut Vec<Effect>) {
        self.ended.push_back(n);
        if self.ended.len() > ENDED
            && let Some(oldest) = self.ended.pop_front()
            && self.rollouts.get(oldest).is_some_and(|rollout| !rollout.status.is_open())
        {
            self.resolve_all(oldest, out);
            self.rollouts.forget(oldest);
        }
    }
}
