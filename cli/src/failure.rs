//! What went wrong, where, and how to mend it: the one error of the command line.

use std::error::Error as StdError;
use std::fmt::Write as _;

use pavane_choreography::diagnostic::Diagnostic;
use serde::Serialize;
use serde_json::{Value, json};

use crate::exit::Exit;
use crate::paint;
pub use pavane_review::words::counted;

/// Why a command did not do what it was asked to do.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub struct Failure {
    /// How the process ends.
    pub exit: Exit,
    what: String,
    help: Option<String>,
    findings: Findings,
    silent: bool,
    #[source]
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// The single defects behind a failure.
#[derive(Debug, Default)]
pub enum Findings {
    /// The failure says it all.
    #[default]
    None,
    /// Defects of a file, each with its line.
    Diagnostics(Vec<Diagnostic>),
    /// Defects of an event's data, each with its JSON pointer.
    Violations(Vec<Violation>),
}

/// One place where an event's data break its contract.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// JSON pointer of the place.
    pub pointer: String,
    /// What is wrong with it.
    pub message: String,
    /// How to mend it; empty when the message says it.
    pub help: String,
}

impl Failure {
    /// A failure with its exit code.
    pub fn new(exit: Exit, what: impl Into<String>) -> Self {
        Self { exit, what: what.into(), help: None, findings: Findings::None, silent: false, source: None }
    }

    /// The command line lacks something, or says what cannot be.
    pub fn usage(what: impl Into<String>) -> Self {
        Self::new(Exit::Usage, what)
    }

    /// Whoever read the output has closed it, as `head` does. Nobody is told.
    pub fn hung_up() -> Self {
        Self { silent: true, ..Self::new(Exit::Interrupted, "nobody reads the output any more") }
    }

    /// Something was found, and standard output says it already: exit code 1, and nobody is told anything more.
    pub fn found() -> Self {
        Self { silent: true, ..Self::new(Exit::Findings, "what was found stands on standard output") }
    }

    /// All that there is to tell stands on standard output already.
    pub fn told(exit: Exit) -> Self {
        Self { silent: true, ..Self::new(exit, "what was found stands on standard output") }
    }

    /// Whether nobody needs to be told.
    pub const fn is_silent(&self) -> bool {
        self.silent
    }

    /// Adds how to mend it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds what lies beneath.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Adds the defects one by one.
    #[must_use]
    pub fn findings(mut self, findings: Findings) -> Self {
        self.findings = findings;
        self
    }

    /// A file has defects: all of them, exit code 3.
    pub fn invalid(file: &str, diagnostics: Vec<Diagnostic>) -> Self {
        let defects = counted(diagnostics.len(), "defect");
        Self::new(Exit::Invalid, format!("{file} has {defects}")).findings(Findings::Diagnostics(diagnostics))
    }

    /// The defects of a file, where that is all that went wrong; else the failure as it is.
    pub fn into_diagnostics(self) -> Result<Vec<Diagnostic>, Self> {
        match self.findings {
            Findings::Diagnostics(all) => Ok(all),
            Findings::None | Findings::Violations(_) => Err(self),
        }
    }

    /// The failure for a terminal: the defects first, then the sum of it, then the way out.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        match &self.findings {
            Findings::None => {}
            Findings::Diagnostics(all) => all.iter().for_each(|one| line(&mut text, &one.to_string())),
            Findings::Violations(all) => all.iter().for_each(|one| line(&mut text, &one.to_text())),
        }
        let bad = paint::BAD;
        line(&mut text, &format!("{bad}error{bad:#}: {}", self.what));
        for cause in self.causes() {
            line(&mut text, &format!("  because: {cause}"));
        }
        if let Some(help) = &self.help {
            line(&mut text, &format!("  help: {help}"));
        }
        text
    }

    /// The failure for a program.
    pub fn to_json(&self) -> Value {
        let mut error = json!({ "exit": self.exit.code(), "message": self.what });
        let causes: Vec<String> = self.causes().collect();
        if !causes.is_empty() {
            error["because"] = json!(causes);
        }
        if let Some(help) = &self.help {
            error["help"] = json!(help);
        }
        match &self.findings {
            Findings::None => {}
            Findings::Diagnostics(all) => error["diagnostics"] = json!(all),
            Findings::Violations(all) => error["violations"] = json!(all),
        }
        json!({ "error": error })
    }

    fn causes(&self) -> impl Iterator<Item = String> {
        let mut next = self.source.as_deref().map(|source| source as &dyn StdError);
        std::iter::from_fn(move || {
            let error = next?;
            next = error.source();
            Some(error.to_string())
        })
    }
}

impl Violation {
    fn to_text(&self) -> String {
        let place = if self.pointer.is_empty() { "/" } else { &self.pointer };
        let help = if self.help.is_empty() { String::new() } else { format!("\n  help: {}", self.help) };
        format!("{place}: {}{help}", self.message)
    }
}

fn line(text: &mut String, line: &str) {
    writeln!(text, "{line}").expect("a string takes all that is written to it");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_says_what_why_and_how_to_mend_it() {
        let failure = Failure::new(Exit::Unreachable, "cannot reach Kafka at nowhere:1")
            .because("connection refused")
            .help("say where Kafka is with --kafka");
        let text = anstream::adapter::strip_str(&failure.to_text()).to_string();
        assert_eq!(
            text,
            "error: cannot reach Kafka at nowhere:1\n  because: connection refused\n  help: say where Kafka is with --kafka\n"
        );
        let json = failure.to_json();
        assert_eq!(json["error"]["exit"], 4);
        assert_eq!(json["error"]["because"][0], "connection refused");
    }

    #[test]
    fn each_violation_stands_with_its_pointer() {
        let violation =
            Violation { pointer: "/took_ms".into(), message: "expected a long".into(), help: String::new() };
        let failure = Failure::new(Exit::Findings, "refused").findings(Findings::Violations(vec![violation]));
        assert!(failure.to_text().starts_with("/took_ms: expected a long\n"));
        assert_eq!(failure.to_json()["error"]["violations"][0]["pointer"], "/took_ms");
    }
}
