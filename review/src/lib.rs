//! What a person reads before anything moves: findings, pictures, advice and differences of plans.
//!
//! Everything here is a function of documents, and of a log that is held against them: findings and pictures out.

pub mod advise;
pub mod check;
pub mod contracts;
pub mod difference;
pub mod drift;
pub mod graph;
pub mod participant;
pub mod report;
pub mod words;
