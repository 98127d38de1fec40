//! One value of a file on its way to what is meant.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::json;

use super::book::{Book, Reported};
use super::choice::did_you_mean;
use super::fields::Fields;
use super::tree::{Entry, Node, Value};
use crate::diagnostic::{Code, Place};

/// A value of a file, with its place and the name of the field that holds it.
#[derive(Clone, Copy)]
pub struct Item<'d> {
    pub(super) node: &'d Node,
    name: &'d str,
    pub(super) book: &'d Book,
    /// Where the questions are noted when there is no text.
    pub(super) sketch: Option<usize>,
}

/// What was read from a value, with the value itself, so that it can be refused later on.
#[derive(Clone, Debug)]
pub struct Spanned<'d, T> {
    /// What was read.
    pub value: T,
    /// Where it was read from.
    pub item: Item<'d>,
}

impl<'d> Item<'d> {
    pub(crate) fn root(node: &'d Node, book: &'d Book) -> Self {
        Self { node, name: "", book, sketch: None }
    }

    pub(crate) fn of(node: &'d Node, name: &'d str, book: &'d Book) -> Self {
        Self { node, name, book, sketch: None }
    }

    pub(super) fn sketched(node: &'d Node, name: &'d str, book: &'d Book, sketch: usize) -> Self {
        Self { node, name, book, sketch: Some(sketch) }
    }

    /// Where the value begins.
    pub fn place(&self) -> Place {
        self.node.place
    }

    /// The name of the field that holds the value; empty for the file as a whole.
    pub fn field(&self) -> &'d str {
        self.name
    }

    /// Reports that the value is defective.
    pub fn refuse(&self, code: Code, message: impl Into<String>, help: impl Into<String>) -> Reported {
        self.book.report(code, self.place(), message, help)
    }

    /// Names what was probably meant instead of what stands there.
    pub(crate) fn guess<'k>(&self, found: &str, known: impl Iterator<Item = &'k str>) -> String {
        if self.book.is_full() { String::new() } else { did_you_mean(found, &known.collect::<Vec<_>>()) }
    }

    /// Reads the value and keeps its place.
    pub fn spanned<T>(
        &self,
        read: impl FnOnce(&Self) -> Result<T, Reported>,
    ) -> Result<Spanned<'d, T>, Reported> {
        Ok(Spanned { value: read(self)?, item: *self })
    }

    /// Reads a map with known fields; fields that `read` does not ask for are reported as unknown.
    pub fn fields<T>(
        &self,
        read: impl FnOnce(&mut Fields<'d>) -> Result<T, Reported>,
    ) -> Result<T, Reported> {
        self.note("type", json!("object"));
        let entries = match &self.node.value {
            Value::Map(entries) => entries.as_slice(),
            Value::Scalar { .. } if self.sketch.is_some() => &[],
            Value::Scalar { .. } | Value::List(_) | Value::Broken(_) => {
                return Err(self.wrong("a map with fields"));
            }
        };
        let mut fields = Fields::new(*self, entries);
        let outcome = read(&mut fields);
        fields.report_unknown();
        outcome
    }

    /// Reads a list, entry by entry; every bad entry is reported.
    pub fn list<T>(&self, read: impl FnMut(&Self) -> Result<T, Reported>) -> Result<Vec<T>, Reported> {
        self.each(read)?.into_iter().collect()
    }

    /// Reads a list and keeps what could be read of each entry.
    pub fn each<T>(
        &self,
        mut read: impl FnMut(&Self) -> Result<T, Reported>,
    ) -> Result<Vec<Result<T, Reported>>, Reported> {
        if let Some(entry) = self.entry_sketched() {
            let _nothing_was_there_to_read = read(&entry);
            return Ok(Vec::new());
        }
        let Value::List(nodes) = &self.node.value else { return Err(self.wrong("a list")) };
        Ok(nodes.iter().map(|node| read(&Self { node, ..*self })).collect())
    }

    /// Reads a map whose keys are free texts.
    pub fn entries<T>(
        &self,
        mut read: impl FnMut(&Self) -> Result<T, Reported>,
    ) -> Result<BTreeMap<String, T>, Reported> {
        if let Some(value) = self.value_sketched() {
            let _nothing_was_there_to_read = read(&value);
            return Ok(BTreeMap::new());
        }
        let Value::Map(entries) = &self.node.value else { return Err(self.wrong("a map")) };
        let read: Vec<_> = entries
            .iter()
            .map(|entry| {
                let value = read(&Self { node: &entry.node, name: &entry.key, ..*self });
                value.map(|value| (entry.key.clone(), value))
            })
            .collect();
        read.into_iter().collect()
    }

    /// Reads the text that stands there, quoted or not, whatever it is. `wanted` says what should stand there.
    pub fn scalar(&self, wanted: &str) -> Result<&'d str, Reported> {
        match &self.node.value {
            Value::Scalar { text, plain } if !(*plain && is_null(text)) => Ok(text),
            Value::Scalar { .. } | Value::List(_) | Value::Map(_) | Value::Broken(_) => {
                Err(self.wrong(wanted))
            }
        }
    }

    /// Reads a value that is written either as a map or as a single word.
    pub fn map_or<T>(
        &self,
        map: impl FnOnce(&Self) -> Result<T, Reported>,
        word: impl FnOnce(&Self) -> Result<T, Reported>,
    ) -> Result<T, Reported> {
        if let (Some(one), Some(other)) = (self.way_sketched(), self.way_sketched()) {
            return map(&one).and(word(&other));
        }
        if self.is_map() { map(self) } else { word(self) }
    }

    /// Where each field of a map and of the maps in it begins, by its path, e.g. `compensate.within`.
    pub fn places(&self) -> BTreeMap<String, Place> {
        let mut places = BTreeMap::new();
        self.node.places("", &mut places);
        places
    }

    /// Reads the text that stands there; `wanted` is the only one that may.
    pub(crate) fn constant(&self, wanted: &'static str) -> Result<&'d str, Reported> {
        match self.shaped(|| json!({ "const": wanted })) {
            Ok(()) => self.scalar(&format!("`{wanted}`")),
            Err(_) => Ok(wanted),
        }
    }

    /// Whether the value is a list.
    pub fn is_list(&self) -> bool {
        matches!(self.node.value, Value::List(_))
    }

    /// Whether the value is a map.
    pub fn is_map(&self) -> bool {
        matches!(self.node.value, Value::Map(_))
    }

    /// The text that stands there when it is not in quotes.
    pub(super) fn unquoted(&self, wanted: &str) -> Result<&'d str, Reported> {
        let text = self.scalar(wanted)?;
        match &self.node.value {
            Value::Scalar { plain: true, .. } => Ok(text),
            Value::Scalar { .. } | Value::List(_) | Value::Map(_) | Value::Broken(_) => {
                let message = format!("`{}` is a text in quotes; it wants {wanted}", self.name);
                Err(self.refuse(Code::WrongType, message, "leave the quotes out"))
            }
        }
    }

    fn wrong(&self, wanted: &str) -> Reported {
        let found = match &self.node.value {
            Value::Broken(reported) => return *reported,
            Value::Scalar { text, plain: true } if is_null(text) => {
                let message = format!("`{}` has no value; it wants {wanted}", self.name);
                return self.refuse(Code::WrongType, message, "give it one or leave the field out");
            }
            Value::Scalar { .. } => "a text",
            Value::List(_) => "a list",
            Value::Map(_) => "a map",
        };
        let name = if self.name.is_empty() { "the file".to_owned() } else { format!("`{}`", self.name) };
        let braced = matches!(&self.node.value, Value::Map(entries) if is_placeholder(entries));
        let help = match wanted {
            _ if braced => "text in braces needs quotes",
            "a list" => "write `[a, b]`, or one line with `- ` for each",
            _ => "",
        };
        self.refuse(Code::WrongType, format!("{name} is {found}; it wants {wanted}"), help)
    }
}

impl fmt::Debug for Item<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Item").field("name", &self.name).field("place", &self.place()).finish_non_exhaustive()
    }
}

impl Node {
    fn places(&self, under: &str, places: &mut BTreeMap<String, Place>) {
        let Value::Map(entries) = &self.value else { return };
        for entry in entries {
            let path = if under.is_empty() { entry.key.clone() } else { format!("{under}.{}", entry.key) };
            entry.node.places(&path, places);
            places.insert(path, entry.node.place);
        }
    }
}

/// Whether a map is what YAML makes of `{word}`.
fn is_placeholder(entries: &[Entry]) -> bool {
    matches!(entries, [Entry { node: Node { value: Value::Scalar { text, plain: true }, .. }, .. }] if is_null(text))
}

fn is_null(text: &str) -> bool {
    matches!(text, "" | "~" | "null" | "Null" | "NULL")
}
