//! The time of a partition: the running maximum of its append times, with the leaps of the broker's clock taken out.

use std::num::NonZeroI64;

use pavane_events::{Millis, Timestamp};

/// How often a sentinel proves its sight while something is open.
pub const PULSE: Millis = 2_000;

/// How long after a deadline a stall is accepted, unless the domain declares a broker skew.
pub const GRACE: Millis = 250;

/// A point on the log: partition time and offset. One that may be missing takes no more room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) at: Timestamp,
    /// The offset with its sign turned.
    place: NonZeroI64,
}

impl Mark {
    /// The smallest number there is is no offset; it counts as -1, before the first.
    pub(crate) const fn new(at: Timestamp, offset: i64) -> Self {
        let place = match NonZeroI64::new(offset ^ i64::MIN) {
            Some(place) => place,
            None => NonZeroI64::MAX,
        };
        Self { at, place }
    }

    pub(crate) const fn offset(self) -> i64 {
        self.place.get() ^ i64::MIN
    }
}

/// Neighbouring records part by more than a pulse and the grace: time, or a leap of the broker's clock?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Leap {
    pub(crate) offset: i64,
    pub(crate) by: Millis,
}

/// The time of one partition.
#[derive(Clone, Debug)]
pub(crate) struct Clock {
    pub(crate) now: Timestamp,
    pub(crate) last: Option<Timestamp>,
    pub(crate) adjust: Millis,
    pub(crate) leaps: Vec<Leap>,
    pub(crate) grace: Millis,
}

impl Default for Clock {
    fn default() -> Self {
        Self { now: Timestamp(i64::MIN), last: None, adjust: 0, leaps: Vec::new(), grace: GRACE }
    }
}

impl Clock {
    /// Reads the append time of the next record. A step back beyond the grace is visible in the log alone and
    /// taken out at once; a step forward is a leap, to be explained, only when something is open.
    pub(crate) fn read(&mut self, at: Timestamp, offset: i64, something_open: bool) {
        if let Some(last) = self.last {
            let by = at.since(last);
            if by < -self.grace {
                self.adjust = self.adjust.saturating_sub(by);
            } else if something_open && by > PULSE + self.grace {
                self.leaps.push(Leap { offset, by });
            }
        }
        self.last = Some(at);
        self.now = self.now.max(at.plus(self.adjust));
    }

    /// Partition time.
    pub(crate) const fn now(&self) -> Timestamp {
        self.now
    }

    /// The append time of the newest record, unadjusted.
    pub(crate) fn raw(&self) -> Timestamp {
        self.last.unwrap_or_default()
    }

    /// The unadjusted append time that stands for a moment of partition time.
    pub(crate) const fn unadjusted(&self, at: Timestamp) -> Timestamp {
        at.plus(-self.adjust)
    }

    /// The moment of partition time that an unadjusted append time stands for.
    pub(crate) const fn adjusted(&self, raw: Timestamp) -> Timestamp {
        raw.plus(self.adjust)
    }

    /// The leaps that nobody has explained yet. While there is one, nothing else is accepted.
    pub(crate) fn leaps(&self) -> &[Leap] {
        &self.leaps
    }

    /// Forgets the leaps: nothing is open that they could matter to.
    pub(crate) fn forget_leaps(&mut self) {
        self.leaps.clear();
    }

    /// Takes `by` of a leap out of partition time. False when there is no such leap, or it was smaller.
    pub(crate) fn step(&mut self, leap: i64, by: Millis) -> bool {
        let Some(i) = self.leaps.iter().position(|x| x.offset == leap && (0..=x.by).contains(&by)) else {
            return false;
        };
        self.leaps.remove(i);
        self.adjust -= by;
        self.now = self.now.plus(-by);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(times: &[i64]) -> Clock {
        let mut clock = Clock::default();
        for (&at, offset) in times.iter().zip(0..) {
            clock.read(Timestamp(at), offset, true);
        }
        clock
    }

    #[test]
    fn time_is_the_running_maximum() {
        assert_eq!(read(&[100, 300, 200, 250]).now(), Timestamp(300));
    }

    #[test]
    fn a_step_back_is_taken_out_by_the_log_alone() {
        assert_eq!(read(&[100_000, 40_000, 40_500]).now(), Timestamp(100_500));
    }

    #[test]
    fn a_leap_waits_for_its_explanation() {
        let mut clock = read(&[0, 60_000]);
        assert_eq!(clock.leaps(), [Leap { offset: 1, by: 60_000 }]);
        assert!(!clock.step(0, 10) && !clock.step(1, 60_001) && !clock.step(1, -1));
        assert!(clock.step(1, 59_000));
        assert_eq!((clock.now(), clock.leaps().len()), (Timestamp(1_000), 0));
    }

    #[test]
    fn silence_is_no_leap_while_nothing_is_open() {
        let mut clock = read(&[0]);
        clock.read(Timestamp(3_600_000), 1, false);
        assert!(clock.leaps().is_empty());
    }
}
