//! What should happen: a choreography as it is written, and the plan that is meant.

pub mod diagnostic;
pub mod plan;
pub mod yaml;

pub use diagnostic::Diagnostic;
pub use plan::{Compensate, Expect, Method, OnStall, Plan, Severity, Step};
