//! One sentinel with its lag, its wrong clock and its faults.

use pavane_sentinel_engine::{Engine, Input};

use crate::dice::{Dice, Fate};
use crate::floor::domain;

pub(crate) struct Sentinel {
    pub(crate) name: String,
    pub(crate) speaks: bool,
    pub(crate) engine: Engine,
    pub(crate) position: usize,
    pub(crate) lag: i64,
    pub(crate) skew: i64,
    pub(crate) fate: Fate,
}

impl Sentinel {
    pub(crate) fn draw(dice: &mut Dice, k: usize) -> Self {
        let (name, speaks) = (format!("s{k}"), k == 0);
        let dies = speaks && dice.chance(8);
        Self {
            engine: fresh(&name, speaks),
            name,
            speaks,
            position: 0,
            lag: dice.pick(&[0, 5, 30, 150]),
            skew: dice.pick(&[0, 0, 0, 3_000, -1_000, 20_000]),
            fate: if dies { Fate::death(dice.between(1_000, 20_000)) } else { Fate::draw(dice) },
        }
    }

    pub(crate) fn reboot(&mut self) {
        self.engine = fresh(&self.name, self.speaks);
        self.position = 0;
    }
}

fn fresh(name: &str, speaks: bool) -> Engine {
    let mut engine = Engine::new(domain(), name.to_owned());
    assert!(engine.handle(0, Input::Speaks(speaks)).is_empty());
    engine
}
