//! One sentinel: an engine for each partition, its place on the log, and what it has not yet carried out.

use std::collections::VecDeque;

use pavane_events::Event;
use pavane_sentinel_engine::{Alert, Engine};

use crate::dice::Dice;
use crate::herald::Herald;
use crate::partition::{Kept, Partition};

/// How many events may wait for the broker, as in the shell.
const QUEUE: usize = 256;

/// A sentinel as a process.
pub(crate) struct Sentinel {
    pub(crate) name: String,
    pub(crate) boot: u32,
    pub(crate) down: bool,
    /// Whether it is of the next version, which writes what this one does not know.
    pub(crate) is_next: bool,
    /// When this life of it began, in truth.
    pub(crate) born: i64,
    pub(crate) lag: i64,
    /// How much later than the log it reads heartbeats.
    pub(crate) beat_lag: i64,
    /// How fast its own clock runs, in thousandths, and how long it has stood still.
    pub(crate) rate: i64,
    pub(crate) stood: i64,
    pub(crate) watches: Vec<Watch>,
    pub(crate) herald: Herald,
    /// Since when the group counts it as a member.
    pub(crate) joins_at: i64,
    pub(crate) heard_at: i64,
}

/// Where a life of a sentinel began.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Began {
    /// At the beginning of the log.
    Anew,
    /// With a snapshot.
    Restored,
    /// With a snapshot that the next version made.
    FromNext,
}

/// One partition, as one sentinel watches it.
pub(crate) struct Watch {
    pub(crate) engine: Engine,
    pub(crate) position: usize,
    pub(crate) beats: usize,
    /// The end of the log that was seen at the start.
    pub(crate) end: usize,
    pub(crate) caught_up: bool,
    pub(crate) began: Began,
    pub(crate) speaks: bool,
    /// What the group has said and it has not yet heard.
    pub(crate) news: VecDeque<bool>,
    pub(crate) generation: u64,
    pub(crate) orders: VecDeque<(i64, Event)>,
    /// Since when the first order is on its way.
    pub(crate) writing: Option<i64>,
    pub(crate) blind: Option<Alert>,
    /// The end of the log when the last snapshot was made.
    pub(crate) kept: usize,
    /// When it last said that it cannot read.
    pub(crate) complained: i64,
}

impl Sentinel {
    pub(crate) fn draw(dice: &mut Dice, name: String, partitions: &[Partition]) -> Self {
        let watches = partitions.iter().map(|partition| Watch::fresh(partition, &name)).collect();
        Self {
            watches,
            name,
            boot: 0,
            down: false,
            is_next: dice.chance(25),
            born: 0,
            lag: dice.pick(&[0, 5, 30, 150]),
            beat_lag: dice.pick(&[0, 0, 30, 400]),
            rate: 1_000,
            stood: 0,
            herald: Herald::default(),
            joins_at: dice.between(10, 400),
            heard_at: 0,
        }
    }

    /// Its own elapsed time.
    pub(crate) const fn own(&self, now: i64) -> i64 {
        (now - self.born - self.stood) * self.rate / 1_000
    }

    /// Starts again with what the topics hold.
    pub(crate) fn reboot(&mut self, now: i64, partitions: &[Partition]) {
        self.down = false;
        (self.born, self.stood) = (now, 0);
        self.herald = Herald::default();
        self.watches = partitions.iter().map(|partition| Watch::restored(partition, &self.name)).collect();
    }
}

impl Watch {
    fn fresh(partition: &Partition, name: &str) -> Self {
        Self::with(Engine::new(partition.domain.clone(), name.to_owned()), partition)
    }

    /// From the newest snapshot that is whole, and from the beginning of the log where there is none.
    fn restored(partition: &Partition, name: &str) -> Self {
        let restore = |kept: &Kept| Engine::restore(partition.domain.clone(), name.to_owned(), &kept.bytes);
        let newest =
            partition.snapshots.iter().rev().find_map(|kept| Some((restore(kept).ok()?, kept.by_next)));
        let Some((engine, by_next)) = newest else { return Self::fresh(partition, name) };
        let position = usize::try_from(engine.position() + 1).expect("an offset");
        let began = if by_next { Began::FromNext } else { Began::Restored };
        Self { position, kept: position, began, ..Self::with(engine, partition) }
    }

    fn with(mut engine: Engine, partition: &Partition) -> Self {
        let effects = engine.handle(0, pavane_sentinel_engine::Input::Speaks(false));
        assert!(effects.is_empty(), "an engine that has not caught up says nothing: {effects:?}");
        Self {
            engine,
            position: 0,
            // heartbeats of long ago say nothing
            beats: partition.beats.len().saturating_sub(20),
            end: partition.end(),
            caught_up: false,
            began: Began::Anew,
            speaks: false,
            news: VecDeque::new(),
            generation: 0,
            orders: VecDeque::new(),
            writing: None,
            blind: None,
            kept: 0,
            complained: 0,
        }
    }

    /// Queues an event for the broker; false when too many wait.
    pub(crate) fn order(&mut self, now: i64, event: Event) -> bool {
        let fits = self.orders.len() < QUEUE;
        if fits {
            self.orders.push_back((now, event));
        }
        fits
    }
}
