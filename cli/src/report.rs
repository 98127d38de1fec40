//! What came of a domain's rollouts in one time and in another: how they ended, how often somebody was paged, how soon that
//! was told, how long it burned.
//!
//! A rollout counts where it ended, a page where it began. Nothing here knows a clock: times are the broker's, of the log.

mod table;

use std::collections::{BTreeMap, BTreeSet};

use pavane_events::{Body, Entry, EventId, Millis, RolloutId, Timestamp};
use pavane_sentinel_engine::{Alert, AlertStatus, Effect, Ended};
use serde::Serialize;

use crate::replay::court::Told;
use crate::replay::range::Place;

/// A week, in milliseconds.
const WEEK: Millis = 7 * 24 * 60 * 60 * 1_000;

/// What came of a domain's rollouts.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// The domain.
    pub domain: String,
    /// The choreography that was looked at; none where it was all of them.
    pub choreography: Option<String>,
    /// One time after the other.
    pub periods: Vec<Period>,
}

/// What came of them in one time.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Period {
    /// When its first record was appended; none where it has none.
    pub from: Option<Timestamp>,
    /// When its last one was.
    pub to: Option<Timestamp>,
    /// The rollouts that ended, by how.
    pub ended: BTreeMap<&'static str, u64>,
    /// How many ended in a week; none where the time is shorter than a day.
    pub ended_a_week: Option<f64>,
    /// What did not complete, of all that ended: 0 to 1.
    pub change_failure_rate: Option<f64>,
    /// The rollouts that somebody was paged about.
    pub incidents: u64,
    /// How many of them there are for each rollout that ended.
    pub incident_rate: Option<f64>,
    /// The pages, by name and cause.
    pub pages: BTreeMap<String, u64>,
    /// From the end of a step's window to the page, in milliseconds.
    pub told_after_ms: Option<Spread>,
    /// From the page to when it was over, in milliseconds.
    pub burned_ms: Option<Spread>,
    /// The pages of this time that burn at the end of what was read.
    pub burning: u64,
    /// From its start to its end, of a rollout that completed, in milliseconds.
    pub completed_after_ms: Option<Spread>,
    /// What people ordered: pauses, overrides, approvals, rollbacks, ends and the like, starts left out.
    pub orders: u64,
}

/// How some times are spread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Spread {
    /// Half of them are no longer.
    pub median: Millis,
    /// Nine in ten are no longer.
    pub p90: Millis,
    /// The longest.
    pub longest: Millis,
}

/// Counts as the log is read.
#[derive(Debug)]
pub struct Tally {
    splits: Vec<Place>,
    choreography: Option<String>,
    /// The rollouts of the choreography that is asked for.
    asked: BTreeSet<RolloutId>,
    times: Vec<Time>,
    /// The pages that burn: in which time each began, and when.
    burning: BTreeMap<(String, EventId), (usize, Timestamp)>,
}

/// What is counted of one time.
#[derive(Debug, Default)]
struct Time {
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    ended: BTreeMap<&'static str, u64>,
    incidents: BTreeSet<RolloutId>,
    pages: BTreeMap<String, u64>,
    told: Vec<Millis>,
    burned: Vec<Millis>,
    completed: Vec<Millis>,
    orders: u64,
}

impl Tally {
    /// A tally of nothing; a new time begins at each split, and they stand in their order. Where a choreography is named, what
    /// is about its rollouts alone counts.
    pub fn new(splits: Vec<Place>, choreography: Option<String>) -> Self {
        let times = std::iter::repeat_with(Time::default).take(splits.len() + 1).collect();
        Self { splits, choreography, asked: BTreeSet::new(), times, burning: BTreeMap::new() }
    }

    /// Takes a record, what it decides and what follows from it. What lies before the range that is asked for counts for what
    /// ends in it alone.
    pub fn take(&mut self, entry: &Entry, told: &[Told], effects: &[Effect], counts: bool) {
        if let Entry::Event(record) = entry
            && let Body::RolloutStarted(started) = &record.event.body
            && self.choreography.as_ref().is_none_or(|name| *name == started.choreography)
        {
            self.asked.extend(record.event.envelope.rollout.clone());
        }
        let k = self.splits.iter().filter(|split| split.is_reached(entry)).count();
        if counts {
            let time = &mut self.times[k];
            time.from.get_or_insert(entry.at());
            time.to = Some(entry.at());
        }
        let orders =
            told.iter().filter(|told| told.what == "ordered" && self.is_asked(told.rollout.as_ref()));
        let orders = orders.count() as u64;
        self.times[k].orders += if counts { orders } else { 0 };
        for effect in effects {
            match effect {
                Effect::Ended(ended) if counts => self.end(k, ended),
                Effect::Raise(alert) => self.raise(k, alert, counts),
                Effect::Ended(_)
                | Effect::Append(_)
                | Effect::DeadLetter { .. }
                | Effect::Blind { .. }
                | Effect::Sighted { .. }
                | Effect::Measure { .. }
                | Effect::Remember(_)
                | Effect::Count(_) => {}
            }
        }
    }

    /// What came of it all.
    pub fn conclude(self, domain: String) -> Report {
        let mut burning = vec![0; self.times.len()];
        for (k, _) in self.burning.values() {
            burning[*k] += 1;
        }
        let periods =
            self.times.into_iter().zip(burning).map(|(time, burning)| time.conclude(burning)).collect();
        Report { domain, choreography: self.choreography, periods }
    }

    /// Whether what is about a rollout, or about none, is asked for.
    fn is_asked(&self, rollout: Option<&RolloutId>) -> bool {
        self.choreography.is_none() || rollout.is_some_and(|rollout| self.asked.contains(rollout))
    }

    fn end(&mut self, k: usize, ended: &Ended) {
        if !self.is_asked(Some(&ended.rollout)) {
            return;
        }
        let time = &mut self.times[k];
        *time.ended.entry(ended.status.as_str()).or_default() += 1;
        if ended.status.as_str() == COMPLETED {
            time.completed.push(ended.ended.since(ended.started));
        }
    }

    fn raise(&mut self, k: usize, alert: &Alert, counts: bool) {
        let label = |key: &str| alert.labels.get(key).map_or("", String::as_str);
        let rollout = RolloutId::new(label("rollout")).ok();
        if label("severity") != "page" || !self.is_asked(rollout.as_ref()) {
            return;
        }
        let key = (label("alertname").to_owned(), alert.id.clone());
        if alert.status == AlertStatus::Resolved {
            if let (Some((k, began)), Some(over)) = (self.burning.remove(&key), alert.ends_at) {
                self.times[k].burned.push(over.since(began));
            }
            return;
        }
        // what is told again in other words is one page
        if !counts || self.burning.contains_key(&key) {
            return;
        }
        let cause = label("cause").replace('_', " ");
        let time = &mut self.times[k];
        let name = if cause.is_empty() { key.0.clone() } else { format!("{} ({cause})", key.0) };
        *time.pages.entry(name).or_default() += 1;
        time.incidents.extend(rollout);
        time.told.extend(alert.deadline.map(|end| alert.starts_at.since(end)));
        self.burning.insert(key, (k, alert.starts_at));
    }
}

/// How a rollout ends that has done what it was to do.
const COMPLETED: &str = "completed";

impl Time {
    fn conclude(self, burning: u64) -> Period {
        let ended: u64 = self.ended.values().sum();
        let completed = self.ended.get(COMPLETED).copied().unwrap_or_default();
        let incidents = self.incidents.len() as u64;
        let of_ended = |part: u64| (ended > 0).then(|| ratio(part, ended));
        let length =
            self.from.zip(self.to).map(|(from, to)| to.since(from)).filter(|length| *length >= WEEK / 7);
        Period {
            from: self.from,
            to: self.to,
            ended_a_week: length.map(|length| ratio(ended * WEEK.unsigned_abs(), length.unsigned_abs())),
            change_failure_rate: of_ended(ended - completed),
            ended: self.ended,
            incidents,
            incident_rate: of_ended(incidents),
            pages: self.pages,
            told_after_ms: Spread::of(self.told),
            burned_ms: Spread::of(self.burned),
            burning,
            completed_after_ms: Spread::of(self.completed),
            orders: self.orders,
        }
    }
}

impl Spread {
    /// How these are spread, by nearest rank; none where there are none.
    fn of(mut times: Vec<Millis>) -> Option<Self> {
        times.sort_unstable();
        let longest = *times.last()?;
        let rank = |percent: usize| times[(times.len() * percent).div_ceil(100) - 1];
        Some(Self { median: rank(50), p90: rank(90), longest })
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of rollouts are far below 2^52")]
fn ratio(part: u64, whole: u64) -> f64 {
    part as f64 / whole as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_spread_by_nearest_rank() {
        assert_eq!(Spread::of(Vec::new()), None);
        assert_eq!(Spread::of(vec![7]), Some(Spread { median: 7, p90: 7, longest: 7 }));
        let ten = Spread::of((1..=10).rev().collect());
        assert_eq!(ten, Some(Spread { median: 5, p90: 9, longest: 10 }));
    }

    #[test]
    fn a_time_in_which_nothing_ended_has_no_rates() {
        let report = Tally::new(Vec::new(), None).conclude("shop".to_owned());
        let [period] = &report.periods[..] else { panic!("one time") };
        assert_eq!(
            (period.change_failure_rate, period.incident_rate, period.ended_a_week),
            (None, None, None)
        );
    }

    #[test]
    fn rates_are_of_what_ended_and_of_a_week() {
        let day = Timestamp(WEEK / 7);
        let mut time = Time { from: Some(Timestamp(0)), to: Some(day), ..Time::default() };
        time.ended.extend([(COMPLETED, 6), ("rolled_back", 1), ("aborted", 1)]);
        time.incidents.extend(["a", "b"].map(|name| RolloutId::new(name).expect("a name")));
        let period = time.conclude(0);
        assert_eq!(period.change_failure_rate, Some(0.25));
        assert_eq!(
            (period.incidents, period.incident_rate, period.ended_a_week),
            (2, Some(0.25), Some(56.0))
        );
    }
}
