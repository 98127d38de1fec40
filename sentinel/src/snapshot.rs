//! What a sentinel starts from: the newest complete snapshot on `pavane.snapshots`, and the rest of the log.
//!
//! A snapshot is what the engine folded, and beside it the alerts that were raised and not yet delivered: whoever starts
//! from it does not read again what raised them. It lies on the topic in parts, closed by a manifest with their hash, so
//! one that was torn by a crash does not count. What counts is the log's: the topic is a cache of it.
//!
//! | room | what is in it |
//! |---|---|
//! | `form` | how a snapshot is cut into rows, and known again |
//! | `beside` | the alerts beside the fold |
//! | `rack` | what stands on the topic |
//! | `anew` | a domain that begins anew |
//! | `archive` | a domain's way there |
//! | `keeper` | writes the newest, takes out the oldest |
//! | `due` | when the next one is |

pub(crate) mod anew;
pub(crate) mod archive;
mod beside;
pub(crate) mod due;
mod form;
pub(crate) mod keeper;
pub(crate) mod rack;

pub(crate) use form::{Manifest, Snapshot, Unusable};
pub use rack::{all_kept, kept};
