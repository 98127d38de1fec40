//! The rollouts that a row of lives goes through, one after the other: begun, asked back, ended.

use pavane_events::command::{RollbackRequested, RolloutAborted, RolloutStarted};
use pavane_events::service::Ready;
use pavane_events::{
    Body, Envelope, Event, EventId, EventType, Instance, RolloutId, Service, Source, StepId, Version,
    identity,
};
use uuid::Uuid;

use super::{Chain, Rollout};
use crate::matrix::trouble::Trouble;
use crate::shop::plan;

impl Chain {
    /// Begins a rollout, asks it back, or ends it, as far as the service has come.
    pub(super) async fn dance(&mut self) {
        let Some(Rollout { id, decision, mode }) = &self.rollout else {
            let modes = self.trouble.modes();
            let mode = modes[self.rollouts % modes.len()];
            self.rollouts += 1;
            self.houses[0].forget_result();
            self.houses[0].put("mode", &format!("{mode}\n"));
            self.houses[0].put("version", "1.0.0\n");
            let id = RolloutId::new(format!("r-{}", Uuid::now_v7().simple())).unwrap();
            self.start(&id).await;
            self.say("/db", &id, Some(("user-db", "2.0.0")), Ready::default()).await;
            self.rollout = Some(Rollout { id, decision: None, mode });
            return;
        };
        let (id, decision, mode) = (id.clone(), *decision, *mode);
        let Some(end) = self.ledger.end(&id, decision.is_some()) else { return };
        if self.trouble.goes_back() && decision.is_none() && end == EventType::DeploymentComplete {
            self.ask_back(&id).await;
            return;
        }
        match mode {
            "hang" => self.met.note("a hook hung"),
            "deaf" => self.met.note("a hook ignored SIGTERM"),
            "away" | "child" => self.met.note("a hook forked away"),
            "rebuild" => self.met.note("a step went the other way"),
            _ => {}
        }
        self.say("/ada", &id, None, RolloutAborted::default()).await;
        self.rollout = None;
    }

    pub(super) async fn start(&self, id: &RolloutId) {
        let plan = plan();
        let body = RolloutStarted {
            choreography: plan.name.clone(),
            plan: plan.to_json(),
            plan_digest: plan.digest(),
            rules: 1,
            by: "ada".to_owned(),
            reason: String::new(),
        };
        self.say("/ci", id, None, body).await;
    }

    async fn ask_back(&mut self, id: &RolloutId) {
        let request = RollbackRequested { epoch: 1, by: "ada".into(), ..RollbackRequested::default() };
        let decision = self.say("/ada", id, None, request.clone()).await;
        let addressed = RollbackRequested {
            step: Some(StepId::new("users").unwrap()),
            service: Some(Service::new("user-service").unwrap()),
            expected: Some(Version::new("2.0.0").unwrap()),
            target: Some(Version::new("1.0.0").unwrap()),
            decision: Some(decision),
            ..request
        };
        let source = identity::sentinel_source(&self.domain);
        let event = self.event(source.as_str(), id, None, addressed.clone());
        self.writer.append(&event).await.unwrap();
        self.met.note("asked back");
        if self.trouble == Trouble::ReplacedSentinel {
            // The one that comes says what the one that goes has said, under the same name, and once under another.
            self.writer.append(&event).await.unwrap();
            self.say(source.as_str(), id, None, addressed).await;
            self.met.note("asked back by another sentinel too");
        }
        if let Some(rollout) = &mut self.rollout {
            rollout.decision = Some(decision);
        }
    }

    async fn say(
        &self,
        source: &str,
        id: &RolloutId,
        by: Option<(&str, &str)>,
        body: impl Into<Body>,
    ) -> i64 {
        let event = self.event(source, id, by, body);
        self.writer.append(&event).await.unwrap().offset
    }

    fn event(&self, source: &str, id: &RolloutId, by: Option<(&str, &str)>, body: impl Into<Body>) -> Event {
        let event = EventId::new(Uuid::now_v7().to_string()).unwrap();
        let mut envelope = Envelope::new(self.domain.clone(), Source::new(source).unwrap(), event);
        envelope.rollout = Some(id.clone());
        if let Some((service, version)) = by {
            envelope.service = Some(Service::new(service).unwrap());
            envelope.instance = Some(Instance::new(format!("{service}-0")).unwrap());
            envelope.version = Some(Version::new(version).unwrap());
        }
        Event { envelope, body: body.into() }
    }
}
