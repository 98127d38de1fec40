//! `pavane schemas docs`: a catalogue of all events: who says each, who reads it, what is in it, and its versions.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use pavane_bus::Registry;
use pavane_bus::registry::RegistryError;
use pavane_events::vocabulary::NAMESPACE;
use pavane_events::{EventType, Service, Speaker};
use pavane_review::check::Project;
use pavane_review::contracts::catalogue::{Catalogue, Known, Published, Version};

use crate::commands::Context;
use crate::commands::check::reading;
use crate::contracts::git::Checkout;
use crate::failure::Failure;
use crate::{files, outage, published};

/// Writes a page of all events: who says each, who reads it, in which choreographies it is awaited, its fields with
/// their types, defaults and meanings, and its versions with what each changed.
///
/// Events and readers are those of the files here; versions come from Git, and with --registry from there too, together
/// with the services' own forms that no file here holds. A registry does not know which service says what: with --kafka
/// it is taken from what `pavane schemas push` has published.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  pavane schemas docs > docs/events.md
  pavane schemas docs --format html > events.html
  pavane schemas docs --registry http://registry:8080/apis/ccompat/v7 --kafka broker:9092

Exit codes: 0 written, 2 usage, or no event is known, 3 a file or folder cannot be read, 4 Kafka or the registry \
cannot be reached.")]
pub struct Docs {
    /// Files and folders: schemas, sidecar files, choreographies.
    #[arg(default_value = ".", value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// The form of the page.
    #[arg(long, value_enum, default_value_t = Page::Markdown, value_name = "FORM")]
    format: Page,
}

/// The form of the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Page {
    /// To lie in a repository.
    Markdown,
    /// One file for a browser, which asks for nothing else.
    Html,
}

impl Docs {
    /// Reads all and writes the page.
    pub async fn run(&self, context: Context<'_>) -> Result<(), Failure> {
        let read = files::read(&self.paths, &[])?;
        read.whole()?;
        let project = reading::read(read).project;
        let mut known = Known { versions: from_git(&project)?, ..Known::default() };
        if context.connection.registry.is_some() {
            add_registry(&mut known, &project, context).await?;
        }
        let catalogue = Catalogue::of(&project, &known);
        if catalogue.is_empty() {
            return Err(Failure::usage(
                "no event is known here: no choreography, no sidecar file, no schema",
            )
            .help("name the files or folders that hold them, or a registry with --registry"));
        }
        context.console.print(&match self.format {
            Page::Markdown => catalogue.to_markdown(),
            Page::Html => catalogue.to_html(),
        })
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

/// Adds what the registry holds: the versions of the schemas here, before those of Git, and the forms that are not here.
async fn add_registry(known: &mut Known, project: &Project, context: Context<'_>) -> Result<(), Failure> {
    let registry = Registry::new(&context.connection.registry_settings()?).map_err(outage::of_registry)?;
    for offered in &project.offered {
        let Ok(schema) = offered.schema() else { continue };
        let mut all = versions(&registry, schema.full_name()).await.map_err(outage::of_registry)?;
        let here = known.versions.entry(offered.file.clone()).or_default();
        all.append(here);
        *here = all;
    }
    let services = services(context).await?;
    for subject in registry.subjects().await.map_err(outage::of_registry)? {
        let Some(event) = own_form(&subject) else { continue };
        let versions = versions(&registry, &subject).await.map_err(outage::of_registry)?;
        let service = services.get(&subject).cloned();
        known.published.push(Published { subject, event, service, versions });
    }
    Ok(())
}

async fn versions(registry: &Registry, subject: &str) -> Result<Vec<Version>, RegistryError> {
    let told = |(number, text)| Version { label: format!("version {number} in the registry"), text };
    Ok(registry.versions(subject).await?.into_iter().map(told).collect())
}

/// The event that a subject is a service's own form of, as far as its name tells: a registry holds much else.
fn own_form(subject: &str) -> Option<EventType> {
    let (namespace, name) = subject.rsplit_once('.')?;
    let event = EventType::from_short(name).filter(|event| event.speaker() == Speaker::Service)?;
    (namespace != NAMESPACE).then_some(event)
}

/// Which service each subject belongs to, as far as Kafka is named and somebody published it.
async fn services(context: Context<'_>) -> Result<BTreeMap<String, Service>, Failure> {
    if context.connection.kafka.is_none() {
        return Ok(BTreeMap::new());
    }
    let rows = published::load(context).await?.into_iter();
    Ok(rows.filter_map(|row| Some((row.subject, row.service?))).collect())
}
