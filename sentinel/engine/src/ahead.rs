//! Fetches from memory what the next records are about, all at once.
//!
//! What is known of very many rollouts is in no cache, and a record needs four or five places of it, each of which is known
//! when the one before is there. Read one after the other, the processor waits for every place of every record. Here each
//! step is taken for many records side by side, and it waits about once for all of them: that takes short loops which do
//! nothing but fetch, without a branch on what is fetched. Nothing is changed by it.

use std::hint::black_box;

use pavane_events::{Entry, hash_of};

use crate::fold::Fold;
use crate::identities::Identities;

/// How many records are looked at together.
const AT_ONCE: usize = 64;

impl Fold {
    /// Fetches what these entries are about.
    pub(crate) fn look_ahead<'a>(&self, entries: impl Iterator<Item = &'a Entry>) {
        let (mut records, mut identities) = (0, [0; AT_ONCE]);
        let (mut len, mut ids) = (0, [0; AT_ONCE]);
        for entry in entries.take(AT_ONCE) {
            let Entry::Event(record) = entry else { continue };
            let envelope = &record.event.envelope;
            identities[records] = Identities::hash(&envelope.source, &envelope.id);
            records += 1;
            if let Some(id) = &envelope.rollout {
                ids[len] = hash_of(id.as_str());
                len += 1;
            }
        }
        let seen = identities[..records].iter().fold(0, |all, hash| all ^ self.seen.fetch(*hash));
        let fetched = ids[..len].iter().fold(seen, |all, id| all ^ self.rollouts.fetch_line(*id));
        let mut numbers = [None; AT_ONCE];
        for (number, id) in numbers.iter_mut().zip(&ids[..len]) {
            *number = self.rollouts.likely(*id);
        }
        let looks = numbers.iter().flatten().filter(|n| self.rollouts.next_look(**n).is_some()).count();
        let found = || numbers[..len].iter().flatten().filter_map(|n| self.rollouts.get(*n));
        let rollouts = found().fold(0, |all, rollout| all ^ rollout.fetch());
        let steps = found().fold(0, |all, rollout| all ^ rollout.steps.fetch());
        // an ending lets the oldest one go that is remembered, and one in a few records is an ending
        let oldest = || self.ended.iter().take(len / 4).filter_map(|n| self.rollouts.get(*n));
        let ended = oldest().fold(0, |all, rollout| all ^ rollout.fetch());
        let their_steps = oldest().fold(0, |all, rollout| all ^ rollout.steps.fetch());
        black_box((fetched, looks, rollouts, steps, ended, their_steps));
    }
}
