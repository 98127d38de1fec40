//! How lists stand in messages.

use std::fmt::Display;

/// Things in backticks, with commas.
pub(super) fn listed<T: Display>(things: impl IntoIterator<Item = T>) -> String {
    let quoted: Vec<String> = things.into_iter().map(|thing| format!("`{thing}`")).collect();
    quoted.join(", ")
}
