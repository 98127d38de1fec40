//! The plan of a play: any mixture of the words that a plan has.

use std::collections::BTreeSet;

use pavane_choreography::{Concurrency, Instances, Method, Plan};
use pavane_events::{Entry, StepId, Zone};
use pavane_sidecar_engine::{Call, Trigger};
use proptest::prelude::*;

use crate::model;
use crate::stage::{Stage, on, phase, plan, step};

/// Which words the plan of a play has, and what the reaction rests on.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "every word is there or not")]
pub(crate) struct Shape {
    /// The schema, some of the instances, the rest: one phase each.
    pub(crate) phases: bool,
    pub(crate) zone: bool,
    pub(crate) after_any: bool,
    pub(crate) share: bool,
    pub(crate) line: bool,
    pub(crate) queue: bool,
    pub(crate) interruptible: bool,
    /// 0: the schema, 1: the schema and the cache, 2: the schema or the cache, 3: the phase or the start.
    pub(crate) on: u8,
}

/// Plans with any mixture of words; plain ones too.
pub(crate) fn shapes() -> impl Strategy<Value = Shape> {
    let some = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    (some, any::<bool>(), any::<bool>(), any::<bool>(), 0..4_u8).prop_map(
        |((phases, zone, after_any, share), line, queue, interruptible, on)| Shape {
            phases,
            zone,
            after_any,
            share,
            line,
            queue,
            interruptible,
            on,
        },
    )
}

impl Shape {
    /// What the reaction rests on.
    pub(crate) fn on(self) -> Trigger {
        let events = || {
            [on("user-db.Ready"), on("cache.Ready")]
                .into_iter()
                .flat_map(|on| on.events().into_iter().cloned().collect::<Vec<_>>())
        };
        match self.on {
            0 => on("user-db.Ready"),
            1 => Trigger::all(events()),
            2 => Trigger::any(events()),
            _ if self.phases => Trigger::PhaseBegun,
            _ => Trigger::RolloutStarted,
        }
    }

    pub(crate) fn own_zone(self) -> Option<Zone> {
        self.zone.then(|| Zone::new("eu").unwrap())
    }

    pub(crate) fn wants_cache(self) -> bool {
        self.on == 1
    }

    pub(crate) fn plan(self) -> Plan {
        let mut plan = plan();
        plan.steps.truncate(2);
        if self.after_any {
            plan.steps.insert(1, step("cache", "cache.Ready", &[]));
            let users = &mut plan.steps[2];
            users.after_any = std::mem::take(&mut users.after);
            users.after_any.push(StepId::new("cache").unwrap());
        }
        if self.share {
            plan.steps[0].instances = Instances::Share("50%".parse().unwrap());
        }
        let mut users = plan.steps.pop().unwrap();
        users.zone = self.own_zone();
        users.max_parallel = self.line.then_some(1);
        users.interruptible = self.interruptible;
        plan.concurrency = if self.queue { Concurrency::Queue } else { Concurrency::Refuse };
        if !self.phases {
            plan.steps.push(users);
            return plan;
        }
        plan.method = Method::Hybrid;
        let first: Vec<String> = plan.steps.iter().map(|step| step.id.to_string()).collect();
        let first: Vec<&str> = first.iter().map(String::as_str).collect();
        plan.phases = vec![
            phase("schema", &first, None),
            phase("some", &["users-some"], Some("50%")),
            phase("rest", &["users"], None),
        ];
        let mut some = users.clone();
        some.id = StepId::new("users-some").unwrap();
        plan.steps.extend([some, users]);
        plan
    }

    /// The first phase that nobody has said to have begun, and whether only some may move in it.
    pub(crate) fn next_phase(self, stage: &Stage, rollout: &str) -> Option<(&'static str, bool)> {
        let phases = [("schema", false), ("some", true), ("rest", false)];
        let begun = |name: &str| model::begun(&stage.log, rollout, name).next().is_some();
        phases.into_iter().filter(|_| self.phases).find(|(name, _)| !begun(name))
    }

    /// Which words of the plan led to a hook.
    pub(crate) fn words_of(self, call: &Call, log: &[Entry]) -> BTreeSet<&'static str> {
        let step = call.step.as_ref().map_or("", |step| step.as_str());
        let waited = model::started_before(log, call.rollout.as_str());
        let words = [
            ("in a phase", self.phases),
            ("in a cohort", self.phases && step == "users-some"),
            ("after a cohort", self.phases && step == "users"),
            ("in a zone", self.zone),
            ("on all of several", self.on == 1),
            ("on one of several", self.on == 2),
            ("of one of several", self.after_any),
            ("of a share", self.share && !self.after_any),
            ("after another rollout", self.queue && waited),
        ];
        words.into_iter().filter(|(_, holds)| *holds).map(|(word, _)| word).collect()
    }
}
