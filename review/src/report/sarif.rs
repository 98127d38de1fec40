//! Findings as SARIF 2.1.0, which code scanning takes.

use std::collections::BTreeMap;

use pavane_choreography::diagnostic::{Code, Diagnostic, Severity};
use serde_json::{Value, json};

use super::Report;

/// What SARIF tells beside the findings.
#[derive(Clone, Copy, Debug)]
pub struct Tool<'a> {
    /// The version of this program.
    pub version: &'a str,
    /// Where the pages of the codes lie on the web, `<url>/PAV104.md`; without it a rule is named by a URN, and its
    /// page is in the rule itself.
    pub docs: Option<&'a str>,
    /// The page of a code.
    pub page: fn(Code) -> &'static str,
}

/// One log with one run, pretty-printed. Every code that is found is a rule, with its page.
pub fn sarif(report: &Report, tool: Tool<'_>) -> String {
    let mut rules: BTreeMap<&str, Code> = BTreeMap::new();
    for code in Code::ALL {
        if report.findings.iter().any(|finding| finding.code == code.as_str()) {
            rules.insert(code.as_str(), *code);
        }
    }
    let places: BTreeMap<&str, usize> = rules.keys().enumerate().map(|(at, code)| (*code, at)).collect();
    let results: Vec<Value> = report.findings.iter().map(|finding| result(finding, &places)).collect();
    let rules: Vec<Value> = rules.values().map(|code| rule(*code, tool)).collect();
    let log = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": { "name": "pavane", "version": tool.version, "rules": rules } },
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    });
    format!("{log:#}\n")
}

fn rule(code: Code, tool: Tool<'_>) -> Value {
    let id = code.as_str();
    let docs = tool.docs.map(|url| format!("{}/{id}.md", url.trim_end_matches('/')));
    let page = (tool.page)(code);
    json!({
        "id": id,
        "name": format!("{code:?}"),
        "shortDescription": { "text": code.meaning() },
        "helpUri": docs.unwrap_or_else(|| format!("urn:pavane:code:{id}")),
        "help": { "text": page, "markdown": page },
    })
}

fn result(finding: &Diagnostic, rules: &BTreeMap<&str, usize>) -> Value {
    let help = if finding.help.is_empty() { String::new() } else { format!("\nhelp: {}", finding.help) };
    let level = match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    };
    json!({
        "ruleId": finding.code,
        "ruleIndex": rules.get(finding.code.as_str()).and_then(|at| i64::try_from(*at).ok()).unwrap_or(-1),
        "level": level,
        "message": { "text": format!("{}{help}", finding.message) },
        "locations": [{
            "physicalLocation": {
                "artifactLocation": { "uri": uri(&finding.file) },
                "region": { "startLine": finding.line, "startColumn": finding.column },
            },
        }],
    })
}

/// A path as a URI reference: relative as it is, absolute as a file; whatever a URI cannot hold is escaped.
fn uri(path: &str) -> String {
    let path = path.strip_prefix("./").unwrap_or(path);
    let mut text = if path.starts_with('/') { "file://".to_owned() } else { String::new() };
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            text.push(char::from(byte));
        } else {
            let escape = format!("%{byte:02X}");
            text.push_str(&escape);
        }
    }
    text
}
