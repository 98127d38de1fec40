//! The maintenance window: when a rollout may begin, and by when it must be through.
//!
//! Days and times are UTC and are read off the broker's time, so that every reader of the log agrees.

use std::fmt;

use pavane_events::{Millis, Timestamp};
use serde::{Deserialize, Serialize};

const MINUTE: Millis = 60_000;
const DAY: Millis = 24 * 60 * MINUTE;

/// A window that opens on some days of the week at a time of day and is open for so long. All in UTC.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Maintenance {
    /// The days on which it opens, in the order of the week; never empty.
    pub days: Vec<Weekday>,
    /// The minute of the day at which it opens, from 0 to 1,439.
    pub from: u32,
    /// How long it is open, in milliseconds; at most a day.
    pub length: Millis,
}

/// A day of the week, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names of the days say it")]
pub enum Weekday {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

impl Weekday {
    /// The week, from Monday.
    pub const ALL: [Self; 7] = [Self::Mon, Self::Tue, Self::Wed, Self::Thu, Self::Fri, Self::Sat, Self::Sun];

    /// The day as it is written, e.g. `mon`.
    pub const fn as_str(self) -> &'static str {
        ["mon", "tue", "wed", "thu", "fri", "sat", "sun"][self as usize]
    }

    /// The day on which a time falls. The epoch was a Thursday.
    pub fn of(at: Timestamp) -> Self {
        let day = (at.0.div_euclid(DAY) + 3).rem_euclid(7);
        Self::ALL[usize::try_from(day).expect("a remainder of 7 is 0 to 6")]
    }
}

impl Maintenance {
    /// When the window that this time falls into closes; none when it falls into none.
    pub fn closes(&self, at: Timestamp) -> Option<Timestamp> {
        let midnight = at.0 - at.0.rem_euclid(DAY);
        let opened = |midnight: Millis| {
            let opens = midnight + Millis::from(self.from) * MINUTE;
            let named = self.days.contains(&Weekday::of(Timestamp(midnight)));
            let open = opens <= at.0 && at.0 < opens + self.length;
            (named && open).then_some(opens + self.length)
        };
        [midnight, midnight - DAY].into_iter().filter_map(opened).max().map(Timestamp)
    }
}

impl fmt::Display for Maintenance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let clock = |minute: u32| format!("{:02}:{:02}", minute / 60, minute % 60);
        let days: Vec<&str> = self.days.iter().map(|day| day.as_str()).collect();
        let to = (self.from + u32::try_from(self.length / MINUTE).unwrap_or(0)) % 1_440;
        write!(f, "{} {} to {} UTC", days.join(", "), clock(self.from), clock(to))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Millis = 60 * MINUTE;

    #[test]
    fn days_are_counted_from_the_epoch() {
        let day = |millis| Weekday::of(Timestamp(millis));
        assert_eq!(day(0), Weekday::Thu);
        assert_eq!(day(-1), Weekday::Wed);
        // 2026-11-21T12:00:00Z is a Saturday.
        assert_eq!(day(1_795_262_400_000), Weekday::Sat);
    }

    #[test]
    fn a_window_may_reach_over_midnight() {
        let friday_night = Maintenance { days: vec![Weekday::Fri], from: 22 * 60, length: 8 * HOUR };
        // Midnight between Friday and Saturday.
        let midnight = 1_795_219_200_000;
        let closes = |at| friday_night.closes(Timestamp(at)).map(|at| at.0);
        assert_eq!(closes(midnight - 2 * HOUR - 1), None);
        assert_eq!(closes(midnight - 2 * HOUR), Some(midnight + 6 * HOUR));
        assert_eq!(closes(midnight + 6 * HOUR - 1), Some(midnight + 6 * HOUR));
        assert_eq!(closes(midnight + 6 * HOUR), None);
        assert_eq!(friday_night.to_string(), "fri 22:00 to 06:00 UTC");
    }
}
