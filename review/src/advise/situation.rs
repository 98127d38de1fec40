//! The numbers that advice rests on: the shape of the graphs, and what people say of what lies around them.

use std::collections::BTreeSet;

use pavane_choreography::{Method, Phase, Plan, Step};
use serde::Serialize;

use crate::graph::{By, Graph};

/// What the graphs of all plans look like together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Shape {
    /// How many plans there are.
    pub plans: usize,
    /// How many services stand in them.
    pub services: usize,
    /// How many teams own steps.
    pub teams: usize,
    /// How many steps there are.
    pub steps: usize,
    /// How often a step waits for another.
    pub edges: usize,
    /// How often that is a step of another team.
    pub edges_across_teams: usize,
    /// How many turns the longest plan takes.
    pub turns: usize,
    /// How many steps the widest turn holds.
    pub widest_turn: usize,
    /// How many steps are never asked back although they come after one that may be.
    pub one_way_after_reversible: usize,
    /// How many phases ask for an approval, a cohort, a soak or a watch.
    pub gates: usize,
    /// The methods that the plans are written for.
    pub methods: Vec<Method>,
}

/// What was said of what lies around the graphs; what was not said is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Around {
    /// How many services there are in all; those of the plans where nothing was said.
    pub services: Option<usize>,
    /// How many engineers work on them.
    pub engineers: Option<usize>,
    /// Whether each move must be accounted for to somebody outside.
    pub audit: Option<bool>,
    /// Whether the order of the moves may vary.
    pub sequence: Option<Sequence>,
}

/// Whether the order of the moves may vary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Sequence {
    /// Each move has its place.
    Strict,
    /// Whoever has what it waits for may move.
    Loose,
}

impl Shape {
    /// The shape of these plans.
    pub fn of(plans: &[Plan]) -> Self {
        let graph = Graph::of(plans, By::Step);
        let steps = || plans.iter().flat_map(|plan| &plan.steps);
        let services: BTreeSet<_> = steps().map(|step| &step.expect.service).collect();
        let edges = || graph.sheets.iter().flat_map(|sheet| &sheet.edges);
        let phases = plans.iter().flat_map(|plan| &plan.phases);
        let mut methods: Vec<Method> = Vec::new();
        for plan in plans.iter().filter(|plan| !plan.steps.is_empty()) {
            if !methods.contains(&plan.method) {
                methods.push(plan.method);
            }
        }
        Self {
            plans: plans.len(),
            services: services.len(),
            teams: graph.teams.len(),
            steps: steps().count(),
            edges: edges().count(),
            edges_across_teams: edges().filter(|edge| edge.crosses).count(),
            turns: turns(&graph).iter().map(Vec::len).max().unwrap_or(0),
            widest_turn: turns(&graph).into_iter().flatten().max().unwrap_or(0),
            one_way_after_reversible: plans.iter().map(one_way).sum(),
            gates: phases.filter(|phase| asks(phase)).count(),
            methods,
        }
    }
}

/// How many steps each turn of each plan holds.
fn turns(graph: &Graph) -> Vec<Vec<usize>> {
    let turns = |sheet: &crate::graph::Sheet| {
        let mut turns = vec![0; sheet.nodes.iter().map(|node| node.layer + 1).max().unwrap_or(0)];
        for node in &sheet.nodes {
            turns[node.layer] += 1;
        }
        turns
    };
    graph.sheets.iter().map(turns).collect()
}

fn one_way(plan: &Plan) -> usize {
    let late = |step: &&Step| {
        let below = plan.below(&step.id);
        !step.reversible && plan.steps.iter().any(|other| other.reversible && below.contains(&other.id))
    };
    plan.steps.iter().filter(late).count()
}

fn asks(phase: &Phase) -> bool {
    phase.approval.is_some() || phase.cohort.is_some() || phase.soak > 0 || phase.watch.is_some()
}
