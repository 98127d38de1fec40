//! Which versions of a schema must read which: the levels of a registry, and what breaks one.

use std::fmt;
use std::str::FromStr;

use crate::compat::{Difference, can_read};
use crate::schema::Schema;

/// A level of compatibility, as registries name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mode {
    /// Nothing is asked.
    None,
    /// The new reads what the last one wrote.
    Backward,
    /// The new reads what any before it wrote.
    BackwardTransitive,
    /// The last one reads what the new writes.
    Forward,
    /// Any before it reads what the new writes.
    ForwardTransitive,
    /// The new and the last one read each other.
    Full,
    /// The new and any before it read each other.
    FullTransitive,
}

/// Who cannot read whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    /// The new schema cannot read what an old one wrote.
    Backward,
    /// An old schema cannot read what the new one writes.
    Forward,
}

/// What a new schema breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breach {
    /// The place of the old version in the list that was given, from 0.
    pub version: usize,
    /// Who cannot read whom.
    pub direction: Direction,
    /// What.
    pub difference: Difference,
}

impl Mode {
    /// Every level there is.
    pub const ALL: [Self; 7] = [
        Self::None,
        Self::Backward,
        Self::BackwardTransitive,
        Self::Forward,
        Self::ForwardTransitive,
        Self::Full,
        Self::FullTransitive,
    ];

    /// As registries write it, e.g. `FULL_TRANSITIVE`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "NONE",
            Self::Backward => "BACKWARD",
            Self::BackwardTransitive => "BACKWARD_TRANSITIVE",
            Self::Forward => "FORWARD",
            Self::ForwardTransitive => "FORWARD_TRANSITIVE",
            Self::Full => "FULL",
            Self::FullTransitive => "FULL_TRANSITIVE",
        }
    }

    /// Whether every version counts, and not the last alone.
    pub const fn is_transitive(self) -> bool {
        match self {
            Self::BackwardTransitive | Self::ForwardTransitive | Self::FullTransitive => true,
            Self::None | Self::Backward | Self::Forward | Self::Full => false,
        }
    }

    /// Whether a breach in this direction counts.
    pub const fn asks(self, direction: Direction) -> bool {
        match self {
            Self::None => false,
            Self::Backward | Self::BackwardTransitive => matches!(direction, Direction::Backward),
            Self::Forward | Self::ForwardTransitive => matches!(direction, Direction::Forward),
            Self::Full | Self::FullTransitive => true,
        }
    }

    /// Everything that a new schema breaks of the versions before it, which are given oldest first.
    pub fn breaches(self, new: &Schema, before: &[&Schema]) -> Vec<Breach> {
        let first = if self.is_transitive() { 0 } else { before.len().saturating_sub(1) };
        let mut found = Vec::new();
        for (version, old) in before.iter().enumerate().skip(first) {
            for (direction, writer, reader) in
                [(Direction::Backward, *old, new), (Direction::Forward, new, *old)]
            {
                if self.asks(direction) {
                    let differences = can_read(writer, reader).into_iter();
                    found.extend(differences.map(|difference| Breach { version, direction, difference }));
                }
            }
        }
        found
    }
}

impl Direction {
    /// Who cannot read whom, for a person.
    pub const fn told(self) -> &'static str {
        match self {
            Self::Backward => "the new schema cannot read what the old one wrote",
            Self::Forward => "the old schema cannot read what the new one writes",
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Mode {
    type Err = String;

    /// Takes `full-transitive` and `FULL_TRANSITIVE` alike.
    fn from_str(text: &str) -> Result<Self, String> {
        let name = text.to_ascii_uppercase().replace('-', "_");
        let found = Self::ALL.into_iter().find(|mode| mode.as_str() == name);
        found.ok_or_else(|| {
            let all: Vec<&str> = Self::ALL.iter().map(|mode| mode.as_str()).collect();
            format!("read the level {text:?}: it is one of {}", all.join(", "))
        })
    }
}
