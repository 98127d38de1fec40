//! The wire: how an event becomes a Kafka record, and how a record that anyone may have written becomes an event.
//!
//! | room | what is in it |
//! |---|---|
//! | [`record`] | an event to value and headers, and back |
//! | [`headers`] | the envelope as `CloudEvents` headers |
//! | [`contract`] `lint` | schemas that are fit to read and write by |
//! | [`catalog`] | the embedded ones |
//! | `datum` `resolve` | Avro binary, and what a reader makes of it |
//! | `json` `node` `show` | JSON bodies in, strictly; JSON out |
//! | [`compat`] | what two schemas differ in |
//! | [`error`] | what can go wrong |

mod canonical;
pub mod catalog;
pub mod compat;
pub mod contract;
mod datum;
pub mod error;
pub mod headers;
mod json;
mod lint;
mod node;
pub mod record;
mod resolve;
mod show;

pub use contract::Contract;
pub use error::{ContractError, Defect, EncodeError, Finding, SchemaRefused};
pub use headers::Headers;
pub use record::{
    Encoded, MAX_VALUE, Sealed, encode, encode_heartbeat, encode_json, open, open_heartbeat, to_json,
    unreadable,
};
