//! What goes wrong, with whom, and for how long.

use crate::dice::Dice;

/// Later than any run.
pub(crate) const NEVER: i64 = 1_000_000_000;

/// What can go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// A sentinel is killed; what it had handed to its client may still arrive.
    SentinelCrash,
    /// A sentinel stands still and goes on where it stood.
    SentinelFreeze,
    /// A sentinel reads seconds late.
    SentinelLag,
    /// A sentinel reads and cannot write.
    SentinelMute,
    /// A sentinel writes and cannot read.
    SentinelDeaf,
    /// A sentinel's own clock runs fast or slow, and stands still when the sentinel does.
    SentinelClock,
    /// Two sentinels go by one name.
    SameName,
    /// The newest snapshot of every partition is torn.
    SnapshotTorn,
    /// A sidecar is killed.
    SidecarCrash,
    /// A sidecar stands still and goes on where it stood.
    SidecarFreeze,
    /// A sidecar reads seconds late.
    SidecarLag,
    /// A service takes 6 s to move.
    ServiceSlow,
    /// A service fails to move.
    ServiceFails,
    /// A service never answers when it is told to move.
    ServiceHangs,
    /// A service fails to go back.
    ServiceStays,
    /// The broker refuses connections.
    BrokerAway,
    /// The broker stands still: nobody is told anything.
    BrokerFrozen,
    /// One partition has no leader.
    PartitionAway,
    /// The broker's clock leaps.
    BrokerClock,
    /// Records come twice under one identity.
    Duplicates,
    /// Records are seconds on their way.
    Delays,
    /// A sentinel's append is given up by its client.
    LostAppends,
    /// Nothing comes on the topic of heartbeats.
    HeartbeatsGone,
    /// Heartbeats come seconds after what was said later on the log.
    HeartbeatsLate,
    /// Members join and leave the group every two seconds.
    Rebalances,
    /// The group has no coordinator.
    GroupGone,
    /// A receiver of alerts refuses.
    ReceiverAway,
    /// A receiver of alerts takes what it is told, and its answer is lost.
    ReceiverMumbles,
    /// The metrics do not answer.
    MetricsAway,
    /// Somebody who may not writes commands on the log.
    Forger,
}

impl Kind {
    /// All that can befall a run, each with how many there are whom it can befall.
    pub(crate) const ALL: [(Self, usize); 30] = [
        (Self::SentinelCrash, 3),
        (Self::SentinelFreeze, 3),
        (Self::SentinelLag, 3),
        (Self::SentinelMute, 3),
        (Self::SentinelDeaf, 3),
        (Self::SentinelClock, 3),
        (Self::SameName, 1),
        (Self::SnapshotTorn, 1),
        (Self::SidecarCrash, 6),
        (Self::SidecarFreeze, 6),
        (Self::SidecarLag, 6),
        (Self::ServiceSlow, 6),
        (Self::ServiceFails, 6),
        (Self::ServiceHangs, 6),
        (Self::ServiceStays, 6),
        (Self::BrokerAway, 1),
        (Self::BrokerFrozen, 1),
        (Self::PartitionAway, 2),
        (Self::BrokerClock, 1),
        (Self::Duplicates, 1),
        (Self::Delays, 1),
        (Self::LostAppends, 1),
        (Self::HeartbeatsGone, 1),
        (Self::HeartbeatsLate, 1),
        (Self::Rebalances, 1),
        (Self::GroupGone, 1),
        (Self::ReceiverAway, 2),
        (Self::ReceiverMumbles, 2),
        (Self::MetricsAway, 1),
        (Self::Forger, 1),
    ];

    /// Whether it is how somebody is, from the beginning to the end.
    const fn is_nature(self) -> bool {
        matches!(
            self,
            Self::SentinelClock
                | Self::SameName
                | Self::ServiceSlow
                | Self::ServiceFails
                | Self::ServiceHangs
                | Self::ServiceStays
        )
    }

    /// Whether it may never end in a run that is only held to do no harm.
    const fn may_last(self) -> bool {
        matches!(self, Self::SentinelCrash | Self::SidecarCrash | Self::HeartbeatsGone | Self::Duplicates)
    }
}

/// One thing that goes wrong.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fault {
    pub(crate) kind: Kind,
    pub(crate) who: usize,
    pub(crate) from: i64,
    pub(crate) until: i64,
}

/// All that goes wrong in a run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Faults(pub(crate) Vec<Fault>);

impl Faults {
    /// None to nine, one upon the other.
    pub(crate) fn draw(dice: &mut Dice) -> Self {
        let draw = |dice: &mut Dice| {
            let (kind, many) = dice.pick(&Kind::ALL);
            let (who, from) = (dice.below(many), dice.between(300, 40_000));
            let length = dice.pick(&[300, 1_000, 3_000, 5_000, 9_000, 15_000]);
            let lasts = kind.may_last() && dice.chance(25);
            match (kind.is_nature(), lasts) {
                (true, _) => Fault { kind, who, from: 0, until: NEVER },
                (false, true) => Fault { kind, who, from, until: NEVER },
                (false, false) => Fault { kind, who, from, until: from + length },
            }
        };
        let faults = (0..dice.pick(&[0, 2, 3, 4, 4, 5, 6, 9])).map(|_| draw(dice)).collect();
        Self(faults).spare_one()
    }

    /// One for ever.
    pub(crate) fn lasting(kind: Kind, who: usize, from: i64) -> Self {
        let from = if kind.is_nature() { 0 } else { from };
        Self(vec![Fault { kind, who, from, until: NEVER }])
    }

    /// Of the sentinels one at least comes back.
    fn spare_one(mut self) -> Self {
        let mut dead = 0;
        self.0.retain(|fault| {
            let dies = fault.kind == Kind::SentinelCrash && fault.until == NEVER;
            dead += usize::from(dies);
            !dies || dead < 3
        });
        self
    }

    /// Whether this befalls this one.
    pub(crate) fn on(&self, kind: Kind, who: usize, now: i64) -> bool {
        self.0
            .iter()
            .any(|fault| fault.kind == kind && fault.who == who && (fault.from..fault.until).contains(&now))
    }

    /// Whether this befalls everybody.
    pub(crate) fn any(&self, kind: Kind, now: i64) -> bool {
        self.on(kind, 0, now)
    }

    /// Whether a partition cannot be reached.
    pub(crate) fn unreachable(&self, partition: usize, now: i64) -> bool {
        self.any(Kind::BrokerAway, now)
            || self.any(Kind::BrokerFrozen, now)
            || self.on(Kind::PartitionAway, partition, now)
    }

    /// When the partition can be reached again.
    pub(crate) fn reachable_at(&self, partition: usize, now: i64) -> i64 {
        let mut at = now;
        let concerns = |fault: &&Fault| match fault.who {
            _ if matches!(fault.kind, Kind::BrokerAway | Kind::BrokerFrozen) => true,
            who => fault.kind == Kind::PartitionAway && who == partition,
        };
        let blocks = |at: i64| {
            self.0.iter().filter(concerns).find(move |fault| (fault.from..fault.until).contains(&at))
        };
        while let Some(fault) = blocks(at) {
            at = fault.until;
        }
        at
    }
}
