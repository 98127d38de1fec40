//! Findings as Markdown: the summary of a run beside a pull request, with what changed and what that touches.

use pavane_choreography::diagnostic::{Diagnostic, Severity};

use super::{Report, tame};
use crate::contracts::Summary;
use crate::words::counted;

/// The most that is told, in bytes: the services that show it take a mebibyte.
const MOST: usize = 900_000;

/// A heading, the findings as a table with the worst first, the changes as differences, and the picture.
pub fn markdown(title: &str, report: &Report, summary: Option<&Summary>) -> String {
    let mut text = format!("## {title}\n\n{}\n\n", sum(report));
    let findings = report.worst_first();
    if !findings.is_empty() {
        text.push_str("| | where | what | what to do |\n|---|---|---|---|\n");
    }
    for (told, finding) in findings.iter().enumerate() {
        if text.len() > MOST {
            text = format!("{text}\nand {} more\n", findings.len() - told);
            break;
        }
        text.push_str(&row(finding));
    }
    if let Some(summary) = summary {
        text.push_str(&changes(summary, MOST.saturating_sub(text.len())));
    }
    text
}

fn sum(report: &Report) -> String {
    let told = report.count().told();
    let files = counted(report.texts.len(), "file");
    if told.is_empty() {
        format!("{files} checked, nothing found.")
    } else {
        format!("{files} checked: **{told}**.")
    }
}

fn row(finding: &Diagnostic) -> String {
    let sign = match finding.severity {
        Severity::Error => "❌ error",
        Severity::Warning => "⚠️ warning",
        Severity::Note => "ℹ️ note",
    };
    let Diagnostic { code, file, line, message, help, .. } = finding;
    format!("| {sign} {} | {}:{line} | {} | {} |\n", cell(code), cell(file), cell(message), cell(help))
}

fn changes(summary: &Summary, room: usize) -> String {
    let mut text = String::new();
    if !summary.changes.is_empty() {
        text.push_str("\n### What changes\n");
    }
    for (file, lines) in &summary.changes {
        text = format!("{text}\n{}\n```diff\n", cell(file));
        for line in lines {
            text.push_str(&tame(line).replace("```", "'''"));
            text.push('\n');
        }
        text.push_str("```\n");
    }
    if let Some(graph) = &summary.graph {
        text = format!("{text}\n### What waits for it\n\n```mermaid\n{graph}```\n");
    }
    if text.len() > room { "\nThe changes are too many to be shown here.\n".to_owned() } else { text }
}

/// A text that stays in its cell and means nothing: no HTML, no link, no image, no mention.
fn cell(text: &str) -> String {
    let mut cell = String::new();
    for c in tame(text).replace('\n', " ").chars() {
        match c {
            '<' => cell.push_str("&lt;"),
            '>' => cell.push_str("&gt;"),
            '&' => cell.push_str("&amp;"),
            '@' => cell.push_str("&#64;"),
            '|' | '\\' | '[' | ']' | '*' | '_' | '`' | '!' | '#' | '~' => {
                cell.push('\\');
                cell.push(c);
            }
            c => cell.push(c),
        }
    }
    cell
}
