//! The metrics that phases are watched by: when to ask, what was said, how long it has kept to its bound.
//!
//! None of it is folded from the log: it decides what is proposed, and the proposal quotes the value.

use std::collections::{BTreeMap, BTreeSet};

use pavane_choreography::{Bound, Watch};
use pavane_events::{Cause, Evidence, EvidenceKind, Millis};

use crate::effect::Effect;
use crate::rollout::Rollout;

/// A rollout, and one of its phases.
pub(crate) type Watched = (u64, usize);

/// What the metrics said of the phases that are watched.
#[derive(Clone, Debug, Default)]
pub(crate) struct Watches {
    seen: BTreeMap<Watched, Seen>,
    /// The rollouts that an answer came for since the last look.
    fresh: BTreeSet<u64>,
}

#[derive(Clone, Debug)]
struct Seen {
    watch: Watch,
    /// When to ask next.
    next: Millis,
    /// Since when the value has kept to the bound without a break.
    kept: Option<Millis>,
    last: Option<Result<f64, String>>,
    /// Since when there has been no value.
    blind: Option<Millis>,
}

/// That there is no value for a phase.
pub(crate) struct Blind {
    /// Since when, in the replica's own elapsed time.
    pub(crate) since: Millis,
    /// Why, for a person.
    pub(crate) why: String,
}

impl Watches {
    /// Watches the open phase of a rollout, or stops to.
    pub(crate) fn follow(&mut self, n: u64, rollout: Option<&Rollout>, watched: Option<usize>, now: Millis) {
        let gone: Vec<Watched> = self
            .seen
            .range((n, 0)..=(n, usize::MAX))
            .map(|(key, _)| *key)
            .filter(|(_, k)| Some(*k) != watched)
            .collect();
        for key in gone {
            self.seen.remove(&key);
        }
        let watch = watched.zip(rollout).and_then(|(k, rollout)| rollout.plan_phase(k).watch.clone());
        if let (Some(k), Some(watch)) = (watched, watch) {
            let new = || Seen { watch, next: now, kept: None, last: None, blind: Some(now) };
            self.seen.entry((n, k)).or_insert_with(new);
        }
    }

    /// Asks for what is due.
    pub(crate) fn ask(&mut self, now: Millis, out: &mut Vec<Effect>) {
        if self.seen.is_empty() {
            return;
        }
        let mut asked = BTreeSet::new();
        for seen in self.seen.values_mut().filter(|seen| seen.next <= now) {
            seen.next = now + seen.watch.every.max(1);
            if asked.insert(seen.watch.query.clone()) {
                out.push(Effect::Measure { query: seen.watch.query.clone() });
            }
        }
    }

    /// Takes an answer.
    pub(crate) fn measured(&mut self, query: &str, value: &Result<f64, String>, now: Millis) {
        for ((n, _), seen) in self.seen.iter_mut().filter(|(_, seen)| seen.watch.query == query) {
            let keeps = value.as_ref().is_ok_and(|value| seen.watch.bound.holds(*value));
            seen.kept = if keeps { seen.kept.or(Some(now)) } else { None };
            seen.blind = if value.is_ok() { None } else { seen.blind.or(Some(now)) };
            seen.last = Some(value.clone());
            self.fresh.insert(*n);
        }
    }

    /// What to quote where a phase has kept to its bound for long enough.
    pub(crate) fn kept(&self, n: u64, k: usize, now: Millis) -> Option<Evidence> {
        let seen = self.seen.get(&(n, k))?;
        let long_enough = now - seen.kept? >= seen.watch.hold;
        seen.quote(Cause::Unknown).filter(|_| long_enough)
    }

    /// What to quote where a phase breaks its bound.
    pub(crate) fn broken(&self, n: u64, k: usize) -> Option<Evidence> {
        let seen = self.seen.get(&(n, k))?;
        let breaks = |bound: &Bound| matches!(&seen.last, Some(Ok(value)) if !bound.holds(*value));
        seen.quote(Cause::Failed).filter(|_| breaks(&seen.watch.bound))
    }

    /// Whether there is no value for a phase, since when, and why.
    pub(crate) fn blind(&self, n: u64, k: usize) -> Option<Blind> {
        let seen = self.seen.get(&(n, k))?;
        let why = match &seen.last {
            Some(Err(why)) => why.clone(),
            Some(Ok(_)) | None => "no answer".to_owned(),
        };
        seen.blind.map(|since| Blind { since, why })
    }

    /// The phases that are watched, by rollout.
    pub(crate) fn phases(&self) -> impl Iterator<Item = Watched> {
        self.seen.keys().copied()
    }

    /// Whether there is a value for a phase.
    pub(crate) fn has_value(&self, (n, k): Watched) -> bool {
        self.seen.get(&(n, k)).is_some_and(|seen| seen.blind.is_none())
    }

    /// When to look again at the latest: at the next question, or when a bound has been kept for long enough.
    pub(crate) fn next_deadline(&self, now: Millis) -> Option<Millis> {
        let ends = |seen: &Seen| seen.kept.map(|kept| kept + seen.watch.hold).filter(|at| *at > now);
        self.seen.values().flat_map(|seen| [Some(seen.next), ends(seen)]).flatten().min()
    }

    /// The rollouts for which an answer has come, or of which a phase has kept to its bound for long enough.
    pub(crate) fn worth_a_look(&mut self, now: Millis, into: &mut Vec<u64>) {
        if self.seen.is_empty() && self.fresh.is_empty() {
            return;
        }
        into.extend(std::mem::take(&mut self.fresh));
        into.extend(self.seen.keys().filter(|(n, k)| self.kept(*n, *k, now).is_some()).map(|(n, _)| *n));
    }
}

impl Seen {
    fn quote(&self, cause: Cause) -> Option<Evidence> {
        let value = self.last.as_ref()?.as_ref().ok()?;
        let detail = format!("{} is {value}; it must be {}", self.watch.query, self.watch.bound);
        Some(Evidence {
            kind: EvidenceKind::Metric,
            cause,
            value: value.to_string(),
            detail,
            ..Evidence::default()
        })
    }
}
