//! What the signs mean, which team has which colour, and who must talk to whom.

use super::paper::{Paper, colour};
use super::{ACROSS, INK, LINE, SOFT};
use crate::graph::listing::because;
use crate::graph::network::{By, Graph, Kind};
use crate::graph::words::clipped;
use crate::words::counted;

/// The most pairs of teams that are written beneath a picture; the listing has all of them.
const MOST_TALKS: usize = 60;

/// So many pairs stand in one column, each with the whole width to itself.
const FEW_TALKS: usize = 8;

/// Draws the legend beneath the pictures.
pub(super) fn draw(paper: &mut Paper, graph: &Graph) {
    paper.y += 18;
    let y = paper.y;
    paper.add(&format!("<path d=\"M16 {} H{}\" stroke=\"#d0d7de\"/>", y - 12, paper.width - 16));
    signs(paper, graph);
    teams(paper, graph);
    talks(paper, graph);
}

fn signs(paper: &mut Paper, graph: &Graph) {
    let edges = || graph.sheets.iter().flat_map(|sheet| &sheet.edges);
    let sample = |style: &str| format!("<path d=\"M0 0H34\" fill=\"none\" {style}/>");
    let line = |colour: &str, width: &str, rest: &str| {
        sample(&format!("stroke=\"{colour}\" stroke-width=\"{width}\" {rest}"))
    };
    let shape = |path: &str, width: &str| {
        format!("<path d=\"{path}\" fill=\"#fff\" stroke=\"{INK}\" stroke-width=\"{width}\"/>")
    };
    let mut rows = vec![(line(LINE, "1.3", "marker-end=\"url(#own)\""), "waits for (all of these)")];
    if edges().any(|edge| edge.kind == Kind::Any) {
        rows.push((
            line(LINE, "1.3", "stroke-dasharray=\"7 4\" marker-end=\"url(#own)\""),
            "waits for any one of these",
        ));
    }
    if edges().any(|edge| edge.crosses) {
        let across = "marker-start=\"url(#across)\" marker-end=\"url(#other)\"";
        rows.push((line(ACROSS, "1.7", across), "waits across teams"));
    }
    if edges().any(|edge| edge.seen.is_some()) {
        let line = |dashes: &str| {
            line(LINE, "1.3", &format!("stroke-dasharray=\"{dashes}\" marker-end=\"url(#own)\""))
        };
        rows.push((line("12 3 2 3"), "!! declared nowhere; n×: seen so often"));
        rows.push((line("2 3"), "0×: declared, never seen on the log"));
    }
    if edges().any(|edge| edge.back) {
        rows.push((
            line(LINE, "1.3", "stroke-dasharray=\"2 3\" marker-end=\"url(#own)\""),
            "waits the other way as well",
        ));
    }
    if graph.by == By::Step {
        rows.push((
            line(INK, "3", "marker-end=\"url(#last)\"") + "<path d=\"M17 -5L22 0L17 5L12 0z\"/>",
            "critical path",
        ));
    }
    if graph.sheets.iter().flat_map(|sheet| &sheet.nodes).any(|node| node.one_way) {
        rows.push((shape("M5 -8H29L34 -3V3L29 8H5L0 3V-3z", "1.2"), "one way: never asked back"));
    }
    if graph.sheets.iter().any(|sheet| !sheet.bands.is_empty()) {
        let phase =
            "<rect y=\"-8\" width=\"34\" height=\"16\" rx=\"3\" fill=\"#f3f6fa\" stroke=\"#d0d7de\"/>";
        rows.push((phase.to_owned(), "phase: begins when the one before is complete"));
    }
    let columns = if paper.width >= 1_100 { 3 } else { 2 };
    let wide = (paper.width - 32) / columns;
    let mut column = 0;
    for (drawn, says) in rows {
        let (x, y) = (16 + column * wide, paper.y + 6);
        paper.add(&format!("<g transform=\"translate({x} {y})\">{drawn}</g>"));
        paper.text(x + 46, y + 4, 10, false, INK, says);
        column = (column + 1) % columns;
        paper.y += if column == 0 { 20 } else { 0 };
    }
    paper.y += if column == 0 { 6 } else { 26 };
}

fn teams(paper: &mut Paper, graph: &Graph) {
    paper.y += 12;
    paper.text(16, paper.y, 11, true, INK, "Teams");
    let mut x = 16;
    paper.y += 18;
    for (place, team) in graph.teams.iter().enumerate() {
        let says = format!("{} ({})", clipped(&team.name, 40), counted(team.steps, "step"));
        let wide = i64::try_from(says.chars().count()).unwrap_or(50) * 61 / 10 + 30;
        if x > 16 && x + wide > paper.width {
            (x, paper.y) = (16, paper.y + 18);
        }
        let (top, fill) = (paper.y - 9, colour(Some(place)));
        paper.add(&format!("<rect x=\"{x}\" y=\"{top}\" width=\"10\" height=\"10\" fill=\"{fill}\"/>"));
        paper.text(x + 15, paper.y, 10, false, INK, &says);
        x += wide;
    }
    paper.y += 8;
}

fn talks(paper: &mut Paper, graph: &Graph) {
    if graph.talks.is_empty() {
        return;
    }
    paper.y += 18;
    paper.text(16, paper.y, 11, true, INK, "Who must talk to whom (the first is waited for by the second)");
    let columns = if graph.talks.len() <= FEW_TALKS { 1 } else { (paper.width / 620).clamp(1, 3) };
    let wide = (paper.width - 32) / columns;
    let room = usize::try_from((wide - 16) * 10 / 61).unwrap_or(100);
    let shown = graph.talks.len().min(MOST_TALKS);
    let rows = shown.div_ceil(usize::try_from(columns).unwrap_or(1)).max(1);
    for (column, talks) in (0..).zip(graph.talks[..shown].chunks(rows)) {
        for (row, talk) in (1..).zip(talks) {
            let says = format!("{} → {}: {}", talk.from, talk.to, because(talk).join("; "));
            let (x, y) = (16 + column * wide, paper.y + 15 * row);
            paper.text(x, y, 10, false, INK, &clipped(&says, room));
        }
    }
    paper.y += 15 * i64::try_from(rows).unwrap_or(0);
    let rest = graph.talks.len().saturating_sub(MOST_TALKS);
    if rest > 0 {
        paper.y += 15;
        let says = format!("and {} more; `--format text` lists all", counted(rest, "pair"));
        paper.text(16, paper.y, 10, false, SOFT, &says);
    }
}
