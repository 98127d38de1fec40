//! `.pavaneignore`: what lies in a folder and is none of anybody's business, as a rule a line.
//!
//! The rules are the plain half of those of Git: a name takes out all files and folders of that name below; with a `/`
//! before its end a rule counts from the folder where the rules lie; one that ends in `/` takes out folders alone; `*`
//! stands for any part of a name, `**` for any folders. Lines that begin with `#` are remarks. Nothing is taken back.

use std::io::{Error, ErrorKind, Result};
use std::path::{Path, PathBuf};

/// The name of the file.
const NAME: &str = ".pavaneignore";

/// The rules of one folder.
#[derive(Debug)]
pub(super) struct Ignored {
    folder: PathBuf,
    rules: Vec<Rule>,
}

#[derive(Debug)]
struct Rule {
    parts: Vec<String>,
    folders_alone: bool,
}

impl Ignored {
    /// The rules that lie in a folder, if some do.
    pub(super) fn of(folder: &Path) -> Result<Option<Self>> {
        let text = match std::fs::read_to_string(folder.join(NAME)) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let rules = lines.map(Rule::of).collect::<Result<_>>()?;
        Ok(Some(Self { folder: folder.to_owned(), rules }))
    }

    /// Where the rules of a folder lie.
    pub(super) fn place(folder: &Path) -> PathBuf {
        folder.join(NAME)
    }

    /// Whether a path below the folder is taken out.
    pub(super) fn takes(&self, path: &Path, is_folder: bool) -> bool {
        let Ok(below) = path.strip_prefix(&self.folder) else { return false };
        let below: Vec<_> = below.iter().map(|part| part.to_string_lossy()).collect();
        let below: Vec<&str> = below.iter().map(AsRef::as_ref).collect();
        self.rules.iter().any(|rule| (is_folder || !rule.folders_alone) && fits(&rule.parts, &below))
    }
}

impl Rule {
    fn of(line: &str) -> Result<Self> {
        if line.starts_with('!') {
            return Err(Error::other(format!("{line}: a rule that takes something back is not known")));
        }
        let rule = line.trim_end_matches('/');
        let mut parts: Vec<String> = rule.trim_start_matches('/').split('/').map(str::to_owned).collect();
        if !rule.contains('/') {
            parts.insert(0, "**".to_owned());
        }
        Ok(Self { parts, folders_alone: line.ends_with('/') })
    }
}

fn fits(rule: &[String], path: &[&str]) -> bool {
    match (rule, path) {
        ([], []) => true,
        ([any, rest @ ..], _) if any == "**" => (0..=path.len()).any(|at| fits(rest, &path[at..])),
        ([part, rest @ ..], [name, below @ ..]) => part_fits(part, name) && fits(rest, below),
        ([], _) | (_, []) => false,
    }
}

fn part_fits(part: &str, name: &str) -> bool {
    let Some((before, after)) = part.split_once('*') else { return part == name };
    let Some(rest) = name.strip_prefix(before) else { return false };
    rest.char_indices().map(|(at, _)| at).chain([rest.len()]).any(|at| part_fits(after, &rest[at..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_takes_out_what_it_names_and_nothing_else() {
        for (rule, path, taken) in [
            ("defects", "defects", true),
            ("defects", "a/b/defects", true),
            ("defects", "defects-of-old", false),
            ("a/defects", "a/defects", true),
            ("a/defects", "b/a/defects", false),
            ("/plan.yaml", "plan.yaml", true),
            ("/plan.yaml", "a/plan.yaml", false),
            ("*/tests/", "choreography/tests", true),
            ("*/tests/", "tests", false),
            ("**/tests", "a/b/tests", true),
            ("a/**/z.yaml", "a/z.yaml", true),
            ("*-old.y*ml", "a/users-old.yaml", true),
            ("*-old.y*ml", "a/users-new.yaml", false),
        ] {
            let ignored = Ignored { folder: "here".into(), rules: vec![Rule::of(rule).expect("a rule")] };
            assert_eq!(ignored.takes(&Path::new("here").join(path), true), taken, "{rule} {path}");
            assert!(!ignored.takes(Path::new("there/defects"), true));
        }
        let folders = Ignored { folder: PathBuf::new(), rules: vec![Rule::of("old/").expect("a rule")] };
        assert!(folders.takes(Path::new("old"), true) && !folders.takes(Path::new("old"), false));
        assert!(Rule::of("!old").is_err());
    }
}
