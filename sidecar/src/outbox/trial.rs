//! The outbox tried: against a model on a model file system, and as a process that is killed.

mod crash;
mod disk;
mod full;
mod kept;
mod model;
mod turns;
mod unsure;
