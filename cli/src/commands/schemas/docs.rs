//! `pavane schemas docs`: a page of all events of a checkout: who says each, who reads it, what is in it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;
use pavane_bus::Registry;
use pavane_review::check::Project;
use pavane_review::contracts::catalogue::{self, Version};

use crate::commands::Context;
use crate::commands::check::reading;
use crate::contracts::git::Checkout;
use crate::failure::Failure;
use crate::{files, outage};

/// Writes a page in Markdown of the services' own events: who says each, who reads it, in which choreographies it is
/// awaited, its fields with their types, defaults and meanings, and its versions with what each changed: from Git, and
/// from the registry where one is named with --registry.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  pavane schemas docs > docs/events.md
  pavane schemas docs --registry http://registry:8080/apis/ccompat/v7

Exit codes: 0 written, 3 a file or folder cannot be read, 4 the registry cannot be reached.")]
pub struct Docs {
    /// Files and folders: schemas, sidecar files, choreographies.
    #[arg(default_value = ".", value_name = "PATH")]
    paths: Vec<PathBuf>,
}

impl Docs {
    /// Reads all and writes the page.
    pub async fn run(&self, context: Context<'_>) -> Result<(), Failure> {
        let read = files::read(&self.paths, &[])?;
        read.whole()?;
        let project = reading::read(read).project;
        let mut versions = from_git(&project)?;
        if context.connection.registry.is_some() {
            add_registry(&mut versions, &project, context).await?;
        }
        context.console.print(&catalogue::page(&project, &versions))
    }
}

/// The committed versions of each file, and the one that lies here where it is not committed yet.
fn from_git(project: &Project) -> Result<BTreeMap<String, Vec<Version>>, Failure> {
    let Some(checkout) = Checkout::around(Path::new(".")) else { return Ok(BTreeMap::new()) };
    let mut all = BTreeMap::new();
    for offered in &project.offered {
        let whole = std::fs::canonicalize(&offered.file).unwrap_or_else(|_| PathBuf::from(&offered.file));
        let Ok(path) = whole.strip_prefix(&checkout.top) else { continue };
        let committed = checkout.history(&path.to_string_lossy())?;
        let mut versions: Vec<Version> = committed
            .into_iter()
            .map(|one| Version { label: format!("{} in {}", one.day, one.commit), text: one.text })
            .collect();
        if versions.last().is_none_or(|last| last.text != offered.text) {
            versions.push(Version { label: "not committed".to_owned(), text: offered.text.clone() });
        }
        all.insert(offered.file.clone(), versions);
    }
    Ok(all)
}

async fn add_registry(
    versions: &mut BTreeMap<String, Vec<Version>>,
    project: &Project,
    context: Context<'_>,
) -> Result<(), Failure> {
    let registry = Registry::new(&context.connection.registry_settings()?).map_err(outage::of_registry)?;
    for offered in &project.offered {
        let Ok(schema) = offered.schema() else { continue };
        let texts = registry.versions(schema.full_name()).await.map_err(outage::of_registry)?;
        let told = (1..).zip(texts).map(|(number, text): (u32, String)| Version {
            label: format!("version {number} in the registry"),
            text,
        });
        let mut all: Vec<Version> = told.collect();
        let known = versions.entry(offered.file.clone()).or_default();
        all.append(known);
        *known = all;
    }
    Ok(())
}
