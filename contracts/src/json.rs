//! A JSON text as a tree in which every value knows where it stands.
//!
//! Of our own: a schema's text comes from whoever opened the pull request, and its defects must be shown where they
//! are, a key that comes twice among them.

use std::collections::BTreeSet;

/// How deep a text may nest. A schema of 16 levels needs less than four brackets for each.
const MAX_DEPTH: usize = 64;

/// A value and the offset of its first byte.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Json {
    pub(crate) at: usize,
    pub(crate) value: Value,
}

/// What a value is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Null,
    Boolean(bool),
    /// A number as it is written.
    Number(String),
    Text(String),
    Array(Vec<Json>),
    Object(Vec<Member>),
}

/// A key of an object, where it stands, and what it holds.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Member {
    pub(crate) at: usize,
    pub(crate) key: String,
    pub(crate) json: Json,
}

/// Why a text is no JSON, and at which offset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Broken {
    pub(crate) at: usize,
    pub(crate) why: String,
}

/// Reads a text that is one value.
pub(crate) fn read(text: &str) -> Result<Json, Broken> {
    let mut reader = Reader { text, at: 0 };
    let json = reader.value(MAX_DEPTH)?;
    reader.blank();
    if reader.at < text.len() {
        return Err(reader.broken("something follows the end"));
    }
    Ok(json)
}

impl Json {
    /// What the value of a key is; none when this is no object, or has no such key.
    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        self.members().iter().find(|member| member.key == key).map(|member| &member.json)
    }

    pub(crate) fn members(&self) -> &[Member] {
        match &self.value {
            Value::Object(members) => members,
            Value::Null | Value::Boolean(_) | Value::Number(_) | Value::Text(_) | Value::Array(_) => &[],
        }
    }

    pub(crate) fn items(&self) -> Option<&[Self]> {
        match &self.value {
            Value::Array(items) => Some(items),
            Value::Null | Value::Boolean(_) | Value::Number(_) | Value::Text(_) | Value::Object(_) => None,
        }
    }

    pub(crate) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            Value::Null | Value::Boolean(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => None,
        }
    }

    /// What it is, for a person.
    pub(crate) const fn kind(&self) -> &'static str {
        match &self.value {
            Value::Null => "null",
            Value::Boolean(_) => "a boolean",
            Value::Number(_) => "a number",
            Value::Text(_) => "a text",
            Value::Array(_) => "a list",
            Value::Object(_) => "an object",
        }
    }
}

impl std::fmt::Display for Json {
    /// The value in one line, as JSON.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.value {
            Value::Null => f.write_str("null"),
            Value::Boolean(yes) => write!(f, "{yes}"),
            Value::Number(number) => f.write_str(number),
            Value::Text(text) => f.write_str(&quoted(text)),
            Value::Array(items) => {
                f.write_str("[")?;
                for (place, item) in items.iter().enumerate() {
                    write!(f, "{}{item}", if place > 0 { ", " } else { "" })?;
                }
                f.write_str("]")
            }
            Value::Object(members) => {
                f.write_str("{")?;
                for (place, member) in members.iter().enumerate() {
                    let comma = if place > 0 { ", " } else { "" };
                    write!(f, "{comma}{}: {}", quoted(&member.key), member.json)?;
                }
                f.write_str("}")
            }
        }
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn value(&mut self, depth: usize) -> Result<Json, Broken> {
        self.blank();
        let at = self.at;
        let Some(depth) = depth.checked_sub(1) else {
            return Err(self.broken(format!("it nests deeper than {MAX_DEPTH} brackets")));
        };
        let value = match self.peek() {
            Some(b'{') => Value::Object(self.members(depth)?),
            Some(b'[') => Value::Array(self.items(depth)?),
            Some(b'"') => Value::Text(self.string()?),
            Some(b'-' | b'0'..=b'9') => Value::Number(self.number()?),
            Some(b'a'..=b'z') => self.word()?,
            Some(_) => return Err(self.broken("a value cannot begin like this")),
            None => return Err(self.broken("it ends where a value should stand")),
        };
        Ok(Json { at, value })
    }

    fn members(&mut self, depth: usize) -> Result<Vec<Member>, Broken> {
        let (mut members, mut keys) = (Vec::new(), BTreeSet::new());
        self.at += 1;
        while !self.closes(b'}', members.is_empty())? {
            self.blank();
            let at = self.at;
            if self.peek() != Some(b'"') {
                return Err(self.broken("a key in quotes is wanted here"));
            }
            let key = self.string()?;
            self.blank();
            if self.peek() != Some(b':') {
                return Err(self.broken("a colon is wanted here"));
            }
            self.at += 1;
            if !keys.insert(key.clone()) {
                return Err(Broken { at, why: format!("the key {key:?} stands twice in one object") });
            }
            members.push(Member { at, key, json: self.value(depth)? });
        }
        Ok(members)
    }

    fn items(&mut self, depth: usize) -> Result<Vec<Json>, Broken> {
        let mut items = Vec::new();
        self.at += 1;
        while !self.closes(b']', items.is_empty())? {
            items.push(self.value(depth)?);
        }
        Ok(items)
    }

    /// Whether the bracket closes here; else steps over the comma that must stand before all but the first.
    fn closes(&mut self, bracket: u8, first: bool) -> Result<bool, Broken> {
        self.blank();
        match self.peek() {
            Some(byte) if byte == bracket => {
                self.at += 1;
                Ok(true)
            }
            Some(b',') if !first => {
                self.at += 1;
                Ok(false)
            }
            Some(_) if first => Ok(false),
            Some(_) => Err(self.broken("a comma is wanted here")),
            None => Err(self.broken("it ends before its brackets are closed")),
        }
    }

    fn string(&mut self) -> Result<String, Broken> {
        let begin = self.at;
        let mut escaped = false;
        for (place, byte) in self.text.bytes().enumerate().skip(begin + 1) {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => {
                    self.at = place + 1;
                    let token = &self.text[begin..=place];
                    return serde_json::from_str(token).map_err(|_| Broken {
                        at: begin,
                        why: "the text has an escape that JSON has not".into(),
                    });
                }
                _ => {}
            }
        }
        Err(self.broken("a quote is never closed"))
    }

    fn number(&mut self) -> Result<String, Broken> {
        let rest = &self.text[self.at..];
        let end =
            rest.find(|c: char| !matches!(c, '0'..='9' | '-' | '+' | '.' | 'e' | 'E')).unwrap_or(rest.len());
        let token = &rest[..end];
        if serde_json::from_str::<serde_json::Number>(token).is_err() {
            return Err(self.broken("this is no number"));
        }
        self.at += end;
        Ok(token.to_owned())
    }

    fn word(&mut self) -> Result<Value, Broken> {
        let words = [("null", Value::Null), ("true", Value::Boolean(true)), ("false", Value::Boolean(false))];
        let found = words.into_iter().find(|(word, _)| self.text[self.at..].starts_with(word));
        let (word, value) = found.ok_or_else(|| self.broken("a text stands in quotes"))?;
        self.at += word.len();
        Ok(value)
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn blank(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    fn broken(&self, why: impl Into<String>) -> Broken {
        Broken { at: self.at, why: why.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_knows_where_it_stands() {
        let json = read(" {\"a\": [1, {\"b\\u0041\": null}], \"c\": \"ü\\n\"} ").expect("JSON");
        assert_eq!(json.at, 1);
        let list = json.get("a").expect("a list").items().expect("items");
        assert_eq!((list[0].at, list[1].at), (8, 11));
        assert_eq!(list[1].members()[0].key, "bA");
        assert_eq!(json.get("c").and_then(Json::text), Some("ü\n"));
        assert_eq!(json.to_string(), "{\"a\": [1, {\"bA\": null}], \"c\": \"ü\\n\"}");
    }

    #[test]
    fn what_is_no_json_is_refused_where_it_goes_wrong() {
        let deep = "[".repeat(MAX_DEPTH + 1);
        for (text, at) in [
            ("", 0),
            ("{", 1),
            ("[1 2]", 3),
            ("[,1]", 1),
            ("[1,]", 3),
            ("{\"a\" 1}", 5),
            ("{a: 1}", 1),
            ("{\"a\": 1, \"a\": 2}", 9),
            ("\"a", 0),
            ("\"\\x\"", 0),
            ("01", 0),
            ("nul", 0),
            ("1 1", 2),
            ("// a\n1", 0),
            (&deep, MAX_DEPTH),
        ] {
            assert_eq!(read(text).expect_err(text).at, at, "{text}");
        }
    }
}
