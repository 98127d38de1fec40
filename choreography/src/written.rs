//! The document as it is written: each field read and judged by itself, in the order of the language reference.

pub(crate) mod phase;
pub(crate) mod step;
pub(crate) mod whole;
