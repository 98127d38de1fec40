//! Virtual time: milliseconds since the rehearsal began, and when that is in the broker's time.

use pavane_choreography::{Maintenance, Weekday};
use pavane_events::{Millis, Timestamp};

const SECOND: Millis = 1_000;
const MINUTE: Millis = 60 * SECOND;
const HOUR: Millis = 60 * MINUTE;
const DAY: Millis = 24 * HOUR;
/// Monday, the 5th of January 2026, 00:00 UTC.
const MONDAY: Timestamp = Timestamp(1_767_571_200_000);

/// A moment of the week, in UTC: when a rehearsal begins by the broker's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WeekTime {
    /// The day.
    pub day: Weekday,
    /// The minute of the day, from 0 to 1,439.
    pub minute: u32,
}

impl WeekTime {
    /// The moment in the week in which all rehearsals take place.
    pub fn timestamp(self) -> Timestamp {
        let days = Weekday::ALL.iter().position(|day| *day == self.day).unwrap_or(0);
        let days = Millis::try_from(days).unwrap_or(0);
        MONDAY.plus(days * DAY + Millis::from(self.minute) * MINUTE)
    }
}

/// When a rehearsal begins unless its scenario says so: Monday morning, or when the plan's window opens.
pub(crate) fn usual_begin(maintenance: Option<&Maintenance>) -> Timestamp {
    const MORNING: Millis = 10 * HOUR;
    let Some(window) = maintenance else { return MONDAY.plus(MORNING) };
    let day = window.days.first().copied().unwrap_or(Weekday::Mon);
    WeekTime { day, minute: window.from }.timestamp()
}

/// A moment as people read it: `+0:00:30.250`.
pub fn moment(at: Millis) -> String {
    let (hours, minutes) = (at / HOUR, at % HOUR / MINUTE);
    format!("+{hours}:{minutes:02}:{:02}.{:03}", at % MINUTE / SECOND, at % SECOND)
}

/// A length of time for tables: `350ms`, `7.8s`, `10m00.3s`.
pub(crate) fn roughly(length: Millis) -> String {
    let (minutes, tenths) = (length / MINUTE, length % MINUTE / 100);
    match (minutes, length) {
        (0, 0..SECOND) => format!("{length}ms"),
        (0, _) => format!("{}.{}s", tenths / 10, tenths % 10),
        _ => format!("{minutes}m{:02}.{}s", tenths / 10, tenths % 10),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_as_people_write_them() {
        assert_eq!(moment(30_250), "+0:00:30.250");
        assert_eq!(moment(3_600_000 + 61_002), "+1:01:01.002");
        assert_eq!([350, 7_820, 600_274].map(roughly), ["350ms", "7.8s", "10m00.2s"]);
    }

    #[test]
    fn a_rehearsal_begins_within_the_window_of_its_plan() {
        let window = Maintenance { days: vec![Weekday::Sat], from: 22 * 60, length: 8 * HOUR };
        let begin = usual_begin(Some(&window));
        assert_eq!(window.closes(begin), Some(begin.plus(8 * HOUR)));
        assert_eq!(Weekday::of(usual_begin(None)), Weekday::Mon);
    }
}
