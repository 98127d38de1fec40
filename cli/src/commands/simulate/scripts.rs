//! The files that a rehearsal reads: choreographies, scenarios and sidecars' files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use pavane_choreography::Diagnostic;
use pavane_choreography::yaml;
use pavane_rehearsal::{Piece, Script, Settings, Sidecars, scenario};
use pavane_sidecar::Config;

use crate::document;
use crate::exit::Exit;
use crate::failure::{Failure, Findings, counted};

/// Folders that hold nothing of ours.
const LEFT_OUT: [&str; 2] = ["target", "node_modules"];

/// A file that is played as it stands: a scenario, or a choreography that is started.
pub(crate) fn of_file(file: &Path) -> Result<Script, Failure> {
    if kind_of(&text(file)?).as_deref() == Some("Scenario") {
        return of_scenario(file);
    }
    Ok(Script::plain(piece(file)?))
}

/// A scenario's file, with the plans that it names.
pub(crate) fn of_scenario(file: &Path) -> Result<Script, Failure> {
    let name = file.display().to_string();
    let mut library = |plan: &str| beside(file, plan);
    scenario::read(&text(file)?, &name, &mut library).map_err(|defects| Failure::invalid(&name, defects))
}

/// The scenarios that stand in a choreography's own `tests:`.
pub(crate) fn of_choreography(file: &Path) -> Result<Vec<Script>, Failure> {
    let name = file.display().to_string();
    let own = piece(file)?;
    let mut library = |plan: &str| beside(file, plan);
    scenario::tests(&text(file)?, &name, &own, &mut library)
        .map_err(|defects| Failure::invalid(&name, defects))
}

/// What the sidecars' files in a folder and below say, by service.
pub(crate) fn sidecars(folder: &Path) -> Result<Sidecars, Failure> {
    let (mut sidecars, mut defects): (Sidecars, Vec<Diagnostic>) = (Sidecars::new(), Vec::new());
    let files = files(folder)?;
    for file in &files {
        let text = text(file)?;
        if !is_sidecar(&text) {
            continue;
        }
        match Config::from_yaml(&text, &file.display().to_string()) {
            Ok(config) => {
                sidecars.insert(config.service.clone(), settings(&config));
            }
            Err(found) => defects.extend(found),
        }
    }
    if !defects.is_empty() {
        let message = format!("{} in the sidecars' files", counted(defects.len(), "defect"));
        return Err(Failure::new(Exit::Invalid, message).findings(Findings::Diagnostics(defects)));
    }
    if sidecars.is_empty() {
        let message = format!("there is no sidecar's file in {}", folder.display());
        return Err(Failure::new(Exit::Invalid, message).help("leave --sidecars out to have them made up"));
    }
    Ok(sidecars)
}

/// The YAML files of a folder and below, in the order of their names; a file is itself.
pub(crate) fn files(path: &Path) -> Result<Vec<PathBuf>, Failure> {
    let unreadable =
        |error| Failure::new(Exit::Invalid, format!("cannot read {}", path.display())).because(error);
    if !path.metadata().map_err(unreadable)?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let entries = std::fs::read_dir(path).map_err(unreadable)?;
    let mut entries: Vec<PathBuf> =
        entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>().map_err(unreadable)?;
    entries.sort();
    let mut found = Vec::new();
    for entry in entries {
        let name = entry.file_name().and_then(|name| name.to_str()).unwrap_or(".");
        let yaml = entry.extension().is_some_and(|end| end == "yaml" || end == "yml");
        if name.starts_with('.') || LEFT_OUT.contains(&name) || entry.is_symlink() {
            continue;
        }
        if entry.is_dir() {
            found.extend(files(&entry)?);
        } else if yaml {
            found.push(entry);
        }
    }
    Ok(found)
}

/// What kind of document a text says that it is.
pub(crate) fn kind_of(text: &str) -> Option<String> {
    field(text, "kind")
}

pub(crate) fn text(file: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(file).map_err(|error| {
        Failure::new(Exit::Invalid, format!("cannot read {}", file.display())).because(error)
    })
}

fn is_sidecar(text: &str) -> bool {
    field(text, "service").is_some() && field(text, "journal").is_some()
}

fn field(text: &str, name: &'static str) -> Option<String> {
    let read = yaml::read(text, "", |item| {
        item.fields(|f| {
            f.ignore_rest();
            f.optional(name, |i| i.scalar("a word").map(ToOwned::to_owned))
        })
    });
    read.ok().flatten()
}

fn piece(file: &Path) -> Result<Arc<Piece>, Failure> {
    Ok(Arc::new(Piece::new(document::read(file)?.plan)))
}

/// The choreography that a file names, as seen from its own folder; or why there is none, in one line.
fn beside(file: &Path, plan: &str) -> Result<Arc<Piece>, String> {
    let path = file.parent().unwrap_or(Path::new(".")).join(plan);
    piece(&path).map_err(|failure| match failure.into_diagnostics() {
        Ok(defects) => match defects.first() {
            Some(first) => format!("the plan {plan} has {}: {first}", counted(defects.len(), "defect")),
            None => format!("the plan {plan} is not sound"),
        },
        Err(failure) => failure.to_string(),
    })
}

/// A sidecar's file as its engine takes it; instance, boot and seed are the rehearsal's to give.
fn settings(config: &Config) -> Settings {
    Settings {
        domain: config.domain.clone(),
        service: config.service.clone(),
        instance: config.instance.clone(),
        zone: config.zone.clone(),
        boot: String::new(),
        partition: 0,
        seed: 0,
        reactions: config.reactions.iter().map(|reaction| reaction.terms.clone()).collect(),
    }
}
