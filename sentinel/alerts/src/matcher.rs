//! One condition on a label, written as Alertmanager writes it: `owner="identity"`, `severity!=page`, `service=~"user-.*"`.

use std::fmt;

use regex_lite::Regex;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{Labels, value};

/// How a label is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Equal,
    NotEqual,
    Like,
    NotLike,
}

impl Operator {
    /// The longer ones first, for `=` begins `=~`.
    const ALL: [(&'static str, Self); 4] =
        [("=~", Self::Like), ("!~", Self::NotLike), ("!=", Self::NotEqual), ("=", Self::Equal)];

    fn of(is_regex: bool, is_equal: bool) -> Self {
        match (is_regex, is_equal) {
            (false, true) => Self::Equal,
            (false, false) => Self::NotEqual,
            (true, true) => Self::Like,
            (true, false) => Self::NotLike,
        }
    }

    fn as_str(self) -> &'static str {
        let is_it = |(_, operator): &&(&'static str, Self)| *operator == self;
        Self::ALL.iter().find(is_it).map_or("=", |(text, _)| text)
    }
}

/// A condition on one label. A label that is not there has the empty value.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Matcher {
    name: String,
    value: String,
    operator: Operator,
    /// For the operators that compare with a pattern.
    pattern: Option<Regex>,
}

/// A matcher in the shape of Alertmanager's API.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Written {
    name: String,
    value: String,
    #[serde(default)]
    is_regex: bool,
    #[serde(default = "yes")]
    is_equal: bool,
}

fn yes() -> bool {
    true
}

/// Why a text is no matcher.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum MatcherError {
    /// There is no operator in it.
    #[error(
        "read the matcher `{0}`: it has no `=`, `!=`, `=~` or `!~`; write for instance `owner=\"identity\"`"
    )]
    NoOperator(String),
    /// What stands before the operator is no label.
    #[error(
        "read the matcher `{0}`: `{1}` is no name of a label; use letters, digits and `_`, no digit first"
    )]
    Name(String, String),
    /// The quotes do not close, or something follows them.
    #[error("read the matcher `{0}`: its value opens a quote that does not end it")]
    Quotes(String),
    /// The pattern is no regular expression.
    #[error("read the matcher `{0}`: its value is no regular expression: {1}")]
    Pattern(String, String),
}

impl Matcher {
    /// Reads a matcher as it is written on a command line or in a file.
    pub fn parse(text: &str) -> Result<Self, MatcherError> {
        let found =
            Operator::ALL.iter().filter_map(|(sign, operator)| Some((text.find(sign)?, sign, operator)));
        let first = found.min_by_key(|(at, sign, _)| (*at, std::cmp::Reverse(sign.len())));
        let Some((at, sign, operator)) = first else {
            return Err(MatcherError::NoOperator(text.to_owned()));
        };
        let value = text[at + sign.len()..].trim();
        let value = match value.strip_prefix('"') {
            Some(rest) => unquoted(rest).ok_or_else(|| MatcherError::Quotes(text.to_owned()))?,
            None => value.to_owned(),
        };
        Self::new(text[..at].trim(), *operator, value)
    }

    /// The label is exactly this.
    pub fn equal(name: &str, value: &str) -> Self {
        Self { name: name.to_owned(), value: value.to_owned(), operator: Operator::Equal, pattern: None }
    }

    /// The label that it looks at.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it holds for these labels.
    pub fn matches(&self, labels: &Labels) -> bool {
        let value = value(labels, &self.name);
        let like = || self.pattern.as_ref().is_some_and(|pattern| pattern.is_match(value));
        match self.operator {
            Operator::Equal => value == self.value,
            Operator::NotEqual => value != self.value,
            Operator::Like => like(),
            Operator::NotLike => !like(),
        }
    }

    fn new(name: &str, operator: Operator, value: String) -> Result<Self, MatcherError> {
        let text = || format!("{name}{}{value}", operator.as_str());
        let begins = |c: char| c.is_ascii_alphabetic() || c == '_';
        let goes_on = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if !(name.starts_with(begins) && name.chars().all(goes_on)) {
            return Err(MatcherError::Name(text(), name.to_owned()));
        }
        let pattern = match operator {
            Operator::Equal | Operator::NotEqual => None,
            // anchored at both ends, as Alertmanager does
            Operator::Like | Operator::NotLike => Some(
                Regex::new(&format!("^(?:{value})$"))
                    .map_err(|error| MatcherError::Pattern(text(), error.to_string()))?,
            ),
        };
        Ok(Self { name: name.to_owned(), value, operator, pattern })
    }
}

/// Whether all of them hold; none always do.
pub fn all_match(matchers: &[Matcher], labels: &Labels) -> bool {
    matchers.iter().all(|matcher| matcher.matches(labels))
}

/// What stands between quotes, the opening one already taken.
fn unquoted(rest: &str) -> Option<String> {
    let (mut text, mut chars) = (String::new(), rest.chars());
    loop {
        match chars.next()? {
            '"' => return chars.as_str().trim().is_empty().then_some(text),
            '\\' => text.push(match chars.next()? {
                'n' => '\n',
                other => other,
            }),
            plain => text.push(plain),
        }
    }
}

impl PartialEq for Matcher {
    fn eq(&self, other: &Self) -> bool {
        (&self.name, &self.value, self.operator) == (&other.name, &other.value, other.operator)
    }
}

impl Eq for Matcher {}

impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        write!(f, "{}{}\"{value}\"", self.name, self.operator.as_str())
    }
}

impl TryFrom<Written> for Matcher {
    type Error = MatcherError;

    fn try_from(written: Written) -> Result<Self, MatcherError> {
        Self::new(&written.name, Operator::of(written.is_regex, written.is_equal), written.value)
    }
}

impl From<Matcher> for Written {
    fn from(matcher: Matcher) -> Self {
        let is_regex = matcher.pattern.is_some();
        let is_equal = matches!(matcher.operator, Operator::Equal | Operator::Like);
        Self { name: matcher.name, value: matcher.value, is_regex, is_equal }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels() -> Labels {
        [("owner", "identity"), ("service", "user-db")].map(|(k, v)| (k.to_owned(), v.to_owned())).into()
    }

    #[test]
    fn each_operator_says_what_it_says_in_alertmanager() {
        for (text, holds) in [
            ("owner=identity", true),
            ("owner = \"identity\"", true),
            ("owner=ident", false),
            ("owner!=identity", false),
            ("owner!=\"\"", true),
            ("nothing=\"\"", true),
            ("nothing!=x", true),
            ("service=~user-.*", true),
            ("service=~user", false),
            ("service=~\"pay|user-db\"", true),
            ("service!~\"user-.*\"", false),
            ("nothing=~\".+\"", false),
        ] {
            assert_eq!(Matcher::parse(text).expect(text).matches(&labels()), holds, "{text}");
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        for text in [r#"a="b""#, r#"a!="""#, r#"a=~"x|y.*""#, r#"a!~"\\d+""#, r#"a="say \"hi\"""#] {
            let matcher = Matcher::parse(text).expect(text);
            assert_eq!(matcher.to_string(), text);
            assert_eq!(Matcher::parse(&matcher.to_string()), Ok(matcher));
        }
    }

    #[test]
    fn a_defect_is_named_with_what_to_write() {
        for (text, says) in [
            ("owner", "no `=`"),
            ("1a=b", "`1a` is no name"),
            ("=b", "`` is no name"),
            ("a=\"b", "opens a quote"),
            ("a=\"b\"c", "opens a quote"),
            ("a=~\"(\"", "no regular expression"),
        ] {
            let error = Matcher::parse(text).expect_err(text).to_string();
            assert!(error.contains(says), "{text}: {error}");
        }
    }
}
