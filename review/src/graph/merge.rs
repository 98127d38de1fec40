//! Steps that become one node: all of a service, or all of a team, over all plans.

use std::collections::BTreeMap;

use pavane_choreography::{Plan, Step};

use super::layers;
use super::network::{By, Edge, Kind, Node, Sheet};
use super::traffic::{Seen, Traffic};
use super::words::listed;
use crate::words::counted;

/// One picture of all plans together, with what flowed on a log where one was looked at.
pub(super) fn sheet(plans: &[Plan], by: By, traffic: Option<&Traffic>) -> Sheet {
    let mut members: BTreeMap<&str, Vec<&Step>> = BTreeMap::new();
    for step in plans.iter().flat_map(|plan| &plan.steps) {
        members.entry(key(step, by)).or_default().push(step);
    }
    for (service, traffic) in traffic.iter().flat_map(|one| one.services.iter().map(move |name| (name, one)))
    {
        members.entry(traffic.key(service, by)).or_default();
    }
    let places: BTreeMap<&str, usize> = members.keys().enumerate().map(|(at, &key)| (key, at)).collect();
    let mut nodes: Vec<Node> = members.iter().map(|(key, steps)| node(key, steps, by)).collect();
    if let Some(traffic) = traffic {
        outside(&mut nodes, traffic);
    }
    let mut edges = edges(plans, by, &places, &nodes, traffic);
    layers::break_circles(&nodes, &mut edges);
    layers::assign(&mut nodes, &mut edges, 0);
    let names: Vec<&str> = plans.iter().map(|plan| plan.name.as_str()).collect();
    let word = if by == By::Team { "teams" } else { "services" };
    let name = if names.is_empty() { word.to_owned() } else { format!("{word} of {}", listed(&names)) };
    Sheet { name, facts: Vec::new(), nodes, edges, bands: Vec::new(), critical: None }
}

fn key(step: &Step, by: By) -> &str {
    match by {
        By::Step => step.id.as_str(),
        By::Service => step.expect.service.as_str(),
        By::Team => &step.owner,
    }
}

fn node(key: &str, steps: &[&Step], by: By) -> Node {
    let mut owners: Vec<&str> = steps.iter().map(|step| step.owner.as_str()).collect();
    owners.sort_unstable();
    owners.dedup();
    let mut services: Vec<&str> = steps.iter().map(|step| step.expect.service.as_str()).collect();
    services.sort_unstable();
    services.dedup();
    let detail = match by {
        By::Team => format!("{}, {}", counted(services.len(), "service"), counted(steps.len(), "step")),
        By::Step | By::Service => counted(steps.len(), "step"),
    };
    let one_way = steps.iter().any(|step| !step.reversible);
    Node {
        id: key.to_owned(),
        detail,
        team: listed(&owners),
        service: (by != By::Team).then(|| key.to_owned()),
        marks: if one_way { vec!["one way".to_owned()] } else { Vec::new() },
        one_way,
        ..Node::default()
    }
}

/// Services that no choreography moves, with their teams.
fn outside(nodes: &mut [Node], traffic: &Traffic) {
    for node in nodes.iter_mut().filter(|node| node.detail.starts_with("0 ")) {
        "in no choreography".clone_into(&mut node.detail);
        let service =
            traffic.services.iter().find(|service| Some(service.as_str()) == node.service.as_deref());
        node.team = service.map_or_else(|| node.id.clone(), |service| traffic.team(service).to_owned());
    }
}

fn edges(
    plans: &[Plan],
    by: By,
    places: &BTreeMap<&str, usize>,
    nodes: &[Node],
    traffic: Option<&Traffic>,
) -> Vec<Edge> {
    let mut merged: BTreeMap<(usize, usize), (Kind, usize)> = BTreeMap::new();
    for plan in plans {
        let steps: BTreeMap<_, _> = plan.steps.iter().map(|step| (&step.id, step)).collect();
        for step in &plan.steps {
            let to = places[key(step, by)];
            let all = step.after.iter().map(|id| (id, Kind::All));
            for (id, kind) in all.chain(step.after_any.iter().map(|id| (id, Kind::Any))) {
                let Some(from) = steps.get(id).map(|from| places[key(from, by)]) else { continue };
                if from != to {
                    let entry = merged.entry((from, to)).or_insert((kind, 0));
                    *entry = (entry.0.min(kind), entry.1 + 1);
                }
            }
        }
    }
    let seen = traffic.map(|traffic| flowed(traffic, by, places));
    for pair in seen.iter().flatten().map(|(pair, _)| *pair) {
        merged.entry(pair).or_insert((Kind::All, 1));
    }
    let edge = |((from, to), (kind, waits)): ((usize, usize), (Kind, usize))| {
        let crosses = nodes[from].team != nodes[to].team;
        let seen = seen.as_ref().map(|seen| seen.get(&(from, to)).copied().unwrap_or_default());
        Edge { from, to, kind, crosses, critical: false, back: false, waits, seen }
    };
    merged.into_iter().map(edge).collect()
}

/// How each pair of nodes looks on the log.
fn flowed(traffic: &Traffic, by: By, places: &BTreeMap<&str, usize>) -> BTreeMap<(usize, usize), Seen> {
    let mut all: BTreeMap<(usize, usize), Seen> = BTreeMap::new();
    for ((from, to), seen) in &traffic.ways {
        let pair = (places[traffic.key(from, by)], places[traffic.key(to, by)]);
        if pair.0 != pair.1 {
            let known = all.entry(pair).or_default();
            *known = known.and(*seen);
        }
    }
    all
}
