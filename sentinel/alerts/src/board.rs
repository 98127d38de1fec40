//! What burns, and whether it may be told: silences, and what is known already.

use std::collections::{BTreeMap, BTreeSet};

use pavane_events::{EventId, Timestamp};
use pavane_sentinel_engine::Alert;

use crate::flap::Flaps;
use crate::group::{Standing, is_over};
use crate::inhibit::{self, Inhibition};
use crate::silence::Silence;
use crate::value;

/// The alerts, and what keeps them from being told.
#[derive(Debug)]
pub(crate) struct Board {
    rules: Vec<Inhibition>,
    pub(crate) silences: BTreeMap<String, Silence>,
    pub(crate) alerts: BTreeMap<EventId, Alert>,
    /// In how many groups an alert is.
    homes: BTreeMap<EventId, usize>,
    /// What burns and may keep others from being told by a rule.
    sources: BTreeSet<EventId>,
    /// What burns, by its rollout.
    by_rollout: BTreeMap<String, BTreeSet<EventId>>,
    pub(crate) flaps: Flaps,
}

impl Board {
    /// A board with nothing on it. The rules that always hold are added to these.
    pub(crate) fn new(rules: Vec<Inhibition>) -> Self {
        Self {
            rules: Inhibition::always().into_iter().chain(rules).collect(),
            silences: BTreeMap::new(),
            alerts: BTreeMap::new(),
            homes: BTreeMap::new(),
            sources: BTreeSet::new(),
            by_rollout: BTreeMap::new(),
            flaps: Flaps::default(),
        }
    }

    /// Takes the latest word of an alert.
    pub(crate) fn put(&mut self, alert: Alert, now: Timestamp) {
        if is_over(&alert) {
            self.flaps.ends(&alert.labels, alert.ends_at.unwrap_or(now));
            self.quench(&alert);
        } else {
            if !self.alerts.contains_key(&alert.id) {
                self.flaps.begins(&alert.labels, alert.starts_at);
            }
            self.kindle(&alert);
        }
        self.alerts.insert(alert.id.clone(), alert);
    }

    /// An alert joins a group.
    pub(crate) fn join(&mut self, id: &EventId) {
        *self.homes.entry(id.clone()).or_default() += 1;
    }

    /// An alert leaves a group.
    pub(crate) fn leave(&mut self, id: &EventId) {
        if let Some(homes) = self.homes.get_mut(id) {
            *homes -= 1;
            if *homes == 0 {
                self.homes.remove(id);
            }
        }
        self.drop_if_done(id);
    }

    /// An alert that is over and in no group is not needed.
    pub(crate) fn drop_if_done(&mut self, id: &EventId) {
        if !self.homes.contains_key(id) && self.alerts.get(id).is_some_and(is_over) {
            self.alerts.remove(id);
        }
    }

    /// How an alert stands for the telling.
    pub(crate) fn standing(&self, alert: &Alert, now: Timestamp) -> Standing {
        if is_over(alert) {
            let believed = self.believed(alert);
            return if believed.is_some_and(|at| at <= now) { Standing::Over } else { Standing::Held };
        }
        let muted = self.silencer(alert, now).is_some() || self.inhibitor(alert).is_some();
        if muted { Standing::Muted } else { Standing::Burns }
    }

    /// When the end of an alert is believed; none while it burns, or may at any moment.
    pub(crate) fn believed(&self, alert: &Alert) -> Option<Timestamp> {
        self.flaps.believed(&alert.labels, alert.ends_at?)
    }

    /// The silence that keeps this one from being told.
    pub(crate) fn silencer(&self, alert: &Alert, now: Timestamp) -> Option<&Silence> {
        self.silences.values().find(|silence| silence.mutes(&alert.labels, now))
    }

    /// The alert that keeps this one from being told.
    pub(crate) fn inhibitor(&self, target: &Alert) -> Option<&EventId> {
        let of_rollout = self.by_rollout.get(value(&target.labels, "rollout"));
        let sources = self.sources.iter().chain(of_rollout.into_iter().flatten());
        let mut burning = sources.filter_map(|id| self.alerts.get(id));
        burning.find(|source| inhibit::mutes(&self.rules, source, target)).map(|source| &source.id)
    }

    fn kindle(&mut self, alert: &Alert) {
        if self.rules.iter().any(|rule| rule.may_mute(&alert.labels)) {
            self.sources.insert(alert.id.clone());
        }
        let rollout = value(&alert.labels, "rollout");
        if !rollout.is_empty() {
            self.by_rollout.entry(rollout.to_owned()).or_default().insert(alert.id.clone());
        }
    }

    fn quench(&mut self, alert: &Alert) {
        self.sources.remove(&alert.id);
        let rollout = value(&alert.labels, "rollout");
        if let Some(burning) = self.by_rollout.get_mut(rollout) {
            burning.remove(&alert.id);
            if burning.is_empty() {
                self.by_rollout.remove(rollout);
            }
        }
    }
}
