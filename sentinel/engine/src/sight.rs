//! Sight: a sentinel appends a pulse and reads it back. A frozen broker looks exactly like a quiet topic, so
//! silence proves nothing; only one's own record, read back, does.

use std::collections::VecDeque;

use pavane_events::{Millis, Timestamp};

use crate::clock::{GRACE, Leap, PULSE};
use crate::input::BlindCause;

/// How often a sentinel proves its sight while nothing is open.
const IDLE_PULSE: Millis = 30_000;
/// How long a pulse may be on its way before the sentinel is blind.
const OUT_OF_SIGHT: Millis = 3 * PULSE;
/// How long nobody may have witnessed a leap before the whole of it counts as no time: late, never early.
const NO_WITNESS: Millis = 6 * PULSE;
/// A pulse that took longer than this from being sent to being read back witnesses nothing.
const WITNESS_SPAN: Millis = 1_000;

#[derive(Clone, Copy, Debug)]
struct Seen {
    sent: Millis,
    back: Millis,
    raw: Timestamp,
    offset: i64,
}

/// What a replica knows of its own sight. Times are its own elapsed time.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sight {
    sent: Option<Millis>,
    on_the_way: VecDeque<Millis>,
    seen: VecDeque<Seen>,
    lost: Option<(Millis, BlindCause)>,
    told: Option<BlindCause>,
}

impl Sight {
    /// Whether a pulse is due.
    pub(crate) fn pulse_due(&self, something_open: bool) -> Millis {
        let every = if something_open { PULSE } else { IDLE_PULSE };
        self.sent.map_or(Millis::MIN, |sent| sent + every)
    }

    pub(crate) fn pulsed(&mut self, now: Millis) {
        const KEPT: usize = 64;
        self.sent = Some(now);
        if self.on_the_way.len() >= KEPT {
            self.on_the_way.remove(1);
        }
        self.on_the_way.push_back(now);
    }

    /// An own pulse was read back.
    pub(crate) fn back(&mut self, sent: Millis, now: Millis, raw: Timestamp, offset: i64) {
        if !self.on_the_way.contains(&sent) {
            return;
        }
        self.on_the_way.retain(|other| *other > sent);
        self.lost = self.lost.filter(|(_, cause)| cause.lasts());
        self.seen.push_back(Seen { sent, back: now, raw, offset });
        if self.seen.len() > 16 {
            self.seen.pop_front();
        }
    }

    /// Any entry was read: the reader works.
    pub(crate) fn read(&mut self) {
        self.lost = self.lost.filter(|(_, cause)| cause.lasts());
    }

    /// Something failed. What lasts counts more than what may pass.
    pub(crate) fn lose(&mut self, now: Millis, cause: BlindCause) {
        if self.lost.is_none_or(|(_, old)| cause.lasts() && !old.lasts()) {
            self.lost = Some((now, cause));
        }
    }

    /// Why the sentinel cannot see, if it cannot.
    pub(crate) fn blind(&self, now: Millis) -> Option<BlindCause> {
        let lost = self.lost.filter(|(since, cause)| cause.lasts() || now - since >= OUT_OF_SIGHT);
        let overdue = self.on_the_way.front().filter(|sent| now - **sent >= OUT_OF_SIGHT);
        lost.map(|(_, cause)| cause)
            .or(overdue.map(|_| self.lost.map_or(BlindCause::NoSight, |(_, cause)| cause)))
    }

    /// Whether proposals may be made: nothing is lost, and a pulse of one's own was read back.
    pub(crate) fn is_sighted(&self, now: Millis) -> bool {
        self.lost.is_none() && self.blind(now).is_none() && !self.seen.is_empty()
    }

    /// The next time at which blindness could begin.
    pub(crate) fn next_deadline(&self) -> Option<Millis> {
        let lost = self.lost.filter(|_| self.told.is_none()).map(|(since, _)| since + OUT_OF_SIGHT);
        let overdue = self.on_the_way.front().filter(|_| self.told.is_none()).map(|sent| sent + OUT_OF_SIGHT);
        lost.into_iter().chain(overdue).min()
    }

    /// What changed since people were last told: `Some(Ok(cause))` for blind, `Some(Err(cause))` for seeing again.
    pub(crate) fn news(&mut self, now: Millis) -> Option<Result<BlindCause, BlindCause>> {
        match (self.blind(now), self.told) {
            (Some(cause), None) => {
                self.told = Some(cause);
                Some(Ok(cause))
            }
            // people were told of something that passes, and it does not
            (Some(cause), Some(told)) if cause.lasts() && !told.lasts() => {
                self.told = Some(cause);
                Some(Ok(cause))
            }
            (None, Some(cause)) if self.lost.is_none() => {
                self.told = None;
                Some(Err(cause))
            }
            _ => None,
        }
    }

    /// How much of a leap was no time, as far as this replica can tell, or none when it is no witness.
    pub(crate) fn explain(&self, leap: Leap, first_seen: Millis, now: Millis) -> Option<Millis> {
        // A pulse that was on its way while the broker was gone is no witness; those on either side of it are.
        let before = self.seen.iter().rfind(|seen| seen.offset < leap.offset && !seen.is_wide());
        let after = self.seen.iter().find(|seen| leap.offset <= seen.offset && !seen.is_wide());
        let witnessed = before.zip(after).map(|(before, after)| stepped(before, after));
        match witnessed {
            Some(by) => Some(by.clamp(0, leap.by)),
            None if now - first_seen > NO_WITNESS => Some(leap.by),
            None => None,
        }
    }
}

impl Seen {
    /// Whether it was on its way for too long to say when it was appended.
    const fn is_wide(&self) -> bool {
        self.back - self.sent >= WITNESS_SPAN
    }
}

/// The most that the broker's clock can have stepped between two own pulses; 0 where elapsed time agrees.
fn stepped(before: &Seen, after: &Seen) -> Millis {
    let (least, most) = (after.sent - before.back, after.back - before.sent);
    let by_broker = after.raw.since(before.raw);
    let agrees = (least - GRACE..=most + GRACE).contains(&by_broker);
    if agrees { 0 } else { by_broker - least }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pulses as (sent, back, append time), one after the other on the log from offset 0.
    fn sight(pulses: &[(Millis, Millis, i64)]) -> Sight {
        let mut sight = Sight::default();
        for ((sent, back, raw), offset) in pulses.iter().zip(0..) {
            sight.pulsed(*sent);
            sight.back(*sent, *back, Timestamp(*raw), offset);
        }
        sight
    }

    #[test]
    fn what_lasts_is_told_although_people_know_of_something_that_passes() {
        let mut sight = Sight::default();
        sight.lose(0, BlindCause::Broker);
        assert_eq!(sight.news(OUT_OF_SIGHT), Some(Ok(BlindCause::Broker)));
        sight.lose(OUT_OF_SIGHT, BlindCause::LogReplaced);
        assert_eq!(sight.news(OUT_OF_SIGHT), Some(Ok(BlindCause::LogReplaced)));
        sight.lose(OUT_OF_SIGHT, BlindCause::Registry);
        sight.read();
        assert_eq!((sight.news(OUT_OF_SIGHT), sight.is_sighted(OUT_OF_SIGHT)), (None, false));
    }

    #[test]
    fn a_pulse_that_waited_for_the_broker_does_not_hide_the_witnesses_beside_it() {
        let leap = Leap { offset: 1, by: 9_000 };
        // the broker was gone for 9 s, and the pulse that was sent meanwhile came back late
        let agree = sight(&[(0, 10, 5), (2_000, 9_010, 9_005), (9_500, 9_510, 9_505)]);
        assert_eq!(agree.explain(leap, 9_010, 9_510), Some(0));
        let leapt = sight(&[(0, 10, 5), (2_000, 3_010, 11_005), (3_500, 3_510, 12_505)]);
        assert_eq!(leapt.explain(leap, 3_010, 3_510), Some(9_000));
    }

    #[test]
    fn without_a_witness_on_either_side_the_whole_leap_counts_as_no_time_in_the_end() {
        let leap = Leap { offset: 1, by: 9_000 };
        let alone = sight(&[(0, 5_000, 5), (9_500, 9_510, 9_505)]);
        assert_eq!(alone.explain(leap, 9_010, 9_510), None);
        assert_eq!(alone.explain(leap, 9_010, 9_011 + NO_WITNESS), Some(9_000));
    }
}
