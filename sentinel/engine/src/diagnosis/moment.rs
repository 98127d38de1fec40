//! A moment of the broker's time as people read it: in UTC, and how far it lies from another one.

use pavane_events::{Millis, Timestamp};

use super::words::lasting;

const DAY: Millis = 86_400_000;

/// The moment, as `12:03:20 UTC (in 40 s)`; with its date where that is not today's.
pub(crate) fn moment(at: Timestamp, now: Timestamp) -> String {
    let clock = clock(at);
    let clock =
        if at.0.div_euclid(DAY) == now.0.div_euclid(DAY) { clock } else { format!("{} {clock}", date(at)) };
    match at.since(now) {
        0 => clock,
        ahead @ 1.. => format!("{clock} (in {})", lasting(ahead)),
        past => format!("{clock} ({} ago)", lasting(-past)),
    }
}

fn clock(at: Timestamp) -> String {
    let seconds = at.0.rem_euclid(DAY) / 1_000;
    format!("{:02}:{:02}:{:02} UTC", seconds / 3_600, seconds / 60 % 60, seconds % 60)
}

/// The date in the Gregorian calendar. Years are counted from March on, so that the day that some have more is their last.
fn date(at: Timestamp) -> String {
    const ERA: i64 = 146_097;
    // days since the first of March of the year 0
    let days = at.0.div_euclid(DAY) + 719_468;
    let (era, of_era) = (days.div_euclid(ERA), days.rem_euclid(ERA));
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / (ERA - 1)) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = era * 400 + year + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_told_in_utc_and_by_its_distance() {
        let now = Timestamp(1_795_269_800_000);
        for (after, text) in [
            (0, "14:03:20 UTC"),
            (40_000, "14:04:00 UTC (in 40 s)"),
            (-5_000, "14:03:15 UTC (5 s ago)"),
            (DAY, "2026-11-22 14:03:20 UTC (in 24h 0m)"),
        ] {
            assert_eq!(moment(now.plus(after), now), text);
        }
    }

    #[test]
    fn a_date_is_what_the_calendar_says() {
        for (days, text) in [
            (0, "1970-01-01"),
            (-1, "1969-12-31"),
            (11_016, "2000-02-29"),
            (11_017, "2000-03-01"),
            (20_778, "2026-11-21"),
            (47_540, "2100-02-28"),
            (47_541, "2100-03-01"),
        ] {
            assert_eq!(date(Timestamp(days * DAY + 1)), text);
        }
    }
}
