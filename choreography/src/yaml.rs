//! YAML as people write it: a tree that knows its places, and a reader that finds every defect in one pass.
//!
//! Files are read by a function from an [`Item`] to what is meant:
//!
//! ```
//! use pavane_choreography::yaml::{self, Item, Reported};
//! use pavane_events::{Millis, Service};
//!
//! struct Config { service: Service, within: Millis, tags: Vec<String> }
//!
//! fn config(item: &Item<'_>) -> Result<Config, Reported> {
//!     item.fields(|f| {
//!         let service = f.required("service", Item::name);
//!         let within = f.optional("within", Item::duration);
//!         let tags = f.optional("tags", |i| i.list(Item::text));
//!         Ok(Config {
//!             service: service?,
//!             within: within?.unwrap_or(60_000),
//!             tags: tags?.unwrap_or_default(),
//!         })
//!     })
//! }
//!
//! let config = yaml::read("service: user-db\nwithin: 1m30s\n", "a.yaml", config).expect("a good file");
//! assert_eq!((config.service.as_str(), config.within), ("user-db", 90_000));
//! ```
//!
//! All fields are asked for before the first `?`, so that one pass finds all defects. A [`Reported`] can be
//! made only by reporting a defect, so no file is refused in silence. Only plain YAML is read: no anchors,
//! aliases or tags, and a scalar is the text that stands there until a reader asks for more.

mod book;
mod choice;
mod fields;
mod item;
mod json;
mod leaf;
pub(crate) mod shape;
mod sketch;
mod tree;

pub use book::Reported;
pub use choice::{did_you_mean, nearest};
pub use fields::{Fields, Reader};
pub use item::{Item, Spanned};
pub(crate) use leaf::shown;
pub use leaf::{MAX_DURATION, deceives, lasting};
pub(crate) use sketch::sketch;
pub(crate) use tree::{Entry, Node, Value};

use crate::diagnostic::{Code, Diagnostic, Place};
pub(crate) use book::Book;

/// The largest file that is read, in bytes.
pub const MAX_BYTES: usize = 1024 * 1024;

/// Reads a text as one plain YAML document and takes from it what is meant; or else says every defect, in the
/// order of their places.
pub fn read<T>(
    text: &str,
    file: &str,
    read: impl FnOnce(&Item<'_>) -> Result<T, Reported>,
) -> Result<T, Vec<Diagnostic>> {
    read_prepared(text, file, |tree, _| tree, read)
}

/// As [`read`], with a tree that is prepared before anything is taken from it.
pub(crate) fn read_prepared<T>(
    text: &str,
    file: &str,
    prepare: impl FnOnce(Node, &Book) -> Node,
    read: impl FnOnce(&Item<'_>) -> Result<T, Reported>,
) -> Result<T, Vec<Diagnostic>> {
    let book = Book::new(file);
    let outcome = parse(text, &book).and_then(|tree| read(&Item::root(&prepare(tree, &book), &book)));
    book.close(outcome)
}

fn parse(text: &str, book: &Book) -> Result<Node, Reported> {
    if text.len() <= MAX_BYTES {
        return tree::parse(text, book);
    }
    let message = format!("the file has {} bytes; at most {MAX_BYTES} are read", text.len());
    Err(book.report(Code::TooLarge, Place::START, message, "split it"))
}
