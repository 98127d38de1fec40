//! What holds on a real Apache Kafka and a real Apicurio Registry.
//!
//! All of it lies in one binary, so that one broker and one registry serve every test. Each test uses a topic
//! prefix and subjects of its own.

#![cfg(test)]

#[path = "real/ground.rs"]
mod ground;
#[path = "real/log.rs"]
mod log;
#[path = "real/registry.rs"]
mod registry;
#[path = "real/story.rs"]
mod story;
