//! Where something stands in a schema's text: as JSON pointer, and as line and column.

use std::fmt::Display;

/// A line and a column in characters, both from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The line, from 1.
    pub line: u32,
    /// The column in characters, from 1.
    pub column: u32,
}

/// A part of a schema: its JSON pointer, and where in the text it begins.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Spot {
    /// The JSON pointer; empty for the whole.
    pub pointer: String,
    /// Where it begins.
    pub place: Place,
}

impl Place {
    /// The first character of a text.
    pub const START: Self = Self { line: 1, column: 1 };

    /// Where the byte at an offset stands.
    pub(crate) fn of(text: &str, offset: usize) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        let small = |number| u32::try_from(number).unwrap_or(u32::MAX);
        Self { line: small(line), column: small(column) }
    }
}

/// A JSON pointer, one step deeper.
pub(crate) fn below(pointer: &str, step: impl Display) -> String {
    let step = step.to_string();
    if step.contains(['~', '/']) {
        return format!("{pointer}/{}", step.replace('~', "~0").replace('/', "~1"));
    }
    format!("{pointer}/{step}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_characters_and_pointers_escape_what_they_must() {
        let text = "a\nüb{\r\n x";
        assert_eq!(Place::of(text, 0), Place::START);
        assert_eq!(Place::of(text, 5), Place { line: 2, column: 3 });
        assert_eq!(Place::of(text, 9), Place { line: 3, column: 2 });
        assert_eq!(below("/fields", "a/~b"), "/fields/a~1~0b");
    }
}
