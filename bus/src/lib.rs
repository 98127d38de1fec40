//! Kafka and the registry: the only crate that knows either.
//!
//! A [`Bus`] is a connection. A [`Writer`] appends events and says so only when the broker has; a [`Reader`]
//! reads one domain in order; tables, heartbeats and ownership have readers of their own. [`embedded`] is a
//! broker inside this process, [`memory`] a log without any.

pub mod embedded;
pub mod http;
pub mod memory;
pub mod registry;
pub mod settings;
pub mod topics;
pub mod trace;
pub mod wire;

mod answers;
mod bus;
mod certificates;
mod client;
mod decode;
mod error;
mod heartbeats;
mod lag;
mod letters;
mod metrics;
mod ownership;
mod partition;
mod producer;
mod pump;
mod raw;
mod reader;
mod route;
mod table;
mod tamper;
mod trust;
mod witness;
mod writer;

pub use bus::Bus;
pub use error::Error;
pub use heartbeats::{Beat, HeartbeatReader};
pub use lag::Lag;
pub use letters::{DeadLetter, LetterReader, LetterRow, Settlement};
pub use ownership::Ownership;
pub use partition::partition_of;
pub use producer::Appended;
pub use raw::Raw;
pub use reader::{Item, Reader};
pub use registry::Registry;
pub use settings::{RegistryAccess, Settings};
pub use table::{Row, TableItem, TableReader};
pub use topics::{ApplyOptions, Topic, TopicAction, TopicOutcome, apply_topics, verify_topics};
pub use trust::Policy;
pub use wire::Encoded;
pub use writer::Writer;
