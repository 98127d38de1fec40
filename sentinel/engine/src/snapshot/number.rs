//! Numbers and points as a snapshot writes them: none that cannot be counted on from.

use pavane_events::{Millis, Timestamp};
use serde::{Deserialize, Serialize};

use crate::clock::Mark;

/// A number that may be counted on from: beyond 2^53 there is none on any log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub(super) struct Number(i64);

impl Number {
    /// Takes a number of the fold.
    pub(super) const fn of(number: i64) -> Self {
        Self(number)
    }

    pub(super) const fn get(self) -> i64 {
        self.0
    }
}

impl TryFrom<i64> for Number {
    type Error = String;

    fn try_from(number: i64) -> Result<Self, String> {
        const MOST: u64 = 1 << 53;
        if number.unsigned_abs() <= MOST {
            Ok(Self(number))
        } else {
            Err(format!("{number} is out of range"))
        }
    }
}

impl From<Number> for i64 {
    fn from(number: Number) -> Self {
        number.0
    }
}

/// A point on the log: partition time and offset.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Point(Timestamp, Number);

impl From<Mark> for Point {
    fn from(mark: Mark) -> Self {
        Self(mark.at, Number(mark.offset()))
    }
}

impl From<Point> for Mark {
    fn from(point: Point) -> Self {
        Self::new(point.0, point.1.0)
    }
}

/// A length of time, as a number that may be counted on from.
pub(super) const fn length(by: Millis) -> Number {
    Number(by)
}

/// The number 1.
pub(super) const fn one() -> Number {
    Number(1)
}

/// Whether a number is 1.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference over")]
pub(super) fn is_one(number: &Number) -> bool {
    *number == one()
}
