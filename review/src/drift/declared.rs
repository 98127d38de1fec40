//! What the files promise: who says what, by which schemas, and who moves on whose word.

use std::collections::{BTreeMap, BTreeSet};

use pavane_choreography::diagnostic::Place;
use pavane_choreography::{Expect, Plan};
use pavane_events::{EventType, Service, Speaker, StepId};

use crate::check::Project;

/// Who says what, by which schemas, and who moves on whose word.
#[derive(Clone, Debug, Default)]
pub struct Declared {
    pub(super) services: BTreeSet<Service>,
    /// Each event that somebody promises or waits for, with the first place that says so.
    pub(super) events: BTreeMap<Expect, (String, Place)>,
    /// Whose word moves whom, by itself or over other steps.
    ways: BTreeSet<(Expect, Service)>,
    /// Whose word moves whom, as somebody has written it.
    written: BTreeSet<(Expect, Service)>,
    /// The fingerprints by which an event may be written.
    pub(super) fingerprints: BTreeMap<Expect, BTreeSet<String>>,
    /// Services that every rollout has anew, by their name without the rollout.
    per_rollout: BTreeSet<Service>,
}

impl Declared {
    /// What the files of a project promise.
    pub fn of(project: &Project) -> Self {
        let mut declared = Self::default();
        for one in &project.choreographies {
            let place = |id: &StepId| (one.file.clone(), one.places.step(id, "expect"));
            for step in &one.plan.steps {
                declared.events.entry(step.expect.clone()).or_insert_with(|| place(&step.id));
            }
            declared.add_plan(&one.plan);
        }
        for one in &project.participants {
            declared.services.insert(one.service.clone());
            for reaction in &one.reactions {
                let says = Expect { service: one.service.clone(), event: reaction.emit };
                if !is_implied(reaction.emit) {
                    declared.events.entry(says).or_insert_with(|| (one.file.clone(), reaction.place));
                }
                let heard = reaction.on.events().iter().cloned();
                declared.written.extend(heard.map(|event| (event, one.service.clone())));
            }
            let read = one.consumes.iter().map(|consumed| (consumed.event.clone(), one.service.clone()));
            declared.written.extend(read);
        }
        for one in &project.offered {
            let (Ok(schema), Some((service, event))) = (one.schema(), one.event()) else { continue };
            let place = Place { line: schema.place().line, column: schema.place().column };
            let expect = Expect { service: service.clone(), event };
            declared.services.insert(service.clone());
            declared.events.entry(expect).or_insert_with(|| (one.file.clone(), place));
        }
        declared
    }

    /// Adds a plan that a rollout carries: what a rollout says of itself is declared.
    pub fn add_plan(&mut self, plan: &Plan) {
        for step in &plan.steps {
            self.services.insert(step.expect.service.clone());
            if step.per_rollout {
                self.per_rollout.insert(step.expect.service.clone());
            }
            let mut seen = BTreeSet::new();
            let mut open: Vec<&StepId> = step.prerequisites().collect();
            let own = |event: &Expect| (event.clone(), step.expect.service.clone());
            if let Some(trigger) = &plan.trigger {
                self.ways.insert(own(&trigger.on));
            }
            let direct = step.prerequisites().filter_map(|id| plan.step(id));
            self.written.extend(direct.map(|before| own(&before.expect)));
            while let Some(id) = open.pop() {
                let Some(before) = plan.step(id).filter(|before| seen.insert(&before.id)) else { continue };
                self.ways.insert(own(&before.expect));
                open.extend(before.prerequisites());
            }
        }
        if let Some(trigger) = &plan.trigger {
            self.services.insert(trigger.on.service.clone());
        }
    }

    /// Adds a fingerprint by which an event of a service may be written.
    pub fn add_fingerprint(&mut self, service: &Service, event: EventType, fingerprint: &str) {
        let expect = Expect { service: service.clone(), event };
        self.fingerprints.entry(expect).or_default().insert(fingerprint.to_owned());
    }

    /// The events that somebody promises or waits for.
    pub fn events(&self) -> impl Iterator<Item = &Expect> {
        self.events.keys()
    }

    /// Whether nothing is declared.
    pub fn is_empty(&self) -> bool {
        self.services.is_empty()
    }

    /// Whether a service may say an event. What a sidecar says by itself, whoever has one may say.
    pub(super) fn says(&self, expect: &Expect) -> bool {
        self.events.contains_key(expect)
            || (self.services.contains(&expect.service) && is_implied(expect.event))
    }

    /// Whether a file or a plan says that a service moves on an event.
    pub fn moves(&self, event: &Expect, service: &Service) -> bool {
        let way = (event.clone(), service.clone());
        self.written.contains(&way) || self.ways.contains(&way)
    }

    /// The name under which a service is declared: without the rollout, for one that each rollout has anew.
    pub(super) fn named(&self, service: &Service, rollout: Option<&str>) -> Service {
        let bare = rollout.and_then(|id| service.as_str().strip_suffix(id)?.strip_suffix('-'));
        let bare = bare.and_then(|name| Service::new(name).ok());
        bare.filter(|name| self.per_rollout.contains(name)).unwrap_or_else(|| service.clone())
    }

    /// The pairs of services of which the second is written to move on a word of the first.
    pub fn pairs(&self) -> BTreeSet<(Service, Service)> {
        self.written.iter().map(|(event, to)| (event.service.clone(), to.clone())).collect()
    }
}

/// Whether a sidecar says it of itself, with no file asking for it.
const fn is_implied(event: EventType) -> bool {
    matches!(event.speaker(), Speaker::Service)
        && !matches!(event, EventType::Ready | EventType::DeploymentComplete | EventType::Drained)
}
