//! A silence: a person says what need not be told, until when, and why.

use pavane_events::{EventId, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use thiserror::Error;

use crate::Labels;
use crate::body::rfc3339;
use crate::matcher::{Matcher, all_match};

/// How many conditions a silence may have.
const MATCHERS: usize = 32;
/// How long who says it and why may be together, in bytes.
const WORDS: usize = 2_000;

/// What need not be told for a while. Its alerts are there all the same; they are only not told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Silence {
    /// Its id; a silence that is written again under its id replaces what it said before.
    pub id: String,
    /// What it is about: all of them must hold. Never empty.
    pub matchers: Vec<Matcher>,
    /// From when it counts.
    pub starts_at: Timestamp,
    /// Until when it counts.
    pub ends_at: Timestamp,
    /// Who says it.
    pub created_by: String,
    /// Why.
    pub comment: String,
}

/// Where a silence stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SilenceState {
    /// Its time has not come.
    Pending,
    /// It counts.
    Active,
    /// Its time is over.
    Expired,
}

/// Why a silence is not taken, whichever way it comes.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum SilenceError {
    /// It would never count.
    #[error("take the silence: it is over before it begins to count; let it end later")]
    Over,
    /// It is about nothing, or about too much.
    #[error("take the silence: it has {0} matchers; 1 to {MATCHERS} say what it is about")]
    Matchers(usize),
    /// Its matchers hold for whatever has no labels at all.
    #[error(
        "take the silence: its matchers hold for every alert; let one of them ask for a label, e.g. `domain=shop`"
    )]
    Everything,
    /// Nobody would know whom to ask about the quiet.
    #[error("take the silence: who silences, and why, may not be empty")]
    Unsaid,
    /// It is a row that every replica keeps.
    #[error("take the silence: who silences, and why, have {0} bytes together; {WORDS} are allowed")]
    TooLong(usize),
    /// It would not be found again.
    #[error("take the silence: its id is no name; leave it out for a new silence")]
    Id,
}

impl Silence {
    /// Looks whether it may be written: the same for every way by which a silence can come.
    pub fn checked(self, now: Timestamp) -> Result<Self, SilenceError> {
        let words = self.comment.len() + self.created_by.len();
        let is_blank = |text: &String| text.trim().is_empty();
        let refused = if self.ends_at <= self.starts_at.max(now) {
            SilenceError::Over
        } else if self.matchers.is_empty() || self.matchers.len() > MATCHERS {
            SilenceError::Matchers(self.matchers.len())
        } else if all_match(&self.matchers, &Labels::new()) {
            SilenceError::Everything
        } else if is_blank(&self.created_by) || is_blank(&self.comment) {
            SilenceError::Unsaid
        } else if words > WORDS {
            SilenceError::TooLong(words)
        } else if EventId::new(&self.id).is_err() {
            SilenceError::Id
        } else {
            return Ok(self);
        };
        Err(refused)
    }

    /// Where it stands at this time.
    pub fn state(&self, now: Timestamp) -> SilenceState {
        if now < self.starts_at {
            SilenceState::Pending
        } else if now < self.ends_at {
            SilenceState::Active
        } else {
            SilenceState::Expired
        }
    }

    /// The silence as Alertmanager's API shows it, with where it stands at this time.
    pub fn shown(&self, now: Timestamp) -> Value {
        json!({
            "id": self.id,
            "matchers": self.matchers,
            "startsAt": rfc3339(self.starts_at),
            "endsAt": rfc3339(self.ends_at),
            "createdBy": self.created_by,
            "comment": self.comment,
            "status": { "state": self.state(now) },
        })
    }

    /// Whether it keeps an alert with these labels from being told.
    pub fn mutes(&self, labels: &Labels, now: Timestamp) -> bool {
        self.state(now) == SilenceState::Active && all_match(&self.matchers, labels)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(10_000);

    fn good() -> Silence {
        Silence {
            id: "s-1".to_owned(),
            matchers: vec![Matcher::equal("rollout", "r-42")],
            starts_at: NOW,
            ends_at: NOW.plus(1),
            created_by: "anna".to_owned(),
            comment: "moving the database".to_owned(),
        }
    }

    #[test]
    fn a_silence_says_about_what_until_when_who_and_why() {
        assert_eq!(good().checked(NOW), Ok(good()));
        let parsed = |text| Matcher::parse(text).expect("a matcher");
        let of = |matchers| Silence { matchers, ..good() };
        let refused = [
            (Silence { ends_at: NOW, ..good() }, SilenceError::Over),
            (Silence { starts_at: NOW.plus(5), ends_at: NOW.plus(5), ..good() }, SilenceError::Over),
            (of(vec![]), SilenceError::Matchers(0)),
            (of(vec![parsed("a=b"); 33]), SilenceError::Matchers(33)),
            (of(vec![parsed("a=~\".*\""), parsed("b!=c")]), SilenceError::Everything),
            (Silence { comment: " ".to_owned(), ..good() }, SilenceError::Unsaid),
            (Silence { created_by: String::new(), ..good() }, SilenceError::Unsaid),
            (Silence { comment: "a".repeat(2_000), ..good() }, SilenceError::TooLong(2_004)),
            (Silence { id: "no name\n".to_owned(), ..good() }, SilenceError::Id),
        ];
        for (silence, error) in refused {
            assert_eq!(silence.checked(NOW), Err(error));
        }
        assert!(of(vec![parsed("a=~\".*\""), parsed("b=c")]).checked(NOW).is_ok());
    }
}
