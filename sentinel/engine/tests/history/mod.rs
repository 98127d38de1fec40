//! Random histories of one domain: what may stand on a log after sentinels, services, people and chance have written on
//! it. The same seed is the same history for ever. `PAVANE_SEEDS=N` runs that many seeds.

#![allow(dead_code, reason = "each test binary uses its part")]

pub(crate) mod acts;
pub(crate) mod dice;
pub(crate) mod forgeries;
pub(crate) mod plans;
pub(crate) mod reach;
pub(crate) mod reading;
pub(crate) mod witness;
pub(crate) mod world;

use std::sync::OnceLock;

use pavane_events::{Entry, Heartbeat, Timestamp};

use world::World;

/// The histories that properties are held against: 200, or as many as `PAVANE_SEEDS` says.
pub(crate) fn drawn() -> &'static [History] {
    static DRAWN: OnceLock<Vec<History>> = OnceLock::new();
    DRAWN.get_or_init(|| (0..dice::seeds(200)).map(History::draw).collect())
}

/// What came to stand on a log, and what the sidecars said beside it.
pub(crate) struct History {
    pub(crate) seed: u64,
    pub(crate) entries: Vec<Entry>,
    /// Heartbeats, each with how many entries stood on the log when it came.
    pub(crate) beats: Vec<(usize, Heartbeat, Timestamp)>,
}

impl History {
    /// The history of a seed. Offsets lie ten apart, so that a test can put something between.
    pub(crate) fn draw(seed: u64) -> Self {
        let world = World::new(seed).turn();
        Self { seed, entries: world.entries, beats: world.beats }
    }

    /// How to see a failure again.
    pub(crate) fn name(&self) -> String {
        format!("seed {} (of {} entries)", self.seed, self.entries.len())
    }
}

impl History {
    /// The entries about a rollout around an offset, for a person.
    pub(crate) fn around(&self, offset: i64, before: i64) -> String {
        let near = |entry: &&Entry| (offset - before..=offset + 30).contains(&entry.offset());
        let line = |entry: &Entry| match entry {
            Entry::Event(record) => {
                let envelope = &record.event.envelope;
                let who = envelope.instance.as_ref().map_or(envelope.source.as_str(), |name| name.as_str());
                let rollout = envelope.rollout.as_ref().map_or("-", |id| id.as_str());
                format!("{} {} {} {who} {:?}", record.offset, record.at.0, rollout, record.event.body)
            }
            Entry::Unreadable(unreadable) => format!("{unreadable:?}"),
        };
        self.entries.iter().filter(near).map(line).collect::<Vec<_>>().join("\n")
    }
}
