//! From the paths on the command line to files with their texts.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, IsTerminal, Read};
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, Instant};

use pavane_choreography::diagnostic::{Code, Diagnostic, Place};
use pavane_choreography::yaml::MAX_BYTES;

use super::ignored::Ignored;
use super::{File, Files, Kind, unreadable};
use crate::failure::Failure;

/// How long it may take before a person who waits is told how far it is.
const PATIENCE: Duration = Duration::from_secs(2);

/// What lies in a folder and is left alone.
const LEFT_ALONE: [&str; 2] = ["target", "node_modules"];

/// Finds and reads all that is named, but for what is left out.
pub(super) fn walk(paths: &[PathBuf], left_out: &[PathBuf]) -> Result<Files, Failure> {
    let left_out: Result<BTreeSet<PathBuf>, Failure> = left_out.iter().map(|path| there(path)).collect();
    let mut walk = Walk {
        files: Files::default(),
        seen: BTreeSet::new(),
        left_out: left_out?,
        ignored: Vec::new(),
        began: Instant::now(),
        told: 0,
    };
    for path in paths {
        let whole = there(path)?;
        match (walk.left_out.contains(&whole), path.is_dir()) {
            (true, _) => {}
            (false, true) => walk.folder(path),
            (false, false) => walk.file(path, true),
        }
    }
    walk.files.unread.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(walk.files)
}

/// The text of a file, as far as a reader takes it; and what is wrong with it, if it is none.
pub(super) fn text(path: &Path, name: &str) -> io::Result<(String, Option<Diagnostic>)> {
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    let cut_off = bytes.len() > MAX_BYTES;
    Ok(match String::from_utf8(bytes) {
        Ok(text) => (text, None),
        Err(error) => {
            let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
            let valid = error.utf8_error().valid_up_to();
            let line = text.get(..valid).map_or(1, |before| before.matches('\n').count() + 1);
            let place = Place { line: u32::try_from(line).unwrap_or(u32::MAX), column: 1 };
            let (message, help) = ("the text is not UTF-8", "save the file as UTF-8");
            let garbled = Diagnostic::new(Code::NotYaml, name, place, message, help);
            (text, (!cut_off).then_some(garbled))
        }
    })
}

/// The path without links in it. What is there and has no such path, as a pipe has none, is itself.
fn there(path: &Path) -> Result<PathBuf, Failure> {
    fs::metadata(path).map_err(|error| unreadable(&path.display().to_string(), error))?;
    Ok(fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()))
}

struct Walk {
    files: Files,
    /// Paths without links in them: a file that is named twice is read once.
    seen: BTreeSet<PathBuf>,
    /// Paths without links in them that nobody wants read.
    left_out: BTreeSet<PathBuf>,
    ignored: Vec<Ignored>,
    began: Instant,
    /// How many seconds of the work have been told.
    told: u64,
}

impl Walk {
    fn folder(&mut self, path: &Path) {
        let (mut met, mut open) = (Vec::new(), vec![path.to_owned()]);
        while let Some(folder) = open.pop() {
            match Ignored::of(&folder) {
                Ok(ignored) => self.ignored.extend(ignored),
                Err(error) => self.files.unread.push((shown(&Ignored::place(&folder)), error)),
            }
            match fs::read_dir(&folder).and_then(Iterator::collect::<io::Result<Vec<_>>>) {
                Ok(entries) => entries.iter().for_each(|entry| self.entry(entry, &mut met, &mut open)),
                Err(error) => self.files.unread.push((shown(&folder), error)),
            }
        }
        met.sort();
        for path in met {
            self.file(&path, false);
        }
    }

    fn entry(&mut self, entry: &fs::DirEntry, met: &mut Vec<PathBuf>, open: &mut Vec<PathBuf>) {
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        if name.starts_with('.') {
            return;
        }
        match entry.file_type() {
            Err(error) => self.files.unread.push((shown(&path), error)),
            Ok(kind) if self.is_left_out(&path, kind.is_dir()) => {}
            Ok(kind) if kind.is_dir() && LEFT_ALONE.contains(&name.as_str()) => {}
            Ok(kind) if kind.is_dir() => open.push(path),
            Ok(kind) if kind.is_file() && Kind::may_be(&path) => met.push(path),
            Ok(_) => {}
        }
    }

    fn is_left_out(&self, path: &Path, is_folder: bool) -> bool {
        let named = || fs::canonicalize(path).is_ok_and(|whole| self.left_out.contains(&whole));
        self.ignored.iter().any(|ignored| ignored.takes(path, is_folder))
            || (!self.left_out.is_empty() && named())
    }

    fn file(&mut self, path: &Path, named: bool) {
        let whole = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        if !self.seen.insert(whole) {
            return;
        }
        self.tell();
        let name = shown(path);
        match text(path, &name) {
            Err(error) => self.files.unread.push((name, error)),
            Ok((text, garbled)) => match (Kind::of(path, &text, named), garbled) {
                (Kind::Other, Some(_)) if !named => {}
                (_, Some(garbled)) => self.files.garbled.push(garbled),
                (kind, None) => self.files.read.push(File { path: path.to_owned(), name, text, kind, named }),
            },
        }
    }

    /// Tells a person who waits for long how far the work is, once a second.
    fn tell(&mut self) {
        let passed = self.began.elapsed();
        if passed > PATIENCE && passed.as_secs() > self.told && io::stderr().is_terminal() {
            self.told = passed.as_secs();
            eprintln!("{} files so far", self.files.read.len());
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
