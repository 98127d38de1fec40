//! Findings for a terminal: what is wrong, the line it is in, a mark beneath it, and the way out.

use std::fmt::Write as _;

use pavane_choreography::diagnostic::{Diagnostic, Severity};

use super::{Report, counted, tame};

const BOLD: &str = "\x1b[1m";
const DIM: &str = "\x1b[2m";
const RED: &str = "\x1b[1;31m";
const YELLOW: &str = "\x1b[1;33m";
const CYAN: &str = "\x1b[1;36m";
const PLAIN: &str = "\x1b[0m";

/// How much of a long line is shown, in characters.
const WIDEST: usize = 100;

/// The findings as text. Colours stand beside words that say the same; whoever prints may strip them.
pub fn human(report: &Report) -> String {
    let mut text = String::new();
    let (mut file, mut lines) = ("", Vec::new());
    for finding in &report.findings {
        if finding.file != file {
            file = &finding.file;
            lines = report.texts.get(file).map_or(Vec::new(), |text| text.lines().collect());
        }
        text.push_str(&excerpt(finding, &lines));
        text.push('\n');
    }
    text.push_str(&sum(report));
    text
}

fn excerpt(finding: &Diagnostic, lines: &[&str]) -> String {
    let Diagnostic { code, severity, file, line, column, message, help } = finding;
    let colour = match severity {
        Severity::Error => RED,
        Severity::Warning => YELLOW,
        Severity::Note => CYAN,
    };
    let word = severity.as_str();
    let mut text =
        format!("{colour}{word}[{code}]{PLAIN}{BOLD}: {}{PLAIN}\n", tame(message).replace('\n', " "));
    let margin = " ".repeat(line.to_string().len());
    let put = |text: &mut String, line: &str| {
        writeln!(text, "{line}").expect("a string takes all that is written to it");
    };
    put(&mut text, &format!("{margin}{DIM}-->{PLAIN} {}:{line}:{column}", tame(file)));
    let (at, before) = (*line as usize, (*column as usize).saturating_sub(1));
    if let Some(source) = lines.get(at.saturating_sub(1)).filter(|line| !line.trim().is_empty()) {
        let (shown, indent, width) = window(source, before);
        put(&mut text, &format!("{margin} {DIM}|{PLAIN}"));
        put(&mut text, &format!("{DIM}{line} |{PLAIN} {shown}"));
        let mark = "^".repeat(width);
        put(&mut text, &format!("{margin} {DIM}|{PLAIN} {}{colour}{mark}{PLAIN}", " ".repeat(indent)));
    }
    if !help.is_empty() {
        put(&mut text, &format!("{margin} {DIM}={PLAIN} help: {}", tame(help).replace('\n', " ")));
    }
    text
}

/// The part of a line that is shown, how far in the mark begins, and how wide it is: as wide as the word there.
fn window(line: &str, before: usize) -> (String, usize, usize) {
    let line = line.strip_prefix('\u{feff}').unwrap_or(line);
    let shown: Vec<char> = tame(&line.replace('\t', " ")).chars().collect();
    let before = before.min(shown.len());
    let from = if before > WIDEST * 3 / 4 { before - WIDEST / 2 } else { 0 };
    let to = shown.len().min(from + WIDEST);
    let word = |text: &[char]| match text.first() {
        Some(quote @ ('"' | '\'')) => text[1..].iter().position(|c| c == quote).map_or(1, |at| at + 2),
        Some(_) => text.iter().position(|c| c.is_whitespace() || ",]}".contains(*c)).unwrap_or(text.len()),
        None => 1,
    };
    let width = word(&shown[before..to.max(before)]).max(1);
    let (left, right) = (if from > 0 { "…" } else { "" }, if to < shown.len() { "…" } else { "" });
    let text: String = shown[from..to].iter().collect();
    (format!("{left}{text}{right}"), before - from + left.chars().count(), width)
}

fn sum(report: &Report) -> String {
    let files = counted(report.texts.len(), "file");
    let count = report.count();
    let told = count.told();
    match (told.is_empty(), count.errors, count.warnings) {
        (true, _, _) => format!("{files} checked, nothing found\n"),
        (false, 0, 0) => format!("{files} checked: {CYAN}{told}{PLAIN}\n"),
        (false, 0, _) => format!("{files} checked: {YELLOW}{told}{PLAIN}\n"),
        (false, _, _) => format!("{files} checked: {RED}{told}{PLAIN}\n"),
    }
}
