//! The fields of a map, asked for one by one.

use serde_json::json;

use super::book::Reported;
use super::choice::did_you_mean;
use super::item::Item;
use super::leaf::shown;
use super::tree::Entry;
use crate::diagnostic::Code;

/// A function that reads a value, as a plain pointer.
pub type Reader<'d, T> = for<'i> fn(&'i Item<'d>) -> Result<T, Reported>;

/// The fields of a map. Ask for all of them before the first `?`: what was never asked for is unknown.
#[derive(Debug)]
pub struct Fields<'d> {
    map: Item<'d>,
    entries: &'d [Entry],
    asked: Vec<&'static str>,
    judged: bool,
}

impl<'d> Fields<'d> {
    pub(super) fn new(map: Item<'d>, entries: &'d [Entry]) -> Self {
        Self { map, entries, asked: Vec::new(), judged: true }
    }

    /// The map itself.
    pub fn map(&self) -> Item<'d> {
        self.map
    }

    /// The value of a field, when it is there.
    pub fn get(&mut self, name: &'static str) -> Option<Item<'d>> {
        self.asked.push(name);
        if let Some(sketched) = self.map.field_sketched(name) {
            return Some(sketched);
        }
        let entry = self.entries.iter().find(|entry| entry.key == name)?;
        Some(Item::of(&entry.node, name, self.map.book))
    }

    /// Reads a field that must be there.
    pub fn required<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&Item<'d>) -> Result<T, Reported>,
    ) -> Result<T, Reported> {
        self.map.require_sketched(name);
        let Some(item) = self.get(name) else {
            let message = format!("`{name}` is missing");
            return Err(self.map.refuse(Code::MissingField, message, format!("add `{name}:` here")));
        };
        read(&item)
    }

    /// Reads a field that may be left out.
    pub fn optional<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&Item<'d>) -> Result<T, Reported>,
    ) -> Result<Option<T>, Reported> {
        self.get(name).map(|item| read(&item)).transpose()
    }

    /// Reads the one field that is there of several that exclude each other.
    pub fn exactly_one<T>(&mut self, choices: &[(&'static str, Reader<'d, T>)]) -> Result<T, Reported> {
        let found: Vec<_> = choices.iter().filter_map(|(name, read)| Some((self.get(name)?, read))).collect();
        let names: Vec<_> = choices.iter().map(|(name, _)| format!("`{name}`")).collect();
        self.map.note("oneOf", choices.iter().map(|(name, _)| json!({ "required": [name] })).collect());
        if self.map.sketch.is_some() {
            for (item, read) in &found {
                drop(read(item));
            }
        }
        match found.as_slice() {
            [(item, read)] => read(item),
            [] => {
                let message = format!("one of {} is missing", names.join(", "));
                Err(self.map.refuse(Code::MissingField, message, "add the one that fits"))
            }
            [(first, _), (second, _), ..] => {
                let message = format!("`{}` and `{}` exclude each other", first.field(), second.field());
                Err(second.refuse(Code::Contradiction, message, "keep one of them"))
            }
        }
    }

    /// Reports a defect of the map as a whole.
    pub fn refuse(&self, code: Code, message: impl Into<String>, help: impl Into<String>) -> Reported {
        self.map.refuse(code, message, help)
    }

    /// Leaves the fields that were not asked for without judgement: the map is of another kind than was thought.
    pub fn ignore_rest(&mut self) {
        self.judged = false;
    }

    pub(super) fn report_unknown(&self) {
        if !self.judged {
            return;
        }
        for entry in self.entries.iter().filter(|entry| !self.asked.contains(&entry.key.as_str())) {
            let message = format!("`{}` is not known here", shown(&entry.key));
            let help = did_you_mean(&entry.key, &self.asked);
            self.map.book.report(Code::UnknownField, entry.place, message, help);
        }
    }
}
