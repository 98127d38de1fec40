//! Findings as people and programs read them.
//!
//! | room | who reads it |
//! |---|---|
//! | [`human`] | a person at a terminal: the line, and where in it |
//! | [`json`] | a program of one's own |
//! | [`github`] | a pull request on GitHub, through the log of a workflow |
//! | [`sarif`] | code scanning: SARIF 2.1.0 |
//! | [`gitlab`] | a merge request on GitLab: its code quality report |
//! | [`markdown`] | a person beside a pull request, with what changed |
//! | [`junit`] | whatever shows test results: one case a file |

pub mod github;
pub mod gitlab;
pub mod human;
pub mod json;
pub mod junit;
pub mod markdown;
pub mod sarif;

use std::collections::BTreeMap;

use pavane_choreography::diagnostic::{Code, Diagnostic, Severity};

use crate::words::counted;

/// What was read, and what was found in it.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// The findings in the order in which they are told.
    pub findings: Vec<Diagnostic>,
    /// Every file that was read, with its text.
    pub texts: BTreeMap<String, String>,
}

/// How much was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Files that cannot be used.
    pub errors: usize,
    /// What someone should look at.
    pub warnings: usize,
    /// What is worth knowing.
    pub notes: usize,
}

impl Report {
    /// How much was found.
    pub fn count(&self) -> Count {
        count(self.findings.iter())
    }

    /// The findings with the worst first, and of those alike who breaks before what differs: where only some are shown,
    /// it is the names that count.
    fn worst_first(&self) -> Vec<&Diagnostic> {
        let mut findings: Vec<&Diagnostic> = self.findings.iter().collect();
        let names_nobody = |finding: &Diagnostic| finding.code != Code::ConsumerBreaks.as_str();
        findings.sort_by_key(|finding| (finding.severity, names_nobody(finding)));
        findings
    }

    /// The findings of each file that was read, or that has one.
    fn by_file(&self) -> BTreeMap<&str, Vec<&Diagnostic>> {
        let mut files: BTreeMap<&str, Vec<&Diagnostic>> =
            self.texts.keys().map(|file| (file.as_str(), Vec::new())).collect();
        for finding in &self.findings {
            files.entry(&finding.file).or_default().push(finding);
        }
        files
    }
}

fn count<'a>(findings: impl Iterator<Item = &'a Diagnostic>) -> Count {
    let mut count = Count::default();
    for finding in findings {
        match finding.severity {
            Severity::Error => count.errors += 1,
            Severity::Warning => count.warnings += 1,
            Severity::Note => count.notes += 1,
        }
    }
    count
}

impl Count {
    /// The numbers with their nouns; empty when nothing was found.
    pub fn told(self) -> String {
        let parts = [(self.errors, "error"), (self.warnings, "warning"), (self.notes, "note")];
        let parts = parts.into_iter().filter(|(number, _)| *number > 0);
        parts.map(|(number, noun)| counted(number, noun)).collect::<Vec<_>>().join(", ")
    }
}

/// A text without characters that a terminal would obey.
fn tame(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests;
