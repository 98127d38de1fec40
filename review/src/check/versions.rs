//! Whether ranges of versions have a version in common.

use pavane_choreography::plan::is_wanted;
use pavane_events::Version;
use semver::VersionReq;

/// Whether some version meets all of these. Between two bounds that stand in a text lies either a bound, the version right
/// behind or before one, or nothing: so it is enough to try these.
pub(super) fn can_all_hold(wanted: &[&VersionReq]) -> bool {
    let mut tried = vec!["0.0.0".to_owned()];
    for bound in wanted.iter().flat_map(|wanted| &wanted.comparators) {
        let (major, minor, patch) = (bound.major, bound.minor.unwrap_or(0), bound.patch.unwrap_or(0));
        if !bound.pre.is_empty() {
            tried.push(format!("{major}.{minor}.{patch}-{}", bound.pre));
        }
        for (major, minor, patch) in [
            (major, minor, patch),
            (major, minor, patch.saturating_add(1)),
            (major, minor.saturating_add(1), 0),
            (major.saturating_add(1), 0, 0),
            (major, minor, patch.saturating_sub(1)),
            (major, minor.saturating_sub(1), 0),
            (major.saturating_sub(1), 0, 0),
        ] {
            tried.push(format!("{major}.{minor}.{patch}"));
        }
    }
    let meets = |text: &String| {
        Version::new(text)
            .is_ok_and(|version| wanted.iter().all(|wanted| is_wanted(Some(wanted), Some(&version))))
    };
    tried.iter().any(meets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_hold_together_where_some_version_lies_in_all() {
        for (ranges, expected) in [
            (vec![">=2.0.0, <3"], true),
            (vec![">=3.0.0, <2"], false),
            (vec![">=2.0.0, <3", ">=3.0.0"], false),
            (vec![">=2.0.0, <3", ">=2.5"], true),
            (vec!["^1.4", "<1.4.1"], true),
            (vec!["^1.4", "<1.4.0"], false),
            (vec![">2.0.0", "<2.0.2"], true),
            (vec!["=2.0.0-rc.1", ">=2.0.0"], false),
            (vec!["*", "<0.0.1"], true),
        ] {
            let ranges: Vec<VersionReq> = ranges.iter().map(|text| text.parse().expect("a range")).collect();
            assert_eq!(can_all_hold(&ranges.iter().collect::<Vec<_>>()), expected, "{ranges:?}");
        }
    }
}
