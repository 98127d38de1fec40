//! The names that a scenario may use: those of its plans.

use std::collections::BTreeSet;

use pavane_choreography::diagnostic::Code;
use pavane_choreography::yaml::{Item, Reported, did_you_mean};
use pavane_choreography::{Expect, expectation};
use pavane_events::{EventType, PhaseId, Service, StepId};

use crate::piece::Piece;
use crate::scenario::{Named, Whom};

/// What the plans of a scenario know.
pub(super) struct Names {
    services: BTreeSet<String>,
    steps: BTreeSet<String>,
    phases: BTreeSet<String>,
    queries: BTreeSet<String>,
}

impl Names {
    pub(super) fn of<'p>(pieces: impl Iterator<Item = &'p Piece>) -> Self {
        let (mut services, mut steps) = (BTreeSet::new(), BTreeSet::new());
        let (mut phases, mut queries) = (BTreeSet::new(), BTreeSet::new());
        for piece in pieces {
            services.extend(piece.services().map(ToString::to_string));
            steps.extend(piece.plan().steps.iter().map(|step| step.id.to_string()));
            for phase in &piece.plan().phases {
                phases.insert(phase.id.to_string());
                queries.extend(phase.watch.as_ref().map(|watch| watch.query.clone()));
            }
            if let Some(trigger) = &piece.plan().trigger {
                services.insert(trigger.on.service.to_string());
            }
        }
        Self { services, steps, phases, queries }
    }

    pub(super) fn service(&self, item: &Item<'_>) -> Result<Service, Reported> {
        self.service_named(item, item.scalar("the name of a service")?)
    }

    /// A service that is named by a text that belongs to the item.
    pub(super) fn service_named(&self, item: &Item<'_>, text: &str) -> Result<Service, Reported> {
        known(item, text, "service", &self.services)?;
        Ok(Service::new(text).expect("it is a name of the plan"))
    }

    pub(super) fn step(&self, item: &Item<'_>) -> Result<StepId, Reported> {
        let text = item.scalar("the name of a step")?;
        known(item, text, "step", &self.steps)?;
        Ok(StepId::new(text).expect("it is a name of the plan"))
    }

    pub(super) fn phase(&self, item: &Item<'_>) -> Result<PhaseId, Reported> {
        let text = item.scalar("the name of a phase")?;
        known(item, text, "phase", &self.phases)?;
        Ok(PhaseId::new(text).expect("it is a name of the plan"))
    }

    /// A part of the text of one of the plan's queries.
    pub(super) fn query(&self, item: &Item<'_>) -> Result<String, Reported> {
        let text = item.text()?;
        if self.queries.iter().any(|query| query.contains(&text)) {
            return Ok(text);
        }
        let message = format!("no phase of the plan is watched by a query that holds {text:?}");
        let queries: Vec<&str> = self.queries.iter().map(String::as_str).collect();
        Err(item.refuse(Code::UnknownChoice, message, did_you_mean(&text, &queries)))
    }

    /// An event of a service of the plan.
    pub(super) fn event(&self, item: &Item<'_>) -> Result<Expect, Reported> {
        let expect = expectation::event_of_service(item)?;
        known(item, expect.service.as_str(), "service", &self.services)?;
        Ok(expect)
    }

    /// An event of a service, or one by its type alone.
    pub(super) fn named(&self, item: &Item<'_>) -> Result<Named, Reported> {
        let text = item.scalar("an event such as `user-db.Ready` or `RolloutPaused`")?;
        if text.contains('.') {
            return self.event(item).map(Named::Of);
        }
        EventType::from_short(text).map(Named::Any).ok_or_else(|| {
            let all: Vec<&str> = EventType::ALL.iter().map(|event| event.as_str()).collect();
            let message = format!("{text:?} is not an event of the vocabulary");
            item.refuse(Code::BadEvent, message, did_you_mean(text, &all))
        })
    }

    /// A service and, where one is named, its instance: `service: users` with `instance: 1`.
    pub(super) fn whom(&self, f: &mut pavane_choreography::yaml::Fields<'_>) -> Result<Whom, Reported> {
        let service = f.required("service", |i| self.service(i));
        let instance = f.optional("instance", |i| i.count(0..=999));
        Ok(Whom { service: service?, instance: instance? })
    }
}

fn known(item: &Item<'_>, text: &str, kind: &str, all: &BTreeSet<String>) -> Result<(), Reported> {
    if all.contains(text) {
        return Ok(());
    }
    let known: Vec<&str> = all.iter().map(String::as_str).collect();
    let help = if known.is_empty() { String::new() } else { did_you_mean(text, &known) };
    Err(item.refuse(Code::UnknownChoice, format!("the plan has no {kind} {text:?}"), help))
}
