//! What a file is, by what it says at its outermost level.
//!
//! Much YAML lies in a repository. What is left alone must be left alone for a reason that a person can see, and what
//! is ours must be known even when it is broken: so a file is known by its top-level keys alone.

use std::collections::BTreeMap;
use std::path::Path;

/// What a file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// How a rollout should go.
    Choreography,
    /// Who stands beside a service.
    Sidecar,
    /// Who watches a domain.
    Sentinel,
    /// A scenario for a choreography.
    Scenario,
    /// The schema of a service's own event.
    Schema {
        /// The name of the service's folder.
        service: String,
        /// The name of the file.
        event: String,
    },
    /// Nothing of ours.
    Other,
}

/// Keys of a sidecar's file that make `service:` one of ours.
const SIDECAR: [&str; 3] = ["domain", "journal", "reactions"];

/// Keys of a sentinel's file that make `domains:` one of ours in a folder.
const SENTINEL: [&str; 5] = ["receivers", "replica", "external_url", "http", "prometheus"];

impl Kind {
    /// Whether a file may be ours by its name.
    pub(super) fn may_be(path: &Path) -> bool {
        path.extension().is_some_and(|end| end == "yaml" || end == "yml" || end == "avsc")
    }

    /// What a file is. `named` says that a person has named it, and less is asked of it.
    pub(super) fn of(path: &Path, text: &str, named: bool) -> Self {
        if path.extension().is_some_and(|end| end == "avsc") {
            return schema(path).unwrap_or(Self::Other);
        }
        let silent = |line: &str| line.trim().is_empty() || line.trim_start().starts_with('#');
        if named && text.lines().all(silent) {
            return Self::Choreography; // Its reader says that it is empty.
        }
        let keys = keys(text);
        let says = |key: &str| keys.contains_key(key);
        let version = keys.get("apiVersion").copied();
        if version.is_none_or(|version| version.starts_with("pavane/")) {
            match keys.get("kind").copied() {
                Some("Scenario") => return Self::Scenario,
                Some("Choreography") => return Self::Choreography,
                // A version of ours and a kind that is not: broken, and ours all the same.
                Some(_) | None if version.is_some() => return Self::Choreography,
                Some(_) | None => {}
            }
        }
        let ours = version.is_none() && !says("kind");
        if ours
            && keys.get("service").is_some_and(|name| !name.is_empty())
            && SIDECAR.iter().any(|key| says(key))
        {
            return Self::Sidecar;
        }
        let watches = says("domains") && (named || SENTINEL.iter().any(|key| says(key)));
        if ours && watches { Self::Sentinel } else { Self::Other }
    }
}

/// `schemas/services/<service>/<Event>.avsc`.
fn schema(path: &Path) -> Option<Kind> {
    let mut parts = path.iter().rev().map(|part| part.to_str());
    let (event, service) = (parts.next()??.strip_suffix(".avsc")?, parts.next()??);
    let within = parts.next()? == Some("services") && parts.any(|part| part == Some("schemas"));
    within.then(|| Kind::Schema { service: service.to_owned(), event: event.to_owned() })
}

/// The keys at the outermost level, each with the plain text behind it.
fn keys(text: &str) -> BTreeMap<&str, &str> {
    let mut keys = BTreeMap::new();
    for line in text.trim_start_matches('\u{feff}').lines() {
        let Some((key, value)) = line.split_once(':') else { continue };
        let outermost = key.starts_with(|c: char| c.is_ascii_alphabetic() || c == '"' || c == '\'');
        if outermost && (value.is_empty() || value.starts_with([' ', '\t'])) {
            let value = value.split(" #").next().unwrap_or_default();
            keys.entry(bare(key)).or_insert(bare(value));
        }
    }
    keys
}

fn bare(text: &str) -> &str {
    text.trim().trim_matches(['"', '\''])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Kind {
        Kind::of(Path::new("a.yaml"), text, false)
    }

    #[test]
    fn files_are_known_by_their_outermost_keys_even_when_they_are_broken() {
        assert_eq!(of("# x\napiVersion: pavane/v1\nkind: Choreography\n"), Kind::Choreography);
        assert_eq!(of("apiVersion: pavane/v9\nkind: Choregraphy\n"), Kind::Choreography);
        assert_eq!(of("kind: \"Choreography\"   # ours\r\n"), Kind::Choreography);
        assert_eq!(of("apiVersion: pavane/v1\nkind: Scenario\n"), Kind::Scenario);
        assert_eq!(of("service: a\ndomain: shop\nreactions: [\n"), Kind::Sidecar);
        assert_eq!(of("domains: [shop]\nreceivers: []\n"), Kind::Sentinel);
    }

    #[test]
    fn what_is_not_ours_is_left_alone() {
        for text in [
            "apiVersion: apps/v1\nkind: Deployment\n",
            "apiVersion: v1\nkind: Service\nservice: a\ndomain: b\n",
            "apiVersion: dance.example/v1\nkind: Choreography\n",
            "services:\n  service: a\n  domain: b\n",
            "service:\n  type: ClusterIP\ndomain: b\n",
            "service: a\nimage: b\n",
            "domains:\n  - example.org\n",
            "",
        ] {
            assert_eq!(of(text), Kind::Other, "{text}");
        }
        assert_eq!(Kind::of(Path::new("a.yaml"), "domains: [shop]\n", true), Kind::Sentinel);
    }

    #[test]
    fn a_schema_is_a_services_own_by_its_folder() {
        let of = |path: &str| Kind::of(Path::new(path), "{}", true);
        let (service, event) = ("matchmaking".to_owned(), "Ready".to_owned());
        assert_eq!(of("x/schemas/services/matchmaking/Ready.avsc"), Kind::Schema { service, event });
        assert_eq!(of("x/schemas/lifecycle/v1/Ready.avsc"), Kind::Other);
        assert_eq!(of("services/matchmaking/Ready.avsc"), Kind::Other);
    }
}
