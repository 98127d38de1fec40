//! What the runs reached and what they broke, counted over all of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use crate::fault::Kind;

/// What must be zero, however many runs there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Zero {
    LostEvents,
    FalseStalls,
    MissedStalls,
    DuplicateCommands,
    DuplicateRollbacks,
    ForgedCommands,
    LostAlerts,
    /// Anything else that must hold: all hold the same, nobody moves against a stop, bounds are kept.
    Agreement,
}

impl Zero {
    const ALL: [(Self, &str); 8] = [
        (Self::LostEvents, "lost acknowledged events"),
        (Self::FalseStalls, "false stalls"),
        (Self::MissedStalls, "missed or late stalls and decisions"),
        (Self::DuplicateCommands, "duplicate commands"),
        (Self::DuplicateRollbacks, "duplicate hooks and rollbacks executed"),
        (Self::ForgedCommands, "forged commands executed (1)"),
        (Self::LostAlerts, "lost alerts"),
        (Self::Agreement, "other promises broken"),
    ];
}

/// What one run, or many, came to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Board {
    pub(crate) runs: u64,
    pub(crate) broken: Vec<(Zero, String)>,
    /// How often each zero could have been broken.
    pub(crate) chances: BTreeMap<Zero, u64>,
    pub(crate) seen: BTreeMap<String, u64>,
    pub(crate) struck: BTreeMap<Kind, u64>,
    pub(crate) pairs: BTreeSet<(Kind, Kind)>,
    /// How long after deadline and grace each stall was accepted, in milliseconds of truth.
    pub(crate) overshoot: Vec<i64>,
}

impl Board {
    pub(crate) fn note(&mut self, what: String) {
        *self.seen.entry(what).or_default() += 1;
    }

    pub(crate) fn chance(&mut self, zero: Zero, times: usize) {
        *self.chances.entry(zero).or_default() += u64::try_from(times).expect("few");
    }

    pub(crate) fn break_promise(&mut self, zero: Zero, what: String) {
        self.broken.push((zero, what));
    }

    /// Adds a run in which these faults struck while something was open.
    pub(crate) fn add(&mut self, run: Self, struck: &BTreeSet<Kind>) {
        self.runs += 1;
        self.broken.extend(run.broken);
        self.merge(run.chances, run.seen, run.overshoot);
        for first in struck {
            *self.struck.entry(*first).or_default() += 1;
            self.pairs.extend(struck.range(first..).skip(1).map(|second| (*first, *second)));
        }
    }

    /// Adds what another thread counted.
    pub(crate) fn join(&mut self, other: Self) {
        self.runs += other.runs;
        self.broken.extend(other.broken);
        self.merge(other.chances, other.seen, other.overshoot);
        for (kind, times) in other.struck {
            *self.struck.entry(kind).or_default() += times;
        }
        self.pairs.extend(other.pairs);
    }

    fn merge(&mut self, chances: BTreeMap<Zero, u64>, seen: BTreeMap<String, u64>, mut overshoot: Vec<i64>) {
        for (zero, times) in chances {
            *self.chances.entry(zero).or_default() += times;
        }
        for (what, times) in seen {
            *self.seen.entry(what).or_default() += times;
        }
        self.overshoot.append(&mut overshoot);
    }

    /// What must be reached and was not.
    pub(crate) fn missing(&self, must: &[&'static str]) -> Vec<&'static str> {
        let reached = |must: &&str| self.seen.keys().any(|key| key.starts_with(must));
        must.iter().filter(|must| !reached(must)).copied().collect()
    }

    /// The scoreboard in lines.
    pub(crate) fn text(&mut self, must: &[&'static str]) -> String {
        let mut text = format!("{} runs\n", self.runs);
        for (zero, name) in Zero::ALL {
            let broken = self.broken.iter().filter(|(of, _)| *of == zero).count();
            let chances = self.chances.get(&zero).copied().unwrap_or_default();
            writeln!(text, "  {broken} {name}, of {chances}").expect("a text grows");
        }
        let kinds = Kind::ALL.len();
        let missing = self.missing(must);
        writeln!(
            text,
            "  {} of {kinds} kinds of faults struck while something was open, {} of {} pairs in one run",
            self.struck.len(),
            self.pairs.len(),
            kinds * (kinds - 1) / 2
        )
        .expect("a text grows");
        writeln!(text, "  {} of {} things reached that must be", must.len() - missing.len(), must.len())
            .expect("a text grows");
        self.overshoot.sort_unstable();
        if let Some(max) = self.overshoot.last() {
            let of = |percent: usize| {
                self.overshoot[(self.overshoot.len() * percent / 100).min(self.overshoot.len() - 1)]
            };
            writeln!(
                text,
                "  stalls were accepted p50 {} ms, p99 {} ms, at most {max} ms after deadline and grace",
                of(50),
                of(99)
            )
            .expect("a text grows");
        }
        text.push_str(
            "  (1) by whoever does not copy the sentinels' source; until commands are signed, one who does is believed\n",
        );
        text
    }
}
