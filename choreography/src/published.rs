//! A choreography as it stands published: the row that the topic of choreographies keeps under `<domain>/<name>`.
//!
//! The row carries the plan as it is meant, so that whoever starts a rollout of it (a person, CI, a trigger) starts
//! what was checked when it was published, and not what a later reader makes of the text.

use pavane_events::Domain;
use serde::{Deserialize, Serialize};

use crate::plan::Plan;

/// The value of a row, as JSON. The newest row under a key counts; a key without a value is not published.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Published {
    /// The name of the choreography; the key ends in it.
    pub name: String,
    /// The plan, every default resolved: a JSON object, the same that `RolloutStarted` carries as text.
    pub plan: Plan,
    /// SHA-256 of the plan's canonical JSON, in hexadecimal: the `plan_digest` of every rollout that is started of it.
    pub digest: String,
    /// Who published it.
    pub by: String,
    /// When, as the publisher's clock said it, in RFC 3339. Told to people; nothing is judged by it.
    pub at: String,
    /// The text of the file that it was read from.
    pub source: String,
}

/// Why a row cannot be started from.
#[derive(Debug, thiserror::Error)]
pub enum BadRow {
    /// The value is not a row.
    #[error("read the published choreography {key}: publish it again with `pavane apply`")]
    NotARow {
        /// The key.
        key: String,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// The plan is not the one that was published: another version of pavane wrote fields that this one does not know.
    #[error(
        "read the published choreography {key}: it was published by another version of pavane; publish it again with \
         `pavane apply`"
    )]
    OtherDigest {
        /// The key.
        key: String,
    },
    /// The row stands under the name of another one.
    #[error("read the published choreography {key}: it holds {name}; publish both again with `pavane apply`")]
    OtherName {
        /// The key.
        key: String,
        /// The name in the row.
        name: String,
    },
}

impl Published {
    /// The row of a plan that was read from a text.
    pub fn new(plan: Plan, source: String, by: String, at: String) -> Self {
        Self { name: plan.name.clone(), digest: plan.digest(), plan, by, at, source }
    }

    /// The key under which the choreography of this name stands: `<domain>/<name>`.
    pub fn key(domain: &Domain, name: &str) -> String {
        format!("{domain}/{name}")
    }

    /// The value of the row.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("a row has no map with keys that are not text")
    }

    /// Reads a row. What does not round-trip is refused: a plan must not mean something else than was published.
    pub fn from_json(key: &str, value: &[u8]) -> Result<Self, BadRow> {
        let key = || key.to_owned();
        let row: Self =
            serde_json::from_slice(value).map_err(|source| BadRow::NotARow { key: key(), source })?;
        if row.plan.digest() != row.digest {
            return Err(BadRow::OtherDigest { key: key() });
        }
        let named = key().rsplit_once('/').is_some_and(|(_, name)| name == row.name);
        if !named || row.plan.name != row.name {
            return Err(BadRow::OtherName { key: key(), name: row.name });
        }
        Ok(row)
    }
}

#[cfg(test)]
mod tests {
    use pavane_events::identity::sha256_hex;

    use super::*;

    #[test]
    fn a_row_is_read_as_it_was_written() {
        let row = row();
        let key = Published::key(&Domain::new("shop").expect("a name"), &row.name);
        assert_eq!(key, "shop/diamond");
        assert_eq!(Published::from_json(&key, row.to_json().as_bytes()).expect("a row"), row);
        let json: serde_json::Value = serde_json::from_str(&row.to_json()).expect("JSON");
        assert_eq!((&json["plan"]["steps"][0]["id"], &json["by"]), (&"base".into(), &"ada".into()));
    }

    #[test]
    fn a_row_that_another_version_wrote_is_refused_and_not_guessed_at() {
        let refused = |key, value: &str| Published::from_json(key, value.as_bytes()).unwrap_err().to_string();
        let (plan, published) = (row().plan.to_json(), row());
        let newer = plan.replacen('{', r#"{"tempo":"slow","#, 1);
        let newer =
            published.to_json().replace(&plan, &newer).replace(&published.digest, &sha256_hex(&newer));
        assert!(refused("shop/diamond", &newer).contains("another version of pavane"));
        assert!(refused("shop/ruby", &row().to_json()).contains("it holds diamond"));
        assert!(refused("shop/diamond", "{}").ends_with("publish it again with `pavane apply`"));
    }

    fn row() -> Published {
        let text = include_str!("../tests/good/diamond.yaml");
        let plan = crate::read(text, "diamond.yaml").expect("a good document");
        Published::new(plan, text.to_owned(), "ada".to_owned(), "2026-11-21T10:00:00Z".to_owned())
    }
}
