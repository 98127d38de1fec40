//! When each step starts at the latest while every window holds, and what makes the rollout as long as it may be.

use std::collections::BTreeMap;
use std::slice;

use pavane_choreography::Plan;
use pavane_events::{Millis, StepId};

use crate::graph::{By, Graph};

/// The latest times of a plan, in milliseconds from its start. An approval is counted as given at once.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    starts: BTreeMap<String, Millis>,
    /// When the rollout is complete at the latest.
    pub(super) end: Millis,
    /// The steps that make it that long.
    pub(super) path: Vec<String>,
}

impl Schedule {
    /// The latest times of a plan, as its picture has them.
    pub(super) fn of(plan: &Plan) -> Self {
        let graph = Graph::of(slice::from_ref(plan), By::Step);
        let mut schedule = Self::default();
        for sheet in graph.sheets {
            let opens = |node: crate::graph::Node| Some((node.id, node.window?.opens_by));
            schedule.starts.extend(sheet.nodes.into_iter().filter_map(opens));
            let Some(critical) = sheet.critical else { continue };
            schedule.end = critical.total;
            schedule.path = critical.legs.into_iter().filter_map(|leg| leg.step).collect();
            schedule.path.dedup();
        }
        schedule
    }

    /// When a step starts at the latest.
    pub(super) fn latest_start(&self, id: &StepId) -> Millis {
        self.starts.get(id.as_str()).copied().unwrap_or(0)
    }
}
