//! What is on its way to a receiver, and who else is told when it does not arrive.

use std::collections::BTreeMap;

use pavane_events::Timestamp;
use pavane_sentinel_engine::Alert;

use crate::group::{Told, is_over};
use crate::memory::Memory;
use crate::notification::{Notification, Reason, Row};
use crate::route::{Escalation, Leaf};
use crate::value;

/// The notifications that were ordered and are not delivered yet, by id.
#[derive(Debug, Default)]
pub(crate) struct Errands(BTreeMap<String, Errand>);

#[derive(Debug)]
struct Errand {
    notification: Notification,
    since: Timestamp,
    /// Who else is to be told; none once they are.
    escalation: Option<Escalation>,
}

impl Errands {
    /// Sends a notification out; and, where a rollback failed or its end is due to them, to those above as well.
    pub(crate) fn send(
        &mut self,
        leaf: &Leaf,
        news: Notification,
        memory: &Memory,
        now: Timestamp,
        out: &mut Vec<Notification>,
    ) {
        let mut escalation = leaf.escalate.clone();
        if let Some(to) = leaf.escalate.as_ref().map(|escalation| &escalation.to) {
            let was_told = |mark| memory.mark_told(to, mark) == Some(Told::Firing);
            if is_failed_rollback(&news) {
                out.push(news.escalated(to, Reason::RollbackFailed));
                escalation = None;
            } else if news.resolved.iter().any(was_told) {
                out.push(news.escalated(to, news.reason));
            }
        }
        let errand = Errand { notification: news.clone(), since: now, escalation };
        self.0.insert(news.id.clone(), errand);
        out.push(news);
    }

    /// It could not be delivered: somebody else is told too, once.
    pub(crate) fn escalate(&mut self, id: &str, out: &mut Vec<Notification>) {
        let Some(errand) = self.0.get_mut(id) else { return };
        let burns = !errand.notification.firing.is_empty();
        if let Some(escalation) = errand.escalation.take().filter(|_| burns) {
            out.push(errand.notification.escalated(&escalation.to, Reason::Escalated));
        }
    }

    /// Escalates what is on its way for too long.
    pub(crate) fn escalate_late(&mut self, now: Timestamp, out: &mut Vec<Notification>) {
        let late = self.0.iter().filter(|(_, errand)| errand.patience_ends().is_some_and(|end| end <= now));
        for id in late.map(|(id, _)| id.clone()).collect::<Vec<_>>() {
            self.escalate(&id, out);
        }
    }

    /// When something is on its way for too long.
    pub(crate) fn next_deadline(&self) -> Option<Timestamp> {
        self.0.values().filter_map(Errand::patience_ends).min()
    }

    /// It is no longer tried.
    pub(crate) fn give_up(&mut self, id: &str) {
        self.0.remove(id);
    }

    /// A row says that something was delivered.
    pub(crate) fn arrived(&mut self, row: &Row) {
        self.0.retain(|_, errand| {
            let it = &errand.notification;
            (&it.receiver, &it.group, &it.firing, &it.resolved)
                != (&row.receiver, &row.group, &row.firing, &row.resolved)
        });
    }
}

impl Errand {
    fn patience_ends(&self) -> Option<Timestamp> {
        self.escalation.as_ref().map(|escalation| self.since.plus(escalation.after))
    }
}

/// Whether a notification brings the news of a rollback that failed.
fn is_failed_rollback(news: &Notification) -> bool {
    let failed = |alert: &Alert| {
        matches!(value(&alert.labels, "alertname"), "RolloutPartial" | "RollbackStalled") && !is_over(alert)
    };
    news.brings_new() && news.alerts.iter().any(failed)
}
