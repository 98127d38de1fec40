//! The way through the graph as a small picture: what is done, where it is held up, and what waits.

use pavane_sentinel_engine::diagnosis::{Diagnosis, Layer, Place};

use crate::paint::{BAD, BUSY, GOOD, QUIET, paint};
use crate::picture::{plain, symbol};

/// The widest line, in columns.
const WIDTH: usize = 96;
const ARROW: &str = " ─▶ ";
const MARGIN: &str = "  ";

/// The picture: a line for each stretch of the way, and a mark below where it is held up.
pub(super) fn picture(diagnosis: &Diagnosis) -> String {
    let mut text = String::new();
    let (mut line, mut mark, mut wide) = (String::new(), String::new(), 0);
    for (k, layer) in diagnosis.chain.iter().enumerate() {
        let last = k + 1 == diagnosis.chain.len();
        let cell = cell(layer);
        let width = cell.chars().count() + if last { 0 } else { ARROW.chars().count() };
        if wide > 0 && wide + width > WIDTH {
            finish(&mut text, &mut line, &mut mark);
            wide = 0;
        }
        if is_held_up(layer) && !mark.contains('▲') {
            mark = format!("{}▲ here", " ".repeat(wide));
        }
        line.push_str(&coloured(layer, &cell));
        if !last {
            line.push_str(&paint(QUIET, ARROW));
        }
        wide += width;
    }
    finish(&mut text, &mut line, &mut mark);
    text
}

fn finish(text: &mut String, line: &mut String, mark: &mut String) {
    if !line.is_empty() {
        *text = format!("{text}{MARGIN}{}\n", line.trim_end());
    }
    if !mark.is_empty() {
        *text = format!("{text}{MARGIN}{}\n", paint(BAD, mark));
    }
    line.clear();
    mark.clear();
}

fn cell(layer: &Layer) -> String {
    let step = |place: &Place| format!("{} {}", symbol(place.state), plain(&place.step));
    let steps: Vec<String> = layer.steps.iter().map(step).collect();
    let more = if layer.more > 0 { format!(", {} more", layer.more) } else { String::new() };
    format!("{}{more}", steps.join(", "))
}

fn is_held_up(layer: &Layer) -> bool {
    layer.steps.iter().any(|place| place.part == "missing")
}

fn coloured(layer: &Layer, cell: &str) -> String {
    let part = |wanted: &str| layer.steps.iter().any(|place| place.part == wanted);
    match (part("missing"), part("waiting")) {
        (true, _) => paint(BUSY, cell),
        (false, true) => paint(QUIET, cell),
        (false, false) => paint(GOOD, cell),
    }
}
