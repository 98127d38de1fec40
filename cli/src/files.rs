//! The files that commands are given: found, known for what they are, and read once.
//!
//! One room for all commands, so that what `pavane check` has read is what the others read. A file that is named is
//! read, whatever it is called. Of a folder all that lies in it is looked at, but for links (they lead in circles, and
//! out of the folder), what is hidden, `target`, `node_modules`, and what a `.pavaneignore` takes out.

mod ignored;
mod kind;
mod walk;

use std::io;
use std::path::{Path, PathBuf};

use pavane_choreography::diagnostic::{Code, Diagnostic, Place};

use crate::exit::Exit;
use crate::failure::{Failure, counted};
pub use kind::Kind;

/// A file with its text.
#[derive(Clone, Debug)]
pub struct File {
    /// Where it is.
    pub path: PathBuf,
    /// The name as it stands in findings: without `./`, with `/` between its parts.
    pub name: String,
    /// What it holds. A reader refuses what is longer than any file may be, so no more than that is here.
    pub text: String,
    /// What it is.
    pub kind: Kind,
    /// Whether a person has named it; else it was met in a folder.
    pub named: bool,
}

/// What was found on the disk.
#[derive(Debug, Default)]
pub struct Files {
    /// The files with their texts: in the order in which they were named, those of a folder by path.
    pub read: Vec<File>,
    /// Files of ours, or named ones, whose bytes are no text.
    pub garbled: Vec<Diagnostic>,
    /// What could not be read.
    pub unread: Vec<(String, io::Error)>,
}

/// Reads all that is named, but for what is left out. A path that is not there is a failure.
pub fn read(paths: &[PathBuf], left_out: &[PathBuf]) -> Result<Files, Failure> {
    walk::walk(paths, left_out)
}

/// Reads the one file that is named.
pub fn one(path: &Path) -> Result<File, Failure> {
    let name = path.display().to_string();
    match walk::text(path, &name) {
        Err(error) => Err(unreadable(&name, error)),
        Ok((text, None)) => {
            let kind = Kind::of(path, &text, true);
            Ok(File { path: path.to_owned(), name, text, kind, named: true })
        }
        Ok((_, Some(garbled))) => Err(Failure::invalid(&name, vec![garbled])),
    }
}

impl Files {
    /// Fails when something could not be read: what it hides is not known.
    pub fn whole(&self) -> Result<(), Failure> {
        let because: Vec<String> = self.unread.iter().map(|(name, why)| format!("{name}: {why}")).collect();
        match self.unread.as_slice() {
            [] => Ok(()),
            [(name, why)] => Err(unreadable(name, why.to_string())),
            several => {
                let what = format!("cannot read {}", counted(several.len(), "file"));
                Err(Failure::new(Exit::Invalid, what).because(because.join("; ")).help(HELP))
            }
        }
    }
}

impl File {
    /// A note in place of its defects, where its placeholders `{{…}}` are not filled: nobody could mend those.
    pub fn unfilled(&self) -> Option<Diagnostic> {
        let (number, line) = placeholder(&self.text)?;
        let column = line.split("{{").next().map_or(1, |before| before.chars().count() + 1);
        let place = Place { line: number, column: u32::try_from(column).unwrap_or(u32::MAX) };
        let message = "the placeholders of this file are not filled, so it was not checked";
        let help = "fill them as for a deployment, and check what comes out";
        Some(Diagnostic::new(Code::Template, &self.name, place, message, help).note())
    }
}

/// The first line, from 1, that holds a placeholder. What alerts are worded by is a template and is meant to stand there.
fn placeholder(text: &str) -> Option<(u32, &str)> {
    let depth = |line: &str| line.len() - line.trim_start().len();
    let mut words: Option<usize> = None;
    for (number, line) in (1..).zip(text.lines()) {
        if words.is_some_and(|above| line.trim().is_empty() || depth(line) > above) {
            continue;
        }
        words = ["title:", "text:"].iter().any(|key| line.trim_start().starts_with(key)).then(|| depth(line));
        if words.is_none() && line.contains("{{") {
            return Some((number, line));
        }
    }
    None
}

const HELP: &str = "name files and folders that are there and can be read; nothing in these was looked at";

fn unreadable(name: &str, why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Failure {
    Failure::new(Exit::Invalid, format!("cannot read {name}")).because(why).help(HELP)
}
