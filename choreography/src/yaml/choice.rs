//! The word that was probably meant.

/// Names the candidate that is nearest to what stands there, or else all of them.
pub fn did_you_mean(found: &str, candidates: &[&str]) -> String {
    match nearest(found, candidates) {
        Some(nearest) => format!("did you mean `{nearest}`?"),
        None => format!("known are {}", listed(candidates)),
    }
}

/// The first candidates in backticks.
fn listed(candidates: &[&str]) -> String {
    const MOST: usize = 16;
    let quoted: Vec<_> = candidates.iter().take(MOST).map(|name| format!("`{name}`")).collect();
    let rest = if candidates.len() > MOST { " …" } else { "" };
    quoted.join(", ") + rest
}

/// The candidate that is so near to what stands there that it was probably meant.
pub fn nearest<'c>(found: &str, candidates: &[&'c str]) -> Option<&'c str> {
    let longest = candidates.iter().map(|name| name.len()).max()?;
    if found.len() > 2 * longest + 2 {
        return None;
    }
    let plain = |text: &str| text.to_ascii_lowercase().replace(['-', '_'], "");
    let found = plain(found);
    let distance = |name: &str| strsim::osa_distance(&found, &plain(name));
    let (distance, name) = candidates.iter().map(|&name| (distance(name), name)).min()?;
    (distance * 3 <= found.len().max(3)).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_hand_is_recognised_and_a_strange_word_is_not() {
        let names = ["within", "started_within", "version", "on_stall"];
        for (slip, meant) in [
            ("wihtin", "within"),
            ("startedWithin", "started_within"),
            ("on-stall", "on_stall"),
            ("verson", "version"),
        ] {
            assert_eq!(did_you_mean(slip, &names), format!("did you mean `{meant}`?"));
        }
        assert_eq!(
            did_you_mean("timeout", &names),
            "known are `within`, `started_within`, `version`, `on_stall`"
        );
        assert_eq!(nearest(&"x".repeat(100_000), &names), None);
    }
}
