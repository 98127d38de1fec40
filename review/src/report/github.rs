//! Findings as workflow commands: GitHub shows each beside its line.

use pavane_choreography::diagnostic::Severity;

use super::{Report, tame};

/// One command a line, the worst first: no more than ten of a kind are shown of a step. Values are escaped so that no text of a file becomes a command or a property of its own.
pub fn github(report: &Report) -> String {
    let mut text = String::new();
    for finding in report.worst_first() {
        let command = match finding.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "notice",
        };
        let (file, code) = (property(&finding.file), property(&finding.code));
        let (line, column) = (finding.line, finding.column);
        let help = if finding.help.is_empty() { String::new() } else { format!("\nhelp: {}", finding.help) };
        let message = data(&format!("{}{help}", finding.message));
        let line = format!("::{command} file={file},line={line},col={column},title={code}::{message}\n");
        text.push_str(&line);
    }
    text
}

/// A text as the message of a command.
fn data(text: &str) -> String {
    tame(&text.replace('\r', "")).replace('%', "%25").replace('\n', "%0A")
}

/// A text as the value of a property.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
