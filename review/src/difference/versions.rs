//! Which versions a requirement accepts that the other does not, by asking both.
//!
//! What a requirement accepts changes at the versions that it names and at their neighbours alone. Asking both
//! requirements for all of those tells them apart without reading either.

use std::collections::BTreeSet;

use pavane_choreography::Step;
use pavane_events::Version;

/// A version as three numbers, whether it is a release, and the name of what comes before one.
type Probe = ((u64, u64, u64), bool, String);

/// The lowest versions that only one of two steps accepts.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    /// The lowest version that counts for the new step alone.
    pub(super) gained: Option<String>,
    /// The lowest version that counted for the old step alone.
    pub(super) lost: Option<String>,
}

/// Compares what two steps accept.
pub(super) fn compare(old: &Step, new: &Step) -> Verdict {
    let probes: BTreeSet<Probe> = [old, new].into_iter().flat_map(edges).collect();
    let found = |wanted: &Step, other: &Step| {
        probes.iter().map(written).find(|probe| accepts(wanted, probe) && !accepts(other, probe))
    };
    Verdict { gained: found(new, old), lost: found(old, new) }
}

fn written(((major, minor, patch), _, before): &Probe) -> String {
    let dash = if before.is_empty() { "" } else { "-" };
    format!("{major}.{minor}.{patch}{dash}{before}")
}

fn accepts(step: &Step, version: &str) -> bool {
    step.accepts(Version::new(version).ok().as_ref())
}

/// The versions at which what a step accepts may change, and those right before them.
fn edges(step: &Step) -> Vec<Probe> {
    const HIGH: u64 = 9_999;
    let release = |triple| (triple, true, String::new());
    let mut edges = [(0, 0, 0), (0, 0, 1), (0, 1, 0), (1, 0, 0), (HIGH, 0, 0)].map(release).to_vec();
    for named in step.version.iter().flat_map(|wanted| &wanted.comparators) {
        let (major, minor, patch) = (named.major, named.minor.unwrap_or(0), named.patch.unwrap_or(0));
        edges.push(release((major, minor, patch)));
        edges.push(release((major, minor, patch.saturating_add(1))));
        edges.push(release((major, minor.saturating_add(1), 0)));
        edges.push(release((major.saturating_add(1), 0, 0)));
        edges.extend(before(major, minor, patch).map(release));
        if !named.pre.is_empty() {
            edges.push(((major, minor, patch), false, named.pre.to_string()));
        }
    }
    edges
}

fn before(major: u64, minor: u64, patch: u64) -> Option<(u64, u64, u64)> {
    const HIGH: u64 = 9_999;
    match (major, minor, patch) {
        (0, 0, 0) => None,
        (major, 0, 0) => Some((major - 1, HIGH, HIGH)),
        (major, minor, 0) => Some((major, minor - 1, HIGH)),
        (major, minor, patch) => Some((major, minor, patch - 1)),
    }
}

#[cfg(test)]
mod tests {
    use pavane_choreography::Expect;
    use pavane_events::{EventType, Service, StepId};

    use super::*;

    #[test]
    fn requirements_are_told_apart_by_what_they_accept() {
        let told = |old, new| {
            let Verdict { gained, lost } = compare(&step(old), &step(new));
            (gained.unwrap_or_default(), lost.unwrap_or_default())
        };
        let pair = |gained: &str, lost: &str| (gained.to_owned(), lost.to_owned());
        assert_eq!(told(">=2.0.0, <3", ">=2, <3.0.0"), pair("", ""));
        assert_eq!(told("^2", ">=2.0.0, <3"), pair("", ""));
        assert_eq!(told(">=2, <3", ">=2, <4"), pair("3.0.0", ""));
        assert_eq!(told(">=2, <3", ">=2.1, <3"), pair("", "2.0.0"));
        assert_eq!(told("~1.2.3", "~1.3"), pair("1.3.0", "1.2.3"));
        assert_eq!(told("", ">=2"), pair("", "0.0.0"));
        assert_eq!(told(">=2.0.0-rc.1", ">=2.0.0"), pair("", "2.0.0-rc.1"));
        assert_eq!(told("=1.2.3", "=1.2.4"), pair("1.2.4", "1.2.3"));
    }

    fn step(version: &str) -> Step {
        let service = Service::new("users").expect("a name");
        let expect = Expect { service, event: EventType::DeploymentComplete };
        let mut step = Step::new(StepId::new("users").expect("a name"), expect, 1, "identity");
        step.version = (!version.is_empty()).then(|| version.parse().expect("a requirement"));
        step
    }
}
