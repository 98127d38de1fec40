//! Fetches from memory what the next records are about, all at once.
//!
//! What is known of very many rollouts is in no cache, and a record needs four or five places of it, each of which is known
//! when the one before is there. Read one after the other, the processor waits for every place of every record. Here each
//! step is taken for many records side by side, and it waits about once for all of them. Nothing is changed by it.

use std::hint::black_box;

use pavane_events::{Entry, hash_of};

use crate::fold::Fold;

/// How many records are looked at together.
const AT_ONCE: usize = 64;

impl Fold {
    /// Fetches what these entries are about.
    pub(crate) fn look_ahead<'a>(&self, entries: impl Iterator<Item = &'a Entry>) {
        let (mut ids, mut len, mut fetched) = ([0; AT_ONCE], 0, 0);
        for entry in entries.take(AT_ONCE) {
            let Entry::Event(record) = entry else { continue };
            let envelope = &record.event.envelope;
            fetched ^= self.seen.fetch(&envelope.source, &envelope.id);
            if let Some(id) = &envelope.rollout {
                ids[len] = hash_of(id.as_str());
                len += 1;
            }
        }
        for id in &ids[..len] {
            fetched ^= self.rollouts.fetch_line(*id);
        }
        let mut numbers = [None; AT_ONCE];
        for (number, id) in numbers.iter_mut().zip(&ids[..len]) {
            *number = self.rollouts.likely(*id);
        }
        for n in numbers.iter().flatten() {
            fetched ^= u32::from(self.rollouts.next_look(*n).is_some());
        }
        let found = || numbers[..len].iter().flatten().filter_map(|n| self.rollouts.get(*n));
        let rollouts = found().fold(0, |all, rollout| all ^ rollout.fetch());
        let steps = found().fold(0, |all, rollout| all ^ rollout.steps.fetch());
        // an ending lets the oldest one go that is remembered, and one in a few records is an ending
        let oldest = || self.ended.iter().take(len / 4).filter_map(|n| self.rollouts.get(*n));
        let ended = oldest().fold(0, |all, rollout| all ^ rollout.fetch());
        let their_steps = oldest().fold(0, |all, rollout| all ^ rollout.steps.fetch());
        black_box((fetched, rollouts, steps, ended, their_steps));
    }
}
