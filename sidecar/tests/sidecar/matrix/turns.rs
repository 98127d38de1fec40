//! Whose turn it is, where two sidecars of one name bar each other.

use std::time::Duration;

use tokio::time::Instant;

/// How long the first turn is: by then two that stand beside each other have heard of each other.
const FIRST: Duration = Duration::from_secs(6);

/// Turns of two houses. What is open may be either's: who announced a rollout second leaves it to the other for good, so each
/// is alone for a while. Turns grow, for on a busy machine a start alone takes seconds.
pub(crate) struct Turns {
    /// The house whose turn it is.
    pub(crate) at: usize,
    houses: usize,
    since: Instant,
    length: Duration,
}

impl Turns {
    /// The first turn of the first of so many houses.
    pub(crate) fn of(houses: usize) -> Self {
        Self { at: 0, houses, since: Instant::now(), length: FIRST }
    }

    /// Whether the turn has just been given on. The second gives it back as soon as it is done.
    pub(crate) fn is_over(&mut self, done: bool) -> bool {
        let over = self.houses > 1 && (self.since.elapsed() > self.length || (self.at == 1 && done));
        if over {
            (self.at, self.since, self.length) = (1 - self.at, Instant::now(), self.length.mul_f32(1.5));
        }
        over
    }
}
