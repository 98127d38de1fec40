//! What a replica hears beside the log, and how much of it was told.

use pavane_events::{Heartbeat, Timestamp};

use super::Engine;
use crate::fold::Touched;

impl Engine {
    /// How many instances run another version than the last rollout of their service left.
    pub fn drifting(&self) -> usize {
        self.fold.drifting.len()
    }

    /// How many pairs of versions run together of which a plan says that they do not.
    pub fn skewed(&self) -> usize {
        self.fold.skew.told.len()
    }

    /// Takes a heartbeat; it may matter to the rollout that owns the service.
    pub(super) fn hear(&mut self, heartbeat: Heartbeat, offset: i64, at: Timestamp) -> Touched {
        let owner = self.fold.owner(&heartbeat.service);
        self.drifts.hear(&self.fold, &heartbeat, at);
        let news = !self.fold.skew.is_empty() && self.heartbeats.is_news(&heartbeat);
        self.heartbeats.hear(heartbeat, offset, at, self.now);
        if news {
            self.skews.look(&self.fold, &self.heartbeats, self.now);
        }
        owner.map_or(Touched::Nothing, Touched::One)
    }
}
