//! What was told to whom, as the rows say it.

use std::collections::BTreeMap;

use pavane_events::{Millis, Timestamp};
use pavane_sentinel_engine::Alert;

use crate::group::Told;
use crate::notification::{Mark, Notification, Reason, Row, mark};

/// An alert that began longer ago than this and was never told is not told any more: three days.
pub(crate) const TOO_OLD: Millis = 72 * 60 * 60_000;
/// How long before a receiver was first known an alert may have begun to be told to it: ten minutes.
pub(crate) const SLACK: Millis = 10 * 60_000;

/// What was told, by receiver.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    told: BTreeMap<(String, Mark), Told>,
    /// When a group was last told, by receiver and key.
    groups: BTreeMap<(String, String), Timestamp>,
    /// Since when a receiver is known.
    known: BTreeMap<String, Timestamp>,
}

impl Memory {
    /// A receiver was first known then.
    pub(crate) fn know(&mut self, receiver: String, since: Timestamp) {
        self.known.insert(receiver, since);
    }

    /// Takes a row in.
    pub(crate) fn read(&mut self, row: &Row) {
        let mut note = |mark: &Mark, told: Told| {
            let entry = self.told.entry((row.receiver.clone(), mark.clone())).or_insert(told);
            *entry = (*entry).max(told);
        };
        row.firing.iter().for_each(|mark| note(mark, Told::Firing));
        row.resolved.iter().for_each(|mark| note(mark, Told::Resolved));
        let at = self.groups.entry((row.receiver.clone(), row.group.clone())).or_insert(row.at);
        *at = (*at).max(row.at);
    }

    /// How far an alert was told to a receiver.
    pub(crate) fn told(&self, receiver: &str, alert: &Alert) -> Option<Told> {
        self.mark_told(receiver, &mark(&alert.id))
    }

    /// How far the alert with this mark was told to a receiver.
    pub(crate) fn mark_told(&self, receiver: &str, mark: &Mark) -> Option<Told> {
        self.told.get(&(receiver.to_owned(), mark.clone())).copied()
    }

    /// When a group was last told.
    pub(crate) fn told_at(&self, receiver: &str, group: &str) -> Option<Timestamp> {
        self.groups.get(&(receiver.to_owned(), group.to_owned())).copied()
    }

    /// Whether a receiver is spared an alert that it was never told: it began too long ago, or before the receiver was known.
    pub(crate) fn spares(&self, receiver: &str, alert: &Alert, now: Timestamp) -> bool {
        let before = self.known.get(receiver).is_some_and(|since| alert.starts_at < since.plus(-SLACK));
        before || now.since(alert.starts_at) > TOO_OLD
    }

    /// Whether a notification still says something that its receiver was not told.
    pub(crate) fn lacks(&self, notification: &Notification) -> bool {
        let told = |mark: &Mark| self.mark_told(&notification.receiver, mark);
        let at = self.told_at(&notification.receiver, &notification.group);
        notification.firing.iter().any(|mark| told(mark).is_none())
            || notification.resolved.iter().any(|mark| told(mark) != Some(Told::Resolved))
            || match notification.reason {
                Reason::Repeated => at <= notification.after,
                Reason::Escalated | Reason::RollbackFailed => true,
                Reason::First | Reason::Added | Reason::SomeResolved | Reason::AllResolved => false,
            }
    }
}
