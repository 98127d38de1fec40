//! Findings as a code quality report: GitLab shows each in the merge request that brings it.

use pavane_choreography::diagnostic::{Diagnostic, Severity};
use pavane_events::identity::sha256_hex;
use serde_json::{Value, json};

use super::{Report, tame};

/// One JSON list. A finding keeps its fingerprint when lines move above it, so that only new ones are told.
pub fn gitlab(report: &Report) -> String {
    let mut seen = std::collections::BTreeMap::new();
    let entries: Vec<Value> = report
        .findings
        .iter()
        .map(|finding| {
            let what = format!("{}\n{}\n{}", finding.code, finding.file, finding.message);
            let again: &mut usize = seen.entry(what.clone()).or_default();
            *again += 1;
            entry(finding, &sha256_hex(&format!("{what}\n{again}")))
        })
        .collect();
    format!("{:#}\n", Value::Array(entries))
}

fn entry(finding: &Diagnostic, fingerprint: &str) -> Value {
    let severity = match finding.severity {
        Severity::Error => "critical",
        Severity::Warning => "minor",
        Severity::Note => "info",
    };
    let help = if finding.help.is_empty() { String::new() } else { format!(" ({})", finding.help) };
    json!({
        "description": tame(&format!("{}{help}", finding.message)).replace('\n', " "),
        "check_name": finding.code,
        "fingerprint": fingerprint,
        "severity": severity,
        "location": { "path": finding.file, "lines": { "begin": finding.line } },
    })
}
