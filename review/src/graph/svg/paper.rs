//! The sheet of paper that a picture is drawn on, from the top down.

use super::{INK, SOFT};
use crate::graph::words::wrapped;
use crate::words;

/// What has been drawn, and how far down.
pub(super) struct Paper {
    pub(super) body: String,
    pub(super) width: i64,
    pub(super) y: i64,
}

impl Paper {
    pub(super) fn new() -> Self {
        Self { body: String::new(), width: 760, y: 8 }
    }

    /// Adds a line of SVG.
    pub(super) fn add(&mut self, line: &str) {
        self.body.push_str(line);
        self.body.push('\n');
    }

    /// Writes a text; nothing where it is empty.
    pub(super) fn text(&mut self, x: i64, y: i64, size: u32, bold: bool, colour: &str, text: &str) {
        if text.is_empty() {
            return;
        }
        let weight = if bold { " font-weight=\"bold\"" } else { "" };
        let text = escaped(text);
        self.add(&format!(
            "<text x=\"{x}\" y=\"{y}\" font-size=\"{size}\"{weight} fill=\"{colour}\">{text}</text>"
        ));
    }

    /// Writes a small text that can be read on top of lines.
    pub(super) fn halo(&mut self, x: i64, y: i64, anchor: &str, text: &str) {
        self.add(&format!(
            "<text x=\"{x}\" y=\"{y}\" font-size=\"9\" text-anchor=\"{anchor}\" fill=\"{INK}\" stroke=\"#fff\" \
             stroke-width=\"3\" paint-order=\"stroke\">{}</text>",
            escaped(text)
        ));
    }

    /// Begins a sheet with its name and what is said about it.
    pub(super) fn heading(&mut self, name: &str, lines: &[String]) {
        self.y += 20;
        self.text(16, self.y, 16, true, INK, name);
        for line in lines {
            for line in wrapped(line, 112) {
                self.y += 16;
                self.text(16, self.y, 11, false, SOFT, &line);
            }
        }
        self.y += 6;
    }

    /// Opens a group so far down.
    pub(super) fn open(&mut self, top: i64) {
        self.add(&format!("<g transform=\"translate(0 {top})\">"));
    }

    /// Closes the group, which took so much room.
    pub(super) fn close(&mut self, width: i64, height: i64) {
        self.add("</g>");
        self.width = self.width.max(width);
        self.y += height;
    }
}

/// The colour of a team by its place; colours return after ten, the names do not.
pub(super) fn colour(place: Option<usize>) -> &'static str {
    const COLOURS: [&str; 10] = [
        "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#8c6d00", "#56b4e9", "#7f3c8d", "#a6761d", "#4d4d4d",
        "#e73f74",
    ];
    place.map_or("#8c959f", |place| COLOURS[place % COLOURS.len()])
}

/// The text as it may stand in SVG, in an element as well as in quotes, on one line.
pub(super) fn escaped(text: &str) -> String {
    words::escaped(&text.replace(['\t', '\n', '\r', '\u{2028}', '\u{2029}'], " "))
}
