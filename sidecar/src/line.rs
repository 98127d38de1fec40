//! The line of what waits for the broker: places, numbers, bounds, and what of it the journal does not hold yet.
//!
//! It knows no clock, no disk and no broker; the [outbox](crate::outbox) brings these together. What it keeps true:
//! letters are handed over in the order of their numbers; one is taken out only when it was answered for; while the
//! broker is not well they go one by one, so that what failed is not overtaken by what comes after it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use pavane_events::{Envelope, EventId};

use crate::letter::{Content, Letter, weight};

/// How long the broker may take to answer before a letter that the journal does not hold is written there, and before
/// no more are handed over behind it. Much longer than a broker that is well, much shorter than the door's patience.
pub(crate) const SLOW: Duration = Duration::from_millis(250);
/// How long to wait before a letter is sent again; doubled up to the longest.
const FIRST_WAIT: Duration = Duration::from_millis(250);
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// How many letters may be with the broker at a time.
const WITH_BROKER: usize = 256;

/// How much may wait for the broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How many events.
    pub events: usize,
    /// How many bytes they may have all together.
    pub bytes: usize,
}

/// A letter in the line.
struct Place {
    letter: Arc<Letter>,
    posted: Instant,
    written: bool,
}

/// The line of what waits for the broker.
pub(crate) struct Line {
    boot: String,
    limits: Limits,
    next: u64,
    sequence: i64,
    /// The highest of this boot that stands or stood in the line.
    published: i64,
    places: BTreeMap<u64, Place>,
    /// Those that are to be handed over.
    here: BTreeSet<u64>,
    /// Those that the broker has not answered for, and since when.
    away: BTreeMap<u64, Instant>,
    unwritten: BTreeSet<u64>,
    bytes: usize,
    /// Since the last failure no letter was answered for.
    blocked: bool,
    rest: Duration,
    rests_until: Option<Instant>,
}

/// The numbers that were given out at some moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    next: u64,
    sequence: i64,
}

impl Line {
    /// A line that begins with what an earlier process left in it; `next` is above every number that was ever given.
    pub(crate) fn new(boot: &str, limits: Limits, left: Vec<Letter>, now: Instant) -> Self {
        let next = left.last().map_or(1, |letter| letter.number + 1);
        let mut line = Self {
            boot: boot.to_owned(),
            limits,
            next,
            sequence: 0,
            published: 0,
            places: BTreeMap::new(),
            here: BTreeSet::new(),
            away: BTreeMap::new(),
            unwritten: BTreeSet::new(),
            bytes: 0,
            blocked: false,
            rest: FIRST_WAIT,
            rests_until: None,
        };
        for letter in left {
            line.publish(letter, true, now);
        }
        line
    }

    /// Whether so many events more, with so many bytes, may join the line.
    pub(crate) fn has_room(&self, events: usize, bytes: usize) -> bool {
        self.places.len() + events <= self.limits.events && self.bytes + bytes <= self.limits.bytes
    }

    /// Makes a letter, with its place in the line and its sequence number.
    pub(crate) fn seal(&mut self, mut envelope: Envelope, content: Content, digest: Option<u64>) -> Letter {
        self.sequence += 1;
        envelope.sequence = Some(self.sequence);
        if envelope.time.is_none() {
            envelope.time = Some(jiff::Timestamp::now().to_string());
        }
        let number = self.next;
        self.next += 1;
        Letter { number, envelope, content, digest }
    }

    /// The numbers as they stand.
    pub(crate) const fn mark(&self) -> Mark {
        Mark { next: self.next, sequence: self.sequence }
    }

    /// Takes back the numbers that were given out since: of what was sealed in between nothing was published.
    pub(crate) const fn rewind(&mut self, mark: Mark) {
        self.next = mark.next;
        self.sequence = mark.sequence;
    }

    /// Puts a letter into the line; `written` says whether the journal holds it.
    pub(crate) fn publish(&mut self, letter: Letter, written: bool, now: Instant) {
        let number = letter.number;
        if letter.envelope.boot.as_ref() == Some(&self.boot) {
            self.published = letter.envelope.sequence.unwrap_or(self.published);
        }
        self.bytes += weight(&letter.content);
        self.here.insert(number);
        if !written {
            self.unwritten.insert(number);
        }
        self.places.insert(number, Place { letter: Arc::new(letter), posted: now, written });
    }

    /// The next letter to be handed over, if one may be.
    pub(crate) fn hand_out(&mut self, now: Instant) -> Option<Arc<Letter>> {
        let number = *self.here.first()?;
        let may = match self.away.first_key_value() {
            None => self.rests_until.is_none_or(|until| until <= now),
            Some((_, since)) => !self.blocked && self.away.len() < WITH_BROKER && now - *since < SLOW,
        };
        if !may {
            return None;
        }
        self.here.remove(&number);
        self.away.insert(number, now);
        Some(self.places.get(&number)?.letter.clone())
    }

    /// The client takes no more at present; others are under way.
    pub(crate) fn hand_back(&mut self, number: u64) {
        self.away.remove(&number);
        self.here.insert(number);
    }

    /// Whether more than one letter is with the broker.
    pub(crate) fn is_under_way(&self) -> bool {
        self.away.len() > 1
    }

    /// The broker has not taken a letter, or has not said so. Returns how long is waited.
    pub(crate) fn failed(&mut self, number: u64, now: Instant) -> Duration {
        self.away.remove(&number);
        if self.places.contains_key(&number) {
            self.here.insert(number);
        }
        let rest = self.rest;
        if !self.blocked || self.away.is_empty() {
            self.rest = (2 * rest).min(LONGEST_WAIT);
        }
        self.blocked = true;
        self.rests_until = Some(now + rest);
        rest
    }

    /// Takes a letter out of the line: it was answered for. Tells whether the journal holds it.
    pub(crate) fn strike(&mut self, number: u64, appended: bool) -> Option<(Arc<Letter>, bool)> {
        self.away.remove(&number);
        self.here.remove(&number);
        self.unwritten.remove(&number);
        if appended {
            self.blocked = false;
            self.rest = FIRST_WAIT;
            self.rests_until = None;
        }
        let place = self.places.remove(&number)?;
        self.bytes = self.bytes.saturating_sub(weight(&place.letter.content));
        Some((place.letter, place.written))
    }

    /// Takes a letter that the journal holds out of the line before it is handed over: it stands on the log already.
    pub(crate) fn strike_unsent(&mut self, id: &EventId) -> Option<u64> {
        let found = self.places.iter().find(|(_, place)| place.letter.envelope.id == *id);
        let number = found.map(|(number, _)| *number).filter(|number| self.here.contains(number))?;
        self.here.remove(&number);
        let place = self.places.remove(&number)?;
        self.unwritten.remove(&number);
        self.bytes = self.bytes.saturating_sub(weight(&place.letter.content));
        Some(number)
    }

    /// When something is to be done although nobody asks: a letter to be written or to be sent again.
    pub(crate) fn wake_at(&self) -> Option<Instant> {
        if self.here.is_empty() { None } else { self.rests_until }
    }

    /// When the journal must hold what it does not; none when it holds all.
    pub(crate) fn write_by(&self) -> Option<Instant> {
        let number = self.unwritten.first()?;
        Some(self.places.get(number)?.posted + SLOW)
    }

    /// What the journal must hold: all of it, once the oldest has waited for long.
    pub(crate) fn due(&self, now: Instant) -> Vec<Arc<Letter>> {
        if self.write_by().is_none_or(|by| by > now) {
            return Vec::new();
        }
        self.unwritten.iter().filter_map(|number| Some(self.places.get(number)?.letter.clone())).collect()
    }

    /// The journal holds a letter. Returns false when it has been answered for meanwhile.
    pub(crate) fn set_written(&mut self, number: u64) -> bool {
        self.unwritten.remove(&number);
        match self.places.get_mut(&number) {
            Some(place) => {
                place.written = true;
                true
            }
            None => false,
        }
    }

    /// The journal could not take what was due; it is due again after the same time.
    pub(crate) fn postpone(&mut self, now: Instant) {
        for number in &self.unwritten {
            if let Some(place) = self.places.get_mut(number) {
                place.posted = now;
            }
        }
    }

    /// Whether the journal holds an event that waits.
    pub(crate) fn holds(&self, id: &EventId) -> bool {
        self.places.values().any(|place| place.written && place.letter.envelope.id == *id)
    }

    /// Whether the last that the broker was to take failed.
    pub(crate) const fn is_blocked(&self) -> bool {
        self.blocked
    }

    /// Whether the broker cannot be relied on at present.
    pub(crate) fn is_slow(&self, now: Instant) -> bool {
        self.blocked || self.away.first_key_value().is_some_and(|(_, since)| now - *since >= SLOW)
    }

    /// Lets time pass for what rests.
    #[cfg(test)]
    pub(crate) const fn rest_no_more(&mut self) {
        self.rests_until = None;
    }

    /// How many letters wait.
    pub(crate) fn depth(&self) -> usize {
        self.places.len()
    }

    /// The highest sequence number of this boot up to which the broker has them all; 0 before the first.
    pub(crate) fn acknowledged(&self) -> i64 {
        let own = self.places.values().find(|place| place.letter.envelope.boot.as_ref() == Some(&self.boot));
        let lowest = own.and_then(|place| place.letter.envelope.sequence);
        lowest.map_or(self.published, |sequence| sequence - 1)
    }
}

#[cfg(test)]
mod tests {
    use pavane_events::service::Ready;
    use pavane_events::{Domain, Source};

    use super::*;

    const LIMITS: Limits = Limits { events: 3, bytes: 10_000 };

    #[test]
    fn letters_go_in_their_order_and_one_by_one_once_one_has_failed() {
        let (mut line, now) = (Line::new("b", LIMITS, Vec::new(), Instant::now()), Instant::now());
        for _ in 0..3 {
            post(&mut line, now);
        }
        assert!(!line.has_room(1, 1), "it has its limits");
        assert_eq!([out(&mut line, now), out(&mut line, now)], [Some(1), Some(2)]);
        line.failed(1, now);
        assert_eq!(out(&mut line, now), None, "nothing overtakes what has failed");
        line.failed(2, now);
        assert_eq!(out(&mut line, now), None, "it rests");
        let later = now + FIRST_WAIT * 2;
        assert_eq!([out(&mut line, later), out(&mut line, later)], [Some(1), None], "one by one");
        assert!(line.is_blocked());
        line.strike(1, true).unwrap();
        assert_eq!((line.acknowledged(), line.is_blocked()), (1, false));
        assert_eq!([out(&mut line, later), out(&mut line, later)], [Some(2), Some(3)]);
        assert_eq!(line.acknowledged(), 1);
    }

    #[test]
    fn a_broker_that_is_slow_gets_no_more() {
        let (mut line, now) = (Line::new("b", LIMITS, Vec::new(), Instant::now()), Instant::now());
        post(&mut line, now);
        assert_eq!(out(&mut line, now), Some(1));
        post(&mut line, now);
        let later = now + SLOW;
        assert!(line.is_slow(later) && !line.is_slow(now));
        assert_eq!(out(&mut line, later), None);
        assert_eq!(line.due(later).len(), 2, "all that waits is written, once one has waited for long");
        assert!(line.due(now).is_empty());
    }

    #[test]
    fn numbers_that_were_taken_back_leave_no_gap() {
        let (mut line, now) = (Line::new("b", LIMITS, Vec::new(), Instant::now()), Instant::now());
        post(&mut line, now);
        let mark = line.mark();
        assert_eq!(seal(&mut line).envelope.sequence, Some(2));
        line.rewind(mark);
        assert_eq!((seal(&mut line).envelope.sequence, line.acknowledged()), (Some(2), 0));
    }

    fn post(line: &mut Line, now: Instant) {
        let letter = seal(line);
        line.publish(letter, false, now);
    }

    fn seal(line: &mut Line) -> Letter {
        let source = Source::new("/pavane/shop/a/a-0").unwrap();
        let mut envelope = Envelope::new(Domain::new("shop").unwrap(), source, EventId::new("e-1").unwrap());
        envelope.boot = Some("b".to_owned());
        line.seal(envelope, Content::Own(Ready::default().into()), None)
    }

    fn out(line: &mut Line, now: Instant) -> Option<u64> {
        line.hand_out(now).map(|letter| letter.number)
    }
}
