//! A group: what is told together to one receiver, and how much of it was told.

use std::collections::{BTreeMap, BTreeSet};

use pavane_events::{EventId, Millis, Timestamp};
use pavane_sentinel_engine::{Alert, AlertStatus};

use crate::Labels;
use crate::notification::{Notification, Reason, Row, mark};
use crate::route::Leaf;
use crate::storm;

/// How long what is told together in a storm waits for more of it: ten seconds.
const GATHER: Millis = 10_000;

/// Where a group lies: the route, and the labels that its alerts have in common.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    /// The path of the route.
    pub(crate) path: String,
    /// What its alerts have in common by the route's choice.
    pub(crate) labels: Labels,
    /// Whether it gathers what a storm brings, of the whole domain.
    pub(crate) storm: bool,
}

impl Place {
    /// The key of the group, as Alertmanager writes it: the route's matchers, and the labels.
    pub(crate) fn key(&self, leaf: &Leaf) -> String {
        let matchers: Vec<_> = leaf.matchers.iter().map(ToString::to_string).collect();
        let labels: Vec<_> = self.labels.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
        let storm = if self.storm { " storm" } else { "" };
        format!("{{{}}}:{{{}}}{storm}", matchers.join(", "), labels.join(", "))
    }
}

/// How far an alert was told to a receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Told {
    /// That it burns.
    Firing,
    /// That it is over.
    Resolved,
}

/// What is told together to one receiver.
#[derive(Debug)]
pub(crate) struct Group {
    /// Its alerts, and how far each was told or is being told.
    pub(crate) members: BTreeMap<EventId, Option<Told>>,
    /// When it is looked at again.
    pub(crate) due: Timestamp,
    /// When it was last told, by the row of that notification.
    pub(crate) told_at: Option<Timestamp>,
}

impl Group {
    /// A group that waits for others.
    pub(crate) fn new(due: Timestamp) -> Self {
        Self { members: BTreeMap::new(), due, told_at: None }
    }

    /// A group for a storm.
    pub(crate) fn gathering(now: Timestamp) -> Self {
        Self::new(now.plus(GATHER))
    }

    /// How long after one notification the next may follow.
    pub(crate) fn interval(&self, place: &Place, leaf: &Leaf) -> Millis {
        if place.storm { storm::interval(leaf, self.members.len()) } else { leaf.interval }
    }

    /// What is to be told of it at this time, if anything. What it tells counts as told from here on; `after` is when
    /// the group was last told, by its rows.
    pub(crate) fn tell(
        &mut self,
        (place, leaf): (&Place, &Leaf),
        alerts: &[(&Alert, Standing)],
        after: Option<Timestamp>,
        now: Timestamp,
    ) -> Option<Notification> {
        let told = |alert: &Alert| self.members.get(&alert.id).copied().flatten();
        let pick = |wanted: &dyn Fn(&Alert, Standing) -> bool| -> Vec<&Alert> {
            let chosen = alerts.iter().filter(|(alert, standing)| wanted(alert, *standing));
            let mut chosen: Vec<_> = chosen.map(|(alert, _)| *alert).collect();
            chosen.sort_by(|a, b| (a.starts_at, &a.id).cmp(&(b.starts_at, &b.id)));
            chosen
        };
        // what was told to burn is told on, muted or not: the receiver knows it
        let burns = pick(&|alert, standing| match standing {
            Standing::Burns => true,
            Standing::Muted | Standing::Held => told(alert) == Some(Told::Firing),
            Standing::Over => false,
        });
        let over = pick(&|alert, standing| {
            standing == Standing::Over && (told(alert).is_some() || !is_blip(alert, leaf))
        });
        let blips = pick(&|alert, standing| {
            standing == Standing::Over && told(alert).is_none() && is_blip(alert, leaf)
        });
        let blips: Vec<EventId> = blips.iter().map(|alert| alert.id.clone()).collect();
        let new = burns.iter().any(|alert| told(alert).is_none());
        let first = self.members.values().all(Option::is_none);
        let repeat = self.told_at.is_some_and(|at| now.since(at) >= leaf.repeat);
        let reason = match (new, first) {
            (true, true) => Reason::First,
            (true, false) => Reason::Added,
            _ if !over.is_empty() && burns.is_empty() => Reason::AllResolved,
            _ if !over.is_empty() => Reason::SomeResolved,
            _ if repeat && alerts.iter().any(|(_, standing)| *standing == Standing::Burns) => {
                Reason::Repeated
            }
            _ => {
                self.mark(&blips, Told::Resolved);
                return None;
            }
        };
        let key = place.key(leaf);
        let news = Notification::new(&leaf.receiver, (&key, &place.labels), reason, (&burns, &over), after);
        let burning: Vec<EventId> = burns.iter().map(|alert| alert.id.clone()).collect();
        let ended: Vec<EventId> = over.iter().map(|alert| alert.id.clone()).collect();
        self.mark(&burning, Told::Firing);
        self.mark(&ended, Told::Resolved);
        self.mark(&blips, Told::Resolved);
        self.told_at = Some(now);
        Some(news)
    }

    /// Takes over from a row how far its alerts were told.
    pub(crate) fn learn(&mut self, row: &Row) {
        let (firing, resolved): (BTreeSet<_>, BTreeSet<_>) =
            (row.firing.iter().collect(), row.resolved.iter().collect());
        for (id, told) in &mut self.members {
            let mark = mark(id);
            let burns = firing.contains(&mark).then_some(Told::Firing);
            let is_over = resolved.contains(&mark).then_some(Told::Resolved);
            *told = (*told).max(burns).max(is_over);
        }
        self.told_at = self.told_at.max(Some(row.at));
    }

    fn mark(&mut self, ids: &[EventId], told: Told) {
        for id in ids {
            self.members.insert(id.clone(), Some(told));
        }
    }
}

/// How an alert stands for the telling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It burns and may be told.
    Burns,
    /// It burns, and something keeps it from being told.
    Muted,
    /// It is over by its own word, and may begin again any moment.
    Held,
    /// It is over, and that is believed.
    Over,
}

/// Whether an alert is over by its own word.
pub(crate) fn is_over(alert: &Alert) -> bool {
    alert.status == AlertStatus::Resolved
}

/// Whether an alert was over before it would have been told.
fn is_blip(alert: &Alert, leaf: &Leaf) -> bool {
    alert.ends_at.is_some_and(|end| end.since(alert.starts_at) < leaf.wait_for(&alert.labels))
}
