//! Schedules: whatever is to start again and again, and is told when it does not.
//!
//! A start that never comes says nothing, so it must be missed. The log says what to miss: the plan of the last rollout of a
//! choreography says by when the next one starts. It is a condition like a reminder, and no verdict: told once by the first
//! record that is later, over with the next start. A start that was refused is none.

use std::collections::BTreeMap;

use pavane_choreography::Plan;
use pavane_choreography::document::EVERY;
use pavane_choreography::yaml::lasting;
use pavane_events::identity::sha256_hex;
use pavane_events::{EventId, Millis, RolloutId, Timestamp};

use crate::alert::outlook;
use crate::diagnosis::moment::moment;
use crate::diagnosis::words::page_of;
use crate::effect::{Alert, AlertStatus, Effect};
use crate::fold::Fold;

/// The choreographies that are to start again.
#[derive(Clone, Debug, Default)]
pub(crate) struct Schedules {
    by_name: BTreeMap<String, Schedule>,
    /// When the first of those that were not told is due. It follows from them.
    next: Option<Timestamp>,
}

/// By when a choreography is to start again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Schedule {
    /// The most that may lie between two starts.
    pub(crate) every: Millis,
    pub(crate) owner: String,
    pub(crate) runbook: Option<String>,
    /// The rollout of it that started last, where, and when by the broker.
    pub(crate) rollout: RolloutId,
    pub(crate) offset: i64,
    pub(crate) raw: Timestamp,
    /// From when on it counts, in partition time: that start, or the end of a hold behind it.
    pub(crate) from: Timestamp,
    pub(crate) missed: Option<Missed>,
}

/// The record by which a start was missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Missed {
    pub(crate) offset: i64,
    pub(crate) raw: Timestamp,
}

impl Schedule {
    /// The last moment at which it may start again, in partition time.
    pub(crate) const fn due(&self) -> Timestamp {
        self.from.plus(self.every)
    }
}

impl Schedules {
    /// All of them, by the names of their choreographies.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&String, &Schedule)> {
        self.by_name.iter()
    }

    /// Puts one in the place of what was known of its choreography; none where it is no longer to start by itself.
    pub(crate) fn put(&mut self, name: &str, schedule: Option<Schedule>) -> Option<Schedule> {
        let old = match schedule {
            Some(schedule) => self.by_name.insert(name.to_owned(), schedule),
            None => self.by_name.remove(name),
        };
        self.plan();
        old
    }

    /// Counts anew from here: nobody was to start anything before.
    fn count_from(&mut self, now: Timestamp) {
        for schedule in self.by_name.values_mut().filter(|schedule| schedule.missed.is_none()) {
            schedule.from = now;
        }
        self.plan();
    }

    fn plan(&mut self) {
        let awaited = self.by_name.values().filter(|schedule| schedule.missed.is_none());
        self.next = awaited.map(Schedule::due).min();
    }
}

impl Fold {
    /// A rollout of this plan has started, at the record that was read last.
    pub(crate) fn scheduled(&mut self, plan: &Plan, rollout: &RolloutId, out: &mut Vec<Effect>) {
        // what a document cannot say asks for nothing
        let every = plan.every.filter(|every| EVERY.contains(every));
        if every.is_none() && self.schedules.by_name.is_empty() {
            return;
        }
        let schedule = every.map(|every| Schedule {
            every,
            owner: plan.owner.clone(),
            runbook: plan.runbook.clone(),
            rollout: rollout.clone(),
            offset: self.offset,
            raw: self.clock.raw(),
            from: self.clock.now(),
            missed: None,
        });
        let old = self.schedules.put(&plan.name, schedule);
        if let Some(alert) = old.and_then(|old| missed(self, &plan.name, &old)) {
            out.push(Effect::Raise(Box::new(alert.over(self.clock.raw()))));
        }
    }

    /// A hold of the domain is over: what it kept from starting has its whole time again.
    pub(crate) fn reschedule(&mut self) {
        self.schedules.count_from(self.clock.now());
    }

    /// Tells what was to start before the record that was read last and did not. Not while the domain is held, nobody knows
    /// what time it is, or starts may have gone by unread.
    pub(crate) fn miss_starts(&mut self, out: &mut Vec<Effect>) {
        let now = self.clock.now();
        if self.schedules.next.is_none_or(|next| now <= next) {
            return;
        }
        if self.held.is_some() || self.blind.is_some() || !self.clock.leaps().is_empty() {
            return;
        }
        let here = Missed { offset: self.offset, raw: self.clock.raw() };
        let is_late = |schedule: &Schedule| schedule.missed.is_none() && now > schedule.due();
        let mut late = Vec::new();
        for (name, schedule) in &mut self.schedules.by_name {
            if is_late(schedule) {
                schedule.missed = Some(here);
                late.push((name.clone(), schedule.clone()));
            }
        }
        self.schedules.plan();
        let alerts = late.iter().filter_map(|(name, schedule)| missed(self, name, schedule));
        out.extend(alerts.map(|alert| Effect::Raise(Box::new(alert))));
    }
}

/// What people are told of a start that was missed; nothing where none was.
fn missed(fold: &Fold, name: &str, schedule: &Schedule) -> Option<Alert> {
    let Schedule { every, owner, runbook, rollout, offset, raw, from: _, missed } = schedule;
    let at = (*missed)?;
    let labels = [
        ("alertname", "StartMissed"),
        ("domain", fold.domain.as_str()),
        ("choreography", name),
        ("cause", "not_started"),
        ("severity", "ticket"),
        ("owner", owner),
    ];
    let story = format!("{} {name} {}", fold.domain, at.offset);
    let mut alert = Alert {
        id: EventId::new(format!("missed-{}", sha256_hex(&story))).expect("71 characters of a name"),
        status: AlertStatus::Firing,
        labels: labels.map(|(key, text)| (key.to_owned(), text.to_owned())).into(),
        annotations: BTreeMap::new(),
        since: Some(schedule.from),
        deadline: Some(schedule.due()),
        starts_at: at.raw,
        ends_at: None,
    };
    let (every, last) = (lasting(*every), moment(*raw, at.raw));
    alert.say("summary", format!("{name}: it was to start again within {every}, and did not"));
    alert.say(
        "description",
        format!(
            "Choreography {name} is to start every {every} at the latest. Its last rollout, {rollout}, started at offset \
             {offset}, {last}; none has started since. A start that was refused is none."
        ),
    );
    let next = format!("look at whoever starts {name}; `pavane start {name}` starts it by hand");
    for (key, text) in [
        ("next_step", next),
        ("outlook", outlook::unstarted(name)),
        ("culprit", name.to_owned()),
        ("culprit_owner", owner.clone()),
        ("page", page_of("StartMissed", "")),
        ("offsets", offset.to_string()),
    ] {
        alert.say(key, text);
    }
    if let Some(runbook) = runbook {
        alert.say("runbook_url", runbook.clone());
    }
    Some(alert)
}
