//! One sentinel: the real engine, with its lag and its crashes.

use std::collections::BTreeSet;

use pavane_events::{Domain, EventId, Millis};
use pavane_sentinel_engine::{Effect, Engine, Input};

use crate::dice::Dice;
use crate::script::Script;

/// One sentinel.
pub(crate) struct Watcher {
    pub(crate) name: String,
    pub(crate) engine: Engine,
    /// How much of the log it has read.
    pub(crate) position: usize,
    pub(crate) lag: Millis,
    pub(crate) up: bool,
    pub(crate) speaks: bool,
    /// The alerts that burn, as it knows them.
    pub(crate) burning: BTreeSet<EventId>,
    /// When the last that it wrote comes to stand on the log.
    pub(crate) wrote: Millis,
    /// When it heard the newest heartbeats.
    pub(crate) heard: Millis,
    /// When it is looked at next.
    pub(crate) wake: Option<Millis>,
}

impl Watcher {
    pub(crate) fn new(domain: &Domain, number: u32, dice: &mut Dice) -> Self {
        let name = format!("sentinel-{number}");
        Self {
            engine: Engine::new(domain.clone(), name.clone()),
            name,
            position: 0,
            lag: dice.between(2, 20) & !1,
            up: true,
            speaks: number == 1,
            burning: BTreeSet::new(),
            wrote: 0,
            heard: -1_000_000,
            wake: None,
        }
    }

    /// Begins with nothing read, as it does after a crash too.
    pub(crate) fn boot(&mut self, domain: &Domain, script: &Script, now: Millis) -> Vec<Effect> {
        self.engine = Engine::new(domain.clone(), self.name.clone());
        (self.position, self.up) = (0, true);
        self.burning.clear();
        self.heard = -1_000_000;
        let mut effects = self.engine.handle(now, Input::Speaks(self.speaks));
        for piece in script.pieces().filter(|piece| piece.plan().trigger.is_some()) {
            let (name, plan) = (piece.plan().name.clone(), Some(Box::new(piece.plan().clone())));
            effects.extend(self.engine.handle(now, Input::Published { name, plan }));
        }
        effects
    }
}
