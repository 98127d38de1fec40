//! The rollouts of a domain, by number and by id.
//!
//! Rollouts are numbered in the order of their start, so they lie in a line: a number is a place in it. The table of ids
//! holds numbers alone and compares with the rollout at that place.

use std::collections::VecDeque;
use std::ops::Index;

use pavane_events::{Places, Timestamp, hash_of};

use crate::rollout::Rollout;

/// The rollouts of a domain, those that ended a while ago included.
#[derive(Debug, Default)]
pub(crate) struct Rollouts {
    /// From the oldest that is remembered; a gap where one that is younger was forgotten.
    line: VecDeque<Slot>,
    /// The number of the first in the line.
    first: u64,
    by_id: Places<u64>,
}

#[derive(Debug)]
struct Slot {
    rollout: Option<Box<Rollout>>,
    /// When the engine looks at it again, in partition time. No part of what is judged.
    next: Option<Timestamp>,
}

impl Rollouts {
    /// The rollout with this number.
    pub(crate) fn get(&self, n: u64) -> Option<&Rollout> {
        self.slot(n)?.rollout.as_deref()
    }

    /// The rollout with this number.
    pub(crate) fn get_mut(&mut self, n: u64) -> Option<&mut Rollout> {
        self.slot_mut(n)?.rollout.as_deref_mut()
    }

    /// The number of the rollout with this id.
    pub(crate) fn find(&self, id: &str) -> Option<u64> {
        self.by_id.find(hash_of(id), |n| self.get(n).is_some_and(|rollout| rollout.id.as_str() == id))
    }

    /// Takes a rollout whose id is new, and numbers it.
    pub(crate) fn push(&mut self, rollout: Rollout) -> u64 {
        let (n, hash) = (self.end(), hash_of(rollout.id.as_str()));
        self.line.push_back(Slot { rollout: Some(Box::new(rollout)), next: None });
        let (line, first) = (&self.line, self.first);
        let hash_at = |n: u64| {
            let slot = place(n, first).and_then(|place| line.get(place));
            slot.and_then(|slot| slot.rollout.as_ref()).map_or(0, |rollout| hash_of(rollout.id.as_str()))
        };
        self.by_id.insert(hash, n, hash_at);
        n
    }

    /// Forgets a rollout.
    pub(crate) fn forget(&mut self, n: u64) {
        let Some(rollout) = self.slot_mut(n).and_then(|slot| slot.rollout.take()) else { return };
        self.by_id.remove(hash_of(rollout.id.as_str()), |other| other == n);
        while self.line.front().is_some_and(|slot| slot.rollout.is_none()) {
            self.line.pop_front();
            self.first += 1;
        }
    }

    /// All rollouts with their numbers, in the order of their start.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, &Rollout)> {
        let numbered = (self.first..self.end()).zip(&self.line);
        numbered.filter_map(|(n, slot)| Some((n, slot.rollout.as_deref()?)))
    }

    /// All rollouts, in the order of their start.
    pub(crate) fn values(&self) -> impl DoubleEndedIterator<Item = &Rollout> {
        self.line.iter().filter_map(|slot| slot.rollout.as_deref())
    }

    /// All rollouts, in the order of their start.
    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut Rollout> {
        self.line.iter_mut().filter_map(|slot| slot.rollout.as_deref_mut())
    }

    /// The rollouts that started after another.
    pub(crate) fn after(&self, n: u64) -> impl Iterator<Item = &Rollout> {
        let from = place(n + 1, self.first).unwrap_or(0).min(self.line.len());
        self.line.range(from..).filter_map(|slot| slot.rollout.as_deref())
    }

    /// When the engine looks at a rollout again.
    pub(crate) fn next_look(&self, n: u64) -> Option<Timestamp> {
        self.slot(n)?.next
    }

    /// Notes when the engine looks at a rollout again. False when that was noted already, or the rollout is not known.
    pub(crate) fn look_at(&mut self, n: u64, next: Option<Timestamp>) -> bool {
        self.slot_mut(n).is_some_and(|slot| std::mem::replace(&mut slot.next, next) != next)
    }

    /// The number of the next rollout.
    fn end(&self) -> u64 {
        self.first + self.line.len() as u64
    }

    fn slot(&self, n: u64) -> Option<&Slot> {
        place(n, self.first).and_then(|place| self.line.get(place))
    }

    fn slot_mut(&mut self, n: u64) -> Option<&mut Slot> {
        place(n, self.first).and_then(|place| self.line.get_mut(place))
    }
}

impl Index<u64> for Rollouts {
    type Output = Rollout;

    fn index(&self, n: u64) -> &Rollout {
        self.get(n).expect("whoever has a number has a rollout")
    }
}

fn place(n: u64, first: u64) -> Option<usize> {
    usize::try_from(n.checked_sub(first)?).ok()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use pavane_choreography::{Expect, Plan, Step};
    use pavane_events::{EventId, EventType, RolloutId, Service, StepId};

    use super::*;
    use crate::clock::Mark;
    use crate::score::Score;

    fn score() -> Arc<Score> {
        let expect = Expect { service: Service::new("s").expect("a name"), event: EventType::Ready };
        let plan =
            Plan::new("p", "o", vec![Step::new(StepId::new("a").expect("a name"), expect, 1_000, "o")]);
        Score::read(&plan.to_json(), &plan.digest()).expect("a sound plan")
    }

    fn push(rollouts: &mut Rollouts, score: &Arc<Score>, n: usize) -> u64 {
        let (id, by) = (RolloutId::new(format!("r{n}")), EventId::new("e"));
        let (at, offset) = (Timestamp(0), 0);
        let mark = Mark { at, offset };
        let (id, by) = (id.expect("a name"), by.expect("a name"));
        rollouts.push(Rollout::new(id, Arc::clone(score), by, mark, at))
    }

    #[test]
    fn a_number_stays_the_same_rollout_whatever_is_forgotten() {
        let (mut rollouts, score) = (Rollouts::default(), score());
        for n in 0..1_000 {
            assert_eq!(push(&mut rollouts, &score, n), n as u64);
        }
        for n in (0..1_000).filter(|n| n % 3 != 1 || *n < 100) {
            rollouts.forget(n);
        }
        for n in 0..1_000_usize {
            let kept = n % 3 == 1 && n >= 100;
            let found = rollouts.find(&format!("r{n}"));
            assert_eq!(found, kept.then_some(n as u64), "{n}");
            assert_eq!(rollouts.get(n as u64).is_some(), kept, "{n}");
        }
        assert_eq!(rollouts.first, 100, "the line begins at the oldest that is remembered");
        assert_eq!(rollouts.iter().map(|(n, _)| n).next(), Some(100));
        assert_eq!(rollouts.after(100).next().map(|rollout| rollout.id.to_string()), Some("r103".to_owned()));
        assert_eq!(push(&mut rollouts, &score, 1_000), 1_000);
        assert_eq!(rollouts.find("r1000"), Some(1_000));
    }
}
