//! What should happen: a choreography as it is written, and the plan that is meant.

pub mod plan;

pub use plan::{Compensate, Expect, Method, OnStall, Plan, Severity, Step};
