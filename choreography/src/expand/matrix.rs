//! The matrix: a step or phase whose id says `{region}` stands once for each region.
//!
//! It is written out on the tree, before anything is taken from it, so that every copy is read and judged as if a
//! person had written it, and each defect is told at the place where it stands.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use crate::diagnostic::{Code, Place};
use crate::document::MAX_STEPS;
use crate::yaml::{Book, Entry, Item, Node, Reported, Value, did_you_mean, shown};

/// The most bytes of text that the copies may hold together.
const MAX_WRITTEN_OUT: usize = 8 * 1024 * 1024;

/// The lists in which a placeholder that the id does not say stands for all its values.
const LISTS: [&str; 3] = ["after", "after_any", "steps"];

/// What each placeholder stands for, in order.
pub(crate) type Axes = BTreeMap<String, Vec<String>>;

/// Reads the matrix.
pub(crate) fn axes(item: &Item<'_>) -> Result<Axes, Reported> {
    item.note("minProperties", json!(1));
    item.note("propertyNames", json!({ "pattern": "^[A-Za-z][A-Za-z0-9_]*$" }));
    let axes = item.entries(|item| {
        item.note("minItems", json!(1));
        item.note("uniqueItems", json!(true));
        let values = item.list(|item| item.spanned(Item::label))?;
        if values.is_empty() {
            let message = format!("`{}` has no values", item.field());
            return Err(item.refuse(Code::UnusedMatrix, message, "name at least one, or leave it out"));
        }
        let mut seen = BTreeSet::new();
        let twice = values.iter().find(|value| !seen.insert(&value.value));
        if let Some(twice) = twice {
            let message = format!("`{}` stands twice in `{}`", twice.value, item.field());
            return Err(twice.item.refuse(Code::Duplicate, message, "keep one of them"));
        }
        if !is_name(item.field()) {
            let message = format!("{:?} cannot be a placeholder", shown(item.field()));
            return Err(item.refuse(Code::BadName, message, "use letters, digits and `_`, a letter first"));
        }
        Ok(values.into_iter().map(|value| value.value).collect::<Vec<_>>())
    })?;
    if axes.is_empty() {
        return Err(item.refuse(Code::UnusedMatrix, "the matrix is empty", "leave it out"));
    }
    Ok(axes)
}

/// Writes the steps and phases of a choreography out.
pub(crate) fn write_out(mut tree: Node, book: &Book) -> Node {
    let Value::Map(entries) = &mut tree.value else { return tree };
    let matrix = entries.iter().find(|entry| entry.key == "matrix");
    let axes = matrix.map_or(Ok(Axes::new()), |entry| axes(&Item::of(&entry.node, "matrix", book)));
    let places = matrix.map(|entry| Item::of(&entry.node, "matrix", book).places()).unwrap_or_default();
    let mut sheet = Sheet { axes, used: BTreeSet::new(), left: MAX_WRITTEN_OUT, sound: true, book };
    for entry in entries.iter_mut().filter(|entry| entry.key == "steps" || entry.key == "phases") {
        if let Value::List(nodes) = &mut entry.node.value {
            *nodes = std::mem::take(nodes).into_iter().flat_map(|node| sheet.copies(node)).collect();
        }
    }
    sheet.tell_unused(&places);
    tree
}

struct Sheet<'b> {
    axes: Result<Axes, Reported>,
    used: BTreeSet<String>,
    left: usize,
    sound: bool,
    book: &'b Book,
}

impl Sheet<'_> {
    /// The copies of one step or phase.
    fn copies(&mut self, node: Node) -> Vec<Node> {
        let mut texts = Vec::new();
        collect(&node, false, &mut texts);
        let spoken = id_of(&node).map(placeholders).unwrap_or_default();
        if texts.iter().all(|found| placeholders(found.text).is_empty()) {
            return vec![node];
        }
        if let Err(reported) = self.judge(&texts, &spoken) {
            self.sound = false;
            return vec![Node { value: Value::Broken(reported), ..node }];
        }
        let Ok(axes) = &self.axes else { return vec![node] };
        let size = |found: &Found<'_>| (found.text.len() + 16).saturating_mul(ways(axes, found, &spoken));
        let size = texts.iter().map(size).fold(0, usize::saturating_add);
        let id = Found { text: id_of(&node).unwrap_or_default(), place: node.place, listed: false };
        let copies = ways(axes, &id, &BTreeSet::new());
        match self.left.checked_sub(size.saturating_mul(copies)) {
            Some(left) if copies <= MAX_STEPS => self.left = left,
            Some(_) | None => return vec![self.too_many(&node)],
        }
        bindings(axes, &spoken).iter().map(|bound| write(&node, axes, bound)).collect()
    }

    /// Whether every placeholder is known and stands where it may.
    fn judge(&mut self, texts: &[Found<'_>], spoken: &BTreeSet<&str>) -> Result<(), Reported> {
        let axes = self.axes.as_ref().map_err(|reported| *reported)?;
        let mut outcome = Ok(());
        for Found { text, place, listed } in texts {
            for name in placeholders(text) {
                if !axes.contains_key(name) {
                    outcome = outcome.and(Err(self.unknown(axes, name, *place)));
                } else if !listed && !spoken.contains(name) {
                    let message = format!("`{{{name}}}` stands here and not in the `id`");
                    let help = format!(
                        "write it into the `id` too, e.g. `users-{{{name}}}`: each copy needs its own"
                    );
                    let reported = self.book.report(Code::PlaceholderOutsideId, *place, message, help);
                    outcome = outcome.and(Err(reported));
                }
                self.used.insert(name.to_owned());
            }
        }
        outcome
    }

    fn unknown(&self, axes: &Axes, name: &str, place: Place) -> Reported {
        let message = format!("`{{{name}}}` is not in the matrix");
        let known: Vec<_> = axes.keys().map(String::as_str).collect();
        let help = if known.is_empty() {
            format!("say what it stands for: `matrix: {{ {name}: [a, b] }}`")
        } else {
            did_you_mean(name, &known)
        };
        self.book.report(Code::UnknownPlaceholder, place, message, help)
    }

    fn too_many(&mut self, node: &Node) -> Node {
        self.sound = false;
        let message = format!("the matrix writes this out more than {MAX_STEPS} times or into too much text");
        let reported =
            self.book.report(Code::TooManySteps, node.place, message, "make it several choreographies");
        Node { place: node.place, value: Value::Broken(reported) }
    }

    /// Tells what no step or phase uses; a name that was mistyped there is told there alone.
    fn tell_unused(&self, places: &BTreeMap<String, Place>) {
        let Ok(axes) = &self.axes else { return };
        for name in axes.keys().filter(|name| self.sound && !self.used.contains(*name)) {
            let place = places.get(name).copied().unwrap_or(Place::START);
            let message = format!("no step or phase says `{{{name}}}`");
            let help = format!("write `{{{name}}}` into an id, or take it out of the matrix");
            self.book.report(Code::UnusedMatrix, place, message, help);
        }
    }
}

/// A text of a step, and whether it stands in a list in which a placeholder may stand for all its values.
struct Found<'n> {
    text: &'n str,
    place: Place,
    listed: bool,
}

fn collect<'n>(node: &'n Node, listed: bool, texts: &mut Vec<Found<'n>>) {
    match &node.value {
        Value::Scalar { text, .. } => texts.push(Found { text, place: node.place, listed }),
        Value::List(nodes) => nodes.iter().for_each(|node| collect(node, listed, texts)),
        Value::Map(entries) => {
            for Entry { key, node, .. } in entries {
                let listed = LISTS.contains(&key.as_str()) && matches!(node.value, Value::List(_));
                collect(node, listed, texts);
            }
        }
        Value::Broken(_) => {}
    }
}

fn id_of(node: &Node) -> Option<&str> {
    let Value::Map(entries) = &node.value else { return None };
    match &entries.iter().find(|entry| entry.key == "id")?.node.value {
        Value::Scalar { text, .. } => Some(text),
        Value::List(_) | Value::Map(_) | Value::Broken(_) => None,
    }
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// The names that stand in braces of their own in a text.
fn placeholders(text: &str) -> BTreeSet<&str> {
    let named = |at: usize| {
        let rest = &text[at + 1..];
        let length = rest.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').count();
        (rest.as_bytes().get(length) == Some(&b'}')).then_some(&rest[..length])
    };
    text.match_indices('{').filter_map(|(at, _)| named(at)).filter(|name| is_name(name)).collect()
}

/// How many texts one text becomes for what is not bound yet.
fn ways(axes: &Axes, found: &Found<'_>, bound: &BTreeSet<&str>) -> usize {
    let open = placeholders(found.text).into_iter().filter(|name| !bound.contains(name));
    open.filter_map(|name| axes.get(name)).fold(1, |ways, values| ways.saturating_mul(values.len()))
}

/// Every way to choose one value for each of these names, the last name changing first.
fn bindings<'a>(axes: &'a Axes, names: &BTreeSet<&'a str>) -> Vec<BTreeMap<&'a str, &'a str>> {
    let mut bindings = vec![BTreeMap::new()];
    for name in names {
        let values = axes.get(*name).map(Vec::as_slice).unwrap_or_default();
        let with = |bound: &BTreeMap<&'a str, &'a str>, value: &'a str| {
            let mut bound = bound.clone();
            bound.insert(name, value);
            bound
        };
        bindings = bindings.iter().flat_map(|b| values.iter().map(move |value| with(b, value))).collect();
    }
    bindings
}

fn write(node: &Node, axes: &Axes, bound: &BTreeMap<&str, &str>) -> Node {
    let value = match &node.value {
        Value::Scalar { text, plain } => Value::Scalar { text: fill(text, bound), plain: *plain },
        Value::List(nodes) => Value::List(nodes.iter().map(|node| write(node, axes, bound)).collect()),
        Value::Map(entries) => {
            Value::Map(entries.iter().map(|entry| write_entry(entry, axes, bound)).collect())
        }
        Value::Broken(reported) => Value::Broken(*reported),
    };
    Node { place: node.place, value }
}

fn write_entry(entry: &Entry, axes: &Axes, bound: &BTreeMap<&str, &str>) -> Entry {
    let node = match &entry.node.value {
        Value::List(nodes) if LISTS.contains(&entry.key.as_str()) => {
            let all = nodes.iter().flat_map(|node| write_all(&write(node, axes, bound), axes)).collect();
            Node { place: entry.node.place, value: Value::List(all) }
        }
        Value::Scalar { .. } | Value::List(_) | Value::Map(_) | Value::Broken(_) => {
            write(&entry.node, axes, bound)
        }
    };
    Entry { key: fill(&entry.key, bound), place: entry.place, node }
}

/// An entry of a list once for each value of what is still open in it.
fn write_all(node: &Node, axes: &Axes) -> Vec<Node> {
    let open = match &node.value {
        Value::Scalar { text, .. } => placeholders(text),
        Value::List(_) | Value::Map(_) | Value::Broken(_) => BTreeSet::new(),
    };
    let known = open.into_iter().filter_map(|name| Some(axes.get_key_value(name)?.0.as_str())).collect();
    bindings(axes, &known).iter().map(|bound| write(node, axes, bound)).collect()
}

fn fill(text: &str, bound: &BTreeMap<&str, &str>) -> String {
    bound.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value))
}
