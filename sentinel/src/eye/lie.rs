//! By what it is known that the log is not the one that was read: another record at a known offset, an end below what
//! was read, a beginning above it, another number of partitions.

use pavane_sentinel_engine::BlindCause;

use crate::witness::Witness;

/// The log is not to be trusted, and why.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Lie {
    pub(super) cause: BlindCause,
    /// What was seen, for a person.
    pub(super) what: String,
}

/// What was seen of the log so far.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// The highest offset that it was seen to begin at.
    pub(super) low: i64,
    /// How many partitions it had when it was opened.
    pub(super) partitions: i32,
    /// The record that was read last.
    pub(super) last: Option<Witness>,
    /// Whether the topic was not there for a while.
    pub(super) missing: bool,
}

impl Lie {
    /// Another record stands where one was read, or none.
    pub(super) fn another_record(expected: &Witness, found: Option<&Witness>) -> Self {
        let found = found.map_or("none".to_owned(), |found| format!("{found:?}"));
        let what = format!("at offset {} stood {expected:?}, and now there stands {found}", expected.offset);
        Self { cause: BlindCause::LogReplaced, what }
    }
}

impl Seen {
    /// Compares what the broker says with what was seen before.
    pub(super) fn compare(&mut self, low: i64, high: i64, position: i64, partitions: i32) -> Option<Lie> {
        if partitions != self.partitions {
            let what = format!("the log had {} partitions and has {partitions}", self.partitions);
            return Some(Lie { cause: BlindCause::PartitionsChanged, what });
        }
        if low < self.low {
            let what = format!("the log began at offset {} and begins at {low}", self.low);
            return Some(Lie { cause: BlindCause::LogReplaced, what });
        }
        self.low = low;
        self.what_is_gone(low, high, position)
    }

    /// What of the log is gone that was read, or would have to be read next.
    pub(super) fn what_is_gone(&self, low: i64, high: i64, position: i64) -> Option<Lie> {
        let what = || {
            format!(
                "offset {position} is to be read next, and the log begins at {low} and ends before {high}"
            )
        };
        let cause = if low > position {
            BlindCause::HistoryLost
        } else if high < position && (self.missing || low < self.low) {
            BlindCause::LogReplaced
        } else if high < position {
            BlindCause::LogRewound
        } else {
            return None;
        };
        Some(Lie { cause, what: what() })
    }
}

#[cfg(test)]
mod tests {
    use pavane_events::Timestamp;

    use super::*;

    fn seen() -> Seen {
        Seen { low: 10, partitions: 12, last: None, missing: false }
    }

    fn cause(mut seen: Seen, low: i64, high: i64, position: i64, partitions: i32) -> Option<BlindCause> {
        seen.compare(low, high, position, partitions).map(|lie| lie.cause)
    }

    #[test]
    fn a_log_that_grows_and_forgets_its_beginning_behind_us_is_honest() {
        assert_eq!(cause(seen(), 10, 50, 50, 12), None);
        assert_eq!(cause(seen(), 50, 90, 50, 12), None);
    }

    #[test]
    fn each_lie_has_its_name() {
        assert_eq!(cause(seen(), 51, 90, 50, 12), Some(BlindCause::HistoryLost));
        assert_eq!(cause(seen(), 10, 49, 50, 12), Some(BlindCause::LogRewound));
        assert_eq!(cause(seen(), 0, 49, 50, 12), Some(BlindCause::LogReplaced));
        assert_eq!(cause(seen(), 0, 99, 50, 12), Some(BlindCause::LogReplaced), "a beginning never falls");
        assert_eq!(cause(seen(), 10, 50, 50, 24), Some(BlindCause::PartitionsChanged));
        let missing = Seen { missing: true, ..seen() };
        assert_eq!(cause(missing, 10, 49, 50, 12), Some(BlindCause::LogReplaced), "it was not there at all");
    }

    #[test]
    fn a_record_that_is_another_one_names_both() {
        let witness = |at| Witness { offset: 4, at: Timestamp(at), id: None };
        let lie = Lie::another_record(&witness(1), Some(&witness(2)));
        assert_eq!(lie.cause, BlindCause::LogReplaced);
        assert!(lie.what.contains("Timestamp(1)") && lie.what.contains("Timestamp(2)"), "{}", lie.what);
    }
}
