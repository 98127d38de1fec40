//! When very much burns at once, the first few are told one by one and the rest together.

use std::collections::{BTreeMap, VecDeque};

use pavane_events::{Millis, Timestamp};

/// So many groups of one domain are told to a receiver one by one within [`WITHIN`].
const ONE_BY_ONE: usize = 3;
/// Five minutes, the interval at which a group is told anew.
const WITHIN: Millis = 5 * 60_000;

/// What was told for the first time lately, by receiver and domain.
#[derive(Debug, Default)]
pub(crate) struct Storms {
    told: BTreeMap<(String, String), VecDeque<Timestamp>>,
}

impl Storms {
    /// Whether one more group may be told by itself; if so, it counts.
    pub(crate) fn admits(&mut self, receiver: &str, domain: &str, now: Timestamp) -> bool {
        let told = self.told.entry((receiver.to_owned(), domain.to_owned())).or_default();
        while told.front().is_some_and(|first| now.since(*first) >= WITHIN) {
            told.pop_front();
        }
        let admits = told.len() < ONE_BY_ONE;
        if admits {
            told.push_back(now);
        }
        admits
    }
}
