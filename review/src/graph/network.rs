//! The network of one or several plans: who waits for whom, and whose business that is.

use pavane_choreography::yaml::lasting;
use std::collections::{BTreeMap, BTreeSet};

use pavane_choreography::{Approval, Instances, Method, OnStall, Phase, Plan, Step, Watch};
use serde::Serialize;

use super::schedule::{self, Critical, Schedule, Window};
use super::teams::{self, Start};
use super::traffic::{Seen, Traffic};
use super::{layers, merge};

/// What a node stands for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// One step of one plan.
    #[default]
    Step,
    /// All steps of a service, in all plans.
    Service,
    /// All steps of a team, in all plans.
    Team,
}

/// One or several plans as a network, with the teams laid over it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Graph {
    /// What a node stands for.
    pub by: By,
    /// The separate pictures: one for each plan by step, one for all together by service or team.
    pub sheets: Vec<Sheet>,
    /// The teams, by name.
    pub teams: Vec<Team>,
    /// Who must talk to whom, by the names of the teams.
    pub talks: Vec<Talk>,
    /// Services that stand in more than one plan, each with the plans.
    pub shared: BTreeMap<String, Vec<String>>,
}

/// One picture.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Sheet {
    /// The name of the plan, or of all plans together.
    pub name: String,
    /// What a reader must know of the plan as a whole: owner, method, trigger, maintenance window.
    pub facts: Vec<String>,
    /// The nodes; by step in the order of the plan.
    pub nodes: Vec<Node>,
    /// The edges, by their ends.
    pub edges: Vec<Edge>,
    /// The phases, in their order.
    pub bands: Vec<Band>,
    /// The critical path; none where nodes stand for more than a step.
    pub critical: Option<Critical>,
}

/// A step, a service or a team.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Node {
    /// The name of the step, the service or the team.
    pub id: String,
    /// What is awaited; for a service or a team how much it has to do.
    pub detail: String,
    /// The team that owns it.
    pub team: String,
    /// The service that moves; none for a team.
    pub service: Option<String>,
    /// What is particular about it, in a few words each: instances, zone, what a stall brings.
    pub marks: Vec<String>,
    /// Whether there is no way back from it.
    pub one_way: bool,
    /// When it opens and ends; none where it stands for more than a step.
    pub window: Option<Window>,
    /// Where a person reads what to do.
    pub runbook: Option<String>,
    /// The place of its phase among the bands.
    pub band: Option<usize>,
    /// Its turn: 0 waits for nobody, each other stands after all that it waits for.
    pub layer: usize,
    /// Whether it is on the critical path.
    pub critical: bool,
}

/// One node waits for another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Edge {
    /// The place of the node that is waited for.
    pub from: usize,
    /// The place of the node that waits.
    pub to: usize,
    /// Whether it is waited for in any case, or as one of several.
    pub kind: Kind,
    /// Whether its ends belong to different teams.
    pub crosses: bool,
    /// Whether it is on the critical path.
    pub critical: bool,
    /// Whether it leads back to an earlier turn: nodes that stand for several steps may wait for each other.
    pub back: bool,
    /// How many waits between steps it stands for.
    pub waits: usize,
    /// How it looks on a log; none where none was looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seen: Option<Seen>,
}

/// How a prerequisite is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// It must be full, as all its like.
    All,
    /// It or another of its like must be full.
    Any,
}

/// A phase: the turns that it opens, and what it asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Band {
    /// The name of the phase.
    pub id: String,
    /// Its first and last turn.
    pub layers: (usize, usize),
    /// What it asks for: approval, cohort, soak, watch.
    pub notes: Vec<String>,
}

/// A team, and how much is its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Team {
    /// Its name.
    pub name: String,
    /// How many steps it owns, in all plans.
    pub steps: usize,
}

/// One team waits for another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Talk {
    /// The team that is waited for.
    pub from: String,
    /// The team that waits.
    pub to: String,
    /// Because of what.
    pub waits: Vec<Wait>,
}

/// One step waits for another, or a plan for the event that starts it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Wait {
    /// The plan of the step that is waited for.
    pub plan: String,
    /// The step that is waited for.
    pub on: String,
    /// The step that waits, or the plan that begins.
    pub step: String,
    /// How it is waited for.
    pub kind: Kind,
    /// Whether it is the event that starts another plan.
    pub starts: bool,
}

impl Graph {
    /// The network of these plans.
    pub fn of(plans: &[Plan], by: By) -> Self {
        let starts = teams::starts(plans);
        let sheets = match by {
            By::Step => plans.iter().enumerate().map(|(at, plan)| sheet(plans, at, plan, &starts)).collect(),
            By::Service | By::Team => vec![merge::sheet(plans, by, None)],
        };
        Self {
            by,
            sheets,
            teams: teams::all(plans),
            talks: teams::talks(plans, &starts),
            shared: teams::shared(plans),
        }
    }

    /// The network of these plans by service or by team, with what flowed on a log laid over it; by step it is the one
    /// by service.
    pub fn observed(plans: &[Plan], by: By, traffic: &Traffic) -> Self {
        let by = if by == By::Team { By::Team } else { By::Service };
        Self { by, sheets: vec![merge::sheet(plans, by, Some(traffic))], ..Self::of(plans, by) }
    }
}

impl Edge {
    /// Whether it was seen on a log and nobody declares it.
    pub(super) fn is_undeclared(&self) -> bool {
        self.seen.is_some_and(|seen| !seen.declared)
    }

    /// Whether it is declared and a log that was looked at does not hold it.
    pub(super) fn is_silent(&self) -> bool {
        self.seen.is_some_and(|seen| seen.declared && seen.times == 0)
    }
}

impl Band {
    /// The phase and what it asks for, in one line.
    pub(super) fn headline(&self) -> String {
        let notes = self.notes.iter().flat_map(|note| [" · ", note.as_str()]);
        format!("phase {}", self.id) + &notes.collect::<String>()
    }
}

impl Sheet {
    /// The nodes in groups with a name: the phases where there are any, else the teams.
    pub(super) fn groups(&self) -> Vec<(String, Vec<usize>)> {
        let mut groups: BTreeMap<(Option<usize>, &str), Vec<usize>> = BTreeMap::new();
        for (at, node) in self.nodes.iter().enumerate() {
            let team = if node.band.is_some() { "" } else { node.team.as_str() };
            groups.entry((node.band, team)).or_default().push(at);
        }
        let label = |band: Option<usize>, team: &str| match band.and_then(|band| self.bands.get(band)) {
            Some(band) => band.headline(),
            None => format!("team {team}"),
        };
        groups.into_iter().map(|((band, team), nodes)| (label(band, team), nodes)).collect()
    }

    /// For each phase but the first: the last node of the phase before, and its own first.
    pub(super) fn gates(&self) -> Vec<(usize, usize)> {
        let of = |band: usize| self.nodes.iter().enumerate().filter(move |(_, node)| node.band == Some(band));
        let gate = |band: usize| {
            let last = of(band - 1).max_by_key(|(_, node)| node.layer)?;
            let first = of(band).min_by_key(|(_, node)| node.layer)?;
            Some((last.0, first.0))
        };
        (1..self.bands.len()).filter_map(gate).collect()
    }
}

fn sheet(plans: &[Plan], at: usize, plan: &Plan, starts: &[Start]) -> Sheet {
    let Schedule { windows, critical, chain } = schedule::of(plan);
    let places: BTreeMap<_, _> = plan.steps.iter().enumerate().map(|(at, step)| (&step.id, at)).collect();
    let links: BTreeSet<(usize, usize)> = chain.windows(2).map(|pair| (pair[0], pair[1])).collect();
    let waits = plan.steps.iter().enumerate().flat_map(|(to, step)| {
        let all = step.after.iter().map(|id| (id, Kind::All));
        all.chain(step.after_any.iter().map(|id| (id, Kind::Any))).map(move |(id, kind)| (to, id, kind))
    });
    let mut edges: Vec<Edge> = waits
        .filter_map(|(to, id, kind)| {
            let from = *places.get(id)?;
            let crosses = plan.steps[from].owner != plan.steps[to].owner;
            let critical = links.contains(&(from, to));
            Some(Edge { from, to, kind, crosses, critical, back: false, waits: 1, seen: None })
        })
        .collect();
    edges.sort_by_key(|edge| (edge.from, edge.to));
    let mut nodes: Vec<Node> =
        plan.steps.iter().zip(windows).map(|(step, window)| node(plan, step, window)).collect();
    for at in chain {
        nodes[at].critical = true;
    }
    let bands = turns(plan, &mut nodes, &mut edges);
    Sheet {
        name: plan.name.clone(),
        facts: facts(plans, at, starts),
        nodes,
        edges,
        bands,
        critical: Some(critical),
    }
}

/// Gives each node its turn and each phase its turns.
fn turns(plan: &Plan, nodes: &mut [Node], edges: &mut [Edge]) -> Vec<Band> {
    for (at, phase) in plan.phases.iter().enumerate() {
        let held = nodes.iter_mut().filter(|node| phase.steps.iter().any(|step| step.as_str() == node.id));
        held.for_each(|node| node.band = Some(at));
    }
    let spans = layers::assign(nodes, edges, plan.phases.len());
    let band = |(phase, layers): (&Phase, (usize, usize))| Band {
        id: phase.id.to_string(),
        layers,
        notes: notes(phase),
    };
    plan.phases.iter().zip(spans).map(band).collect()
}

fn node(plan: &Plan, step: &Step, window: Window) -> Node {
    Node {
        id: step.id.to_string(),
        detail: step.expect.to_string(),
        team: step.owner.clone(),
        service: Some(step.expect.service.to_string()),
        marks: marks(step),
        one_way: !step.reversible,
        window: Some(window),
        runbook: step.runbook.clone().or_else(|| plan.runbook.clone()),
        ..Node::default()
    }
}

fn marks(step: &Step) -> Vec<String> {
    let count = match step.instances {
        Instances::Count(1) => None,
        Instances::Count(count) => Some(format!("×{count}")),
        Instances::Share(share) => Some(share.to_string()),
    };
    let on_stall = match step.on_stall {
        OnStall::Alert => None,
        OnStall::Pause => Some("pause".to_owned()),
        OnStall::Rollback => Some("rollback".to_owned()),
    };
    [
        (!step.reversible).then(|| "one way".to_owned()),
        on_stall,
        count,
        step.zone.as_ref().map(|zone| format!("zone {zone}")),
        step.max_parallel.map(|most| format!("max {most}")),
        (!step.interruptible).then(|| "uncut".to_owned()),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn notes(phase: &Phase) -> Vec<String> {
    let approval = phase.approval.as_ref().map(|Approval { by }| format!("approval by {by}"));
    let cohort = phase.cohort.map(|share| format!("cohort {share}"));
    let soak = (phase.soak > 0).then(|| format!("soak {}", lasting(phase.soak)));
    let watch =
        phase.watch.as_ref().map(|Watch { bound, hold, .. }| format!("watch {bound} for {}", lasting(*hold)));
    [approval, cohort, soak, watch].into_iter().flatten().collect()
}

fn facts(plans: &[Plan], at: usize, starts: &[Start]) -> Vec<String> {
    let plan = &plans[at];
    let method = match plan.method {
        Method::Choreography => "choreography",
        Method::Hybrid => "hybrid",
        Method::Orchestrated => "orchestrated",
    };
    let trigger = plan.trigger.as_ref().map(|trigger| format!("begins with {}", trigger.on));
    let said = starts.iter().filter(|start| start.starts == at).map(|start| {
        let from = &plans[start.plan];
        format!("said by {} of {}", from.steps[start.step].id, from.name)
    });
    let maintenance = plan.maintenance.as_ref().map(|window| format!("only {window}"));
    let head = [format!("owner {}", plan.owner), format!("method {method}")];
    head.into_iter().chain(trigger).chain(said).chain(maintenance).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use pavane_choreography::Expect;
    use pavane_events::{EventType, PhaseId, Service, StepId};

    use super::*;

    /// A step named like its service and its team.
    pub(crate) fn step(id: &str, after: &[&str], after_any: &[&str]) -> Step {
        let name = |id: &&str| StepId::new(*id).expect("a name");
        let service = Service::new(format!("{id}-service")).expect("a name");
        let expect = Expect { service, event: EventType::DeploymentComplete };
        let mut step = Step::new(name(&id), expect, 60_000, format!("team-{id}"));
        step.after = after.iter().map(name).collect();
        step.after_any = after_any.iter().map(name).collect();
        step
    }

    /// A plan of steps with what they wait for: all of the first, one of the others.
    pub(crate) fn plan(steps: &[(&str, &[&str], &[&str])]) -> Plan {
        let steps = steps.iter().map(|(id, after, after_any)| step(id, after, after_any)).collect();
        Plan::new("users-v2", "identity", steps)
    }

    /// A phase that asks for nothing.
    pub(crate) fn phase(id: &str, steps: &[&str]) -> Phase {
        Phase {
            id: PhaseId::new(id).expect("a name"),
            steps: steps.iter().map(|id| StepId::new(*id).expect("a name")).collect(),
            approval: None,
            cohort: None,
            soak: 0,
            watch: None,
        }
    }
}
