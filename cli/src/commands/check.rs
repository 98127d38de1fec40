//! `pavane check`: everything that is wrong with choreographies and the files beside them, before anything moves.

pub(crate) mod pages;
pub(crate) mod reading;

use std::path::PathBuf;

use clap::Args;
use pavane_choreography::diagnostic::Code;
use pavane_review::check;
use pavane_review::report::Report;

use crate::commands::Context;
use crate::failure::Failure;
use crate::files;
use crate::sieve::Sieve;

/// Finds what is wrong with choreographies, sidecar files and sentinel files, each and together.
///
/// Reads files and folders; folders with all that lies in them, but for links, what is hidden, `target`,
/// `node_modules`, and what a `.pavaneignore` takes out. Every defect is told in one run, with file, line, column, code
/// and remedy; notes in a line each. Needs neither Kafka nor a registry.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  pavane check                                      all files here and below
  pavane check deploy/ services/*/sidecar.yaml
  pavane check --format sarif > pavane.sarif        for code scanning
  pavane check --notes                              what is worth knowing, in full
  pavane check --explain PAV104                     what a code means and what to do

Read are choreographies with their tests, scenarios, sidecar files, sentinel files, and \
schemas/services/<service>/<Event>.avsc.
Other files are left alone; one that is named here must be one of these. A .pavaneignore in a folder \
takes out what must not be read there or below, a rule a line: `old.yaml`, `*/tests/`, `/a/**/b-*.yaml`.

A finding other than an error in the file itself passes with a comment in its line, or above it:
  within: 5s   # pavane: allow PAV421: the hook is quicker than it may be

Exit codes: 0 nothing must be mended, 1 something must, 2 usage, or nothing to check, \
3 a file or folder cannot be read.")]
pub struct Check {
    /// Files and folders.
    #[arg(default_value = ".", value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// What counts, and in which form it is told.
    #[command(flatten)]
    sieve: Sieve,
    /// Show each note in full, with its line and what to do; so does -v.
    #[arg(long)]
    notes: bool,
    /// Leave a file or a folder out; may be given several times.
    #[arg(long, value_name = "PATH")]
    exclude: Vec<PathBuf>,
    /// Tell what a code means and what to do about it, and check nothing.
    #[arg(long, value_name = "CODE", conflicts_with_all = ["paths", "format", "allow", "exclude", "warnings_as_errors"])]
    explain: Option<String>,
}

impl Check {
    /// Reads, checks and tells.
    pub fn run(self, context: Context<'_>) -> Result<(), Failure> {
        if let Some(code) = &self.explain {
            return context.console.print(pages::page(known(code)?));
        }
        self.sieve.allowed()?;
        let files = files::read(&self.paths, &self.exclude)?;
        let unread = files.whole();
        let found = reading::read(files);
        if unread.is_ok() && found.texts.is_empty() && found.defects.is_empty() {
            return Err(Failure::usage("there is nothing to check here: no file is one of ours")
                .help("name the files or folders that hold choreographies"));
        }
        let mut findings = found.defects;
        findings.extend(check::check(&found.project));
        let findings = self.sieve.sift(findings, &found.texts)?;
        let report = Report { findings, texts: found.texts };
        self.sieve.print(&report, None, self.notes, context)?;
        unread?;
        self.sieve.verdict(&report)
    }
}

/// The code with this name, in any case.
pub(crate) fn known(name: &str) -> Result<Code, Failure> {
    let code = Code::ALL.iter().find(|code| code.as_str().eq_ignore_ascii_case(name));
    code.copied().ok_or_else(|| {
        Failure::usage(format!("there is no code {name:?}")).help("codes stand in the findings, e.g. PAV104")
    })
}
