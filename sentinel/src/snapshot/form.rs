//! How a snapshot is cut into rows of the topic, and put together from them.

use pavane_events::identity::hex;
use pavane_events::{Domain, Timestamp};
use pavane_sentinel_engine::{Alert, Engine, SnapshotError};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::snapshot::beside::Beside;
use crate::witness::Witness;

/// How many bytes a part has at most: half of what a record may have.
const PART: usize = 512 * 1024;
/// What a manifest's key ends in.
const MANIFEST: &str = "manifest";

/// What closes a snapshot: without it the parts are torn and do not count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    /// The record that was read last.
    pub(crate) last: Witness,
    /// The partition of the log that it was read from.
    pub(crate) partition: i32,
    /// How many partitions the log had.
    pub(crate) partitions: i32,
    /// How many parts there are.
    pub(crate) parts: usize,
    /// SHA-256 of all of them, in hexadecimal.
    pub(crate) sha256: String,
    /// Which replica wrote it.
    pub(crate) replica: String,
    /// When, by the clock of that replica.
    pub(crate) at: Timestamp,
}

/// A snapshot as its parts lie together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Snapshot {
    pub(crate) domain: Domain,
    /// Its name among the domain's: the later read of the log sorts behind the earlier.
    pub(crate) id: String,
    pub(crate) manifest: Manifest,
    pub(crate) bytes: Vec<u8>,
}

/// Why a snapshot that stands on the topic cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unusable {
    /// Its parts are not those that the manifest closes.
    #[error("read a snapshot: its parts have another hash than its manifest says")]
    OtherHash,
    /// What stands beside the fold cannot be read.
    #[error("read what stands beside the fold in a snapshot: {0}")]
    Beside(serde_json::Error),
    /// The fold cannot be read.
    #[error(transparent)]
    Fold(#[from] SnapshotError),
    /// It ends elsewhere than the manifest says.
    #[error("read a snapshot: it ends at offset {found}, its manifest says {expected}")]
    OtherEnd {
        /// Where it ends.
        found: i64,
        /// Where it should.
        expected: i64,
    },
    /// It was taken by a program that could not judge what it had read.
    #[error("read a snapshot: it was taken of a log that the program could not judge")]
    Blind,
    /// The log begins after it.
    #[error(
        "go on from a snapshot that ends at offset {end}: the log begins at {low}, what lies between is gone"
    )]
    TooOld {
        /// Where it ends.
        end: i64,
        /// Where the log begins.
        low: i64,
    },
}

impl Snapshot {
    /// What is folded, with the alerts that are not yet delivered.
    pub(crate) fn new(domain: Domain, fold: &[u8], alerts: Vec<Alert>, mut manifest: Manifest) -> Self {
        let beside = Beside { alerts: alerts.into_iter().map(Into::into).collect() };
        let mut bytes = serde_json::to_vec(&beside).expect("maps of texts are JSON");
        bytes.push(b'\n');
        bytes.extend_from_slice(fold);
        manifest.parts = bytes.len().div_ceil(PART);
        manifest.sha256 = hex(&Sha256::digest(&bytes));
        let id = format!("{:019}-{}", manifest.last.offset, uuid::Uuid::now_v7().simple());
        Self { domain, id, manifest, bytes }
    }

    /// Its rows, the manifest last.
    pub(crate) fn rows(&self) -> impl Iterator<Item = (String, Vec<u8>)> + '_ {
        let key = |what: String| format!("{}/{}/{what}", self.domain, self.id);
        let parts = self.bytes.chunks(PART).enumerate();
        let parts = parts.map(move |(i, part)| (key(format!("{i:05}")), part.to_vec()));
        let manifest = serde_json::to_vec(&self.manifest).expect("a manifest is JSON");
        parts.chain(std::iter::once((key(MANIFEST.to_owned()), manifest)))
    }

    /// The engine and the alerts that it is made of. It may take a while.
    pub(crate) fn open(&self, replica: String) -> Result<(Engine, Vec<Alert>), Unusable> {
        if hex(&Sha256::digest(&self.bytes)) != self.manifest.sha256 {
            return Err(Unusable::OtherHash);
        }
        let end = self.bytes.iter().position(|byte| *byte == b'\n').unwrap_or(self.bytes.len());
        let (beside, fold) = self.bytes.split_at(end);
        let beside: Beside = serde_json::from_slice(beside).map_err(Unusable::Beside)?;
        let engine = Engine::restore(self.domain.clone(), replica, fold.get(1..).unwrap_or_default())?;
        if engine.blindness().is_some() {
            return Err(Unusable::Blind);
        }
        let (found, expected) = (engine.position(), self.manifest.last.offset);
        if found != expected {
            return Err(Unusable::OtherEnd { found, expected });
        }
        Ok((engine, beside.alerts.into_iter().map(Into::into).collect()))
    }
}

/// What a key of the topic names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) domain: Domain,
    pub(super) id: String,
    /// The number of a part; none for the manifest.
    pub(super) part: Option<usize>,
}

impl Key {
    /// Reads a key; none when it is none of ours.
    pub(super) fn read(key: &str) -> Option<Self> {
        let mut parts = key.split('/');
        let (domain, id, what) = (parts.next()?, parts.next()?, parts.next()?);
        let part = if what == MANIFEST { None } else { Some(what.parse().ok()?) };
        let domain = Domain::new(domain).ok()?;
        parts.next().is_none().then(|| Self { domain, id: id.to_owned(), part })
    }

    /// The key as it is written.
    pub(super) fn text(domain: &Domain, id: &str, part: Option<usize>) -> String {
        match part {
            Some(part) => format!("{domain}/{id}/{part:05}"),
            None => format!("{domain}/{id}/{MANIFEST}"),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::alert::dispatcher::tests::stall;

    pub(crate) fn domain() -> Domain {
        Domain::new("shop").expect("a name")
    }

    pub(crate) fn manifest(offset: i64) -> Manifest {
        let last = Witness { offset, at: Timestamp(7), id: None };
        let (sha256, replica, at) = (String::new(), "a".to_owned(), Timestamp(8));
        Manifest { last, partition: 3, partitions: 12, parts: 0, sha256, replica, at }
    }

    /// The snapshot of a sentinel that has read nothing.
    pub(crate) fn empty(alerts: Vec<Alert>) -> Snapshot {
        let engine = Engine::new(domain(), "a".to_owned());
        Snapshot::new(domain(), &engine.snapshot(), alerts, manifest(-1))
    }

    #[test]
    fn what_is_put_together_from_its_rows_is_what_was_cut() {
        let big = "x".repeat(3 * PART);
        let mut alert = stall("d1");
        alert.annotations.insert("evidence".to_owned(), big);
        let cut = empty(vec![alert.clone()]);
        let rows: Vec<_> = cut.rows().collect();
        assert_eq!((rows.len(), cut.manifest.parts), (5, 4));
        assert!(rows.iter().all(|(_, value)| value.len() <= PART));
        for (key, _) in &rows {
            let read = Key::read(key).expect("a key of ours");
            assert_eq!(Key::text(&read.domain, &read.id, read.part), *key);
        }
        let bytes = rows[..4].concat_values();
        let (engine, alerts) = Snapshot { bytes, ..cut }.open("b".to_owned()).expect("whole");
        assert_eq!((engine.position(), alerts), (-1, vec![alert]));
    }

    trait Values {
        fn concat_values(&self) -> Vec<u8>;
    }

    impl Values for [(String, Vec<u8>)] {
        fn concat_values(&self) -> Vec<u8> {
            self.iter().flat_map(|(_, value)| value.clone()).collect()
        }
    }

    #[test]
    fn what_was_changed_or_ends_elsewhere_does_not_count() {
        let good = empty(Vec::new());
        let opened = |change: fn(&mut Snapshot)| {
            let mut snapshot = good.clone();
            change(&mut snapshot);
            snapshot.open("b".to_owned()).expect_err("it is not what it was")
        };
        assert!(matches!(opened(|it| it.bytes[20] ^= 1), Unusable::OtherHash));
        assert!(matches!(opened(|it| it.manifest.last.offset = 9), Unusable::OtherEnd { .. }));
        let rehashed = |it: &mut Snapshot, bytes: &[u8]| {
            it.bytes = bytes.to_vec();
            it.manifest.sha256 = hex(&Sha256::digest(&it.bytes));
        };
        let mut none = good.clone();
        rehashed(&mut none, b"");
        assert!(matches!(none.open("b".to_owned()), Err(Unusable::Beside(_))));
        let mut torn = good.clone();
        let half = good.bytes[..good.bytes.len() / 2].to_vec();
        rehashed(&mut torn, &half);
        assert!(matches!(torn.open("b".to_owned()), Err(Unusable::Fold(_))));
    }

    #[test]
    fn a_key_that_is_none_of_ours_says_nothing() {
        for key in ["", "shop", "shop/1", "shop/1/2/3", "no good/1/2", "shop/1/x", "/1/manifest"] {
            assert_eq!(Key::read(key), None, "{key}");
        }
    }
}
