//! Subjects, versions and levels in memory, and the rules by which a schema is taken or refused.

use std::collections::BTreeMap;

use pavane_contracts::Mode;
use serde_json::Value;

use crate::wire::Contract;

/// The level of a registry that nobody has told otherwise.
const DEFAULT_LEVEL: &str = "FULL_TRANSITIVE";

/// All that the registry holds.
#[derive(Debug)]
pub(super) struct Store {
    /// By id, from 1; the same content has the same id under every subject.
    schemas: Vec<Stored>,
    /// The ids of a subject's versions, from version 1.
    subjects: BTreeMap<String, Vec<usize>>,
    levels: BTreeMap<String, String>,
    level: String,
}

#[derive(Debug)]
struct Stored {
    text: String,
    content: Value,
    contract: Contract,
}

/// Why something was refused, as the protocol says it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) code: u32,
    pub(super) message: String,
}

/// One version of a subject.
#[derive(Debug)]
pub(super) struct Version<'a> {
    pub(super) number: usize,
    pub(super) id: usize,
    pub(super) text: &'a str,
}

impl Refusal {
    pub(super) fn new(code: u32, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    fn no_subject(subject: &str) -> Self {
        Self::new(40401, format!("Subject '{subject}' not found."))
    }
}

impl Store {
    pub(super) fn new() -> Self {
        let (schemas, subjects, levels) = (Vec::new(), BTreeMap::new(), BTreeMap::new());
        Self { schemas, subjects, levels, level: DEFAULT_LEVEL.to_owned() }
    }

    pub(super) fn subjects(&self) -> Vec<&str> {
        self.subjects.keys().map(String::as_str).collect()
    }

    pub(super) fn versions(&self, subject: &str) -> Result<usize, Refusal> {
        self.subjects.get(subject).map(Vec::len).ok_or_else(|| Refusal::no_subject(subject))
    }

    /// A version by its number, or the newest.
    pub(super) fn version(&self, subject: &str, number: &str) -> Result<Version<'_>, Refusal> {
        let ids = self.subjects.get(subject).ok_or_else(|| Refusal::no_subject(subject))?;
        let number = match number {
            "latest" | "-1" => ids.len(),
            digits => digits.parse().map_err(|_| {
                Refusal::new(42202, format!("The specified version '{digits}' is not a valid version id."))
            })?,
        };
        let id = number.checked_sub(1).and_then(|place| ids.get(place));
        let id = *id.ok_or_else(|| Refusal::new(40402, format!("Version {number} not found.")))?;
        Ok(Version { number, id, text: &self.schemas[id - 1].text })
    }

    pub(super) fn text(&self, id: &str) -> Result<&str, Refusal> {
        let place = id.parse::<usize>().ok().and_then(|id| id.checked_sub(1));
        let stored = place.and_then(|place| self.schemas.get(place));
        stored
            .map(|stored| stored.text.as_str())
            .ok_or_else(|| Refusal::new(40403, format!("Schema {id} not found")))
    }

    /// The version of a subject with this content.
    pub(super) fn lookup(&self, subject: &str, text: &str) -> Result<Version<'_>, Refusal> {
        let ids = self.subjects.get(subject).ok_or_else(|| Refusal::no_subject(subject))?;
        let (content, _) = parse(text)?;
        let place = ids.iter().position(|id| self.schemas[id - 1].content == content);
        let place = place.ok_or_else(|| Refusal::new(40403, "Schema not found"))?;
        Ok(Version { number: place + 1, id: ids[place], text: &self.schemas[ids[place] - 1].text })
    }

    /// Takes a schema as the next version of a subject, unless it is there or the level forbids it; gives its id.
    pub(super) fn register(&mut self, subject: &str, text: &str) -> Result<usize, Refusal> {
        if let Ok(version) = self.lookup(subject, text) {
            return Ok(version.id);
        }
        let (content, contract) = parse(text)?;
        let findings = self.findings(subject, &contract, self.level_of(subject), None)?;
        if !findings.is_empty() {
            let message = format!(
                "Schema being registered is incompatible with an earlier schema for subject \"{subject}\": {}",
                findings.join("; ")
            );
            return Err(Refusal::new(409, message));
        }
        let known = self.schemas.iter().position(|stored| stored.content == content);
        let id = known.map_or(self.schemas.len(), |place| place) + 1;
        if known.is_none() {
            self.schemas.push(Stored { text: text.to_owned(), content, contract });
        }
        self.subjects.entry(subject.to_owned()).or_default().push(id);
        Ok(id)
    }

    /// What a schema and the versions of a subject cannot read of each other at the subject's level; of one
    /// version where one is named.
    pub(super) fn check(
        &self,
        subject: &str,
        text: &str,
        version: Option<&str>,
    ) -> Result<Vec<String>, Refusal> {
        let (_, contract) = parse(text)?;
        let only = version.map(|number| self.version(subject, number)).transpose()?.map(|version| version.id);
        self.findings(subject, &contract, self.level_of(subject), only)
    }

    fn findings(
        &self,
        subject: &str,
        new: &Contract,
        level: &str,
        only: Option<usize>,
    ) -> Result<Vec<String>, Refusal> {
        let ids = self.subjects.get(subject).map(Vec::as_slice).unwrap_or_default();
        let ids = match only {
            Some(id) => vec![id],
            None => ids.to_vec(),
        };
        let old: Vec<_> = ids.iter().map(|id| self.schemas[id - 1].contract.shape()).collect();
        let breaches = mode(level)?.breaches(new.shape(), &old);
        Ok(breaches
            .iter()
            .map(|breach| format!("{}: {}", breach.direction.told(), breach.difference))
            .collect())
    }

    /// The level of the registry, or the one that a subject has of its own.
    pub(super) fn level(&self, subject: Option<&str>) -> Result<&str, Refusal> {
        let Some(subject) = subject else { return Ok(&self.level) };
        let level = self.levels.get(subject).map(String::as_str);
        level.ok_or_else(|| {
            let message = format!("Subject '{subject}' does not have subject-level compatibility configured");
            Refusal::new(40408, message)
        })
    }

    pub(super) fn set_level(&mut self, subject: Option<&str>, level: &str) -> Result<(), Refusal> {
        mode(level)?;
        match subject {
            Some(subject) => drop(self.levels.insert(subject.to_owned(), level.to_owned())),
            None => level.clone_into(&mut self.level),
        }
        Ok(())
    }

    pub(super) fn level_of(&self, subject: &str) -> &str {
        self.levels.get(subject).unwrap_or(&self.level)
    }
}

/// The level with a name, as registries write it.
fn mode(level: &str) -> Result<Mode, Refusal> {
    let found = Mode::ALL.into_iter().find(|mode| mode.as_str() == level);
    found.ok_or_else(|| {
        let all: Vec<&str> = Mode::ALL.iter().map(|mode| mode.as_str()).collect();
        Refusal::new(42203, format!("Invalid compatibility level. Valid values are {}", all.join(", ")))
    })
}

fn parse(text: &str) -> Result<(Value, Contract), Refusal> {
    let refused = |why: String| Refusal::new(42201, format!("Invalid schema: {why}"));
    let contract = Contract::parse(text).map_err(|error| refused(crate::registry::error::chain(&error)))?;
    if let Some(finding) = contract.shape().misfit_defaults().first() {
        return Err(refused(finding.to_string()));
    }
    let content = serde_json::from_str(text).map_err(|error| refused(error.to_string()))?;
    Ok((content, contract))
}
