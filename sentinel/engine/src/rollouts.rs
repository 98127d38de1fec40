//! The rollouts of a domain, by number and by id.
//!
//! Rollouts are numbered in the order of their start, so they lie in a line: a number is a place in it. The line is made of
//! blocks, and a block of which every rollout is forgotten is let go. The table of ids holds numbers alone and compares
//! with the rollout that has the number.

use std::collections::VecDeque;
use std::ops::Index;

use pavane_events::{Timestamp, hash_of};

use crate::lines::Lines;
use crate::rollout::Rollout;

/// How many rollouts lie side by side.
const BLOCK: usize = 32;
/// What no rollout has for a number in the table of ids.
const FREE: u32 = u32::MAX;
/// Earlier than any record.
const NEVER: Timestamp = Timestamp(i64::MIN);

/// The rollouts of a domain, those that ended a while ago included.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rollouts {
    /// From the oldest that is remembered; a gap where those of a block were forgotten.
    blocks: VecDeque<Block>,
    /// The number of the first in the line.
    first: u64,
    /// The number of the next rollout.
    end: u64,
    /// How many there are.
    len: usize,
    /// When the engine looks at each again, in partition time; [`NEVER`] where it does not. No part of what is judged, and
    /// close together: most of it is only asked whether a time that was put down still holds.
    looks: VecDeque<Timestamp>,
    /// The low bits of numbers, by the hash of the id.
    by_id: Lines,
}

/// Rollouts side by side, in room that is taken at once.
#[derive(Clone, Debug, Default)]
struct Block {
    slots: Vec<Option<Rollout>>,
    /// How many of them are remembered.
    len: usize,
}

impl Rollouts {
    /// The rollout with this number.
    pub(crate) fn get(&self, n: u64) -> Option<&Rollout> {
        let (block, slot) = place(n, self.first)?;
        self.blocks.get(block)?.slots.get(slot)?.as_ref()
    }

    /// The rollout with this number.
    pub(crate) fn get_mut(&mut self, n: u64) -> Option<&mut Rollout> {
        self.slot_mut(n)?.as_mut()
    }

    /// The number of the rollout with this id.
    pub(crate) fn find(&self, id: &str) -> Option<u64> {
        let is_it = |low: u32| self.get(self.whole(low)).is_some_and(|rollout| rollout.id.as_str() == id);
        self.by_id.find(hash_of(id), is_it).map(|low| self.whole(low))
    }

    /// Fetches the line in which a hash is looked for; what it returns means nothing.
    pub(crate) fn fetch_line(&self, hash: u64) -> u32 {
        self.by_id.fetch(hash)
    }

    /// The number of the rollout whose id has this hash, most likely.
    pub(crate) fn likely(&self, hash: u64) -> Option<u64> {
        self.by_id.find(hash, |low| low != FREE).map(|low| self.whole(low))
    }

    /// Takes a rollout whose id is new, and numbers it.
    pub(crate) fn push(&mut self, rollout: Rollout) -> u64 {
        if self.by_id.is_full(self.len) {
            self.by_id.grow(FREE);
            for n in self.first..self.end {
                if let Some(hash) = self.get(n).map(hash_of_id) {
                    self.note(n, hash);
                }
            }
        }
        if low(self.end) == FREE {
            self.append(None);
        }
        let (n, hash) = (self.end, hash_of_id(&rollout));
        self.append(Some(rollout));
        self.len += 1;
        self.note(n, hash);
        n
    }

    fn append(&mut self, rollout: Option<Rollout>) {
        if self.blocks.back().is_none_or(|block| block.slots.len() == BLOCK) {
            self.blocks.push_back(Block { slots: Vec::with_capacity(BLOCK), len: 0 });
        }
        if let Some(block) = self.blocks.back_mut() {
            block.len += usize::from(rollout.is_some());
            block.slots.push(rollout);
        }
        self.looks.push_back(NEVER);
        self.end += 1;
    }

    /// Forgets a rollout.
    pub(crate) fn forget(&mut self, n: u64) {
        let Some(rollout) = self.slot_mut(n).and_then(Option::take) else { return };
        self.look_at(n, None);
        self.by_id.free(hash_of_id(&rollout), low(n), FREE);
        self.len -= 1;
        let Some((block, _)) = place(n, self.first) else { return };
        let block = &mut self.blocks[block];
        block.len -= 1;
        if block.len == 0 && block.slots.len() == BLOCK {
            block.slots = Vec::new();
        }
        while self.blocks.front().is_some_and(|block| block.len == 0 && block.slots.is_empty()) {
            self.blocks.pop_front();
            self.looks.drain(..BLOCK);
            self.first += BLOCK as u64;
        }
    }

    /// All rollouts with their numbers, in the order of their start.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, &Rollout)> {
        let starts = (self.first..).step_by(BLOCK);
        let numbered = starts.zip(&self.blocks).flat_map(|(start, block)| (start..).zip(&block.slots));
        numbered.filter_map(|(n, slot)| Some((n, slot.as_ref()?)))
    }

    /// All rollouts, in the order of their start.
    pub(crate) fn values(&self) -> impl DoubleEndedIterator<Item = &Rollout> {
        self.blocks.iter().flat_map(|block| &block.slots).filter_map(Option::as_ref)
    }

    /// All rollouts, in the order of their start.
    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut Rollout> {
        self.blocks.iter_mut().flat_map(|block| &mut block.slots).filter_map(Option::as_mut)
    }

    /// The rollouts that started after another.
    pub(crate) fn after(&self, n: u64) -> impl Iterator<Item = &Rollout> {
        (n + 1..self.end).filter_map(|n| self.get(n))
    }

    /// When the engine looks at a rollout again.
    pub(crate) fn next_look(&self, n: u64) -> Option<Timestamp> {
        let next = *self.looks.get(self.place_of(n)?)?;
        (next != NEVER).then_some(next)
    }

    /// Notes when the engine looks at a rollout again. False when that was noted already, or the rollout is not known.
    pub(crate) fn look_at(&mut self, n: u64, next: Option<Timestamp>) -> bool {
        let slot = self.place_of(n).and_then(|place| self.looks.get_mut(place));
        let next = next.unwrap_or(NEVER);
        slot.is_some_and(|slot| std::mem::replace(slot, next) != next)
    }

    fn note(&mut self, n: u64, hash: u64) {
        let (blocks, first, end) = (&self.blocks, self.first, self.end);
        let rollout = |low: u32| {
            let (block, slot) = place(whole(low, end), first)?;
            blocks.get(block)?.slots.get(slot)?.as_ref()
        };
        let hash_at = |low: u32| rollout(low).map_or(0, hash_of_id);
        self.by_id.put(hash, low(n), |low| low == FREE, hash_at);
    }

    fn whole(&self, low: u32) -> u64 {
        whole(low, self.end)
    }

    fn place_of(&self, n: u64) -> Option<usize> {
        usize::try_from(n.checked_sub(self.first)?).ok()
    }

    fn slot_mut(&mut self, n: u64) -> Option<&mut Option<Rollout>> {
        let (block, slot) = place(n, self.first)?;
        self.blocks.get_mut(block)?.slots.get_mut(slot)
    }
}

impl Index<u64> for Rollouts {
    type Output = Rollout;

    fn index(&self, n: u64) -> &Rollout {
        self.get(n).expect("whoever has a number has a rollout")
    }
}

fn hash_of_id(rollout: &Rollout) -> u64 {
    hash_of(rollout.id.as_str())
}

/// The block of a number, and the place in it.
fn place(n: u64, first: u64) -> Option<(usize, usize)> {
    let place = usize::try_from(n.checked_sub(first)?).ok()?;
    Some((place / BLOCK, place % BLOCK))
}

#[expect(clippy::cast_possible_truncation, reason = "the low bits are wanted")]
const fn low(n: u64) -> u32 {
    n as u32
}

/// The newest number below `end` with these low bits.
fn whole(low: u32, end: u64) -> u64 {
    let back = self::low(end).wrapping_sub(low).wrapping_sub(1);
    end.wrapping_sub(u64::from(back) + 1)
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
        Score::read(&plan.to_json(), &plan.digest(), 1).expect("a sound plan")
    }

    fn push(rollouts: &mut Rollouts, score: &Arc<Score>, n: usize) -> u64 {
        let (id, by) = (RolloutId::new(format!("r{n}")), EventId::new("e"));
        let (at, offset) = (Timestamp(0), 0);
        let mark = Mark::new(at, offset);
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
        assert_eq!(rollouts.first, 96, "the line begins with the block of the oldest that is remembered");
        assert_eq!(rollouts.iter().map(|(n, _)| n).next(), Some(100));
        assert_eq!(rollouts.after(100).next().map(|rollout| rollout.id.to_string()), Some("r103".to_owned()));
        assert_eq!(push(&mut rollouts, &score, 1_000), 1_000);
        assert_eq!(rollouts.find("r1000"), Some(1_000));
    }
}
