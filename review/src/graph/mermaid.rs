//! The graph in the language of Mermaid. Texts stand in quotes, and what could end them or mean more is written as a
//! code.

use pavane_choreography::yaml::lasting;
use std::fmt::Write as _;

use super::network::{Edge, Graph, Kind, Node, Sheet};

const ROOM: &str = "a string takes all that is written to it";

/// The graph as Mermaid.
pub(super) fn text(graph: &Graph) -> String {
    let mut text = String::from("flowchart LR\n");
    let (mut thick, mut crossing, mut drawn) = (Vec::new(), Vec::new(), 0);
    for (at, sheet) in graph.sheets.iter().enumerate() {
        write!(text, "  subgraph s{at}[\"{}\"]\n    direction LR\n", escaped(&sheet.name)).expect(ROOM);
        nodes(&mut text, sheet, at);
        for edge in &sheet.edges {
            writeln!(text, "    n{at}_{} {} n{at}_{}", edge.from, way(edge), edge.to).expect(ROOM);
            if edge.critical {
                thick.push(drawn.to_string());
            } else if edge.crosses {
                crossing.push(drawn.to_string());
            }
            drawn += 1;
        }
        for (from, to) in sheet.gates() {
            writeln!(text, "    n{at}_{from} -. gate .- n{at}_{to}").expect(ROOM);
            drawn += 1;
        }
        text.push_str("  end\n");
    }
    text.push_str("  classDef critical stroke:#1b1f24,stroke-width:3px\n");
    for (places, style) in
        [(thick, "stroke:#1b1f24,stroke-width:3px"), (crossing, "stroke:#b35900,stroke-width:2px")]
    {
        if !places.is_empty() {
            writeln!(text, "  linkStyle {} {style}", places.join(",")).expect(ROOM);
        }
    }
    text
}

fn nodes(text: &mut String, sheet: &Sheet, at: usize) {
    for (group, (label, places)) in sheet.groups().into_iter().enumerate() {
        writeln!(text, "    subgraph s{at}_{group}[\"{}\"]", escaped(&label)).expect(ROOM);
        for place in places {
            writeln!(text, "      n{at}_{place}{}", shape(&sheet.nodes[place])).expect(ROOM);
        }
        text.push_str("    end\n");
    }
}

/// Six corners say that there is no way back.
fn shape(node: &Node) -> String {
    let window = node.window.as_ref().map(|window| lasting(window.within));
    let owned = window.map_or_else(|| node.team.clone(), |window| format!("{} · {window}", node.team));
    let lines = [node.id.clone(), node.detail.clone(), owned, node.marks.join(" ")];
    let lines: Vec<String> = lines.iter().filter(|line| !line.is_empty()).map(|line| escaped(line)).collect();
    let label = lines.join("<br/>");
    let class = if node.critical { ":::critical" } else { "" };
    if node.one_way { format!("{{{{\"{label}\"}}}}{class}") } else { format!("[\"{label}\"]{class}") }
}

fn way(edge: &Edge) -> String {
    if let Some(seen) = edge.seen {
        // A cross instead of a head says without a colour what nobody declares, dots what was never seen.
        let line = match (edge.is_undeclared(), edge.is_silent()) {
            (true, _) => "--x",
            (false, true) => "-.->",
            (false, false) => "-->",
        };
        let across = if edge.crosses { ", across teams" } else { "" };
        return format!("{line}|\"{}{across}\"|", seen.told());
    }
    let label = match (edge.kind, edge.crosses, edge.waits) {
        (Kind::Any, true, _) => "any, across teams".to_owned(),
        (Kind::Any, false, _) => "any".to_owned(),
        (Kind::All, true, 1) => "across teams".to_owned(),
        (Kind::All, true, waits) => format!("across teams ×{waits}"),
        (Kind::All, false, 1) => String::new(),
        (Kind::All, false, waits) => format!("×{waits}"),
    };
    let line = match (edge.kind, edge.critical) {
        (Kind::Any, _) => "-.->",
        (Kind::All, true) => "==>",
        (Kind::All, false) => "-->",
    };
    if label.is_empty() { line.to_owned() } else { format!("{line}|\"{label}\"|") }
}

fn escaped(text: &str) -> String {
    let plain = |c: char| match c {
        c if c.is_control() => " ".to_owned(),
        c if c.is_alphanumeric() || " .,-_·×%/:()+=!?…".contains(c) => c.to_string(),
        c => format!("#{};", u32::from(c)),
    };
    text.chars().map(plain).collect()
}
