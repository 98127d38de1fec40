//! `pavane schemas check`: what a change of schemas breaks, and whom, before it is merged.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::Args;
use pavane_bus::Registry;
use pavane_choreography::diagnostic::Code;
use pavane_contracts::{Mode, Schema};
use pavane_review::check;
use pavane_review::contracts::Offered;
use pavane_review::report::Report;

use crate::commands::Context;
use crate::commands::check::reading;
use crate::contracts::git::Checkout;
use crate::contracts::{Earlier, judge};
use crate::failure::Failure;
use crate::sieve::Sieve;
use crate::{files, outage};

/// Says what a change of schemas breaks, which services of which teams, and in what order to roll it out.
///
/// Compares the schemas here with those of the commit in which this checkout and the base part, offline; and with every
/// version in the registry, if one is named with --registry. Who reads an event is known from the sidecar files
/// (`consumes`, and what they react to), who waits for it from the choreographies of the checkout.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  pavane schemas check                              all schemas/ folders of this checkout
  pavane schemas check --base origin/main --format github
  pavane schemas check --registry http://registry:8080/apis/ccompat/v7
  pavane schemas check --mode backward-transitive schemas/orders
  pavane schemas check --format markdown >> \"$GITHUB_STEP_SUMMARY\"

Without --base it is the first that Git knows of origin/HEAD, origin/main, origin/master, main, master; else the \
last commit. `pavane check --explain PAV530` tells what a code means.

Exit codes: 0 nothing breaks, 1 something does, 2 usage, or no schema here, 3 a file, the base or Git cannot \
be read, 4 the registry cannot be reached.")]
pub struct Check {
    /// Schemas, and folders with schemas; all folders `schemas` of the checkout when none is named.
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// The revision that the change will be merged into.
    #[arg(long, value_name = "REVISION")]
    base: Option<String>,
    /// Which versions must read which: none, backward, forward, full, each with -transitive for every version.
    #[arg(long, value_name = "LEVEL", default_value = "full-transitive", value_parser = level)]
    mode: Mode,
    /// What counts, and in which form it is told.
    #[command(flatten)]
    sieve: Sieve,
}

impl Check {
    /// Reads, compares and tells.
    pub async fn run(self, context: Context<'_>) -> Result<(), Failure> {
        self.sieve.allowed()?;
        let checkout = Checkout::around(Path::new("."));
        let (found, scope) = self.read(checkout.as_ref())?;
        if found.project.offered.is_empty() && self.base.is_none() {
            return Err(Failure::usage("there is no schema here")
                .help("put schemas into schemas/services/<service>/<Event>.avsc, or name the files"));
        }
        let mut earlier = Earlier::default();
        if let Some(url) = &context.connection.registry {
            self.add_registry(&mut earlier, url, context, &found.project.offered).await?;
        }
        if let Some(checkout) = &checkout {
            self.add_base(&mut earlier, checkout, &scope)?;
        } else if self.base.is_some() {
            return Err(Failure::usage("--base was given, and this is no checkout of Git")
                .help("run it inside the checkout, with `git` on the PATH"));
        }
        let top = checkout.as_ref().map_or(Path::new("."), |checkout| &checkout.top);
        let judged = judge(&found.project, &earlier, self.mode, |file| top.join(file).exists());
        let ours: BTreeSet<&str> = found.project.offered.iter().map(|one| one.file.as_str()).collect();
        let mut findings: Vec<_> = found.defects;
        let general = check::check(&found.project).into_iter();
        findings
            .extend(general.filter(|one| ours.contains(one.file.as_str()) || one.code.as_str() >= "PAV500"));
        findings.extend(judged.findings);
        check::sort(&mut findings);
        let mut findings = self.sieve.sift(findings, &found.texts)?;
        findings.retain(|one| one.code != Code::UselessAllow.as_str());
        let texts = found.texts.into_iter().filter(|(file, _)| ours.contains(file.as_str()));
        let report = Report { findings, texts: texts.collect() };
        self.sieve.print(&report, Some(&judged.summary), false, context)?;
        self.sieve.verdict(&report)
    }

    /// The schemas, and who stands around them; names are from the outermost folder of the checkout. Also the paths
    /// that were named, from there.
    fn read(&self, checkout: Option<&Checkout>) -> Result<(reading::Found, Vec<String>), Failure> {
        let top = checkout.map_or_else(|| PathBuf::from("."), |checkout| checkout.top.clone());
        let from_top = |name: &str| {
            let whole = std::fs::canonicalize(name).unwrap_or_else(|_| PathBuf::from(name));
            whole
                .strip_prefix(&top)
                .map_or_else(|_| name.to_owned(), |rest| rest.to_string_lossy().into_owned())
        };
        let mut all = files::read(std::slice::from_ref(&top), &[])?;
        let is_schema = |path: &Path| path.extension().is_some_and(|end| end == "avsc");
        let mut scope = Vec::new();
        if self.paths.is_empty() {
            all.read.retain(|file| !is_schema(&file.path) || in_schemas(&from_top(&file.name)));
        } else {
            all.read.retain(|file| !is_schema(&file.path));
            let mut named = files::read(&self.paths, &[])?;
            named.whole()?;
            named.read.retain(|file| is_schema(&file.path));
            all.read.append(&mut named.read);
            all.garbled.append(&mut named.garbled);
            scope = self.paths.iter().map(|path| from_top(&path.to_string_lossy())).collect();
        }
        for file in &mut all.read {
            file.name = from_top(&file.name);
            file.named = false;
        }
        let plain: Vec<(String, String)> = all
            .read
            .iter()
            .filter(|file| is_schema(&file.path) && !matches!(file.kind, files::Kind::Schema { .. }))
            .map(|file| (file.name.clone(), file.text.clone()))
            .collect();
        all.unread.clear();
        let mut found = reading::read(all);
        // What is wrong with the files around the schemas is for `pavane check` to say.
        found.defects.retain(|one| is_schema(Path::new(&one.file)));
        for (file, text) in plain {
            found.texts.insert(file.clone(), text.clone());
            found.project.offered.push(Offered { file, text, own: None });
        }
        Ok((found, scope))
    }

    fn add_base(&self, earlier: &mut Earlier, checkout: &Checkout, scope: &[String]) -> Result<(), Failure> {
        let base = match &self.base {
            Some(named) => Some(named.clone()),
            None => checkout.usual_base()?,
        };
        let Some(base) = base else { return Ok(()) };
        let commit = checkout.merge_base(&base)?;
        let wanted = |path: &str| {
            let schema = Path::new(path).extension().is_some_and(|end| end == "avsc");
            let under = |scope: &String| scope.is_empty() || Path::new(path).starts_with(scope);
            schema && if scope.is_empty() { in_schemas(path) } else { scope.iter().any(under) }
        };
        for blob in checkout.files(&commit, wanted)? {
            earlier.add_file(&blob.path, &base, &blob.text);
        }
        earlier.against.push(format!("{base} ({})", &commit[..commit.len().min(9)]));
        Ok(())
    }

    async fn add_registry(
        &self,
        earlier: &mut Earlier,
        url: &str,
        context: Context<'_>,
        offered: &[Offered],
    ) -> Result<(), Failure> {
        let settings = context.connection.registry_settings()?;
        let registry = Registry::new(&settings).map_err(outage::of_registry)?;
        let names = offered.iter().filter_map(|one| Schema::parse(&one.text).ok());
        let names: BTreeSet<String> = names.map(|schema| schema.full_name().to_owned()).collect();
        for name in names.iter().filter(|name| !name.is_empty()) {
            let versions = registry.versions(name).await.map_err(outage::of_registry)?;
            for (number, text) in versions {
                earlier.add(name, &format!("version {number} in the registry"), text);
            }
        }
        earlier.against.push(url.to_owned());
        Ok(())
    }
}

/// Whether a file lies in a folder `schemas`, however deep, and in none that is left alone.
fn in_schemas(path: &str) -> bool {
    let mut parts: Vec<&str> = path.split('/').collect();
    parts.pop();
    parts.contains(&"schemas")
}

/// A level as the command line writes it.
fn level(text: &str) -> Result<Mode, String> {
    text.parse().map_err(|_| {
        let all = Mode::ALL.map(|mode| mode.as_str().to_lowercase().replace('_', "-"));
        format!("it is one of {}", all.join(", "))
    })
}
