//! The broker's append time, in milliseconds. No sidecar's clock ever reaches a verdict.

use serde::{Deserialize, Serialize};

/// A length of time in milliseconds.
pub type Millis = i64;

/// A moment in milliseconds since the Unix epoch, as the broker stamped it (`LogAppendTime`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// The moment `by` later (earlier when negative); clamps at the ends of the range.
    #[must_use]
    pub const fn plus(self, by: Millis) -> Self {
        Self(self.0.saturating_add(by))
    }

    /// How long after `earlier` this is; negative when it is before.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Millis {
        self.0.saturating_sub(earlier.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_clamps_instead_of_wrapping() {
        assert_eq!(Timestamp(i64::MAX).plus(1), Timestamp(i64::MAX));
        assert_eq!(Timestamp(i64::MIN).since(Timestamp(1)), i64::MIN);
        assert_eq!(Timestamp(5).plus(-7).since(Timestamp(-4)), 2);
    }
}
