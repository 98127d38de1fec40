//! YAML text as a tree in which every node knows its place.

use std::collections::BTreeSet;

use granit_parser::{ErrorKind, Event, Parser, ScalarStyle, ScanError, Span};

use super::book::{Book, Reported};
use crate::diagnostic::{Code, Place};

/// How deep lists and maps may lie in each other.
const MAX_DEPTH: usize = 32;

/// A node and where it begins.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) place: Place,
    pub(crate) value: Value,
}

/// What a node is.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    /// A text as written, escapes resolved; `plain` when it stands there without quotes.
    Scalar { text: String, plain: bool },
    /// A list.
    List(Vec<Node>),
    /// A map, in the order of the file, each key once.
    Map(Vec<Entry>),
    /// Something that was refused already.
    Broken(Reported),
}

/// One key of a map with its value.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) place: Place,
    pub(crate) node: Node,
}

/// Parses a text that holds exactly one document.
pub(super) fn parse<'t>(text: &'t str, book: &'t Book) -> Result<Node, Reported> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let options = granit_parser::options! {
        emit_comments: false,
        flow_nesting_limit: MAX_DEPTH,
        block_nesting_limit: MAX_DEPTH,
    };
    Builder { events: Parser::new_from_str_with_options(text, options), book, text }.document()
}

struct Builder<'t, E> {
    events: E,
    book: &'t Book,
    text: &'t str,
}

impl<'t, E: Iterator<Item = Result<(Event<'t>, Span), ScanError>>> Builder<'t, E> {
    fn document(mut self) -> Result<Node, Reported> {
        let mut root = None;
        while let Some((event, place)) = self.next()? {
            if !event.is_node() {
                continue;
            }
            if root.is_some() {
                let (message, help) = ("the file holds a second document", "put it into a file of its own");
                return Err(self.book.report(Code::ManyDocuments, place, message, help));
            }
            root = Some(self.node(event, place)?);
        }
        match root {
            Some(Node { value: Value::Scalar { text, plain: true }, .. }) if text.is_empty() => {
                Err(self.empty())
            }
            Some(root) => Ok(root),
            None => Err(self.empty()),
        }
    }

    fn empty(&self) -> Reported {
        self.book.report(Code::Empty, Place::START, "the file says nothing", "is it the right file?")
    }

    fn next(&mut self) -> Result<Option<(Event<'t>, Place)>, Reported> {
        match self.events.next() {
            Some(Ok((event, span))) => Ok(Some((event, place(span.start.line(), span.start.col())))),
            Some(Err(error)) => Err(not_yaml(&error, self.book, self.text)),
            None => Ok(None),
        }
    }

    /// The next event within a list or a map. The parser closes what it opens or fails.
    fn inner(&mut self) -> Result<(Event<'t>, Place), Reported> {
        let end = "the text ends within a list or a map";
        self.next()?.ok_or_else(|| self.book.report(Code::NotYaml, Place::START, end, ""))
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the parser's events grow; what is left is no plain node"
    )]
    fn node(&mut self, event: Event<'t>, place: Place) -> Result<Node, Reported> {
        let mut broken = None;
        let value = match event {
            Event::Scalar(text, style, anchor, tag) => {
                broken = self.plain_only(place, anchor, tag.is_some());
                Value::Scalar { text: text.into_owned(), plain: style == ScalarStyle::Plain }
            }
            Event::SequenceStart(_, anchor, tag) => {
                broken = self.plain_only(place, anchor, tag.is_some());
                self.list()?
            }
            Event::MappingStart(_, anchor, tag) => {
                broken = self.plain_only(place, anchor, tag.is_some());
                self.map()?
            }
            _ => Value::Broken(self.not_plain(place, "an alias")),
        };
        Ok(Node { place, value: broken.map_or(value, Value::Broken) })
    }

    fn list(&mut self) -> Result<Value, Reported> {
        let mut nodes = Vec::new();
        loop {
            match self.inner()? {
                (Event::SequenceEnd, _) => return Ok(Value::List(nodes)),
                (event, place) => nodes.push(self.node(event, place)?),
            }
        }
    }

    fn map(&mut self) -> Result<Value, Reported> {
        let (mut entries, mut seen) = (Vec::new(), BTreeSet::new());
        loop {
            let (event, place) = self.inner()?;
            if event == Event::MappingEnd {
                return Ok(Value::Map(entries));
            }
            let key = self.node(event, place)?.value;
            let (event, at) = self.inner()?;
            let node = self.node(event, at)?;
            match key {
                Value::Scalar { text: key, .. } if seen.insert(key.clone()) => {
                    entries.push(Entry { key, place, node });
                }
                Value::Scalar { text: key, .. } => {
                    let message = format!("`{}` stands here a second time", super::leaf::shown(&key));
                    self.book.report(Code::DuplicateKey, place, message, "keep one of them");
                }
                Value::List(_) | Value::Map(_) => {
                    let message = "a list or a map stands where the name of a field should";
                    self.book.report(Code::WrongType, place, message, "text in braces needs quotes");
                }
                Value::Broken(_) => {}
            }
        }
    }

    fn plain_only(&self, place: Place, anchor: usize, tag: bool) -> Option<Reported> {
        let what = match (anchor, tag) {
            (0, false) => return None,
            (0, true) => "a tag",
            _ => "an anchor",
        };
        Some(self.not_plain(place, what))
    }

    fn not_plain(&self, place: Place, what: &str) -> Reported {
        let message = format!("{what} stands here; only plain YAML is read");
        self.book.report(Code::NotPlain, place, message, "write the value out, or put it into quotes")
    }
}

fn place(line: usize, column: usize) -> Place {
    let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Place { line: number(line.max(1)), column: number(column.saturating_add(1)) }
}

fn not_yaml(error: &ScanError, book: &Book, text: &str) -> Reported {
    let place = place(error.marker().line(), error.marker().col());
    let kind = error.kind();
    if *kind == ErrorKind::RecursionLimitExceeded {
        let message = format!("lists and maps lie more than {MAX_DEPTH} deep in each other");
        return book.report(Code::TooLarge, place, message, "no file of ours needs that");
    }
    if *kind == ErrorKind::UnknownAnchor {
        let message = "an alias stands here; only plain YAML is read";
        return book.report(Code::NotPlain, place, message, "write the value out, or put it into quotes");
    }
    if is_tab(kind) {
        return book.report(Code::NotYaml, place, "a tab stands where only spaces may", "indent with spaces");
    }
    if *kind == ErrorKind::InvalidBlockScalarHeader {
        let message = "a text that begins with `>` or `|` stands here without quotes";
        return book.report(Code::NotYaml, place, message, "put it into quotes, e.g. `\">=2.0.0, <3\"`");
    }
    let message = format!("the text is not YAML: {kind}");
    let line = text.lines().nth(error.marker().line().saturating_sub(1)).unwrap_or_default();
    if line.chars().nth(error.marker().col()) == Some('{') {
        return book.report(
            Code::NotYaml,
            place,
            message,
            "a text in braces needs quotes, e.g. `\"users-{region}\"`",
        );
    }
    book.report(Code::NotYaml, place, message, "look at the indentation, quotes and colons here")
}

fn is_tab(kind: &ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::TabNotAllowed
            | ErrorKind::TabInBlockIndentation
            | ErrorKind::TabInIndentation
            | ErrorKind::TabAtBlockScalarStart
            | ErrorKind::TabInPlainScalar
    )
}
