//! The dead letters that the topic holds, and what became of each.

use std::collections::{BTreeMap, VecDeque};

use pavane_bus::{Bus, DeadLetter, LetterRow, Settlement};

use crate::exit::Exit;
use crate::failure::Failure;
use crate::outage;

/// How many letters are held at a time; the oldest go first.
const HELD: usize = 10_000;

/// The letters that the topic holds, the newest of them, and what became of each.
#[derive(Default)]
pub(super) struct Letters {
    pub(super) held: BTreeMap<String, (DeadLetter, Option<Settlement>)>,
    /// Oldest first.
    pub(super) order: VecDeque<String>,
}

impl Letters {
    /// Reads the topic to its end; the records' own bytes are kept only where they are wanted.
    pub(super) async fn read(bus: &Bus, values: bool) -> Result<Self, Failure> {
        let mut reader = bus.dead_letters().await.map_err(outage::of)?;
        let mut letters = Self::default();
        while let Some(row) = reader.next().await.map_err(outage::of)? {
            letters.take_in(row, values);
        }
        Ok(letters)
    }

    fn take_in(&mut self, row: LetterRow, values: bool) {
        match row {
            LetterRow::Letter(mut letter) => {
                if !values {
                    letter.raw.value = None;
                }
                // The same record may be set aside by several; what became of it stands.
                let id = letter.id.clone();
                let settled = self.held.remove(&id).map(|(_, settled)| settled);
                if settled.is_none() {
                    self.order.push_back(id.clone());
                }
                self.held.insert(id, (*letter, settled.flatten()));
                if self.order.len() > HELD
                    && let Some(oldest) = self.order.pop_front()
                {
                    self.held.remove(&oldest);
                }
            }
            LetterRow::Settled { id, settlement } => {
                if let Some((_, settled)) = self.held.get_mut(&id) {
                    *settled = Some(settlement);
                }
            }
        }
    }

    pub(super) fn take(mut self, id: &str) -> Result<(DeadLetter, Option<Settlement>), Failure> {
        self.held.remove(id).ok_or_else(|| {
            Failure::new(Exit::Findings, format!("there is no dead letter {id}"))
                .help("`pavane dlq list --all` names those that the topic still holds")
        })
    }
}

#[cfg(test)]
mod tests {
    use pavane_events::Timestamp;

    use super::*;

    #[test]
    fn a_letter_that_was_set_aside_again_stays_settled_and_the_oldest_go_first() {
        let mut letters = Letters::default();
        let settlement = Settlement { how: "dropped".into(), by: "ada".into(), detail: "a test".into() };
        letters.take_in(letter(1), true);
        letters.take_in(LetterRow::Settled { id: "log-0-1".into(), settlement }, true);
        letters.take_in(letter(1), true);
        assert_eq!(letters.order.len(), 1);
        assert!(letters.held["log-0-1"].1.is_some());
        for offset in 2..=10_001 {
            letters.take_in(letter(offset), false);
        }
        assert_eq!(letters.held.len(), HELD);
        assert!(!letters.held.contains_key("log-0-1") && letters.held["log-0-2"].0.raw.value.is_none());
    }

    fn letter(offset: i64) -> LetterRow {
        let raw = pavane_bus::Raw {
            topic: "log".into(),
            partition: 0,
            offset,
            at: Timestamp(0),
            key: None,
            value: Some(b"x".to_vec()),
            headers: Vec::new(),
        };
        let (reason, error) = ("bad_magic".to_owned(), String::new());
        let letter = DeadLetter { id: format!("log-0-{offset}"), reason, error, aside_at: Timestamp(0), raw };
        LetterRow::Letter(Box::new(letter))
    }
}
