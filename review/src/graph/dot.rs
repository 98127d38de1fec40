//! The graph in the language of Graphviz. Every text stands in quotes; quotes and backslashes in it are escaped.

use pavane_choreography::yaml::lasting;
use std::fmt::Write as _;

use super::network::{Edge, Graph, Kind, Node, Sheet};

/// The graph as DOT.
pub(super) fn text(graph: &Graph) -> String {
    let mut text = String::from(
        "digraph pavane {\n  rankdir=LR;\n  node [shape=box, fontname=\"monospace\", fontsize=10];\n  \
         edge [fontname=\"monospace\", fontsize=9];\n",
    );
    for (at, sheet) in graph.sheets.iter().enumerate() {
        write!(text, "  subgraph cluster_{at} {{\n    label={};\n", quoted(&sheet.name)).expect(ROOM);
        draw(&mut text, sheet, at);
        text.push_str("  }\n");
    }
    text.push_str("}\n");
    text
}

const ROOM: &str = "a string takes all that is written to it";

fn draw(text: &mut String, sheet: &Sheet, at: usize) {
    for (group, (label, nodes)) in sheet.groups().into_iter().enumerate() {
        let open = format!(
            "    subgraph cluster_{at}_{group} {{\n      label={};\n      style=dashed;\n",
            quoted(&label)
        );
        text.push_str(&open);
        for place in nodes {
            writeln!(text, "      n{at}_{place} [{}];", attributes(&sheet.nodes[place])).expect(ROOM);
        }
        text.push_str("    }\n");
    }
    for edge in &sheet.edges {
        let Edge { from, to, .. } = edge;
        writeln!(text, "    n{at}_{from} -> n{at}_{to} [{}];", way(edge)).expect(ROOM);
    }
    for (from, to) in sheet.gates() {
        let gate = "style=dotted, arrowhead=none, label=\"gate\"";
        writeln!(text, "    n{at}_{from} -> n{at}_{to} [{gate}];").expect(ROOM);
    }
}

fn attributes(node: &Node) -> String {
    let window = node.window.as_ref().map(|window| lasting(window.within));
    let owned = window.map_or_else(|| node.team.clone(), |window| format!("{} · {window}", node.team));
    let lines = [node.id.clone(), node.detail.clone(), owned, node.marks.join(" ")];
    let lines: Vec<String> = lines.iter().filter(|line| !line.is_empty()).map(|line| escaped(line)).collect();
    let shape = if node.one_way { ", shape=octagon" } else { "" };
    let width = if node.critical { ", penwidth=3" } else { "" };
    format!("label=\"{}\"{shape}{width}", lines.join("\\n"))
}

fn way(edge: &Edge) -> String {
    let mut all = Vec::new();
    let label = match (edge.kind, edge.waits) {
        (Kind::Any, _) => "any".to_owned(),
        (Kind::All, 1) => String::new(),
        (Kind::All, waits) => format!("×{waits}"),
    };
    let label = edge.seen.map_or(label, super::traffic::Seen::told);
    all.push(format!("label=\"{label}\""));
    if edge.is_undeclared() {
        all.push("style=bold, arrowhead=box".to_owned());
    } else if edge.is_silent() {
        all.push("style=dotted".to_owned());
    } else if edge.kind == Kind::Any {
        all.push("style=dashed".to_owned());
    }
    if edge.crosses {
        all.push("color=\"#b35900\", arrowtail=diamond, dir=both".to_owned());
    }
    if edge.critical {
        all.push("penwidth=3".to_owned());
    }
    if edge.back {
        all.push("constraint=false".to_owned());
    }
    all.join(", ")
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", escaped(text))
}

fn escaped(text: &str) -> String {
    let plain = |c: char| match c {
        '"' => "\\\"".to_owned(),
        '\\' => "\\\\".to_owned(),
        c if c.is_control() => " ".to_owned(),
        // Graphviz reads names of characters in texts.
        '&' => "&amp;".to_owned(),
        c => c.to_string(),
    };
    text.chars().map(plain).collect()
}
