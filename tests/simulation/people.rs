//! People: who starts rollouts, pauses, approves, goes back; and somebody who may not and does.

use pavane_choreography::{Instances, OnStall, Plan, Share};
use pavane_events::command::{PhaseBegun, RollbackRequested};
use pavane_events::verdict::RolloutCompleted;
use pavane_events::{Body, EventId, EventType, Service, Source, StepId, Version, identity};

use crate::floor;
use crate::manager;
use crate::sidecar::FORGED;
use crate::voice;
use crate::world::World;

impl World {
    pub(crate) fn start(&mut self, p: usize, rollout: &'static str) {
        let plan = if p == 0 { self.draw_plan() } else { self.draw_small_plan() };
        let id = self.fresh_id();
        let event = voice::of_person(&self.partitions[p].domain, rollout, voice::start(&plan), id);
        self.partitions[p].plans.insert(rollout, plan);
        self.send(p, 0, event);
    }

    fn draw_plan(&mut self) -> Plan {
        let mut plan = floor::plan();
        if self.lasting.is_some() {
            for step in &mut plan.steps {
                (step.within, step.on_stall, step.compensate.within) = (5_000, OnStall::Rollback, 6_000);
            }
            return plan;
        }
        for step in &mut plan.steps {
            step.within = self.dice.pick(&[3_000, 5_000, 8_000]);
            step.started_within = self.dice.pick(&[None, Some(1_500)]);
            step.healthy_for = self.dice.pick(&[0, 0, 1_500, 3_000]);
            step.on_stall =
                self.dice.pick(&[OnStall::Alert, OnStall::Pause, OnStall::Rollback, OnStall::Rollback]);
            step.compensate.within = 6_000;
        }
        let shares = [50, 100].map(|percent| Instances::Share(Share::new(percent).expect("a share")));
        let counts = [1, 2, 2].map(Instances::Count);
        plan.steps[1].instances = self.dice.pick(&[&counts[..], &shares].concat());
        manager::draw(&mut self.dice, &mut plan);
        plan.steps[0].reversible = !self.dice.chance(50);
        plan
    }

    /// Of the second domain: two steps, and nothing out of the ordinary.
    fn draw_small_plan(&mut self) -> Plan {
        let mut plan = floor::plan_of(&[
            floor::step("stock", "stock", EventType::Ready, &[]),
            floor::step("cart", "cart", EventType::DeploymentComplete, &["stock"]),
        ]);
        for step in &mut plan.steps {
            step.within = if self.lasting.is_some() { 5_000 } else { self.dice.pick(&[3_000, 6_000]) };
            step.on_stall = OnStall::Rollback;
            step.compensate.within = 6_000;
        }
        plan
    }

    /// Someone says yes, or at times no, to a gate that may be open or not.
    pub(crate) fn approver(&mut self) {
        let rollout = self.dice.pick(&["r1", "r1", "r2"]);
        let Some(plan) = self.partitions[0].plans.get(rollout).cloned() else { return };
        let (gate, attempt) = (self.dice.pick(&["first", "second", "third"]), self.dice.pick(&[1, 1, 2]));
        let rejects = self.dice.chance(5);
        let body = if rejects { floor::reject } else { floor::approve }(&plan, gate, attempt);
        let id = self.fresh_id();
        let event = voice::of_person(&self.partitions[0].domain, rollout, body, id);
        self.send(0, 0, event);
    }

    pub(crate) fn person(&mut self) {
        let p = self.dice.pick(&[0, 0, 0, 1]);
        let rollout =
            if p == 0 { self.dice.pick(&["r1", "r1", "r2"]) } else { self.dice.pick(&["y1", "y2"]) };
        let step = if p == 0 { "users" } else { "cart" };
        let later = self.dice.between(500, 9_000);
        let acts = match self.dice.between(0, 9) {
            0..=3 => vec![(0, floor::pause()), (later, floor::resume())],
            4 | 5 => vec![(0, floor::held()), (later, floor::released())],
            6 => vec![(0, floor::abort())],
            7 | 8 => vec![(0, floor::overrides(step))],
            _ => vec![(0, floor::go_back())],
        };
        for (after, body) in acts {
            let id = self.fresh_id();
            let event = voice::of_person(&self.partitions[p].domain, rollout, body, id);
            self.send(p, after, event);
        }
    }

    /// Writes a command that only sentinels may say: from the source of somebody else, or from theirs and without the
    /// decision that it would need.
    pub(crate) fn forger(&mut self) {
        let p = self.dice.below(2);
        let (rollout, service, step) = self.dice.pick(&if p == 0 {
            [("r1", "users", "users"), ("r2", "chat", "chat")]
        } else {
            [("y1", "cart", "cart"); 2]
        });
        let lately = i64::try_from(self.partitions[p].end()).expect("short") - self.dice.between(1, 12);
        let request = |service: Option<&str>| RollbackRequested {
            epoch: 1,
            step: Some(StepId::new(step).expect("a name")),
            service: service.map(|service| Service::new(service).expect("a name")),
            expected: None,
            target: Some(Version::new("1.0.0").expect("a version")),
            accepted: Some(lately),
            decision: Some(lately),
            ..RollbackRequested::default()
        };
        let phase = pavane_events::PhaseId::new("first").expect("a name");
        let own = self.dice.chance(60);
        let bodies: [Body; 4] = [
            request(Some(service)).into(),
            request(None).into(),
            PhaseBegun {
                phase,
                epoch: 1,
                attempt: 1,
                cohort: Vec::new(),
                evidence: Vec::new(),
                accepted: Some(lately),
            }
            .into(),
            RolloutCompleted { epoch: 1, accepted: lately, ..RolloutCompleted::default() }.into(),
        ];
        // who copies the sentinels' source and refers to a decision is believed until commands are signed
        let body = if own { bodies[self.dice.below(4)].clone() } else { bodies[0].clone() };
        self.ids_forged += 1;
        let id = EventId::new(format!("{FORGED}{}", self.ids_forged)).expect("a name");
        let mut event = voice::of_person(&self.partitions[p].domain, rollout, body, id);
        let domain = &self.partitions[p].domain;
        event.envelope.source = if own {
            Source::new(format!("/pavane/{domain}/{service}/{service}-0")).expect("a name")
        } else {
            identity::sentinel_source(domain)
        };
        self.send(p, 0, event);
    }
}
