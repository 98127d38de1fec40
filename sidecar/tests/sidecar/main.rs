//! A sidecar beside a real service, on the embedded broker and registry.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod alone;
mod beside;
mod door;
mod hooks;
mod limits;
mod matrix;
mod peers;
mod phases;
mod process;
mod reactions;
mod readiness;
mod secrets;
mod shop;
mod sight;
mod strangers;
