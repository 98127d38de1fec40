//! The alerts that are not done with: those that burn, and those whose end is not delivered yet. Whoever goes on from a
//! snapshot raises them again.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use pavane_events::{Domain, EventId};
use pavane_sentinel_engine::Alert;

/// The alerts that are not done with, shared by those who raise and who tell.
#[derive(Debug, Default)]
pub(crate) struct Open(Mutex<BTreeMap<EventId, Entry>>);

#[derive(Debug)]
struct Entry {
    alert: Alert,
    /// Whether whoever tells has it.
    taken: bool,
}

impl Open {
    /// An alert was raised, or resolved.
    pub(crate) fn put(&self, alert: &Alert) {
        self.lock().insert(alert.id.clone(), Entry { alert: alert.clone(), taken: false });
    }

    /// Whoever tells has the alert's latest word.
    pub(crate) fn take(&self, alert: &Alert) {
        if let Some(entry) = self.lock().get_mut(&alert.id)
            && entry.alert.status == alert.status
        {
            entry.taken = true;
        }
    }

    /// Forgets what whoever tells has and no longer holds.
    pub(crate) fn forget(&self, holds: impl Fn(&EventId) -> bool) {
        self.lock().retain(|id, entry| !entry.taken || holds(id));
    }

    /// What is not done with in a domain.
    pub(crate) fn of(&self, domain: &Domain) -> Vec<Alert> {
        let open = self.lock();
        let alerts = open.values().map(|entry| &entry.alert);
        let of_domain = |alert: &&Alert| alert.labels.get("domain").is_some_and(|of| *of == *domain.as_str());
        alerts.filter(of_domain).cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<EventId, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
