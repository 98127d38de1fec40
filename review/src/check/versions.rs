//! Whether ranges of versions have a version in common.

use pavane_choreography::plan::is_wanted;
use pavane_events::Version;
use semver::VersionReq;

/// Whether some version meets all of these.
pub(super) fn can_all_hold(wanted: &[&VersionReq]) -> bool {
    worth_trying(wanted).any(|version| wanted.iter().all(|wanted| is_wanted(Some(wanted), Some(&version))))
}

/// Whether every version that meets the one meets the other as well.
pub(super) fn all_lie_in(one: &VersionReq, other: &VersionReq) -> bool {
    let meets = |wanted: &VersionReq, version: &Version| is_wanted(Some(wanted), Some(version));
    worth_trying(&[one, other]).all(|version| !meets(one, &version) || meets(other, &version))
}

/// The versions by which ranges are told apart. Between two bounds that stand in a text lies either a bound, the version
/// right behind or before one, or nothing: so it is enough to try these.
fn worth_trying(wanted: &[&VersionReq]) -> impl Iterator<Item = Version> {
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
    tried.into_iter().filter_map(|text| Version::new(text).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_lies_in_another_where_none_of_its_versions_is_outside() {
        for (one, other, expected) in [
            (">=5", ">=5", true),
            (">=5, <7", ">=5", true),
            (">=5", ">=5, <7", false),
            (">=4, <7", ">=5", false),
            ("^5.1", "^5", true),
            ("^5", "^5.1", false),
            ("=6.0.0", ">5, <6.0.1", true),
            (">=5", "*", true),
            ("*", ">=5", false),
            ("<=5.2.0", "<5.2.1", true),
        ] {
            let [a, b] = [one, other].map(|text| text.parse::<VersionReq>().expect("a range"));
            assert_eq!(all_lie_in(&a, &b), expected, "{one} in {other}");
        }
    }

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
