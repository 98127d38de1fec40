//! Brings schemas to the registry: the embedded ones, and those with which services extend their own events.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use pavane_contracts::{Direction, Mode};
use pavane_events::vocabulary::NAMESPACE;
use pavane_events::{EventType, Service, Speaker};
use serde_json::json;

use super::{Registry, RegistryError};
use crate::wire::Contract;

/// The level under which lifecycle schemas live: old and new programs read each other in any order, for ever.
pub const LEVEL: &str = "FULL_TRANSITIVE";

/// What to push.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PushRequest {
    /// A folder of `<service>/<Event>.avsc` beside the embedded schemas.
    pub services: Option<PathBuf>,
    /// Asks and says what would be done, and changes nothing.
    pub dry_run: bool,
    /// Who pushes, for the readers' allow-list.
    pub by: Option<Pusher>,
}

/// Who pushes, and whence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pusher {
    /// The name.
    pub by: String,
    /// The address of a run of CI, `ci`, or `desk`.
    pub whence: String,
}

/// What became of one schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pushed {
    /// The file, or `embedded`.
    pub source: String,
    /// The subject: the full name of the record.
    pub subject: String,
    /// The service whose own form it is; none for an embedded schema.
    pub service: Option<String>,
    /// The short name of the event.
    pub event: String,
    /// The fingerprint of the schema; empty when it could not be parsed.
    pub fingerprint: String,
    /// The schema's text.
    pub schema: String,
    /// The id in the registry, when it is there.
    pub id: Option<u32>,
    /// What was done.
    pub outcome: PushOutcome,
    /// Who pushed it, where that was said.
    pub by: Option<Pusher>,
}

/// What was done with a schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PushOutcome {
    /// It is in the registry since this push.
    Registered,
    /// It was there before.
    Present,
    /// A dry run found that the registry would take it.
    WouldRegister,
    /// It was not registered; each reason for a person.
    Refused(Vec<String>),
}

impl Pushed {
    /// The row that tells readers to trust the schema: the key and value of `pavane.schemas`. None for a schema
    /// that is not in the registry.
    pub fn row(&self) -> Option<(String, Vec<u8>)> {
        let id = self.id?;
        let mut row = json!({
            "fingerprint": self.fingerprint, "subject": self.subject, "service": self.service,
            "event": self.event, "schema": self.schema, "id": id,
        });
        if let Some(Pusher { by, whence }) = &self.by {
            row["by"] = by.as_str().into();
            row["whence"] = whence.as_str().into();
        }
        Some((self.fingerprint.clone(), row.to_string().into_bytes()))
    }
}

/// Sets the compatibility level of each subject and registers its schema, unless it is there. A schema that is
/// refused does not keep the others from being pushed; a registry that cannot be asked does.
pub async fn push(registry: &Registry, request: &PushRequest) -> Result<Vec<Pushed>, RegistryError> {
    let mut done = Vec::new();
    for one in pavane_schemas::ALL {
        let source = "embedded".to_owned();
        done.push(Candidate {
            source,
            service: None,
            event: one.event.to_owned(),
            schema: one.schema.to_owned(),
        });
    }
    if let Some(folder) = &request.services {
        done.extend(candidates(folder)?);
    }
    let mut outcomes = Vec::with_capacity(done.len());
    for candidate in done {
        let pushed = candidate.push(registry, request.dry_run).await?;
        outcomes.push(Pushed { by: request.by.clone(), ..pushed });
    }
    Ok(outcomes)
}

/// Sets the compatibility before anything is registered. Of two pushes at once a registry may refuse the second
/// order; it is content when the level stands by then.
async fn fix_level(registry: &Registry, subject: &str) -> Result<(), RegistryError> {
    if registry.compatibility(subject).await?.as_deref() == Some(LEVEL) {
        return Ok(());
    }
    match registry.set_compatibility(subject, LEVEL).await {
        Err(_) if registry.compatibility(subject).await?.as_deref() == Some(LEVEL) => Ok(()),
        ended => ended,
    }
}

/// A schema on its way to the registry.
struct Candidate {
    source: String,
    service: Option<String>,
    event: String,
    schema: String,
}

impl Candidate {
    async fn push(self, registry: &Registry, dry_run: bool) -> Result<Pushed, RegistryError> {
        let contract = match Contract::parse(&self.schema) {
            Ok(contract) => contract,
            Err(refused) => {
                return Ok(self.ended(
                    "",
                    "",
                    None,
                    PushOutcome::Refused(vec![super::error::chain(&refused)]),
                ));
            }
        };
        let (subject, fingerprint) = (contract.full_name(), contract.fingerprint().to_owned());
        let defects = self.defects(&contract);
        if !defects.is_empty() {
            return Ok(self.ended(&subject, &fingerprint, None, PushOutcome::Refused(defects)));
        }
        if !dry_run {
            fix_level(registry, &subject).await?;
        }
        if let Some(id) = registry.id_of(&subject, &self.schema).await? {
            return Ok(self.ended(&subject, &fingerprint, Some(id), PushOutcome::Present));
        }
        let differences = differences(registry, &subject, &contract).await?;
        let (id, outcome) = if !differences.is_empty() {
            (None, PushOutcome::Refused(differences))
        } else if dry_run {
            (None, would(registry.check(&subject, &self.schema).await?))
        } else {
            match registry.register(&subject, &self.schema).await {
                Ok(id) => (Some(id), PushOutcome::Registered),
                Err(RegistryError::Incompatible { message, .. }) => {
                    (None, PushOutcome::Refused(vec![message]))
                }
                Err(error) => return Err(error),
            }
        };
        Ok(self.ended(&subject, &fingerprint, id, outcome))
    }

    /// What keeps a service's schema from being a form of its event.
    fn defects(&self, contract: &Contract) -> Vec<String> {
        if self.service.is_none() {
            return Vec::new();
        }
        let mut defects: Vec<_> = contract.misfit_defaults().iter().map(ToString::to_string).collect();
        let event = EventType::from_short(&self.event);
        if event.is_none_or(|event| event.speaker() != Speaker::Service) {
            let known = EventType::ALL.iter().filter(|event| event.speaker() == Speaker::Service);
            let known: Vec<_> = known.map(|event| event.as_str()).collect();
            defects.push(format!(
                "{} is no event that services say: rename the file to one of {}",
                self.event,
                known.join(", ")
            ));
        }
        if contract.name() != self.event {
            defects.push(format!(
                "the record is {}, and the file says {}: name them alike",
                contract.name(),
                self.event
            ));
        }
        if contract.full_name().starts_with(&format!("{NAMESPACE}.")) {
            defects
                .push(format!("{NAMESPACE} is not the service's namespace: give the record one of its own"));
        }
        defects.extend(
            contract
                .readable()
                .err()
                .map(|finding| format!("readers of the event could not read it: {finding}")),
        );
        defects
    }

    fn ended(self, subject: &str, fingerprint: &str, id: Option<u32>, outcome: PushOutcome) -> Pushed {
        let Self { source, service, event, schema } = self;
        let (subject, fingerprint) = (subject.to_owned(), fingerprint.to_owned());
        Pushed { source, subject, service, event, fingerprint, schema, id, outcome, by: None }
    }
}

fn would(check: super::Check) -> PushOutcome {
    match check {
        super::Check { compatible: true, .. } => PushOutcome::WouldRegister,
        super::Check { messages, .. } if messages.is_empty() => {
            PushOutcome::Refused(vec!["the registry would refuse it and does not say why".to_owned()])
        }
        super::Check { messages, .. } => PushOutcome::Refused(messages),
    }
}

/// What a new schema and the versions before it cannot read of each other. Asked here and not of the registry
/// alone: some say "incompatible" and nothing more, some check nothing at all.
async fn differences(
    registry: &Registry,
    subject: &str,
    new: &Contract,
) -> Result<Vec<String>, RegistryError> {
    let mut found = BTreeSet::new();
    for (_, text) in registry.versions(subject).await? {
        let Ok(old) = Contract::parse(&text) else { continue };
        let told = |breach: pavane_contracts::Breach| {
            let who = match breach.direction {
                Direction::Backward => "new readers, old records",
                Direction::Forward => "old readers, new records",
            };
            format!("{who}: {}", breach.difference)
        };
        found.extend(Mode::Full.breaches(new.shape(), &[old.shape()]).into_iter().map(told));
    }
    Ok(found.into_iter().collect())
}

/// The services' schemas in a folder, in the order of their names.
fn candidates(folder: &Path) -> Result<Vec<Candidate>, RegistryError> {
    let mut found = Vec::new();
    for place in entries(folder)? {
        let service = place.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if !place.is_dir() || Service::new(service.clone()).is_err() {
            continue;
        }
        for file in entries(&place)? {
            if file.extension().is_none_or(|extension| extension != "avsc") {
                continue;
            }
            let schema = std::fs::read_to_string(&file).map_err(|source| unreadable(&file, source))?;
            let event = file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
            let source = file.display().to_string();
            found.push(Candidate { source, service: Some(service.clone()), event, schema });
        }
    }
    Ok(found)
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, RegistryError> {
    let listed = std::fs::read_dir(folder).and_then(|listed| listed.map(|entry| Ok(entry?.path())).collect());
    let mut listed: Vec<PathBuf> = listed.map_err(|source| unreadable(folder, source))?;
    listed.sort();
    Ok(listed)
}

fn unreadable(path: &Path, source: std::io::Error) -> RegistryError {
    RegistryError::Folder { path: path.display().to_string(), source }
}
