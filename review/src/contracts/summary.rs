//! A change of schemas as a person reads it: field by field, and the part of the choreographies that it touches.

use std::collections::BTreeSet;

use pavane_choreography::{Expect, Plan};
use pavane_contracts::Schema;
use pavane_contracts::change::{Change, changes};
use pavane_events::StepId;

use super::Offered;
use crate::check::Project;
use crate::graph::{By, Graph};

/// What has changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// What the schemas were held against, e.g. `origin/main`.
    pub against: Vec<String>,
    /// Each schema that has changed: its file, and its changes in lines that begin with `+` or `-`.
    pub changes: Vec<(String, Vec<String>)>,
    /// The steps that say a changed event and all that wait for them, in the language of Mermaid; none where no
    /// choreography is touched.
    pub graph: Option<String>,
}

/// Sums up what has changed: each schema with the newest form before it, if there was one.
pub fn summary(
    project: &Project,
    schemas: &[(&Offered, &Schema, Option<&Schema>)],
    against: Vec<String>,
) -> Summary {
    let mut summary = Summary { against, ..Summary::default() };
    let mut events: Vec<Expect> = Vec::new();
    for (offered, new, old) in schemas {
        let lines: Vec<String> = match old {
            Some(old) => changes(old, new).iter().flat_map(Change::lines).collect(),
            None => vec![format!("+ {} is new", new.full_name())],
        };
        if lines.is_empty() {
            continue;
        }
        summary.changes.push((offered.file.clone(), lines));
        if let Some((service, event)) = offered.event() {
            events.push(Expect { service: service.clone(), event });
        }
    }
    let plans: Vec<Plan> =
        project.choreographies.iter().filter_map(|one| touched(&one.plan, &events)).collect();
    summary.graph = (!plans.is_empty()).then(|| Graph::of(&plans, By::Step).to_mermaid());
    summary
}

/// The part of a plan that says one of these events or waits for one, however far behind.
fn touched(plan: &Plan, events: &[Expect]) -> Option<Plan> {
    let mut kept: BTreeSet<StepId> = BTreeSet::new();
    for step in &plan.steps {
        if events.contains(&step.expect) || step.prerequisites().any(|id| kept.contains(id)) {
            kept.insert(step.id.clone());
        }
    }
    let mut part = plan.clone();
    part.phases.clear();
    part.steps.retain(|step| kept.contains(&step.id));
    for step in &mut part.steps {
        step.after.retain(|id| kept.contains(id));
        step.after_any.retain(|id| kept.contains(id));
    }
    (!part.steps.is_empty()).then_some(part)
}

impl Summary {
    /// The changes as text for a terminal.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        for (file, lines) in &self.changes {
            text = format!("{text}{file}\n");
            text.extend(lines.iter().map(|line| format!("  {line}\n")));
            text.push('\n');
        }
        text
    }
}
