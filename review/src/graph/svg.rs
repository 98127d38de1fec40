//! The picture as SVG: one file that needs nothing beside itself, for eyes and for screen readers.
//!
//! Whatever a colour says, a shape or a word says too: the name of the team in its box, dashes and a word for
//! `after_any`, a diamond on the way to another team, cut corners for steps without a way back.

mod legend;
mod paper;

use super::layout::{self, Layout, Measure, Point, Rect};
use super::network::{Edge, Graph, Kind, Node, Sheet};
use super::words::clipped;
use crate::words::counted;
use paper::{Paper, colour, escaped};
use pavane_choreography::yaml::lasting;

const MONO: &str = "font-family=\"'DejaVu Sans Mono', Menlo, Consolas, 'Liberation Mono', monospace\"";
const INK: &str = "#1b1f24";
const SOFT: &str = "#57606a";
const LINE: &str = "#6e7781";
const ACROSS: &str = "#b35900";

/// The graph as SVG.
pub(super) fn text(graph: &Graph) -> String {
    let mut paper = Paper::new();
    for sheet in &graph.sheets {
        draw(&mut paper, graph, sheet);
    }
    legend::draw(&mut paper, graph);
    let (width, height) = (paper.width + 16, paper.y + 16);
    let names: Vec<&str> = graph.sheets.iter().map(|sheet| sheet.name.as_str()).collect();
    let title = escaped(&names.join(", "));
    let describes = escaped(&describes(graph));
    let marks = markers();
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} \
         {height}\" role=\"img\" aria-labelledby=\"title desc\" {MONO} fill=\"{INK}\">\n\
         <title id=\"title\">{title}</title>\n<desc id=\"desc\">{describes}</desc>\n{marks}\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n{}</svg>\n",
        paper.body
    )
}

/// The picture in words, for those who do not see it.
fn describes(graph: &Graph) -> String {
    let nodes: usize = graph.sheets.iter().map(|sheet| sheet.nodes.len()).sum();
    let edges: usize = graph.sheets.iter().map(|sheet| sheet.edges.len()).sum();
    let across = graph.sheets.iter().flat_map(|sheet| &sheet.edges).filter(|edge| edge.crosses).count();
    let mut text =
        format!("{}, {}, {across} of them across teams.", counted(nodes, "node"), counted(edges, "edge"));
    for sheet in &graph.sheets {
        if let Some(critical) = &sheet.critical {
            let legs: Vec<&str> = critical.legs.iter().map(|leg| leg.what.as_str()).collect();
            let (name, total) = (&sheet.name, lasting(critical.total));
            let legs = legs.join(", ");
            text.push_str(
                &[" The critical path of ", name, " takes at most ", &total, ": ", &legs, "."].concat(),
            );
        }
    }
    text
}

fn markers() -> String {
    let arrow = |id: &str, colour: &str, size: u32| {
        format!(
            "<marker id=\"{id}\" viewBox=\"0 0 10 10\" refX=\"9.5\" refY=\"5\" markerWidth=\"{size}\" \
             markerHeight=\"{size}\" markerUnits=\"userSpaceOnUse\" orient=\"auto\"><path d=\"M0 1L10 5L0 9z\" \
             fill=\"{colour}\"/></marker>\n"
        )
    };
    let diamond = format!(
        "<marker id=\"across\" viewBox=\"0 0 12 10\" refX=\"0\" refY=\"5\" markerWidth=\"12\" markerHeight=\"10\" \
         markerUnits=\"userSpaceOnUse\" orient=\"auto\"><path d=\"M0 5L6 1L12 5L6 9z\" fill=\"{ACROSS}\"/></marker>\n"
    );
    let arrows = [arrow("own", LINE, 8), arrow("other", ACROSS, 9), arrow("last", INK, 11)].concat();
    format!("<defs>\n{arrows}{diamond}</defs>\n")
}

fn draw(paper: &mut Paper, graph: &Graph, sheet: &Sheet) {
    paper.heading(&sheet.name, &subtitle(sheet));
    let measure = measure(sheet);
    let layout = layout::lay(sheet, measure);
    let top = paper.y;
    paper.open(top);
    for (at, (band, rect)) in sheet.bands.iter().zip(&layout.bands).enumerate() {
        strip(paper, band, *rect, layout.rightward, at);
    }
    // What matters most is drawn last, and so lies on top.
    let rank = |edge: &Edge| (edge.critical, edge.crosses, edge.kind == Kind::All);
    let mut order: Vec<usize> = (0..sheet.edges.len()).collect();
    order.sort_by_key(|&at| rank(&sheet.edges[at]));
    for at in order {
        way(paper, sheet, at, &layout);
    }
    for (node, rect) in sheet.nodes.iter().zip(&layout.boxes) {
        bubble(paper, graph, node, *rect, measure);
    }
    choices(paper, sheet, &layout);
    observed(paper, sheet, &layout);
    paper.close(layout.width, layout.height);
}

fn subtitle(sheet: &Sheet) -> Vec<String> {
    let mut lines = Vec::new();
    if !sheet.facts.is_empty() {
        lines.push(sheet.facts.join(" · "));
    }
    if let Some(critical) = &sheet.critical {
        let legs: Vec<String> =
            critical.legs.iter().map(|leg| format!("{} {}", leg.what, lasting(leg.lasts))).collect();
        let asked = match critical.approvals {
            0 => String::new(),
            count => format!(" and {}", counted(count, "approval")),
        };
        lines.push(format!("at most {}{asked}: {}", lasting(critical.total), legs.join(" → ")));
    }
    lines
}

/// As large as the longest text asks for, within what can be read on a screen.
fn measure(sheet: &Sheet) -> Measure {
    let chars = |text: &str| i64::try_from(text.chars().count()).unwrap_or(i64::MAX / 100);
    let needs = |node: &Node| {
        let small = [awaited(node), owned(node), node.marks.join(" ")].iter().map(|text| chars(text)).max();
        (chars(&node.id) * 73 / 10 + 34).max(small.unwrap_or(0) * 61 / 10 + 24)
    };
    let width = sheet.nodes.iter().map(needs).max().unwrap_or(0).clamp(124, 214);
    let marked = sheet.nodes.iter().any(|node| !node.marks.is_empty());
    let lines = sheet.bands.iter().map(|band| band.notes.len()).max().unwrap_or(0);
    let head = 24 + 13 * i64::try_from(lines).unwrap_or(0);
    Measure { width, height: if marked { 64 } else { 51 }, head, side: 190 }
}

/// What is awaited, without the service where the box is named after it.
fn awaited(node: &Node) -> String {
    let event = node.detail.strip_prefix(&node.id).and_then(|rest| rest.strip_prefix('.'));
    event.unwrap_or(&node.detail).to_owned()
}

/// What is awaited as far as it fits: where it does not, the service alone stands for its most common event.
fn fitting(awaited: &str, room: usize) -> String {
    let service = awaited.strip_suffix(".DeploymentComplete");
    let short = service.filter(|_| awaited.chars().count() > room);
    clipped(short.unwrap_or(awaited), room)
}

fn owned(node: &Node) -> String {
    let Some(window) = &node.window else {
        return if node.service.is_some() { node.team.clone() } else { String::new() };
    };
    let healthy =
        if window.healthy_for > 0 { format!("+{}", lasting(window.healthy_for)) } else { String::new() };
    format!("{} · {}{healthy}", node.team, lasting(window.within))
}

fn strip(paper: &mut Paper, band: &super::Band, rect: Rect, rightward: bool, at: usize) {
    let fill = if at.is_multiple_of(2) { "#f3f6fa" } else { "#faf6ee" };
    let Rect { x, y, width, height } = rect;
    paper.add(&format!(
        "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" rx=\"6\" fill=\"{fill}\" \
         stroke=\"#d0d7de\"/>"
    ));
    let room = usize::try_from(if rightward { width - 16 } else { 174 }).unwrap_or(0) * 10 / 61;
    paper.text(x + 10, y + 17, 12, true, INK, &clipped(&format!("phase {}", band.id), room * 8 / 10));
    for (line, note) in (1..).zip(&band.notes) {
        paper.text(x + 10, y + 17 + 13 * line, 10, false, SOFT, &clipped(note, room));
    }
}

fn way(paper: &mut Paper, sheet: &Sheet, at: usize, layout: &Layout) {
    let edge = &sheet.edges[at];
    let points = &layout.ways[at];
    let line = path(points, layout.rightward);
    let (colour, end) = match (edge.critical, edge.crosses) {
        (true, _) => (INK, "last"),
        (false, true) => (ACROSS, "other"),
        (false, false) => (LINE, "own"),
    };
    let width = match (edge.critical, edge.crosses) {
        (true, _) => "3",
        (false, true) => "1.7",
        (false, false) => "1.3",
    };
    let start = if edge.crosses { " marker-start=\"url(#across)\"" } else { "" };
    let dashes = match (edge.is_undeclared(), edge.is_silent() || edge.back, edge.kind) {
        (true, _, _) => " stroke-dasharray=\"12 3 2 3\"",
        (false, true, _) => " stroke-dasharray=\"2 3\"",
        (false, false, Kind::Any) => " stroke-dasharray=\"7 4\"",
        (false, false, Kind::All) => "",
    };
    let (from, to) = (&sheet.nodes[edge.from].id, &sheet.nodes[edge.to].id);
    let told = edge.seen.map_or_else(String::new, |seen| format!(" ({})", seen.told()));
    paper.add(&format!(
        "<path d=\"{line}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"{width}\"{dashes}{start} \
         marker-end=\"url(#{end})\"><title>{} waits for {}{told}</title></path>",
        escaped(to),
        escaped(from)
    ));
}

/// How often each way was seen, beside its end; the words stand in its title and in the legend.
fn observed(paper: &mut Paper, sheet: &Sheet, layout: &Layout) {
    for (edge, points) in sheet.edges.iter().zip(&layout.ways) {
        let (Some(seen), Some(last)) = (edge.seen, points.last()) else { continue };
        let told = match (seen.declared, seen.undeclared) {
            (false, _) => format!("!! {}×", seen.times),
            (true, 0) => format!("{}×", seen.times),
            (true, undeclared) => format!("{}× (!! {undeclared})", seen.times),
        };
        let (x, y) = if layout.rightward { (last.x - 12, last.y - 5) } else { (last.x - 6, last.y - 12) };
        paper.halo(x, y, "end", &told);
    }
}

/// The way as a path: a bend between two turns, then straight through the next one.
fn path(points: &[Point], rightward: bool) -> String {
    let first = points.first().map(|first| format!("M{} {}", first.x, first.y));
    let legs = points.windows(2).enumerate().map(|(place, pair)| {
        let (from, Point { x, y }) = (pair[0], pair[1]);
        let (half_x, half_y) = (i64::midpoint(from.x, x), i64::midpoint(from.y, y));
        match (place.is_multiple_of(2), rightward) {
            (false, _) => format!("L{x} {y}"),
            (true, _) if from.x == x || from.y == y => format!("L{x} {y}"),
            (true, true) => format!("C{half_x} {} {half_x} {y} {x} {y}", from.y),
            (true, false) => format!("C{} {half_y} {x} {half_y} {x} {y}", from.x),
        }
    });
    first.into_iter().chain(legs).collect()
}

/// A box with its texts. Cut corners say that there is no way back, a thick border that it is critical.
fn bubble(paper: &mut Paper, graph: &Graph, node: &Node, rect: Rect, measure: Measure) {
    let Rect { x, y, width, height } = rect;
    let border = if node.critical { (INK, "2.6") } else { (LINE, "1.2") };
    let (stroke, thick) = border;
    let title =
        [&node.id, &node.detail, &node.team, &node.marks.join(", ")].map(|text| escaped(text)).join(" · ");
    let runbook =
        node.runbook.as_ref().map_or_else(String::new, |url| format!(" · runbook {}", escaped(url)));
    paper.add(&format!("<g><title>{title}{runbook}</title>"));
    let (r, b) = (x + width, y + height);
    paper.add(&if node.one_way {
        let (x1, y1, r1, b1) = (x + 10, y + 10, r - 10, b - 10);
        format!(
            "<path d=\"M{x1} {y}H{r1}L{r} {y1}V{b1}L{r1} {b}H{x1}L{x} {b1}V{y1}z\" fill=\"#fff\" \
             stroke=\"{stroke}\" stroke-width=\"{thick}\"/>"
        )
    } else {
        format!(
            "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" rx=\"5\" fill=\"#fff\" \
             stroke=\"{stroke}\" stroke-width=\"{thick}\"/>"
        )
    });
    let place = graph.teams.iter().position(|team| team.name == node.team);
    let colour = colour(place);
    paper.add(&format!(
        "<rect x=\"{}\" y=\"{}\" width=\"5\" height=\"{}\" fill=\"{colour}\"/>",
        x + 5,
        y + 11,
        height - 22
    ));
    let room = usize::try_from(measure.width - 22).unwrap_or(0);
    let left = x + 16;
    paper.text(left, y + 18, 12, true, INK, &clipped(&node.id, (room - 12) * 10 / 73));
    if node.critical {
        let (cx, cy) = (r - 12, y + 14);
        paper.add(&format!(
            "<path d=\"M{cx} {}L{} {cy}L{cx} {}L{} {cy}z\" fill=\"{INK}\"/>",
            cy - 5,
            cx + 5,
            cy + 5,
            cx - 5
        ));
    }
    paper.text(left, y + 31, 10, false, SOFT, &fitting(&awaited(node), room * 10 / 61));
    paper.text(left, y + 44, 10, false, INK, &clipped(&owned(node), room * 10 / 61));
    paper.text(left, y + 57, 10, false, SOFT, &clipped(&node.marks.join(" "), room * 10 / 61));
    paper.add("</g>");
}

/// The word beside the ways of which one is enough.
fn choices(paper: &mut Paper, sheet: &Sheet, layout: &Layout) {
    for (to, rect) in layout.boxes.iter().enumerate() {
        let any = |&(_, edge): &(usize, &Edge)| edge.to == to && edge.kind == Kind::Any && !edge.back;
        let ends: Vec<Point> = sheet
            .edges
            .iter()
            .enumerate()
            .filter(any)
            .filter_map(|(at, _)| layout.ways[at].last().copied())
            .collect();
        let Some(first) = ends.iter().min() else { continue };
        let word = if ends.len() == 1 { "any".to_owned() } else { format!("any of {}", ends.len()) };
        if layout.rightward {
            let y = ends.iter().map(|end| end.y).min().unwrap_or(first.y);
            paper.halo(rect.x - 10, y - 5, "end", &word);
        } else {
            paper.halo(first.x - 6, rect.y - 8, "end", &word);
        }
    }
}
