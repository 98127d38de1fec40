//! Whose a record is, told from its key and its headers alone.
//!
//! Several domains share a partition. A record that stands where its key does not belong, or that names
//! another domain in its header than in its key, is handed to whoever reads the partition: nobody else would
//! ever see it.

use pavane_events::Domain;

use crate::{Raw, partition_of};

/// The header that names the domain.
const DOMAIN: &str = "ce_partitionkey";

/// Whose a record is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// This reader's.
    Ours,
    /// Another domain's.
    Theirs,
    /// Nobody's: what is wrong with it.
    Astray(String),
}

/// Tells whose a record is for a reader of `domain`, on a topic of so many partitions.
pub(crate) fn route(raw: &Raw, domain: &Domain, partitions: i32) -> Route {
    let Some(key) = raw.key.as_deref() else {
        return Route::Astray("it has no key; the key is the domain".to_owned());
    };
    let Some(keyed) = std::str::from_utf8(key).ok().and_then(|key| Domain::new(key).ok()) else {
        return Route::Astray("its key is not the name of a domain".to_owned());
    };
    let home = partition_of(key, partitions);
    if home != raw.partition {
        return Route::Astray(format!(
            "it stands in partition {} and domain {keyed} belongs to {home}; use the murmur2 partitioner",
            raw.partition
        ));
    }
    let named = raw.header(DOMAIN);
    match named {
        Some(named) if named != keyed.as_str() && (keyed == *domain || named == domain.as_str()) => {
            Route::Astray(format!(
                "its key is {keyed:?} and its header {DOMAIN} is {named:?}",
                keyed = keyed.as_str()
            ))
        }
        Some(_) | None if keyed == *domain => Route::Ours,
        Some(_) | None => Route::Theirs,
    }
}

#[cfg(test)]
mod tests {
    use pavane_events::Timestamp;

    use super::*;

    #[test]
    fn a_record_is_ours_theirs_or_astray() {
        let ours = Domain::new("shop").expect("a name");
        let home = partition_of(b"shop", 12);
        let neighbour =
            (0..10_000).map(|n| format!("other-{n}")).find(|name| partition_of(name.as_bytes(), 12) == home);
        let neighbour = neighbour.expect("some name hashes there");
        let told =
            |key: Option<&str>, named: Option<&str>, partition| route(&raw(key, named, partition), &ours, 12);
        assert_eq!(told(Some("shop"), Some("shop"), home), Route::Ours);
        assert_eq!(told(Some("shop"), None, home), Route::Ours);
        assert_eq!(told(Some(&neighbour), Some(&neighbour), home), Route::Theirs);
        assert_eq!(told(Some(&neighbour), Some("a-third"), home), Route::Theirs);
        for astray in [
            told(None, Some("shop"), home),
            told(Some("shop"), Some(&neighbour), home),
            told(Some(&neighbour), Some("shop"), home),
            told(Some("no domain"), None, home),
            told(Some("shop"), Some("shop"), (home + 1) % 12),
        ] {
            assert!(matches!(astray, Route::Astray(_)), "{astray:?}");
        }
    }

    fn raw(key: Option<&str>, named: Option<&str>, partition: i32) -> Raw {
        let named = named.map(|named| (DOMAIN.to_owned(), Some(named.as_bytes().to_vec())));
        Raw {
            topic: "pavane.lifecycle".to_owned(),
            partition,
            offset: 0,
            at: Timestamp(0),
            key: key.map(|key| key.as_bytes().to_vec()),
            value: None,
            headers: named.into_iter().collect(),
        }
    }
}
