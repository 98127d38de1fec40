//! The files that a check reads: those that are named, and those of ours in the folders that are named.

use std::collections::BTreeSet;
use std::io::{self, IsTerminal};
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, Instant};

use pavane_choreography::diagnostic::{Code, Diagnostic, Place};

use super::kind::Kind;
use crate::exit::Exit;
use crate::failure::Failure;

/// How long a check may take before a person who waits is told how far it is.
const PATIENCE: Duration = Duration::from_secs(2);

/// What lies in a checked folder and is left alone.
const LEFT_ALONE: [&str; 2] = ["target", "node_modules"];

/// A file that is read.
pub(super) struct File {
    /// The name as it stands in findings.
    pub(super) name: String,
    /// What it holds.
    pub(super) text: String,
    /// What it is.
    pub(super) kind: Kind,
}

/// What was found on the disk.
#[derive(Default)]
pub(super) struct Inputs {
    /// Files of ours, in the order of their names.
    pub(super) files: Vec<File>,
    /// Files that were named and are not ours.
    pub(super) findings: Vec<Diagnostic>,
    /// What could not be read.
    pub(super) unread: Vec<(String, io::Error)>,
}

impl Inputs {
    /// Whether nothing of ours was found, and nothing that stands in the way of finding it.
    pub(super) fn is_empty(&self) -> bool {
        self.files.is_empty() && self.findings.is_empty() && self.unread.is_empty()
    }
}

/// Reads all that is named, but for what is left out.
pub(super) fn read(paths: &[PathBuf], left_out: &[PathBuf]) -> Result<Inputs, Failure> {
    let left_out: Result<BTreeSet<PathBuf>, Failure> = left_out.iter().map(|path| whole(path)).collect();
    let (inputs, seen, left_out) = (Inputs::default(), BTreeSet::new(), left_out?);
    let mut walk = Walk { inputs, seen, left_out, began: Instant::now(), told: 0 };
    for path in paths {
        match whole(path)? {
            path if walk.left_out.contains(&path) => {}
            whole if whole.is_dir() => walk.folder(path),
            _ => walk.named(path),
        }
    }
    walk.inputs.files.sort_by(|a, b| a.name.cmp(&b.name));
    walk.inputs.unread.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(walk.inputs)
}

/// A path that is there, without links in it.
fn whole(path: &Path) -> Result<PathBuf, Failure> {
    std::fs::canonicalize(path).map_err(|error| {
        Failure::new(Exit::Invalid, format!("cannot read {}", path.display()))
            .because(error)
            .help("name files and folders that are there")
    })
}

struct Walk {
    inputs: Inputs,
    /// Paths without links in them: a file that is named twice is read once.
    seen: BTreeSet<PathBuf>,
    /// Paths without links in them that nobody wants read.
    left_out: BTreeSet<PathBuf>,
    began: Instant,
    /// How many seconds of the work have been told.
    told: u64,
}

impl Walk {
    /// Reads what is ours in a folder and below. Links are not followed: they lead in circles, and out of the folder.
    fn folder(&mut self, path: &Path) {
        let mut open = vec![path.to_owned()];
        while let Some(folder) = open.pop() {
            let entries = match std::fs::read_dir(&folder).and_then(Iterator::collect::<io::Result<Vec<_>>>) {
                Ok(entries) => entries,
                Err(error) => {
                    self.inputs.unread.push((shown(&folder), error));
                    continue;
                }
            };
            for entry in entries {
                if self.is_left_out(&entry.path()) {
                    continue;
                }
                let name = entry.file_name().to_string_lossy().into_owned();
                match entry.file_type() {
                    Err(error) => self.inputs.unread.push((shown(&entry.path()), error)),
                    Ok(_) if name.starts_with('.') => {}
                    Ok(kind) if kind.is_dir() && LEFT_ALONE.contains(&name.as_str()) => {}
                    Ok(kind) if kind.is_dir() => open.push(entry.path()),
                    Ok(kind) if kind.is_file() => self.met(&entry.path()),
                    Ok(_) => {}
                }
            }
        }
    }

    fn is_left_out(&self, path: &Path) -> bool {
        let out = |whole: PathBuf| self.left_out.contains(&whole);
        !self.left_out.is_empty() && std::fs::canonicalize(path).is_ok_and(out)
    }

    /// A file that was met in a folder: read when it is ours.
    fn met(&mut self, path: &Path) {
        if !Kind::may_be(path) {
            return;
        }
        self.tell();
        match std::fs::read(path) {
            Err(error) => self.inputs.unread.push((shown(path), error)),
            Ok(bytes) => {
                if let Some(kind) = Kind::of(path, &String::from_utf8_lossy(&bytes), false) {
                    self.take(path, &bytes, kind);
                }
            }
        }
    }

    /// A file that was named: it must be ours.
    fn named(&mut self, path: &Path) {
        match std::fs::read(path) {
            Err(error) => self.inputs.unread.push((shown(path), error)),
            Ok(bytes) => match Kind::of(path, &String::from_utf8_lossy(&bytes), true) {
                Some(kind) => self.take(path, &bytes, kind),
                None => self.inputs.findings.push(Diagnostic::new(
                    Code::NotOurs,
                    &shown(path),
                    Place::START,
                    "this is none of the files that are checked",
                    "a choreography says `kind: Choreography`, a scenario `kind: Scenario`, a sidecar file `service:` and `domain:`, a sentinel file `domains:`",
                )),
            },
        }
    }

    fn take(&mut self, path: &Path, bytes: &[u8], kind: Kind) {
        let whole = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        if !self.seen.insert(whole) {
            return;
        }
        let name = shown(path);
        match std::str::from_utf8(bytes) {
            Ok(text) => self.inputs.files.push(File { name, text: text.to_owned(), kind }),
            Err(error) => {
                let before = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
                let line = before.matches('\n').count() + 1;
                let place = Place { line: u32::try_from(line).unwrap_or(u32::MAX), column: 1 };
                let message = "the text is not UTF-8";
                let help = "save the file as UTF-8";
                self.inputs.findings.push(Diagnostic::new(Code::NotYaml, &name, place, message, help));
            }
        }
    }

    /// Tells a person who waits for long how far the work is, once a second.
    fn tell(&mut self) {
        let passed = self.began.elapsed();
        if passed > PATIENCE && passed.as_secs() > self.told && io::stderr().is_terminal() {
            self.told = passed.as_secs();
            eprintln!("{} files of ours so far", self.inputs.files.len());
        }
    }
}

/// The path as it stands in findings: without `./`, with `/` between its parts.
fn shown(path: &Path) -> String {
    let mut shown = String::new();
    for part in path.components().filter(|part| *part != Component::CurDir) {
        if !shown.is_empty() && !shown.ends_with('/') {
            shown.push('/');
        }
        match part {
            Component::RootDir => shown.push('/'),
            Component::Prefix(_) | Component::CurDir | Component::ParentDir | Component::Normal(_) => {
                shown.push_str(&part.as_os_str().to_string_lossy());
            }
        }
    }
    if shown.is_empty() { ".".to_owned() } else { shown }
}
