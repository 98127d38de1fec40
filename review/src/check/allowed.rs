//! Comments that let a finding pass: `# pavane: allow PAV421: the hook is quicker than it may be`.
//!
//! A comment behind a value is for its line, one on a line of its own for the next line that says something. What is
//! broken cannot be let pass, and a comment that lets nothing pass is told.

use std::collections::{BTreeMap, BTreeSet};

use pavane_choreography::diagnostic::{Code, Diagnostic, Place};

const MARK: &str = "# pavane: allow";

/// A code that a comment allows, for a line.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Allowed {
    line: u32,
    code: String,
    at: Place,
}

/// Whether a finding of this code may be let pass: a file that cannot be read as it is meant may not.
pub fn may_pass(code: &str) -> bool {
    let unread = [Code::UselessAllow, Code::NotOurs, Code::SchemaNotJson, Code::SchemaBroken];
    (code.starts_with("PAV4") || code.starts_with("PAV5")) && unread.iter().all(|one| one.as_str() != code)
}

/// Whether a code is of a log held against files, which not every check of the files does.
fn is_of_a_log(code: &str) -> bool {
    code.starts_with("PAV54")
}

/// Whether a file can hold comments: JSON has none, and a text in it is no word of who reviews it.
fn has_comments(file: &str) -> bool {
    std::path::Path::new(file).extension().is_none_or(|end| !end.eq_ignore_ascii_case("avsc"))
}

/// Takes out what the comments of the files let pass, and adds the comments that let nothing pass.
pub fn apply(found: Vec<Diagnostic>, texts: &BTreeMap<String, String>) -> Vec<Diagnostic> {
    let yaml = texts.iter().filter(|(file, _)| has_comments(file));
    let allowed: BTreeMap<&str, Vec<Allowed>> =
        yaml.map(|(file, text)| (file.as_str(), comments(text))).collect();
    let mut used: BTreeSet<(&str, &Allowed)> = BTreeSet::new();
    let mut kept = Vec::new();
    for one in found {
        let file = allowed.get_key_value(one.file.as_str());
        let by = file.and_then(|(file, all)| {
            let fits = |allowed: &&Allowed| allowed.line == one.line && allowed.code == one.code;
            Some((*file, all.iter().find(fits)?))
        });
        match by.filter(|_| may_pass(&one.code)) {
            Some(by) => {
                used.insert(by);
            }
            None => kept.push(one),
        }
    }
    for (file, all) in &allowed {
        let unused = all.iter().filter(|one| !used.contains(&(*file, *one)) && !is_of_a_log(&one.code));
        kept.extend(unused.map(|one| useless(file, one)));
    }
    super::sort(&mut kept);
    kept
}

fn useless(file: &str, one: &Allowed) -> Diagnostic {
    let known = Code::ALL.iter().any(|code| code.as_str() == one.code);
    let (message, help) = if !known {
        (format!("there is no finding `{}` to allow", one.code), "mend the code, or take the comment out")
    } else if may_pass(&one.code) {
        (format!("`{}` is allowed here and not found", one.code), "take the comment out")
    } else {
        (format!("`{}` cannot be allowed", one.code), "mend what it says, and take the comment out")
    };
    Diagnostic::new(Code::UselessAllow, file, one.at, message, help).note()
}

fn comments(text: &str) -> Vec<Allowed> {
    let mut found: Vec<Allowed> = Vec::new();
    let mut waiting = 0;
    for (number, line) in (1..).zip(text.lines()) {
        let bare = line.trim();
        let alone = bare.is_empty() || bare.starts_with('#');
        if !alone {
            for one in &mut found[waiting..] {
                one.line = number;
            }
            waiting = found.len();
        }
        if let Some((before, after)) = line.split_once(MARK) {
            let column = u32::try_from(before.chars().count() + 1).unwrap_or(u32::MAX);
            let codes = after.split(':').next().unwrap_or_default();
            let codes = codes.split([' ', ',']).filter(|code| !code.is_empty());
            let at = Place { line: number, column };
            found.extend(codes.map(|code| Allowed { line: number, code: code.to_owned(), at }));
            if !alone {
                waiting = found.len();
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(code: Code, line: u32) -> Diagnostic {
        Diagnostic::new(code, "a.yaml", Place { line, column: 3 }, "so it is", "")
    }

    fn kept(text: &str, found: Vec<Diagnostic>) -> Vec<(String, u32)> {
        let texts = BTreeMap::from([("a.yaml".to_owned(), text.to_owned())]);
        apply(found, &texts).into_iter().map(|one| (one.code, one.line)).collect()
    }

    #[test]
    fn a_comment_is_for_its_line_and_one_by_itself_for_the_next_that_says_something() {
        let text =
            "a: 1  # pavane: allow PAV421: why not\n# pavane: allow PAV420, PAV425\n\n# more\nb: 2\nc: 3\n";
        let found = vec![
            at(Code::HookOutlasts, 1),
            at(Code::ShortWindow, 5),
            at(Code::EndlessWindow, 5),
            at(Code::HookOutlasts, 6),
        ];
        assert_eq!(kept(text, found), [("PAV421".to_owned(), 6)]);
    }

    #[test]
    fn what_flows_otherwise_than_it_is_declared_passes_by_a_comment_and_no_text_in_a_schema_is_one() {
        let text = "a: 1  # pavane: allow PAV542: it comes once a year\n";
        assert_eq!(kept(text, vec![at(Code::EventNeverSeen, 1)]), []);
        assert_eq!(kept(text, vec![]), [], "a check without a log does not look for it");
        let schema = "{ \"doc\": \"# pavane: allow PAV521\" }\n".to_owned();
        let found = Diagnostic { file: "a.avsc".to_owned(), ..at(Code::ChangeType, 1) };
        let told = apply(vec![found], &BTreeMap::from([("a.avsc".to_owned(), schema)]));
        assert_eq!(told.len(), 1);
    }

    #[test]
    fn what_is_broken_cannot_be_allowed_and_a_comment_without_use_is_told() {
        let text = "a: 1  # pavane: allow PAV104\nb: 2  # pavane: allow PAV421 PAV999\n";
        let found = vec![at(Code::Cycle, 1)];
        let expected = [("PAV104", 1), ("PAV407", 1), ("PAV407", 2), ("PAV407", 2)];
        assert_eq!(kept(text, found), expected.map(|(code, line)| (code.to_owned(), line)));
    }
}
