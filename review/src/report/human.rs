//! Findings for a terminal: what is wrong, the line it is in, a mark beneath it, and the way out.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use pavane_choreography::diagnostic::{Code, Diagnostic, Severity};

use super::{Report, tame};
use crate::words::counted;

const BOLD: &str = "\x1b[1m";
const DIM: &str = "\x1b[2m";
const RED: &str = "\x1b[1;31m";
const YELLOW: &str = "\x1b[1;33m";
const CYAN: &str = "\x1b[1;36m";
const PLAIN: &str = "\x1b[0m";

/// How much of a long line is shown, in characters.
const WIDEST: usize = 100;

/// How many notes are told one by one before they are told by their codes.
const HANDFUL: usize = 6;

/// How many notes of one code are told where many are.
const MOST: usize = 10;

/// The findings as text: errors and warnings in full, and the notes too if they are wanted so; else in a line each.
/// Colours stand beside words that say the same; whoever prints may strip them.
pub fn human(report: &Report, full_notes: bool) -> String {
    let mut text = String::new();
    let (mut file, mut lines) = ("", Vec::new());
    let is_brief = |finding: &&Diagnostic| finding.severity == Severity::Note && !full_notes;
    let (brief, full): (Vec<&Diagnostic>, Vec<&Diagnostic>) = report.findings.iter().partition(is_brief);
    for finding in full {
        if finding.file != file {
            file = &finding.file;
            lines = report.texts.get(file).map_or(Vec::new(), |text| text.lines().collect());
        }
        text.push_str(&excerpt(finding, &lines));
        text.push('\n');
    }
    if !brief.is_empty() {
        text.push_str(&notes(&brief));
    }
    text.push_str(&sum(report));
    text
}

/// The notes in a line each; by their codes where there are many, and of each code the first ones.
fn notes(notes: &[&Diagnostic]) -> String {
    let many = counted(notes.len(), "note");
    let mut text = format!("{CYAN}{many}{PLAIN}; --notes shows each with its line and what to do\n");
    let at = |note: &Diagnostic| format!("{}:{}:{}", tame(&note.file), note.line, note.column);
    let message = |note: &Diagnostic| tame(&note.message).replace('\n', " ");
    if notes.len() <= HANDFUL {
        text.extend(notes.iter().map(|note| format!("  {} {}: {}\n", at(note), note.code, message(note))));
        return text + "\n";
    }
    let mut codes: BTreeMap<&str, Vec<&Diagnostic>> = BTreeMap::new();
    for note in notes {
        codes.entry(&note.code).or_default().push(note);
    }
    for (code, notes) in codes {
        let meaning = Code::ALL.iter().find(|known| known.as_str() == code).map_or("", |code| code.meaning());
        text = format!("{text}  {CYAN}{code}{PLAIN} {meaning} ({})\n", notes.len());
        text.extend(notes.iter().take(MOST).map(|note| format!("    {}: {}\n", at(note), message(note))));
        if notes.len() > MOST {
            text = format!("{text}    and {} more\n", notes.len() - MOST);
        }
    }
    text + "\n"
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
