//! Subjects, versions and levels in memory, and the rules by which a schema is taken or refused.

use std::collections::BTreeMap;

use pavane_contracts::Mode;
use serde_json::Value;

use super::references;
use crate::wire::Contract;

/// The level of a registry that nobody has told otherwise.
const DEFAULT_LEVEL: &str = "FULL_TRANSITIVE";

/// All that the registry holds.
#[derive(Debug)]
pub(super) struct Store {
    /// By id, from 1; the same content has the same id under every subject, and keeps it for ever.
    schemas: Vec<Stored>,
    /// The versions of a subject in the order of their numbers.
    subjects: BTreeMap<String, Vec<Slot>>,
    levels: BTreeMap<String, String>,
    level: String,
}

#[derive(Debug)]
struct Stored {
    offer: Offer,
    content: Value,
    contract: Contract,
}

/// A version of a subject; one that was deleted keeps its number until it is deleted for good.
#[derive(Clone, Copy, Debug)]
struct Slot {
    number: usize,
    id: usize,
    deleted: bool,
}

/// A schema as it is offered: its text, and the named types of other subjects that it uses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Offer {
    pub(super) text: String,
    pub(super) references: Vec<Reference>,
}

/// A named type of another subject.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
pub(super) struct Reference {
    pub(super) name: String,
    pub(super) subject: String,
    pub(super) version: i64,
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
    pub(super) offer: &'a Offer,
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

    /// The subjects that begin so, with those that were deleted where they are asked for.
    pub(super) fn subjects(&self, prefix: &str, deleted: bool) -> Vec<&str> {
        let all = self.subjects.iter().filter(|(name, slots)| {
            name.starts_with(prefix) && slots.iter().any(|slot| deleted || !slot.deleted)
        });
        all.map(|(name, _)| name.as_str()).collect()
    }

    /// The numbers of a subject's versions.
    pub(super) fn versions(&self, subject: &str, deleted: bool) -> Result<Vec<usize>, Refusal> {
        Ok(self.slots(subject, deleted)?.iter().map(|slot| slot.number).collect())
    }

    /// The versions of a subject that has any.
    fn slots(&self, subject: &str, deleted: bool) -> Result<Vec<Slot>, Refusal> {
        let all = self.subjects.get(subject).into_iter().flatten();
        let slots: Vec<Slot> = all.filter(|slot| deleted || !slot.deleted).copied().collect();
        if slots.is_empty() { Err(Refusal::no_subject(subject)) } else { Ok(slots) }
    }

    /// A version by its number, or the newest.
    pub(super) fn version(&self, subject: &str, number: &str, deleted: bool) -> Result<Version<'_>, Refusal> {
        let number = number_of(number)?;
        let slots = self.slots(subject, deleted)?;
        let slot = match number {
            None => slots.last(),
            Some(number) => slots.iter().find(|slot| slot.number == number),
        };
        let told = number.unwrap_or_default();
        let slot = *slot.ok_or_else(|| Refusal::new(40402, format!("Version {told} not found.")))?;
        Ok(self.described(slot))
    }

    fn described(&self, slot: Slot) -> Version<'_> {
        Version { number: slot.number, id: slot.id, offer: &self.schemas[slot.id - 1].offer }
    }

    /// What stands behind an id, whether its subjects were deleted or not.
    pub(super) fn by_id(&self, id: &str) -> Result<&Offer, Refusal> {
        let place = id.parse::<usize>().ok().and_then(|id| id.checked_sub(1));
        let stored = place.and_then(|place| self.schemas.get(place));
        stored
            .map(|stored| &stored.offer)
            .ok_or_else(|| Refusal::new(40403, format!("Schema {id} not found")))
    }

    /// The subjects that hold an id, each with the number of the version.
    pub(super) fn holders(&self, id: &str) -> Result<Vec<(&str, usize)>, Refusal> {
        self.by_id(id)?;
        let holds = |(name, slots): (&'_ String, &Vec<Slot>)| {
            let own = slots.iter().filter(|slot| !slot.deleted && slot.id.to_string() == id);
            own.map(|slot| (name.clone(), slot.number)).collect::<Vec<_>>()
        };
        let found: Vec<(String, usize)> = self.subjects.iter().flat_map(holds).collect();
        Ok(found
            .into_iter()
            .filter_map(|(name, number)| Some((self.subjects.get_key_value(&name)?.0.as_str(), number)))
            .collect())
    }

    /// The version of a subject with this content.
    pub(super) fn lookup(&self, subject: &str, offer: &Offer, deleted: bool) -> Result<Version<'_>, Refusal> {
        let slots = self.slots(subject, deleted)?;
        let (content, _) = self.parse(offer)?;
        let slot = slots.iter().find(|slot| self.schemas[slot.id - 1].content == content);
        slot.map(|slot| self.described(*slot)).ok_or_else(|| Refusal::new(40403, "Schema not found"))
    }

    /// Takes a schema as the next version of a subject, unless it is there or the level forbids it; gives its id.
    pub(super) fn register(&mut self, subject: &str, offer: &Offer) -> Result<usize, Refusal> {
        if let Ok(version) = self.lookup(subject, offer, false) {
            return Ok(version.id);
        }
        let (content, contract) = self.parse(offer)?;
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
            self.schemas.push(Stored { offer: offer.clone(), content, contract });
        }
        let slots = self.subjects.entry(subject.to_owned()).or_default();
        let number = slots.last().map_or(1, |last| last.number + 1);
        slots.push(Slot { number, id, deleted: false });
        Ok(id)
    }

    /// Deletes a subject: first so that it can be seen when asked for, then for good. Gives the numbers.
    pub(super) fn delete_subject(&mut self, subject: &str, for_good: bool) -> Result<Vec<usize>, Refusal> {
        let slots = self.slots(subject, true)?;
        let live = slots.iter().any(|slot| !slot.deleted);
        match (for_good, live) {
            (true, true) => {
                let message =
                    format!("Subject '{subject}' was not deleted first before being permanently deleted");
                Err(Refusal::new(40405, message))
            }
            (true, false) => {
                self.subjects.remove(subject);
                Ok(slots.iter().map(|slot| slot.number).collect())
            }
            (false, false) => {
                let message =
                    format!("Subject '{subject}' was soft deleted.Set permanent=true to delete permanently");
                Err(Refusal::new(40404, message))
            }
            (false, true) => {
                let numbers = self.versions(subject, false)?;
                self.subjects
                    .entry(subject.to_owned())
                    .or_default()
                    .iter_mut()
                    .for_each(|slot| slot.deleted = true);
                self.levels.remove(subject);
                Ok(numbers)
            }
        }
    }

    /// Deletes a version, as [`Self::delete_subject`] does a subject. Gives its number.
    pub(super) fn delete_version(
        &mut self,
        subject: &str,
        number: &str,
        for_good: bool,
    ) -> Result<usize, Refusal> {
        let number = self.version(subject, number, true)?.number;
        let slots = self.subjects.entry(subject.to_owned()).or_default();
        let place = slots.iter().position(|slot| slot.number == number).expect("it was just found");
        match (for_good, slots[place].deleted) {
            (true, false) => {
                let message = format!(
                    "Subject '{subject}' Version {number} was not deleted first before being permanently deleted"
                );
                return Err(Refusal::new(40407, message));
            }
            (false, true) => {
                let message = format!(
                    "Subject '{subject}' Version {number} was soft deleted.Set permanent=true to delete permanently"
                );
                return Err(Refusal::new(40406, message));
            }
            (true, true) => drop(slots.remove(place)),
            (false, false) => slots[place].deleted = true,
        }
        Ok(number)
    }

    /// What a schema and the versions of a subject cannot read of each other at the subject's level; of one
    /// version where one is named.
    pub(super) fn check(
        &self,
        subject: &str,
        offer: &Offer,
        version: Option<&str>,
    ) -> Result<Vec<String>, Refusal> {
        let (_, contract) = self.parse(offer)?;
        let only = version.map(|number| self.version(subject, number, false)).transpose()?;
        self.findings(subject, &contract, self.level_of(subject), only.map(|version| version.id))
    }

    fn findings(
        &self,
        subject: &str,
        new: &Contract,
        level: &str,
        only: Option<usize>,
    ) -> Result<Vec<String>, Refusal> {
        let ids = match only {
            Some(id) => vec![id],
            None => self.slots(subject, false).unwrap_or_default().iter().map(|slot| slot.id).collect(),
        };
        let old: Vec<_> = ids.iter().map(|id| self.schemas[id - 1].contract.shape()).collect();
        let breaches = mode(level)?.breaches(new.shape(), &old);
        Ok(breaches
            .iter()
            .map(|breach| format!("{}: {}", breach.direction.told(), breach.difference))
            .collect())
    }

    /// The content by which a schema is the same, and what it is with the types of other subjects in their places.
    fn parse(&self, offer: &Offer) -> Result<(Value, Contract), Refusal> {
        let refused = |why: String| Refusal::new(42201, format!("Invalid schema: {why}"));
        let mut whole: Value =
            serde_json::from_str(&offer.text).map_err(|error| refused(error.to_string()))?;
        let content = serde_json::json!([whole, offer.references]);
        for reference in &offer.references {
            let Reference { name, subject, version } = reference;
            let other = self.version(subject, &version.to_string(), true).map_err(|_| {
                refused(format!("No schema reference found for subject \"{subject}\" and version {version}"))
            })?;
            let definition = self.whole(other.offer)?;
            references::put(&mut whole, name, &definition);
        }
        let text = if offer.references.is_empty() { offer.text.clone() } else { whole.to_string() };
        let contract =
            Contract::parse(&text).map_err(|error| refused(crate::registry::error::chain(&error)))?;
        if let Some(finding) = contract.shape().misfit_defaults().first() {
            return Err(refused(finding.to_string()));
        }
        Ok((content, contract))
    }

    /// A schema that another one refers to, with all that it refers to itself.
    fn whole(&self, offer: &Offer) -> Result<Value, Refusal> {
        let mut whole: Value = serde_json::from_str(&offer.text).unwrap_or_default();
        for Reference { name, subject, version } in &offer.references {
            let other = self.version(subject, &version.to_string(), true)?;
            let definition = self.whole(other.offer)?;
            references::put(&mut whole, name, &definition);
        }
        Ok(whole)
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

    /// Takes the level of a subject away; gives what it was.
    pub(super) fn drop_level(&mut self, subject: &str) -> Result<String, Refusal> {
        let level = self.level(Some(subject))?.to_owned();
        self.levels.remove(subject);
        Ok(level)
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

/// The number of a version; none for the newest.
fn number_of(text: &str) -> Result<Option<usize>, Refusal> {
    match text {
        "latest" | "-1" => Ok(None),
        digits => digits.parse().ok().filter(|number| *number > 0).map(Some).ok_or_else(|| {
            Refusal::new(42202, format!("The specified version '{digits}' is not a valid version id."))
        }),
    }
}
