//! The time of the partition.

use pavane_sentinel_engine::PULSE;

pub(crate) struct Clock {
    pub(crate) now: i64,
    last: Option<i64>,
    /// What has been taken out of append times so far.
    adjust: i64,
    /// Leaps that nobody has explained: where, and how far.
    pub(crate) leaps: Vec<(i64, i64)>,
}

impl Default for Clock {
    fn default() -> Self {
        Self { now: i64::MIN, last: None, adjust: 0, leaps: Vec::new() }
    }
}

impl Clock {
    pub(crate) fn read(&mut self, at: i64, offset: i64, something_open: bool, grace: i64) {
        let by = self.last.map_or(0, |last| at - last);
        if by < -grace {
            self.adjust -= by;
        }
        if something_open && by > PULSE + grace {
            self.leaps.push((offset, by));
        }
        self.last = Some(at);
        self.now = self.now.max(at + self.adjust);
    }

    /// Takes `by` of the leap at an offset out of time, if it may.
    pub(crate) fn step(&mut self, leap: Option<i64>, by: i64) -> bool {
        let known =
            self.leaps.iter().position(|(offset, most)| Some(*offset) == leap && 0 <= by && by <= *most);
        let Some(place) = known else { return false };
        self.leaps.remove(place);
        self.adjust -= by;
        self.now -= by;
        true
    }
}
