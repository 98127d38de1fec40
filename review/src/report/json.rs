//! Findings for a program: one object, whose fields keep their meaning.

use serde_json::json;

use super::Report;

/// One JSON object on one line: `findings`, each with `code`, `severity`, `file`, `line`, `column`, `message` and
/// `help`; and `summary` with `files`, `errors`, `warnings` and `notes`.
pub fn json(report: &Report) -> String {
    let count = report.count();
    let summary = json!({
        "files": report.texts.len(),
        "errors": count.errors,
        "warnings": count.warnings,
        "notes": count.notes,
    });
    format!("{}\n", json!({ "findings": report.findings, "summary": summary }))
}
