//! A plan with its arrows as numbers, shared by all rollouts that dance it.

use std::sync::Arc;

use pavane_choreography::Plan;
use pavane_events::{EventType, Service, StepId};

/// A plan and, by index, what each step waits for and who waits for it.
#[derive(Clone, Debug)]
pub(crate) struct Score {
    pub(crate) plan: Plan,
    pub(crate) digest: String,
    pub(crate) after: Vec<Vec<usize>>,
    pub(crate) dependants: Vec<Vec<usize>>,
}

impl Score {
    /// Reads a plan from the log. The digest must be its own, and every prerequisite must stand before its step.
    pub(crate) fn read(json: &str, digest: &str) -> Result<Arc<Self>, String> {
        let plan = Plan::from_json(json).map_err(|error| format!("the plan cannot be read: {error}"))?;
        let own = pavane_events::identity::sha256_hex(json);
        if own != digest {
            return Err(format!("the plan's digest is {own}, not {digest}"));
        }
        plan.check().map_err(|error| format!("the plan cannot be danced: {error}"))?;
        let after = plan.steps.iter().enumerate().map(|(i, step)| {
            let place = |id: &StepId| plan.steps[..i].iter().position(|other| other.id == *id);
            step.after
                .iter()
                .map(|id| place(id).ok_or(format!("step {} waits for {id}, which is not before it", step.id)))
                .collect::<Result<Vec<usize>, String>>()
        });
        let after = after.collect::<Result<Vec<_>, String>>()?;
        let waits = |i: usize| (0..after.len()).filter(|&d| after[d].contains(&i)).collect();
        let dependants = (0..after.len()).map(waits).collect();
        Ok(Arc::new(Self { plan, digest: own, after, dependants }))
    }

    /// The steps of a service, in the order of the plan.
    pub(crate) fn of<'a>(&'a self, service: &'a Service) -> impl DoubleEndedIterator<Item = usize> + 'a {
        let steps = self.plan.steps.iter().enumerate();
        steps.filter(move |(_, step)| step.expect.service == *service).map(|(i, _)| i)
    }

    /// The step that awaits exactly this event.
    pub(crate) fn awaiting(&self, service: &Service, event: EventType) -> Option<usize> {
        self.of(service).find(|&i| self.plan.steps[i].expect.event == event)
    }

    /// The step with this name.
    pub(crate) fn place(&self, id: &StepId) -> Option<usize> {
        self.plan.steps.iter().position(|step| step.id == *id)
    }

    /// The step and all that it waits for, directly or not.
    pub(crate) fn below(&self, step: usize, into: &mut Vec<bool>) {
        if !std::mem::replace(&mut into[step], true) {
            for &i in &self.after[step] {
                self.below(i, into);
            }
        }
    }
}
