//! Schemas that were fetched once, and the ids of those that we write, in a folder that outlives the process: with it a
//! sidecar starts and reads while the registry is away.
//!
//! A schema is kept under its fingerprint and counts only when it still has that fingerprint; so a torn or changed file
//! is as good as none, and a header that lies finds nothing. What is compiled in is found without a file. Whoever judges
//! has no shelf: judging stands on what the registry says.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::wire::{Contract, catalog};

/// How many files are kept at most; the oldest go first.
const MOST: usize = 512;
/// A fingerprint is that long.
const HEX: usize = 64;

/// The folder.
#[derive(Clone, Debug)]
pub(super) struct Shelf {
    folder: PathBuf,
}

#[derive(Serialize, Deserialize)]
struct Given {
    /// Whose id it is: ids of another registry mean other schemas.
    registry: String,
    fingerprint: String,
    id: u32,
}

impl Shelf {
    pub(super) const fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Keeps a schema as it was fetched.
    pub(super) fn keep(&self, fingerprint: &str, schema: &str) {
        self.put(&format!("{fingerprint}.avsc"), schema.as_bytes());
    }

    /// The schema with this fingerprint: compiled in, or kept and unharmed.
    pub(super) fn find(&self, fingerprint: &str) -> Option<Contract> {
        if !is_fingerprint(fingerprint) {
            return None;
        }
        let embedded = pavane_schemas::ALL.iter().filter_map(|embedded| catalog::named(embedded.event));
        if let Some(known) = embedded.into_iter().find(|known| known.fingerprint() == fingerprint) {
            let text = pavane_schemas::ALL.iter().find(|embedded| embedded.event == known.name())?.schema;
            return Contract::parse_to_read(text).ok();
        }
        let text = fs::read_to_string(self.folder.join(format!("{fingerprint}.avsc"))).ok()?;
        Contract::parse_to_read(&text).ok().filter(|contract| contract.fingerprint() == fingerprint)
    }

    /// Keeps the id of a schema that we write.
    pub(super) fn keep_id(&self, registry: &str, schema: &str, id: u32) {
        let Ok(contract) = Contract::parse_to_read(schema) else { return };
        let fingerprint = contract.fingerprint().to_owned();
        let name = format!("{fingerprint}.id");
        let given = Given { registry: registry.to_owned(), fingerprint, id };
        self.put(&name, &serde_json::to_vec(&given).expect("three plain fields"));
    }

    /// The id that this registry gave for a schema.
    pub(super) fn id_of(&self, registry: &str, schema: &str) -> Option<u32> {
        let contract = Contract::parse_to_read(schema).ok()?;
        let fingerprint = contract.fingerprint();
        let text = fs::read(self.folder.join(format!("{fingerprint}.id"))).ok()?;
        let kept: Given = serde_json::from_slice(&text).ok()?;
        (kept.registry == registry && kept.fingerprint == fingerprint).then_some(kept.id)
    }

    fn put(&self, name: &str, content: &[u8]) {
        if let Err(error) = self.try_put(name, content) {
            tracing::warn!(%error, folder = %self.folder.display(), "failed to keep a schema for when the registry is away");
        }
    }

    fn try_put(&self, name: &str, content: &[u8]) -> io::Result<()> {
        let path = self.folder.join(name);
        if fs::read(&path).is_ok_and(|kept| kept == content) {
            return Ok(());
        }
        fs::create_dir_all(&self.folder)?;
        self.make_room()?;
        let fresh = path.with_extension("new");
        fs::write(&fresh, content)?;
        fs::rename(&fresh, &path)
    }

    fn make_room(&self) -> io::Result<()> {
        let mut files = Vec::new();
        for file in fs::read_dir(&self.folder)? {
            let file = file?;
            files.push((file.metadata()?.modified()?, file.path()));
        }
        files.sort();
        let over = (files.len() + 1).saturating_sub(MOST);
        files.iter().take(over).try_for_each(|(_, path): &(_, PathBuf)| fs::remove_file::<&Path>(path))
    }
}

/// Header values are anybody's: nothing but a fingerprint becomes part of a path.
fn is_fingerprint(text: &str) -> bool {
    text.len() == HEX && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_kept_is_found_and_what_was_torn_or_changed_is_not() {
        let (_folder, shelf) = shelf();
        let (text, fingerprint) = schema(0);
        assert!(shelf.find(&fingerprint).is_none());
        shelf.keep(&fingerprint, &text);
        assert_eq!(shelf.find(&fingerprint).expect("kept").fingerprint(), fingerprint);
        let path = shelf.folder.join(format!("{fingerprint}.avsc"));
        for harmed in [&text[..text.len() / 2], "", &schema(1).0] {
            fs::write(&path, harmed).expect("written");
            assert!(shelf.find(&fingerprint).is_none(), "{harmed:?}");
        }
        shelf.keep(&fingerprint, &text);
        assert!(shelf.find(&fingerprint).is_some(), "fetched again, it is mended");
    }

    #[test]
    fn what_is_compiled_in_needs_no_file_and_a_path_in_a_header_leads_nowhere() {
        let (folder, shelf) = shelf();
        let embedded = catalog::of(pavane_events::EventType::Ready);
        assert_eq!(
            shelf.find(embedded.fingerprint()).expect("compiled in").full_name(),
            embedded.full_name()
        );
        fs::write(folder.path().join("secret.avsc"), schema(0).0).expect("written");
        for hostile in ["../secret", "", &"../".repeat(21), &"A".repeat(64)] {
            assert!(shelf.find(hostile).is_none(), "{hostile}");
        }
    }

    #[test]
    fn an_id_counts_for_the_registry_that_gave_it_alone() {
        let (_folder, shelf) = shelf();
        let (text, _) = schema(0);
        shelf.keep_id("http://one", &text, 7);
        assert_eq!(shelf.id_of("http://one", &text), Some(7));
        assert_eq!(shelf.id_of("http://another", &text), None);
        assert_eq!(shelf.id_of("http://one", &schema(1).0), None);
    }

    #[test]
    fn the_shelf_is_bounded() {
        let (_folder, shelf) = shelf();
        for number in 0..MOST + 5 {
            shelf.put(&format!("{number}.avsc"), b"x");
        }
        assert!(fs::read_dir(&shelf.folder).expect("a folder").count() <= MOST);
    }

    fn shelf() -> (tempfile::TempDir, Shelf) {
        let folder = tempfile::tempdir().expect("a folder");
        let shelf = Shelf::new(folder.path().join("schemas"));
        (folder, shelf)
    }

    fn schema(number: u32) -> (String, String) {
        let text =
            format!(r#"{{"type":"record","name":"R{number}","fields":[{{"name":"a","type":"int"}}]}}"#);
        let fingerprint = Contract::parse(&text).expect("fit").fingerprint().to_owned();
        (text, fingerprint)
    }
}
