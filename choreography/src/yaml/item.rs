//! One value of a file on its way to what is meant.

use std::collections::BTreeMap;
use std::fmt;

use super::book::{Book, Reported};
use super::fields::Fields;
use super::tree::{Node, Value};
use crate::diagnostic::{Code, Place};

/// A value of a file, with its place and the name of the field that holds it.
#[derive(Clone, Copy)]
pub struct Item<'d> {
    node: &'d Node,
    name: &'d str,
    pub(super) book: &'d Book,
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
    pub(super) fn root(node: &'d Node, book: &'d Book) -> Self {
        Self { node, name: "", book }
    }

    pub(super) fn of(node: &'d Node, name: &'d str, book: &'d Book) -> Self {
        Self { node, name, book }
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
        let Value::Map(entries) = &self.node.value else { return Err(self.wrong("a map with fields")) };
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
        let Value::List(nodes) = &self.node.value else { return Err(self.wrong("a list")) };
        Ok(nodes.iter().map(|node| read(&Self { node, ..*self })).collect())
    }

    /// Reads a map whose keys are free texts.
    pub fn entries<T>(
        &self,
        mut read: impl FnMut(&Self) -> Result<T, Reported>,
    ) -> Result<BTreeMap<String, T>, Reported> {
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
        let help = if wanted == "a list" { "write `[a, b]`, or one line with `- ` for each" } else { "" };
        self.refuse(Code::WrongType, format!("{name} is {found}; it wants {wanted}"), help)
    }
}

impl fmt::Debug for Item<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Item").field("name", &self.name).field("place", &self.place()).finish_non_exhaustive()
    }
}

fn is_null(text: &str) -> bool {
    matches!(text, "" | "~" | "null" | "Null" | "NULL")
}
