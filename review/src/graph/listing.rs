//! The graph as text: turn by turn, each step with what it waits for, and then who must talk to whom.

use pavane_choreography::yaml::lasting;
use std::collections::BTreeMap;

use super::network::{Band, By, Edge, Graph, Kind, Node, Sheet, Talk};
use super::schedule::Window;
use super::words::{clipped, wrapped};
use crate::words::counted;

/// The width of a terminal that nobody has widened.
const COLUMNS: usize = 80;

/// The graph as layered text.
pub(super) fn text(graph: &Graph) -> String {
    let mut lines = Vec::new();
    for sheet in &graph.sheets {
        list(sheet, graph.by, &mut lines);
    }
    talks(graph, &mut lines);
    if !graph.shared.is_empty() {
        lines.push("Services that several plans move".to_owned());
        for (service, plans) in &graph.shared {
            lines.extend(hanging("  ", &format!("{service}: {}", plans.join(", "))));
        }
    }
    while lines.last().is_some_and(String::is_empty) {
        lines.pop();
    }
    lines.join("\n") + "\n"
}

/// Why one team waits for another: each step that waits, with all that it waits for.
pub(super) fn because(talk: &Talk) -> Vec<String> {
    let mut waits: BTreeMap<(&str, &str, bool, Kind), Vec<&str>> = BTreeMap::new();
    for wait in &talk.waits {
        waits.entry((&wait.plan, &wait.step, wait.starts, wait.kind)).or_default().push(&wait.on);
    }
    let says = |((_, step, starts, kind), on): ((&str, &str, bool, Kind), Vec<&str>)| {
        let on = on.join(", ");
        match (starts, kind) {
            (true, _) => format!("plan {step} begins with {on}"),
            (false, Kind::All) => format!("{step} waits for {on}"),
            (false, Kind::Any) => format!("{step} waits for any of {on}"),
        }
    };
    waits.into_iter().map(says).collect()
}

fn list(sheet: &Sheet, by: By, lines: &mut Vec<String>) {
    lines.push(sheet.name.clone());
    if !sheet.facts.is_empty() {
        lines.extend(hanging("", &sheet.facts.join(" · ")));
    }
    let across = sheet.edges.iter().filter(|edge| edge.crosses).count();
    let noun = match by {
        By::Step => "step",
        By::Service => "service",
        By::Team => "team",
    };
    let (nodes, edges) = (counted(sheet.nodes.len(), noun), counted(sheet.edges.len(), "edge"));
    lines.push(format!("{nodes}, {edges}, {across} across teams"));
    lines.extend(observed(sheet));
    critical(sheet, lines);
    let mut entered: Vec<Vec<&Edge>> = vec![Vec::new(); sheet.nodes.len()];
    sheet.edges.iter().for_each(|edge| entered[edge.to].push(edge));
    let mut order: Vec<usize> = (0..sheet.nodes.len()).collect();
    order.sort_by_key(|&at| (sheet.nodes[at].layer, at));
    let mut layer = None;
    let mut band = None;
    for at in order {
        let node = &sheet.nodes[at];
        if layer != Some(node.layer) {
            lines.push(String::new());
            if node.band != band {
                band = node.band;
                lines.extend(band.and_then(|band| sheet.bands.get(band)).into_iter().flat_map(phase));
            }
            layer = Some(node.layer);
            lines.push(turn(node.layer));
        }
        item(sheet, node, &entered[at], lines);
    }
    lines.push(String::new());
}

fn critical(sheet: &Sheet, lines: &mut Vec<String>) {
    let Some(critical) = &sheet.critical else { return };
    let asked = match critical.approvals {
        0 => String::new(),
        count => format!(", and what {} take", counted(count, "approval")),
    };
    lines.push(format!("at most {}{asked}; the critical path (marked *):", lasting(critical.total)));
    let legs: Vec<String> =
        critical.legs.iter().map(|leg| format!("{} {}", leg.what, lasting(leg.lasts))).collect();
    lines.extend(hanging("  ", &legs.join(" + ")));
}

fn phase(band: &Band) -> Vec<String> {
    hanging("", &format!("━━ {}", band.headline()))
}

fn turn(layer: usize) -> String {
    let title = format!("── turn {} ", layer + 1);
    let rest = COLUMNS.saturating_sub(title.chars().count());
    title + &"─".repeat(rest)
}

/// A node in two lines, and a line for what it waits for.
fn item(sheet: &Sheet, node: &Node, entered: &[&Edge], lines: &mut Vec<String>) {
    let mark = if node.critical { '*' } else { ' ' };
    let head = format!("{mark} {:<28} [{}]", node.id, node.team);
    lines.push(clipped(&head, COLUMNS));
    let within = node.window.as_ref().map(|window| match window.healthy_for {
        0 => format!("within {}", lasting(window.within)),
        ms => format!("within {} + {} healthy", lasting(window.within), lasting(ms)),
    });
    let about: Vec<String> =
        [Some(node.detail.clone()), within].into_iter().flatten().chain(node.marks.iter().cloned()).collect();
    lines.extend(hanging("      ", &about.join(" · ")));
    lines.extend(node.window.as_ref().map(opens));
    for (kind, word) in [(Kind::All, "after "), (Kind::Any, "after any of ")] {
        let waited = entered.iter().filter(|edge| edge.kind == kind && !edge.is_undeclared());
        let names: Vec<String> = waited.map(|edge| waited_for(sheet, edge)).collect();
        if !names.is_empty() {
            lines.extend(hanging("      ", &format!("{word}{}", names.join(", "))));
        }
    }
    let undeclared = entered.iter().filter(|edge| edge.is_undeclared());
    let names: Vec<String> = undeclared.map(|edge| waited_for(sheet, edge)).collect();
    if !names.is_empty() {
        let told = hanging("      ", &format!("moves on {}", names.join(", ")));
        let marked =
            |(at, line): (usize, String)| if at == 0 { line.replacen("      ", "   !! ", 1) } else { line };
        lines.extend(told.into_iter().enumerate().map(marked));
    }
}

/// How many edges nobody declares, and how many were never seen.
fn observed(sheet: &Sheet) -> Option<String> {
    let seen = || sheet.edges.iter().filter_map(|edge| edge.seen);
    seen().next()?;
    let (undeclared, silent) =
        (seen().filter(|one| !one.declared).count(), seen().filter(|one| one.times == 0).count());
    Some(format!("on the log: {undeclared} undeclared (marked !!), {silent} declared and never seen"))
}

fn opens(window: &Window) -> String {
    let (from, by, full) = (lasting(window.opens_from), lasting(window.opens_by), lasting(window.full_by));
    let opens = if from == by { format!("opens at {from}") } else { format!("opens {from} to {by}") };
    format!("      {opens}, full by {full}")
}

fn waited_for(sheet: &Sheet, edge: &Edge) -> String {
    let from = &sheet.nodes[edge.from];
    let count = if edge.waits > 1 { format!(" ×{}", edge.waits) } else { String::new() };
    let back = if edge.back { " (which waits for it too)" } else { "" };
    let team =
        if edge.crosses && from.service.is_some() { format!(" [{}]", from.team) } else { String::new() };
    let seen = edge.seen.map_or_else(String::new, |seen| format!(" ({})", seen.told()));
    format!("{}{count}{team}{back}{seen}", from.id)
}

fn talks(graph: &Graph, lines: &mut Vec<String>) {
    let crosses = graph.sheets.iter().flat_map(|sheet| &sheet.edges).any(|edge| edge.crosses);
    if graph.talks.is_empty() && crosses {
        return;
    }
    if graph.talks.is_empty() {
        lines.push("No edge leads across teams.".to_owned());
        return;
    }
    lines.push("Who must talk to whom".to_owned());
    for talk in &graph.talks {
        lines.push(clipped(&format!("  {} → {}", talk.from, talk.to), COLUMNS));
        for says in because(talk) {
            lines.extend(hanging("      ", &says));
        }
    }
    lines.push(String::new());
}

/// A text in lines that begin alike, the later ones further in.
fn hanging(indent: &str, text: &str) -> Vec<String> {
    let room = COLUMNS - indent.len() - 2;
    let lines = wrapped(text, room).into_iter().enumerate();
    lines
        .map(|(at, line)| if at == 0 { format!("{indent}{line}") } else { format!("{indent}  {line}") })
        .collect()
}
