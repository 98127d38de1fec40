//! Which findings count and in which form they are told: the same options wherever files are checked.

use std::collections::{BTreeMap, BTreeSet};

use clap::Args;
use pavane_choreography::diagnostic::{Code, Diagnostic};
use pavane_review::check::allowed;
use pavane_review::contracts::Summary;
use pavane_review::report::Report;

use crate::commands::Context;
use crate::commands::check::known;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::form::{Form, Telling};

/// The options of every command that tells findings.
#[derive(Args, Clone, Debug)]
pub struct Sieve {
    /// The form of the findings; the default follows --output.
    #[arg(long, value_enum, value_name = "FORM")]
    format: Option<Form>,
    /// Fail on warnings too.
    #[arg(long)]
    warnings_as_errors: bool,
    /// Let a code pass everywhere; may be given several times.
    #[arg(long, value_name = "CODE")]
    allow: Vec<String>,
    /// Where the pages of the codes lie on the web, for links in SARIF.
    #[arg(long, value_name = "URL")]
    docs_url: Option<String>,
}

impl Sieve {
    /// The codes that are let pass; a usage error for one that there is not, or that says that a file is not read.
    pub fn allowed(&self) -> Result<BTreeSet<&'static str>, Failure> {
        let mut allow = BTreeSet::new();
        for code in &self.allow {
            let code = known(code)?.as_str();
            if !allowed::may_pass(code) && code != Code::UselessAllow.as_str() {
                return Err(Failure::usage(format!(
                    "{code} cannot be allowed: the file is not read as it is meant"
                ))
                .help(format!("see `pavane check --explain {code}`")));
            }
            allow.insert(code);
        }
        Ok(allow)
    }

    /// Takes out what comments in the files let pass, and what an option does.
    pub fn sift(
        &self,
        findings: Vec<Diagnostic>,
        texts: &BTreeMap<String, String>,
    ) -> Result<Vec<Diagnostic>, Failure> {
        let allow = self.allowed()?;
        let mut findings = allowed::apply(findings, texts);
        findings.retain(|finding| !allow.contains(finding.code.as_str()));
        Ok(findings)
    }

    /// Prints the findings in their form. `notes` tells each note in full.
    pub fn print(
        &self,
        report: &Report,
        summary: Option<&Summary>,
        notes: bool,
        context: Context<'_>,
    ) -> Result<(), Failure> {
        let telling = Telling {
            notes: notes || context.console.is_verbose(),
            strict: self.warnings_as_errors,
            docs_url: self.docs_url.as_deref(),
            summary,
        };
        context.console.print(&Form::or_default(self.format, context.console).told(report, telling))
    }

    /// How the command ends: exit code 1 when something must be mended.
    pub fn verdict(&self, report: &Report) -> Result<(), Failure> {
        let count = report.count();
        if count.errors == 0 && !(self.warnings_as_errors && count.warnings > 0) {
            return Ok(());
        }
        Err(Failure::told(Exit::Findings))
    }
}
