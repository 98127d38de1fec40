//! What is told at a time to one receiver, and the row that remembers it.

use pavane_events::identity::sha256_hex;
use pavane_events::{EventId, Timestamp};
use pavane_sentinel_engine::{Alert, AlertStatus};
use serde::{Deserialize, Serialize};

use crate::{CHANGE, Labels, value};

/// How many alerts a notification lists at most.
pub const LISTED: usize = 40;

/// Something to tell one receiver. It never changes: what comes later is another notification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    /// The same for every attempt of every replica that composes it from the same state; receivers tell doubles by it.
    pub id: String,
    /// Who is told.
    pub receiver: String,
    /// The key of the group: constant over its life.
    pub group: String,
    /// The labels that its alerts have in common by the route's choice.
    pub group_labels: Labels,
    /// Why it is told.
    pub reason: Reason,
    /// What burns, the oldest first, and then what is over since the last notification; at most [`LISTED`].
    pub alerts: Vec<Alert>,
    /// How many alerts more it is about.
    pub truncated: usize,
    /// When the group was told before, by its rows.
    pub after: Option<Timestamp>,
    /// The marks of all alerts of it that burn.
    pub firing: Vec<Mark>,
    /// The marks of all alerts of it that are over.
    pub resolved: Vec<Mark>,
}

/// The short form of an alert's id: 16 hexadecimal digits, so that a row about ten thousand alerts fits.
pub type Mark = String;

/// Why something is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Nothing of the group was told before.
    First,
    /// More burns.
    Added,
    /// Some of it is over.
    SomeResolved,
    /// All of it is over.
    AllResolved,
    /// It still burns.
    Repeated,
    /// Whoever should have been told cannot be reached.
    Escalated,
    /// A rollback failed: somebody above is told too.
    RollbackFailed,
}

impl Reason {
    /// The reason in the words of Alertmanager's `notification_reason`, and in ours where it has none.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::First => "first notification",
            Self::Added => "new alerts added",
            Self::SomeResolved => "some alerts resolved",
            Self::AllResolved => "all alerts resolved",
            Self::Repeated => "repeat interval elapsed",
            Self::Escalated => "escalated: not delivered",
            Self::RollbackFailed => "escalated: rollback failed",
        }
    }
}

/// The row of a delivered notification; its key is the notification's id and receiver.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// Who was told.
    pub receiver: String,
    /// The key of the group.
    pub group: String,
    /// Why.
    pub reason: Reason,
    /// When, by the clock of the replica that delivered it.
    pub at: Timestamp,
    /// Which replica that was.
    pub replica: String,
    /// What was told to burn.
    pub firing: Vec<Mark>,
    /// What was told to be over.
    pub resolved: Vec<Mark>,
    /// The ids of those that were listed.
    #[serde(default)]
    pub alerts: Vec<EventId>,
}

impl Notification {
    /// Composes one. `firing` and `over` are the alerts of the group, `after` is when the group was last told.
    pub(crate) fn new(
        receiver: &str,
        group: (&str, &Labels),
        reason: Reason,
        (firing, over): (&[&Alert], &[&Alert]),
        after: Option<Timestamp>,
    ) -> Self {
        let marks = |alerts: &[&Alert]| -> Vec<Mark> {
            let mut marks: Vec<_> = alerts.iter().map(|alert| mark(&alert.id)).collect();
            marks.sort_unstable();
            marks
        };
        let (burns, is_over) = (marks(firing), marks(over));
        // what begins or ends does so once, so only a repetition needs to be told apart from the one before; a replica that
        // lacks the last row composes all else under the same id
        let before = after.filter(|_| reason == Reason::Repeated);
        let before = before.map_or_else(String::new, |at| at.0.to_string());
        let parts = [receiver, group.0, reason.as_str(), &burns.join(","), &is_over.join(","), &before];
        let all = firing.iter().chain(over);
        let alerts: Vec<Alert> = all.take(LISTED).map(|alert| (*alert).clone()).collect();
        Self {
            id: format!("n-{}", &sha256_hex(&parts.join("\n"))[..32]),
            receiver: receiver.to_owned(),
            group: group.0.to_owned(),
            group_labels: group.1.clone(),
            reason,
            truncated: firing.len() + over.len() - alerts.len(),
            alerts,
            after,
            firing: burns,
            resolved: is_over,
        }
    }

    /// The same, for somebody else.
    pub(crate) fn escalated(&self, to: &str, reason: Reason) -> Self {
        let id = format!("n-{}", &sha256_hex(&format!("{}\n{to}", self.id))[..32]);
        Self { id, receiver: to.to_owned(), reason, ..self.clone() }
    }

    /// Whether it tells of this alert.
    pub fn is_about(&self, id: &EventId) -> bool {
        let mark = mark(id);
        self.firing.binary_search(&mark).is_ok() || self.resolved.binary_search(&mark).is_ok()
    }

    /// What [`Notification::kind`] may say.
    pub const KINDS: [&'static str; 4] = ["page", "ticket", "over", "change"];

    /// What it is, in a word: `page` or `ticket` while anything burns, by the loudest of it; `over`, or `change`.
    pub fn kind(&self) -> &'static str {
        let pages = |alert: &Alert| alert.ends_at.is_none() && value(&alert.labels, "severity") == "page";
        match self.status() {
            _ if self.is_change() => "change",
            AlertStatus::Resolved => "over",
            AlertStatus::Firing if self.alerts.iter().any(pages) => "page",
            AlertStatus::Firing => "ticket",
        }
    }

    /// Whether it tells of a change and not of alerts.
    pub fn is_change(&self) -> bool {
        self.alerts.first().is_some_and(|alert| value(&alert.labels, "alertname") == CHANGE)
    }

    /// Whether it tells of something that burns and was not told before.
    pub(crate) fn brings_new(&self) -> bool {
        matches!(self.reason, Reason::First | Reason::Added)
    }

    /// Whether anything of it burns.
    pub fn status(&self) -> AlertStatus {
        if self.firing.is_empty() { AlertStatus::Resolved } else { AlertStatus::Firing }
    }

    /// The row that remembers that it was delivered.
    pub fn row(&self, at: Timestamp, replica: &str) -> Row {
        Row {
            receiver: self.receiver.clone(),
            group: self.group.clone(),
            reason: self.reason,
            at,
            replica: replica.to_owned(),
            firing: self.firing.clone(),
            resolved: self.resolved.clone(),
            alerts: self.alerts.iter().map(|alert| alert.id.clone()).collect(),
        }
    }
}

/// The short form of an alert's id.
pub fn mark(id: &EventId) -> Mark {
    sha256_hex(id.as_str())[..16].to_owned()
}
