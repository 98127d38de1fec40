//! The log in the languages of others: `CloudEvents` as JSON, and `CDEvents`.
//!
//! | room | what is in it |
//! |---|---|
//! | [`cloudevents`] | each record as a structured `CloudEvent` |
//! | [`cdevents`] | what a `CDEvents` consumer understands of it |

pub mod cdevents;
pub mod cloudevents;
