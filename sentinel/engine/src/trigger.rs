//! Plans that start by themselves: an event that matches a published trigger and belongs to no rollout starts one,
//! under its own correlation id.
//!
//! What is published is no part of the log. The start is: the first one of an id wins, whoever writes it.

use std::collections::BTreeMap;
use std::sync::Arc;

use pavane_choreography::Plan;
use pavane_events::command::{RULES, RolloutStarted};
use pavane_events::{EventId, Millis, Record, RolloutId, Version, identity};

use crate::effect::{Draft, Effect};
use crate::fold::Fold;
use crate::rollout::Rollout;

/// The published plans that have a trigger, and the starts that are due.
#[derive(Clone, Debug, Default)]
pub(crate) struct Triggers {
    plans: BTreeMap<String, Plan>,
    /// When to say, or say again, that a rollout starts.
    saying: BTreeMap<RolloutId, Millis>,
}

impl Triggers {
    /// A plan was published or withdrawn.
    pub(crate) fn published(&mut self, name: String, plan: Option<Plan>) {
        match plan.filter(|plan| plan.trigger.is_some()) {
            Some(plan) => self.plans.insert(name, plan),
            None => self.plans.remove(&name),
        };
    }

    /// Whether no plan starts by an event.
    pub(crate) fn are_none(&self) -> bool {
        self.plans.is_empty()
    }

    /// Whether an event would start a plan of which a rollout is under way.
    pub(crate) fn is_repeated(&self, fold: &Fold, record: &Record) -> bool {
        if self.plans.is_empty() {
            return false;
        }
        let Some(plan) = self.triggered(record) else { return false };
        let id = record.event.envelope.rollout.as_ref();
        let known = id.is_some_and(|id| fold.find(id).is_some());
        !known && fold.rollouts.values().any(|rollout| is_under_way(rollout, plan))
    }

    /// Says what is due: at once where this replica speaks first, after `patience` otherwise, and again.
    pub(crate) fn start(
        &mut self,
        fold: &Fold,
        now: Millis,
        patience: Millis,
        again: Millis,
        out: &mut Vec<Effect>,
    ) {
        if self.plans.is_empty() {
            return;
        }
        let due = self.due(fold);
        self.saying.retain(|id, _| due.contains_key(id));
        for (id, draft) in due {
            let at = self.saying.entry(id).or_insert(now + patience);
            if *at <= now {
                *at = now + again;
                out.push(Effect::Append(Arc::new(draft)));
            }
        }
    }

    /// When to speak next.
    pub(crate) fn next_deadline(&self) -> Option<Millis> {
        self.saying.values().min().copied()
    }

    /// The starts that do not stand on the log, of each plan the first.
    fn due(&self, fold: &Fold) -> BTreeMap<RolloutId, Draft> {
        let mut due: BTreeMap<&str, (RolloutId, Draft)> = BTreeMap::new();
        for record in &fold.early {
            let Some((id, plan)) = record.event.envelope.rollout.clone().zip(self.triggered(record)) else {
                continue;
            };
            let said = start_id(&id);
            let over = |rollout: &Rollout| {
                is_under_way(rollout, plan) || is_of(rollout, plan) && rollout.ended >= Some(record.at)
            };
            if fold.find(&id).is_none() && !fold.has_said(&said) && !fold.rollouts.values().any(over) {
                due.entry(&plan.name).or_insert_with(|| (id.clone(), draft(fold, id, said, plan, record)));
            }
        }
        due.into_values().collect()
    }

    fn triggered(&self, record: &Record) -> Option<&Plan> {
        let envelope = &record.event.envelope;
        let (service, event) = (envelope.service.as_ref()?, record.event.body.event_type());
        let matches = |plan: &&Plan| {
            plan.trigger.as_ref().is_some_and(|trigger| {
                trigger.on.service == *service
                    && trigger.on.event == event
                    && trigger.accepts(envelope.version.as_ref())
            })
        };
        self.plans.values().find(matches)
    }
}

fn is_of(rollout: &Rollout, plan: &Plan) -> bool {
    rollout.score.plan.name == plan.name
}

fn is_under_way(rollout: &Rollout, plan: &Plan) -> bool {
    is_of(rollout, plan) && rollout.ended.is_none()
}

/// The rules that a plan which starts by itself is judged by: those that people begin by on this log, so that an older
/// sentinel beside this one goes on to see until somebody moves on.
const fn rules(fold: &Fold) -> i64 {
    if fold.rules == 0 { RULES } else { fold.rules }
}

fn start_id(rollout: &RolloutId) -> EventId {
    identity::decision_id(rollout, 1, None, "RolloutStarted", 1)
}

fn draft(fold: &Fold, rollout: RolloutId, id: EventId, plan: &Plan, record: &Record) -> Draft {
    let version = record.event.envelope.version.as_ref().map_or("", Version::as_str);
    let trigger = plan.trigger.as_ref().map(|trigger| trigger.on.to_string()).unwrap_or_default();
    let body = RolloutStarted {
        choreography: plan.name.clone(),
        plan: plan.to_json(),
        plan_digest: plan.digest(),
        rules: rules(fold),
        by: "sentinel".to_owned(),
        reason: format!("{trigger} {version} at offset {}", record.offset),
    };
    let causation = Some(record.event.envelope.id.clone());
    Draft { id: Some(id), rollout: Some(rollout), causation, service: None, body: body.into() }
}
