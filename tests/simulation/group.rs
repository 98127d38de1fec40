//! The consumer group: who owns which partition, as the coordinator sees it, and who has heard of it.

use crate::fault::Kind;
use crate::world::{Act, World};

/// How long a member may be silent, as the bus sets it.
pub(crate) const SESSION: i64 = 6_000;

/// How often the coordinator looks.
const LOOK: i64 = 200;

/// What a member hears of a partition.
#[derive(Clone, Copy)]
pub(crate) struct News {
    owns: bool,
    generation: u64,
    /// To which life of the member it is told.
    boot: u32,
}

/// What the coordinator knows.
#[derive(Default)]
pub(crate) struct Group {
    members: Vec<usize>,
    turn: usize,
    stormed: i64,
    generation: u64,
    pub(crate) owners: Vec<Option<usize>>,
}

impl World {
    pub(crate) fn coordinate(&mut self) {
        self.at(LOOK, Act::Coordinate);
        let now = self.now;
        let gone = self.faults.any(Kind::GroupGone, now)
            || self.faults.any(Kind::BrokerAway, now)
            || self.faults.any(Kind::BrokerFrozen, now);
        if gone {
            return;
        }
        for (k, sentinel) in self.sentinels.iter_mut().enumerate() {
            let frozen = self.faults.on(Kind::SentinelFreeze, k, now);
            if !sentinel.down && !frozen && now >= sentinel.joins_at {
                sentinel.heard_at = now;
            }
        }
        let present = |k: &usize| {
            let sentinel = &self.sentinels[*k];
            sentinel.heard_at > 0 && now - sentinel.heard_at < SESSION
        };
        let members: Vec<usize> = (0..self.sentinels.len()).filter(present).collect();
        let storms = self.faults.any(Kind::Rebalances, now) && now - self.group.stormed >= 2_000;
        if members == self.group.members && !storms {
            return;
        }
        if storms {
            (self.group.stormed, self.group.turn) = (now, self.group.turn + 1);
        }
        self.group.members = members;
        self.share_out();
    }

    /// Everybody hears what is his, each in his own time.
    fn share_out(&mut self) {
        let (members, turn) = (self.group.members.clone(), self.group.turn);
        let owner = |p: usize| members.get((p + turn) % members.len().max(1)).copied();
        let owners: Vec<_> = (0..self.partitions.len()).map(owner).collect();
        self.tell(|_| format!("the group shares out: {owners:?}"));
        self.group.owners = owners;
        self.group.generation += 1;
        for k in 0..self.sentinels.len() {
            for p in 0..self.partitions.len() {
                let owns = self.group.owners[p] == Some(k);
                let delay = self.dice.pick(&[50, 200, 800, 3_000]);
                let news = News { owns, generation: self.group.generation, boot: self.sentinels[k].boot };
                self.at(delay, Act::Assigned(k, p, news));
            }
        }
    }

    /// A sentinel hears whether it owns a partition, unless it has died meanwhile or has heard of a newer share.
    pub(crate) fn assigned(&mut self, k: usize, p: usize, news: News) {
        let sentinel = &mut self.sentinels[k];
        let watch = &mut sentinel.watches[p];
        if sentinel.boot == news.boot && !sentinel.down && watch.generation <= news.generation {
            watch.generation = news.generation;
            watch.news.push_back(news.owns);
        }
    }
}
