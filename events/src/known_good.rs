//! What is known of a service from the rollouts that ended: the rows of `pavane.services`.
//!
//! A row is a fold of the domain's log that outlives the log's retention: whoever checks a rollback reads it, and needs
//! neither the log nor a sentinel.

use serde::{Deserialize, Serialize};

use crate::{Domain, RolloutId, Service, Version};

/// A row of `pavane.services`, as JSON under the key [`ServiceRow::key`]. The newest row of a key is the whole truth.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceRow {
    /// The domain of the service.
    pub domain: Domain,
    /// The service.
    pub service: Service,
    /// The versions that completed a rollout, the newest first, each once: at most [`ServiceRow::KEPT`].
    #[serde(default)]
    pub known_good: Vec<KnownGood>,
    /// What the last rollout of the service left running; none where nobody can tell, e.g. after an abort half-way.
    #[serde(default)]
    pub left: Option<Left>,
}

/// A version that completed a rollout.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownGood {
    /// The version.
    pub version: Version,
    /// The newest rollout that completed with it.
    pub rollout: RolloutId,
    /// The offset of that rollout's `RolloutCompleted` in the domain's partition.
    pub offset: i64,
}

/// What the last rollout of a service left running.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Left {
    /// The versions, in the order of their text. More than one where the instances of the service said different ones.
    pub versions: Vec<Version>,
    /// The rollout.
    pub rollout: RolloutId,
    /// The offset of the record that ended it.
    pub offset: i64,
}

impl ServiceRow {
    /// How many known good versions a row keeps.
    pub const KEPT: usize = 10;

    /// The key of a service's row: `<domain>/<service>`.
    pub fn key(domain: &Domain, service: &Service) -> String {
        format!("{domain}/{service}")
    }

    /// Whether a version has completed a rollout of the service.
    pub fn knows(&self, version: &Version) -> bool {
        self.known_good.iter().any(|known| known.version == *version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_reads_as_it_was_written_and_an_older_one_with_less_in_it_too() {
        let text = r#"{"domain":"shop","service":"users","known_good":[{"version":"2.0.0","rollout":"r-1","offset":7}],"left":{"versions":["2.0.0"],"rollout":"r-1","offset":7}}"#;
        let row: ServiceRow = serde_json::from_str(text).expect("a row");
        assert_eq!(serde_json::to_string(&row).expect("JSON"), text);
        assert_eq!(ServiceRow::key(&row.domain, &row.service), "shop/users");
        let version = |text| Version::new(text).expect("a name");
        assert!(row.knows(&version("2.0.0")) && !row.knows(&version("1.0.0")));
        let bare: ServiceRow = serde_json::from_str(r#"{"domain":"shop","service":"users"}"#).expect("a row");
        assert!(bare.known_good.is_empty() && bare.left.is_none());
    }
}
