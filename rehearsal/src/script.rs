//! A scenario with the plans that it names: everything that a rehearsal needs beside its seed.

use std::collections::BTreeMap;
use std::sync::Arc;

use pavane_events::Millis;

use crate::clock;
use crate::piece::Piece;
use crate::scenario::Scenario;

/// A scenario that is ready to be played.
#[derive(Clone, Debug)]
pub struct Script {
    /// What happens, and what must come of it.
    pub scenario: Scenario,
    /// The plan that is played.
    pub piece: Arc<Piece>,
    /// The other plans that are started, by the names that the scenario gives them.
    pub others: BTreeMap<String, Arc<Piece>>,
}

impl Script {
    /// A plan that is started and in which nothing goes wrong.
    pub fn plain(piece: Arc<Piece>) -> Self {
        let scenario = Scenario::of_start(format!("{} goes well", piece.plan().name));
        Self { scenario, piece, others: BTreeMap::new() }
    }

    /// All its plans, the own one first.
    pub fn pieces(&self) -> impl Iterator<Item = &Arc<Piece>> {
        std::iter::once(&self.piece).chain(self.others.values())
    }

    /// The plan that a start names.
    pub(crate) fn named(&self, plan: Option<&str>) -> &Arc<Piece> {
        plan.and_then(|name| self.others.get(name)).unwrap_or(&self.piece)
    }

    /// When it begins by the broker's clock.
    pub(crate) fn begins(&self) -> pavane_events::Timestamp {
        let usual = || clock::usual_begin(self.piece.plan().maintenance.as_ref());
        self.scenario.begins.map_or_else(usual, clock::WeekTime::timestamp)
    }

    /// After so long without anything new, nothing more will come.
    pub(crate) fn patience(&self) -> Millis {
        self.pieces().map(|piece| piece.longest_wait()).max().unwrap_or(0) + 20_000
    }
}
