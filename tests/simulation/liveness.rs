//! Runs in which one thing goes wrong for ever and nothing else does: all that it does not touch keeps its bound, and
//! the stall that it causes is found.

use pavane_sentinel_engine::{AlertStatus, PULSE, Status};

use crate::board::Zero;
use crate::fault::Kind;
use crate::group::SESSION;
use crate::sidecar::Mood;
use crate::watchman::BOUND;
use crate::world::{Act, END, World};

/// What one thing that never ends may cost.
struct Cost {
    kind: Kind,
    /// How many there are whom it can befall.
    many: usize,
    /// How long anything may be owed, in milliseconds of truth.
    bound: i64,
    /// Which partition it takes away; all of them at 2.
    takes: Option<usize>,
}

/// A word that goes its ordinary way: said, read back and said again by name, at worst one tick of a slow replica each.
const TURN: i64 = 1_200;

/// A standby leaves the owner two pulses for each of the two words.
const STANDBY: i64 = 2 * (2 * PULSE) + 2 * TURN;

/// What can last, and what it may cost.
const COSTS: [Cost; 20] = [
    cost(Kind::SentinelCrash, 3, STANDBY),
    cost(Kind::SentinelFreeze, 3, STANDBY),
    cost(Kind::SentinelLag, 3, STANDBY),
    cost(Kind::SentinelMute, 3, STANDBY),
    cost(Kind::SentinelDeaf, 3, STANDBY),
    cost(Kind::SentinelClock, 3, TURN),
    cost(Kind::SameName, 1, TURN),
    cost(Kind::SidecarCrash, 4, TURN),
    cost(Kind::SidecarFreeze, 4, TURN),
    cost(Kind::SidecarLag, 4, TURN),
    cost(Kind::ServiceHangs, 4, TURN),
    cost(Kind::ServiceFails, 4, TURN),
    Cost { kind: Kind::BrokerAway, many: 1, bound: STANDBY, takes: Some(2) },
    Cost { kind: Kind::BrokerFrozen, many: 1, bound: STANDBY, takes: Some(2) },
    Cost { kind: Kind::PartitionAway, many: 1, bound: TURN, takes: Some(0) },
    cost(Kind::HeartbeatsGone, 1, TURN),
    cost(Kind::HeartbeatsLate, 1, TURN),
    cost(Kind::Rebalances, 1, STANDBY),
    cost(Kind::GroupGone, 1, STANDBY),
    cost(Kind::ReceiverAway, 2, TURN),
];

const fn cost(kind: Kind, many: usize, bound: i64) -> Cost {
    Cost { kind, many, bound, takes: None }
}

/// How long until a sentinel that cannot see says so: a pulse, three more until it counts as lost, and a look.
const BLIND: i64 = PULSE + 3 * PULSE + 1_000;

/// What lasts in the run of a seed, and whom it befalls.
pub(crate) fn drawn(seed: u64) -> (Kind, usize) {
    let place = usize::try_from(seed % COSTS.len() as u64).expect("few");
    let many = COSTS[place].many as u64;
    (COSTS[place].kind, usize::try_from(seed / COSTS.len() as u64 % many).expect("few"))
}

fn cost_of(kind: Kind) -> &'static Cost {
    COSTS.iter().find(|cost| cost.kind == kind).expect("only what has a cost is drawn")
}

impl World {
    /// How long anything may be owed in this run.
    pub(crate) fn bound(&self) -> i64 {
        self.lasting.map_or(BOUND, |(kind, _)| cost_of(kind).bound + self.slowest())
    }

    /// Three readings of the slowest replica that is not hindered.
    fn slowest(&self) -> i64 {
        3 * self.sentinels.iter().map(|sentinel| sentinel.lag).max().unwrap_or_default()
    }

    /// A stage on which everybody is well but for what lasts, and somebody hangs now and then so that there is
    /// something to be found.
    pub(crate) fn quiet(&mut self) {
        let (kind, who) = self.lasting.expect("something lasts");
        let moods = [(Kind::ServiceHangs, Mood::Hangs), (Kind::ServiceFails, Mood::Fails)];
        if let Some((_, mood)) = moods.iter().find(|(of, _)| *of == kind) {
            self.sidecars[who].mood = *mood;
        } else if self.dice.chance(60) {
            let d = self.dice.pick(&[1, 3, 3]);
            self.sidecars[d].mood = Mood::Hangs;
        }
        if kind == Kind::SentinelClock {
            self.sentinels[who].rate = self.dice.pick(&[985, 1_015]);
        }
        self.begin();
        // the group has shared out before anything is owed, and the fault strikes while something is
        for (at, p, rollout) in [(6_000, 0, "r1"), (7_000, 1, "y1"), (40_000, 0, "r2"), (42_000, 1, "y2")] {
            let at = at + self.dice.between(0, 3_000);
            self.at(at, Act::Start(p, rollout));
        }
    }

    /// Holds a run in which one thing lasts against what was promised of all that it does not touch.
    pub(crate) fn check_lasting(&mut self) {
        let (kind, _) = self.lasting.expect("something lasts");
        let takes = cost_of(kind).takes;
        for p in 0..self.partitions.len() {
            if takes == Some(p) || takes == Some(2) {
                self.blindness_is_told(p);
            } else if p == 1 {
                self.the_untouched_domain_completes();
            }
        }
        if takes.is_none() {
            self.alerts_come_in_time(kind);
        }
        if kind == Kind::HeartbeatsGone {
            self.nobody_is_sent_back_on_no_evidence();
        }
    }

    fn blindness_is_told(&mut self, p: usize) {
        let from = self.faults.0[0].from;
        for k in 0..self.sentinels.len() {
            let told = self.watchman.blind.get(&(k, p)).map(|at| at - from);
            // while nothing is open a sentinel pulses every half minute
            let pulse = if self.partitions[p].oracle.open_rollouts() > 0 { 0 } else { 30_000 };
            if told.is_none_or(|after| after > BLIND + pulse) {
                let what =
                    format!("{} told after {told:?} ms that it cannot see {p}", self.sentinels[k].name);
                self.board.break_promise(Zero::Agreement, what);
            }
        }
    }

    fn the_untouched_domain_completes(&mut self) {
        let view = self.partitions[1].oracle.view();
        let open: Vec<_> =
            view.rollouts.iter().filter(|rollout| rollout.status != Status::Completed).collect();
        if view.rollouts.len() != 2 || !open.is_empty() {
            let what = format!("the untouched domain stands at {open:#?}");
            self.board.break_promise(Zero::Agreement, what);
        }
    }

    /// Every receiver that takes anything has every alert soon after it was raised.
    fn alerts_come_in_time(&mut self, kind: Kind) {
        let away = |receiver: usize| self.faults.on(Kind::ReceiverAway, receiver, END);
        let limit = cost_of(kind).bound.max(2 * PULSE + TURN) + self.slowest();
        let mut late = Vec::new();
        for partition in &self.partitions {
            for ((id, status), (_, raised)) in &partition.raised {
                if *status == AlertStatus::Resolved || END - raised < limit + SESSION {
                    continue;
                }
                for receiver in (0..crate::herald::RECEIVERS).filter(|receiver| !away(*receiver)) {
                    let after = self.delivered(id, receiver).map(|at| at - raised);
                    if after.is_none_or(|after| after > limit) {
                        late.push(format!("{id} came to {receiver} after {after:?} ms"));
                    }
                }
            }
        }
        for what in late {
            self.board.break_promise(Zero::LostAlerts, what);
        }
    }

    fn nobody_is_sent_back_on_no_evidence(&mut self) {
        let from = self.faults.0[0].from;
        for sidecar in &self.sidecars {
            let back = sidecar.runs.keys().any(|(_, reaction, _)| reaction == "RollbackRequested");
            let before = self.partitions[sidecar.partition].stalls.iter().any(|(_, _, at)| *at < from);
            if back && !before {
                let what = format!("{} was sent back though nobody is heard", sidecar.name);
                self.board.break_promise(Zero::Agreement, what);
            }
        }
    }
}
