//! What another plan would have decided on the rollouts of a log, against what was decided then.

use std::collections::{BTreeMap, BTreeSet};

use pavane_choreography::Plan;
use pavane_events::{Body, Domain, Entry, RolloutId, Timestamp};
use pavane_sentinel_engine::View;
use serde::Serialize;

use super::court::{Told, utc};
use super::life::Lives;
use super::other::{self, Change};
use super::outcome::{Difference, Story, changes};
use crate::failure::{Failure, counted};
use crate::picture::plain;

/// Reads along until the log ends, and compares then.
#[derive(Debug)]
pub struct Comparison {
    domain: Domain,
    plan: Plan,
    named: BTreeSet<RolloutId>,
    entries: Vec<Entry>,
    lives: Lives,
    told: BTreeMap<RolloutId, Vec<Told>>,
    started: BTreeMap<RolloutId, Timestamp>,
}

/// What came of it.
#[derive(Clone, Debug, Serialize)]
pub struct Compared {
    /// The choreography.
    pub plan: String,
    /// The digest of the other plan.
    pub digest: String,
    /// The rollouts concerned, in the order of their names.
    pub rollouts: Vec<Difference>,
}

impl Comparison {
    /// Compares with this plan: the rollouts of its choreography, or those that are named.
    pub fn new(domain: Domain, plan: Plan, named: BTreeSet<RolloutId>) -> Self {
        let (entries, lives, told, started) =
            (Vec::new(), Lives::default(), BTreeMap::new(), BTreeMap::new());
        Self { domain, plan, named, entries, lives, told, started }
    }

    /// Takes the next record and what it decided. Rollouts that start where it is not asked for are not concerned.
    pub fn read(&mut self, entry: Entry, told: Vec<Told>, is_asked_for: bool) {
        self.lives.read(&entry);
        for told in told {
            if let Some(rollout) = told.rollout.clone().filter(|_| told.what == "accepted") {
                self.told.entry(rollout).or_default().push(told);
            }
        }
        if let Entry::Event(record) = &entry {
            if let Body::Pulse(_) = &record.event.body {
                return;
            }
            if let (Body::RolloutStarted(started), Some(id)) =
                (&record.event.body, &record.event.envelope.rollout)
            {
                let own = self.named.is_empty() && started.choreography == self.plan.name;
                if is_asked_for && (own || self.named.contains(id)) {
                    self.started.entry(id.clone()).or_insert(record.at);
                }
            }
        }
        self.entries.push(entry);
    }

    /// Judges all of it with the other plan. `then` is how the domain stood at the end.
    pub fn conclude(self, then: &View) -> Result<Compared, Failure> {
        let mut told = self.told;
        let intervened = |id: &RolloutId| {
            let first = told.get(id).into_iter().flatten().find(|told| other::intervenes(told))?;
            Some((id.clone(), first.at))
        };
        let change = Change {
            then: self.started.keys().filter_map(intervened).collect(),
            rollouts: self.started.keys().cloned().collect(),
            plan: self.plan,
        };
        let mut judged = other::judge(&self.domain, &self.entries, &self.lives, &change)?;
        let mut now: BTreeMap<RolloutId, Vec<Told>> = BTreeMap::new();
        for told in std::mem::take(&mut judged.told) {
            if let Some(rollout) = told.rollout.clone() {
                now.entry(rollout).or_default().push(told);
            }
        }
        let find = |view: &View, id: &RolloutId| view.rollouts.iter().find(|one| one.id == *id).cloned();
        let difference = |(rollout, started_at): (RolloutId, Timestamp)| {
            let old = told.remove(&rollout).unwrap_or_default();
            let new = now.remove(&rollout).unwrap_or_default();
            let unknown_from = judged.unknown.get(&rollout).copied();
            let old = Story::of(&old, find(then, &rollout).as_ref());
            let new = Story::of(&new, find(&judged.view, &rollout).as_ref());
            let changes = changes(&old, &new, unknown_from);
            Difference { rollout, started_at, changes, unknown_from }
        };
        let rollouts = self.started.into_iter().map(difference).collect();
        Ok(Compared { plan: change.plan.name.clone(), digest: change.plan.digest(), rollouts })
    }
}

impl Compared {
    /// The text that a person reads.
    pub fn to_text(&self) -> String {
        let differ = self.rollouts.iter().filter(|one| !one.changes.is_empty()).count();
        let all = counted(self.rollouts.len(), "rollout");
        let mut lines = vec![format!(
            "{} ({}): {differ} of {all} would have gone otherwise",
            self.plan,
            short(&self.digest)
        )];
        for one in &self.rollouts {
            lines.push(String::new());
            lines.push(format!("{}  {}", one.rollout, utc(one.started_at)));
            let place = |step: &Option<String>| step.clone().unwrap_or_else(|| "(rollout)".to_owned());
            let names = one.changes.iter().map(|change| place(&change.step));
            let width = names.map(|name| name.chars().count()).max().unwrap_or(0);
            if one.changes.is_empty() {
                lines.push("  no difference".to_owned());
            }
            for change in &one.changes {
                let unsure = if change.is_known { "" } else { "?" };
                lines.push(format!("  {:<width$}  then  {}", place(&change.step), change.then));
                lines.push(format!("  {:<width$}  now{unsure:<2} {}", "", change.with_plan));
            }
        }
        lines.iter().map(|line| plain(line) + "\n").collect()
    }
}

fn short(digest: &str) -> &str {
    digest.get(..12).unwrap_or(digest)
}
