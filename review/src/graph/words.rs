//! Durations and texts as they stand in a picture: short, and never longer than their place.

use pavane_events::Millis;

/// A duration as it is written in a choreography, e.g. `1h30m`, `5m10s`, `250ms`.
pub(crate) fn lasting(ms: Millis) -> String {
    if ms == 0 {
        return "0s".to_owned();
    }
    let parts = [(ms / 3_600_000, "h"), (ms / 60_000 % 60, "m"), (ms / 1_000 % 60, "s"), (ms % 1_000, "ms")];
    let parts: Vec<String> =
        parts.iter().filter(|(count, _)| *count != 0).map(|(count, unit)| format!("{count}{unit}")).collect();
    parts.concat()
}

/// The text where it fits so many characters; else its beginning and a sign that more was there.
pub(super) fn clipped(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}

/// The text in lines of at most so many characters, broken between words; a longer word keeps its line.
pub(crate) fn wrapped(text: &str, most: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= most => {
                line.push(' ');
                line.push_str(word);
            }
            Some(_) | None => lines.push(word.to_owned()),
        }
    }
    lines
}

/// A number with its noun.
pub(crate) fn counted(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

/// Several words as one phrase: `a, b and c`.
pub(crate) fn listed(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_reads_as_it_is_written() {
        for (ms, text) in
            [(0, "0s"), (250, "250ms"), (90_000, "1m30s"), (5_400_000, "1h30m"), (86_400_000, "24h")]
        {
            assert_eq!(lasting(ms), text);
        }
    }

    #[test]
    fn a_text_keeps_to_its_place() {
        assert_eq!(clipped("messaging", 9), "messaging");
        assert_eq!(clipped("messaging", 5), "mess…");
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
    }
}
