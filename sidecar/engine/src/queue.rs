//! Who may start: the first rollout owns its services; a later one that touches them is refused, or waits where its
//! plan says so. First come, first served. Sentinels judge by the same rule, at the same offsets.

use std::collections::VecDeque;
use std::sync::Arc;

use pavane_choreography::{Concurrency, Plan};
use pavane_events::command::RULES;
use pavane_events::{Body, Record, Service};

use crate::effect::Notice;
use crate::fold::{Fold, duplicate, notice};
use crate::rollout::{Rollout, Status};
use crate::score::Score;

/// How many events are kept for rollouts that have not begun, and for how long.
const EARLY: usize = 1_000;
const EARLY_FOR: i64 = 600_000;
/// How many ended rollouts are remembered, for late rollbacks.
const ENDED: usize = 256;

/// A start that met another rollout and would not wait.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Refused {
    pub(crate) offset: i64,
    /// Where whoever must know of the other begins to read.
    pub(crate) since: i64,
}

/// Why a start is refused, and where the rollout that it met is known from.
struct Refusal {
    why: String,
    since: Option<i64>,
}

impl Fold {
    /// Takes the start of a rollout.
    pub(crate) fn start(&mut self, record: &Record) -> Option<Notice> {
        let envelope = &record.event.envelope;
        let Some(id) = envelope.rollout.clone() else {
            return Some(notice(record, "rollout_ignored", "it names no rollout".to_owned()));
        };
        if let Some(known) = self.rollouts.iter_mut().find(|rollout| rollout.id == id) {
            let again = !known.is_new(record);
            let why = format!("a rollout {id} has started already");
            return Some(if again { duplicate(record) } else { notice(record, "rollout_ignored", why) });
        }
        // one that was refused stays so, however often it comes
        if !self.is_new(record) {
            return Some(duplicate(record));
        }
        let plan = match self.admit(record) {
            Ok(plan) => plan,
            Err(Refusal { why, since }) => {
                self.refused.extend(since.map(|since| Refused { offset: record.offset, since }));
                if self.refused.len() > ENDED {
                    self.refused.pop_front();
                }
                return Some(notice(record, "rollout_ignored", format!("rollout {id}: {why}")));
            }
        };
        let mut rollout = Rollout::new(id, plan, record.clone());
        rollout.is_new(record);
        let others = self.in_the_way(&rollout.plan, self.rollouts.len());
        rollout.since =
            others.map(|(_, other)| other.since).chain([record.offset]).min().unwrap_or(record.offset);
        self.forget_ended();
        self.rollouts.push(rollout);
        self.begin_free(record.offset);
        None
    }

    /// Begins every rollout that waits and that nothing stands in the way of.
    pub(crate) fn begin_free(&mut self, offset: i64) {
        for at in 0..self.rollouts.len() {
            let rollout = &self.rollouts[at];
            let waits = rollout.status == Status::Queued;
            if waits && self.in_the_way(&rollout.plan, at).next().is_none() {
                self.rollouts[at].begin(offset);
                let started = self.rollouts[at].started.clone();
                self.sift(at, &started);
                self.take_early(at);
            }
        }
    }

    /// Keeps an event of a rollout that has not begun.
    pub(crate) fn keep_early(&mut self, record: Record) -> Option<Notice> {
        let old = self.time.plus(-EARLY_FOR);
        while self.early.front().is_some_and(|first| first.at < old) {
            self.early.pop_front();
        }
        let full = self.early.len() >= EARLY;
        let dropped = if full { self.early.pop_front() } else { None };
        self.early.push_back(record);
        dropped.map(|first| notice(&first, "early_dropped", format!("{EARLY} early events are kept at most")))
    }

    /// Takes what was kept for a rollout that begins.
    fn take_early(&mut self, at: usize) {
        let id = self.rollouts[at].id.clone();
        let kept = std::mem::take(&mut self.early);
        let is_own = |early: &Record| early.event.envelope.rollout.as_ref() == Some(&id);
        let (own, others): (VecDeque<_>, VecDeque<_>) = kept.into_iter().partition(is_own);
        self.early = others;
        for early in &own {
            self.of_rollout(early);
        }
    }

    /// One that cannot be understood, comes out of its hours or meets another and will not wait is nobody's.
    fn admit(&self, record: &Record) -> Result<Arc<Score>, Refusal> {
        let plan = self.read_plan(record).map_err(|why| Refusal { why, since: None })?;
        let taken = self.in_the_way(&plan, self.rollouts.len()).next();
        match (taken, plan.concurrency) {
            (Some((service, other)), Concurrency::Refuse) => {
                let why = format!("{service} takes part in rollout {}", other.id);
                Err(Refusal { why, since: Some(other.since) })
            }
            (Some(_), Concurrency::Queue) | (None, _) => Ok(plan),
        }
    }

    /// The rollouts that own a service of a plan, or that claim it from a place in the line before this one.
    fn in_the_way<'a>(
        &'a self,
        plan: &'a Plan,
        place: usize,
    ) -> impl Iterator<Item = (&'a Service, &'a Rollout)> {
        let claims = move |(at, rollout): &(usize, &Rollout)| {
            rollout.status.is_open() || (rollout.status == Status::Queued && *at < place)
        };
        self.rollouts.iter().enumerate().filter(claims).filter_map(|(_, rollout)| {
            let mut services = plan.steps.iter().map(|step| &step.expect.service);
            Some((services.find(|service| rollout.touches(service))?, rollout))
        })
    }

    fn forget_ended(&mut self) {
        let over = |rollout: &Rollout| !rollout.status.is_open() && rollout.status != Status::Queued;
        let ended = self.rollouts.iter().filter(|rollout| over(rollout)).count();
        let oldest = self.rollouts.iter().position(over);
        if let Some(oldest) = oldest.filter(|_| ended >= ENDED) {
            self.rollouts.remove(oldest);
        }
    }
    /// The plan of a start; or why nobody can dance it.
    fn read_plan(&self, record: &Record) -> Result<Arc<Score>, String> {
        let Body::RolloutStarted(started) = &record.event.body else { return Err("not a start".to_owned()) };
        if started.rules > RULES {
            return Err(format!("it is judged by rules {}, this program knows {RULES}", started.rules));
        }
        let plan = match self.scores.iter().find(|score| score.is_of(started)) {
            Some(known) => Arc::clone(known),
            None => Arc::new(Score::read(started)?),
        };
        let plan = match &record.event.envelope.rollout {
            Some(rollout) => Score::bound_to(plan, rollout)?,
            None => plan,
        };
        match plan.maintenance.as_ref().filter(|hours| hours.closes(record.at).is_none()) {
            Some(maintenance) => Err(format!("the plan may only begin {maintenance}")),
            None => Ok(plan),
        }
    }
}
