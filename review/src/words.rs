//! Numbers and texts as they stand in what people and programs read.

/// A number with its noun: `1 file`, `2 files`.
pub fn counted(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

/// A text as XML 1.0 can hold it, in an element as well as in quotes. What XML cannot hold becomes a mark, and what
/// breaks a line does so still.
pub fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&apos;"),
            '\n' => safe.push_str("&#10;"),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => safe.push('\u{fffd}'),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_becomes_markup() {
        assert_eq!(escaped("<a b='\"&\n\u{1b}\u{ffff}"), "&lt;a b=&apos;&quot;&amp;&#10;\u{fffd}\u{fffd}");
        assert_eq!([1, 2].map(|n| counted(n, "step")), ["1 step", "2 steps"]);
    }
}
