//! A silence: a person says what need not be told, until when, and why.

use pavane_events::Timestamp;
use serde::{Deserialize, Serialize};

use crate::Labels;
use crate::matcher::{Matcher, all_match};

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

impl Silence {
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

    /// Whether it keeps an alert with these labels from being told.
    pub fn mutes(&self, labels: &Labels, now: Timestamp) -> bool {
        self.state(now) == SilenceState::Active && all_match(&self.matchers, labels)
    }
}
