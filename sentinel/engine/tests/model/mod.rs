//! The rules a second time, written to be read rather than to be quick: a log is folded record by record, everything is
//! looked for where it is needed, and nothing is kept that can be worked out again.

pub(crate) mod clock;
pub(crate) mod judge;
pub(crate) mod record;
pub(crate) mod rollout;
pub(crate) mod starts;
pub(crate) mod words;

use std::collections::{BTreeMap, BTreeSet};

use pavane_events::control::DomainConfigured;
use pavane_events::{Entry, Record};

use clock::Clock;
use rollout::Rollout;

/// A moment: partition time and offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) at: i64,
    pub(crate) offset: i64,
}

/// A domain as the log says it.
#[derive(Default)]
pub(crate) struct Model {
    pub(crate) clock: Clock,
    pub(crate) offset: i64,
    pub(crate) held: bool,
    pub(crate) rollouts: Vec<Rollout>,
    pub(crate) early: Vec<Record>,
    pub(crate) settings: DomainConfigured,
    /// Where automatic rollbacks were accepted.
    pub(crate) automatic: Vec<Mark>,
    /// What services were asked back to, and when.
    pub(crate) asked: BTreeMap<(String, Option<String>), Mark>,
    seen: BTreeSet<(String, String)>,
    /// The numbers that each source has given its events, with their boots, in the order of the log.
    numbers: BTreeMap<String, Vec<(String, i64)>>,
}

impl Model {
    /// Reads the next entry. The kind of the proposal that it is, if the log accepts it.
    pub(crate) fn read(&mut self, entry: &Entry) -> Option<&'static str> {
        self.offset = entry.offset();
        let open = self.something_is_open();
        self.clock.read(entry.at().0, self.offset, open, self.settings.grace_ms);
        let accepted = match entry {
            Entry::Unreadable(unreadable) => {
                self.unreadable(unreadable);
                None
            }
            Entry::Event(record) => {
                let envelope = &record.event.envelope;
                let new = self.seen.insert((envelope.source.to_string(), envelope.id.to_string()));
                if new {
                    let number = envelope.boot.clone().zip(envelope.sequence);
                    self.numbers.entry(envelope.source.to_string()).or_default().extend(number);
                    self.event(record)
                } else {
                    None
                }
            }
        };
        if !self.something_is_open() {
            self.clock.leaps.clear();
        }
        accepted
    }

    pub(crate) fn mark(&self) -> Mark {
        Mark { at: self.clock.now, offset: self.offset }
    }

    pub(crate) fn place(&self, id: &str) -> Option<usize> {
        self.rollouts.iter().position(|rollout| rollout.id == id)
    }

    fn something_is_open(&self) -> bool {
        self.rollouts.iter().any(Rollout::is_open)
    }

    /// Whether two speak as this instance: what it says is of a boot that had made way for the one before, or a number
    /// that was the highest stands for another event. A third boot ends it.
    pub(crate) fn has_a_twin(&self, service: &str, instance: &str) -> bool {
        let Some(said) = self.numbers.get(&format!("/pavane/shop/{service}/{instance}")) else {
            return false;
        };
        let (mut boots, mut highest, mut twins) = (vec![said[0].0.clone()], i64::MIN, false);
        for (boot, number) in said {
            let last = boots.len() - 1;
            if *boot == boots[last] {
                twins |= *number == highest;
                highest = highest.max(*number);
                continue;
            }
            twins = last > 0 && boots[last - 1] == *boot;
            boots.push(boot.clone());
            highest = *number;
        }
        twins
    }

    /// What it holds, a line for each thing.
    pub(crate) fn lines(&self) -> Vec<String> {
        let now = self.clock.now;
        self.rollouts.iter().flat_map(|rollout| rollout.lines(now, self.held)).collect()
    }
}
