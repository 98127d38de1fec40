//! The files that a rehearsal reads: choreographies, scenarios and sidecars' files.

use std::path::Path;
use std::sync::Arc;

use pavane_rehearsal::{Piece, Script, Settings, Sidecars, scenario};
use pavane_sidecar::Config;

use crate::document;
use crate::exit::Exit;
use crate::failure::{Failure, Findings, counted};
use crate::files::{self, File, Kind};

/// A file that is played as it stands: a scenario, or a choreography that is started.
pub(crate) fn of_file(file: &Path) -> Result<Script, Failure> {
    let file = files::one(file)?;
    if file.kind == Kind::Scenario { scenario(&file) } else { Ok(Script::plain(piece(&file)?)) }
}

/// A scenario's file, with the plans that it names.
pub(crate) fn of_scenario(file: &Path) -> Result<Script, Failure> {
    scenario(&files::one(file)?)
}

/// A scenario, with the plans that it names.
pub(crate) fn scenario(file: &File) -> Result<Script, Failure> {
    let mut library = |plan: &str| document::beside(&file.path, plan);
    scenario::read(&file.text, &file.name, &mut library)
        .map_err(|defects| Failure::invalid(&file.name, defects))
}

/// The scenarios that stand in a choreography's own `tests:`.
pub(crate) fn of_choreography(file: &File) -> Result<Vec<Script>, Failure> {
    let mut library = |plan: &str| document::beside(&file.path, plan);
    scenario::tests(&file.text, &file.name, &piece(file)?, &mut library)
        .map_err(|defects| Failure::invalid(&file.name, defects))
}

/// What the sidecars' files in a folder and below say, by service.
pub(crate) fn sidecars(folder: &Path) -> Result<Sidecars, Failure> {
    let files = files::read(&[folder.to_owned()], &[])?;
    files.whole()?;
    let (mut sidecars, mut defects) = (Sidecars::new(), files.garbled);
    for file in files.read.iter().filter(|file| file.kind == Kind::Sidecar) {
        match Config::from_yaml(&file.text, &file.name) {
            Ok(config) => drop(sidecars.insert(config.service.clone(), settings(&config))),
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

fn piece(file: &File) -> Result<Arc<Piece>, Failure> {
    Ok(Arc::new(Piece::new(document::parse(file.text.clone(), &file.name)?.plan)))
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
