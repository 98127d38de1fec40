//! The files that the demo plays by, as they lie in `cli/demo`, with their placeholders filled.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};

use crate::place;

/// The demo's services, in the order in which they enter.
pub const SERVICES: [&str; 5] = ["user-db", "user-service", "messaging", "matchmaking", "tournament"];

/// The demo's domain.
pub const DOMAIN: &str = "arena";

/// A line of a sentinel's file by which whoever is on call is told of each alert by itself, also in a storm.
pub const EACH: &str =
    "route: { receiver: on-call, group_by: [\"...\"], group_wait: 0s, group_interval: 1s }\n";

/// Where a file of the demo lies.
pub fn path(file: &str) -> PathBuf {
    place::workspace().join("cli/demo").join(file)
}

/// A file of the demo as it is written.
pub fn read(file: &str) -> Result<String> {
    let path = path(file);
    std::fs::read_to_string(&path).with_context(|| format!("failed to read {}", path.display()))
}

/// A file of the demo with its placeholders filled; one that stays empty is an error.
pub fn filled(file: &str, values: &[(&str, &str)]) -> Result<String> {
    fill(&read(file)?, values).with_context(|| format!("failed to fill {file}"))
}

/// A text with `{{name}}` replaced by its value; one that stays empty is an error.
pub fn fill(text: &str, values: &[(&str, &str)]) -> Result<String> {
    let replace =
        |text: String, (name, value): &(&str, &str)| text.replace(&format!("{{{{{name}}}}}"), value);
    let text = values.iter().fold(text.to_owned(), replace);
    ensure!(!text.contains("{{"), "a placeholder has no value:\n{text}");
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_placeholder_without_a_value_is_an_error() {
        assert_eq!(fill("http: {{http}}", &[("http", "x:1")]).unwrap(), "http: x:1");
        assert!(fill("http: {{http}} {{journal}}", &[("http", "x:1")]).is_err());
    }
}
