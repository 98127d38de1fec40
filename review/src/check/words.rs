//! How lengths and lists stand in messages.

use std::fmt::{Display, Write as _};

use pavane_events::Millis;

/// A length of time in its two largest units, e.g. `5m`, `1h30m` or `250ms`.
pub(super) fn lasting(length: Millis) -> String {
    const UNITS: [(&str, Millis); 5] =
        [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];
    let mut rest = length.max(0);
    let mut text = String::new();
    for (name, unit) in UNITS {
        if rest >= unit {
            write!(text, "{}{name}", rest / unit).expect("a string takes all that is written to it");
            rest %= unit;
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

/// Things in backticks, with commas.
pub(super) fn listed<T: Display>(things: impl IntoIterator<Item = T>) -> String {
    let quoted: Vec<String> = things.into_iter().map(|thing| format!("`{thing}`")).collect();
    quoted.join(", ")
}
