//! `pavane schemas drift`: what flows on a log against what the files here declare.

use std::path::PathBuf;

use clap::Args;
use pavane_choreography::diagnostic::Code;
use pavane_review::drift;
use pavane_review::report::Report;

use crate::commands::Context;
use crate::commands::check::reading;
use crate::drift::Held;
use crate::failure::{Failure, counted};
use crate::files;
use crate::replay::range::Range;
use crate::sieve::Sieve;

/// Holds what flows on a log against what the files here declare.
///
/// Told are events that nothing declares, events that are written by schemas which are not here, declared events that
/// were never seen, fields that were never filled, and services that move on an event though no choreography and no
/// sidecar file says so. Declared is what the files say, what the rollouts on the log carry as their plans, and, for a
/// live log, what `pavane schemas push` has published.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  pavane schemas drift --domain shop                     the whole log of the domain
  pavane schemas drift --from 2026-01-05 --to 2026-01-12 services/ deploy/
  pavane schemas drift --file shop.jsonl --output json   a file that `pavane replay --export` wrote
  pavane graph --observed --file shop.jsonl              the same as a picture

A finding that is meant passes with a comment beside what it is about, or with --allow; `pavane check --explain \
PAV544` tells what a code means.

Exit codes: 0 nothing differs that must be mended, 1 something does, 2 usage, or nothing is declared here, \
3 a file cannot be read or is not sound, 4 Kafka or the registry cannot be reached.")]
pub struct Drift {
    /// Files and folders that declare: choreographies, sidecar files, schemas.
    #[arg(default_value = ".", value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Which records of which log.
    #[command(flatten)]
    range: Range,
    /// What counts, and in which form it is told.
    #[command(flatten)]
    sieve: Sieve,
}

impl Drift {
    /// Reads, compares and tells.
    pub async fn run(self, context: Context<'_>) -> Result<(), Failure> {
        self.sieve.allowed()?;
        let files = files::read(&self.paths, &[])?;
        files.whole()?;
        let found = reading::read(files);
        let held = Held::read(&self.range, &found.project, context).await?;
        let flow = &held.flow;
        context.console.note(&format!(
            "{} of {} read; {} moved by what stands before them",
            counted(usize::try_from(flow.records).unwrap_or(usize::MAX), "record"),
            flow.log,
            flow.unknown_causes
        ));
        let mut findings = found.defects;
        findings.extend(drift::findings(&found.project, &held.declared, flow));
        let mut findings = self.sieve.sift(findings, &found.texts)?;
        findings.retain(|one| one.code != Code::UselessAllow.as_str());
        let report = Report { findings, texts: found.texts };
        self.sieve.print(&report, None, false, context)?;
        self.sieve.verdict(&report)
    }
}
