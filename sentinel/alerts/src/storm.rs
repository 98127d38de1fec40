//! When very much burns at once, the first few are told one by one and the rest together.

use std::collections::{BTreeMap, VecDeque};

use pavane_events::{Millis, Timestamp};

use crate::notification::LISTED;
use crate::route::{INTERVAL, Leaf};

/// So many groups of one domain are told to a receiver one by one within [`WITHIN`].
const ONE_BY_ONE: usize = 3;
/// Five minutes, the interval at which a group is told anew.
const WITHIN: Millis = INTERVAL;
/// A minute, where each alert is a group: a few stalls that have nothing to do with each other are no storm.
const WITHIN_BY_DEFAULT: Millis = 60_000;
/// Half a minute: what came together without being a storm is not kept waiting.
const SOON: Millis = 30_000;

/// What was told lately, by receiver and domain.
#[derive(Debug, Default)]
pub(crate) struct Storms(BTreeMap<(String, String), Lately>);

#[derive(Debug, Default)]
struct Lately {
    /// When groups were told for the first time.
    told: VecDeque<Timestamp>,
    /// Until when a storm rages: nothing is told by itself.
    rages: Timestamp,
}

impl Storms {
    /// Whether one more group may be told by itself; if so, it counts.
    pub(crate) fn admits(&mut self, leaf: &Leaf, domain: &str, now: Timestamp) -> bool {
        let within = if leaf.by_default { WITHIN_BY_DEFAULT } else { WITHIN };
        let Lately { told, rages } = self.0.entry((leaf.receiver.clone(), domain.to_owned())).or_default();
        while told.front().is_some_and(|first| now.since(*first) >= within) {
            told.pop_front();
        }
        let admits = told.len() < ONE_BY_ONE && *rages <= now;
        if admits {
            told.push_back(now);
        }
        admits
    }

    /// So many alerts were told together as new: a storm, if they are more than a notification lists.
    pub(crate) fn gathered(&mut self, leaf: &Leaf, domain: &str, new: usize, now: Timestamp) {
        if new > LISTED {
            let lately = self.0.entry((leaf.receiver.clone(), domain.to_owned())).or_default();
            lately.rages = now.plus(INTERVAL);
        }
    }
}

/// How long after one notification of what was gathered the next may follow, when so many are in it.
pub(crate) fn interval(leaf: &Leaf, gathered: usize) -> Millis {
    let least = if leaf.by_default && gathered <= LISTED { SOON } else { INTERVAL };
    leaf.interval.max(least)
}
