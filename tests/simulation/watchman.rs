//! Looks on from outside, in true time: whether what is owed is done within its bound. No path may end in silence.

use std::collections::{BTreeMap, BTreeSet};

use pavane_events::RolloutId;
use pavane_sentinel_engine::{GRACE, PULSE, RolloutView, StepStatus};

use crate::board::Zero;
use crate::fault::Kind;
use crate::world::{Act, World};

/// How often it looks.
const LOOK: i64 = 250;

/// How long anything may be owed while some sentinel could do it, where nothing is out of the ordinary but what a run
/// draws: a standby's wait, an append that hangs, one that is given up, and another try.
pub(crate) const BOUND: i64 = 14_000;

/// How long after silence on the log nothing may be decided: nobody may have witnessed whether the clock leapt.
const UNWITNESSED: i64 = 6 * PULSE + 3_000;

/// What is owed: in which partition, about which rollout, and what.
type Owed = (usize, RolloutId, String);

#[derive(Default)]
pub(crate) struct Watchman {
    since: BTreeMap<Owed, i64>,
    told: BTreeSet<Owed>,
    able: [Option<i64>; 2],
    looked: [usize; 2],
    silent: [i64; 2],
    /// When a sentinel first said that it cannot see a partition.
    pub(crate) blind: BTreeMap<(usize, usize), i64>,
    /// How long anything was owed at most.
    pub(crate) longest: i64,
}

impl World {
    pub(crate) fn look(&mut self) {
        self.at(LOOK, Act::Look);
        for p in 0..self.partitions.len() {
            self.look_at(p);
        }
    }

    fn look_at(&mut self, p: usize) {
        let now = self.now;
        self.note_silence(p);
        let able = self.is_able(p) && now - self.watchman.silent[p] > UNWITNESSED;
        self.watchman.able[p] = if able { self.watchman.able[p].or(Some(now)) } else { None };
        let owed = self.owed(p);
        self.settle(p, &owed);
        let Some(able) = self.watchman.able[p] else { return };
        for (key, since) in owed {
            let since =
                self.watchman.since.entry(key.clone()).or_insert(since).max(&mut able.clone()).to_owned();
            self.watchman.longest = self.watchman.longest.max(now - since);
            if now - since > self.bound() && self.watchman.told.insert(key.clone()) {
                let what = format!("{} of {} is owed for {} ms", key.2, key.1, now - since);
                self.board.break_promise(Zero::MissedStalls, what);
            }
        }
    }

    /// What was owed and no longer is, was done or fell away.
    fn settle(&mut self, p: usize, owed: &BTreeMap<Owed, i64>) {
        let able = self.watchman.able[p];
        let done: Vec<_> =
            self.watchman.since.keys().filter(|key| key.0 == p && !owed.contains_key(key)).cloned().collect();
        for key in done {
            let since = self.watchman.since.remove(&key).expect("just seen");
            self.board.chance(Zero::MissedStalls, 1);
            let stalled = self.partitions[p]
                .stalls
                .iter()
                .rfind(|(rollout, step, _)| *rollout == key.1 && key.2.starts_with(step.as_str()));
            if let (Some((_, _, at)), Some(able)) = (stalled, able)
                && *at >= since
                && able <= since
            {
                self.board.overshoot.push(at - since);
            }
        }
    }

    /// What is owed on the log of a partition, and since when, in truth.
    fn owed(&self, p: usize) -> BTreeMap<Owed, i64> {
        let partition = &self.partitions[p];
        let (Some(last), view) = (partition.truth.last(), partition.oracle.view()) else {
            return BTreeMap::new();
        };
        let mut owed = BTreeMap::new();
        if view.held {
            return owed;
        }
        for rollout in view.rollouts.iter().filter(|rollout| rollout.status.is_open() && !rollout.paused) {
            let mut owe = |what: String, since: i64| {
                if since <= self.now {
                    owed.insert((p, rollout.id.clone(), what), since);
                }
            };
            if let Some(accepted) = rollout.deciding {
                owe(
                    format!("the decision of {accepted}"),
                    partition.truth[usize::try_from(accepted).expect("an offset")],
                );
                continue;
            }
            for step in &rollout.steps {
                let waits =
                    matches!(step.state, StepStatus::Open | StepStatus::Running | StepStatus::GoingBack);
                if let Some(deadline) = step.deadline.filter(|_| waits) {
                    let left = deadline.since(partition.oracle.time()) + GRACE;
                    owe(format!("{} attempt {}", step.id, step.attempt), last + left);
                }
            }
            if is_complete(rollout) {
                owe("the end".to_owned(), *last);
            }
        }
        owed
    }

    /// Whether some sentinel could do what is owed on a partition.
    fn is_able(&self, p: usize) -> bool {
        let now = self.now;
        let well = |k: usize| {
            let hindered = [Kind::SentinelFreeze, Kind::SentinelMute, Kind::SentinelDeaf, Kind::SentinelLag];
            !self.sentinels[k].down && !hindered.iter().any(|kind| self.faults.on(*kind, k, now))
        };
        let lossy = self.lasting.is_none()
            && [Kind::LostAppends, Kind::Delays].iter().any(|kind| self.faults.any(*kind, now));
        !self.faults.unreachable(p, now) && !lossy && (0..self.sentinels.len()).any(well)
    }

    /// Where the log was silent for longer than a pulse, its readers ask whether the broker's clock leapt.
    fn note_silence(&mut self, p: usize) {
        let (now, partition) = (self.now, &self.partitions[p]);
        let from = self.watchman.looked[p].max(1);
        let parts = |place: &usize| partition.truth[*place] - partition.truth[*place - 1] > PULSE;
        let leapt = self
            .faults
            .0
            .iter()
            .any(|fault| fault.kind == Kind::BrokerClock && (0..2 * LOOK).contains(&(now - fault.from)));
        if leapt || (from..partition.end()).any(|place| parts(&place)) {
            self.watchman.silent[p] = now;
        }
        self.watchman.looked[p] = partition.end();
    }
}

fn is_complete(rollout: &RolloutView) -> bool {
    let met = |state| matches!(state, StepStatus::Met | StepStatus::Overridden);
    rollout.phases.is_empty() && rollout.steps.iter().all(|step| met(step.state))
}
