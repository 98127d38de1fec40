//! What this replica has proposed and not yet read back, and when to propose it again.
//!
//! In an outage very many rollouts are asked about at once, so nothing here walks over all that was asked: an input costs
//! what it touches.

use pavane_events::control::{ProposalKind, Proposed};
use pavane_events::{Millis, StepId, Timestamp};

use crate::agenda::Agenda;
use crate::lone::Lone;

/// How long a replica waits for its own record before it says it again.
pub(crate) const AGAIN: Millis = 1_000;

/// What a proposal asks, for not asking it twice at once. The number of the rollout comes first: what is asked about one
/// stands together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Ask {
    n: u64,
    epoch: i64,
    step: Option<StepId>,
    kind: ProposalKind,
    attempt: i64,
}

/// The proposals that are on their way, and those that wait for their time.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asked {
    /// When to ask again.
    due: Lone<Ask, Millis>,
    times: Agenda,
}

impl Asked {
    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// When to ask again next.
    pub(crate) fn next(&self) -> Option<Millis> {
        self.times.first().map(|at| at.0)
    }

    /// The rollouts about which something is due.
    pub(crate) fn take_due(&mut self, now: Millis, into: &mut Vec<u64>) {
        self.times.take_due(Timestamp(now), |moment| holds(&self.due, moment), into);
        self.drop_stale();
    }

    /// A proposal was read back, of whichever replica.
    pub(crate) fn answered(&mut self, n: u64, proposed: &Proposed) {
        if self.due.is_empty() {
            return;
        }
        self.due.remove(&Ask::of(n, proposed));
        self.tidy();
    }

    /// Keeps of a rollout what is wanted still.
    pub(crate) fn keep(&mut self, n: u64, wanted: &[Proposed]) {
        if self.due.is_empty() {
            return;
        }
        let is_wanted = |ask: &Ask| wanted.iter().any(|proposed| *ask == Ask::of(n, proposed));
        let gone: Vec<Ask> =
            of(&self.due, n).map(|(ask, _)| ask).filter(|ask| !is_wanted(ask)).cloned().collect();
        for ask in &gone {
            self.due.remove(ask);
        }
        if !gone.is_empty() {
            self.tidy();
        }
    }

    /// Whether to propose this at once: the time that it was given when it was wanted first has come.
    pub(crate) fn ask(&mut self, n: u64, proposed: &Proposed, first: Millis, now: Millis) -> bool {
        let (ask, new) = (Ask::of(n, proposed), first.max(now));
        let old = self.due.get(&ask).copied();
        let speaks = old.unwrap_or(first) <= now;
        let due = if speaks { now + AGAIN } else { old.unwrap_or(new) };
        if old != Some(due) {
            self.due.insert(ask, due);
            self.times.put(Timestamp(due), n, |moment| holds(&self.due, moment));
            if old.is_some() {
                self.drop_stale();
            }
        }
        speaks
    }

    /// Drops the times of what is asked no more: mostly one question was on its way, and nothing is left.
    fn tidy(&mut self) {
        if self.due.is_empty() {
            self.times.clear();
        } else {
            self.drop_stale();
        }
    }

    fn drop_stale(&mut self) {
        self.times.drop_stale(|moment| holds(&self.due, moment));
    }
}

impl Ask {
    fn of(n: u64, proposed: &Proposed) -> Self {
        let Proposed { epoch, kind, attempt, .. } = *proposed;
        Self { n, epoch, step: proposed.step.clone(), kind, attempt }
    }

    /// Before all that is asked about a rollout.
    const fn first(n: u64) -> Self {
        Self { n, epoch: i64::MIN, step: None, kind: ProposalKind::RolloutStalled, attempt: i64::MIN }
    }
}

/// What is asked about a rollout.
fn of(due: &Lone<Ask, Millis>, n: u64) -> impl Iterator<Item = (&Ask, &Millis)> {
    due.range(Ask::first(n)..Ask::first(n + 1))
}

fn holds(due: &Lone<Ask, Millis>, (at, n): (Timestamp, u64)) -> bool {
    of(due, n).any(|(_, due)| *due == at.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proposed(kind: ProposalKind) -> Proposed {
        Proposed { kind, epoch: 1, attempt: 1, ..Proposed::default() }
    }

    fn due(asked: &mut Asked, now: Millis) -> Vec<u64> {
        let mut due = Vec::new();
        asked.take_due(now, &mut due);
        due
    }

    #[test]
    fn what_is_not_read_back_is_asked_again_and_what_is_read_back_is_not() {
        let (mut asked, done) = (Asked::default(), proposed(ProposalKind::RolloutCompleted));
        assert!(asked.ask(7, &done, 0, 0) && asked.ask(8, &done, 0, 0));
        assert!(!asked.ask(7, &done, 0, 10), "it is on its way");
        assert_eq!(asked.next(), Some(AGAIN));
        asked.answered(8, &done);
        assert_eq!(due(&mut asked, AGAIN), [7]);
        assert!(asked.ask(7, &done, AGAIN, AGAIN));
        asked.answered(7, &done);
        assert_eq!((asked.next(), due(&mut asked, 9 * AGAIN)), (None, vec![]));
    }

    #[test]
    fn a_standby_waits_before_it_asks() {
        let (mut asked, done) = (Asked::default(), proposed(ProposalKind::RolloutCompleted));
        assert!(!asked.ask(7, &done, 4_000, 0));
        assert!(!asked.ask(7, &done, 4_500, 500), "the first time counts");
        assert_eq!(asked.next(), Some(4_000));
        assert_eq!(due(&mut asked, 4_000), [7]);
        assert!(asked.ask(7, &done, 8_000, 4_000));
    }

    #[test]
    fn what_is_wanted_no_longer_is_forgotten_and_the_neighbours_are_not() {
        let mut asked = Asked::default();
        let [stall, done] = [ProposalKind::RolloutStalled, ProposalKind::RolloutCompleted].map(proposed);
        for n in [6, 7, 8] {
            assert!(asked.ask(n, &stall, 0, 0) && asked.ask(n, &done, 0, 0));
        }
        asked.keep(7, std::slice::from_ref(&done));
        assert!(asked.ask(7, &stall, 0, 10), "it was forgotten");
        assert!(!asked.ask(7, &done, 0, 10) && !asked.ask(6, &stall, 0, 10) && !asked.ask(8, &stall, 0, 10));
        asked.keep(7, &[]);
        assert_eq!(due(&mut asked, 2 * AGAIN), [6, 6, 8, 8]);
    }
}
