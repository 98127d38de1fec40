//! What holds on a real Apache Kafka and a real Apicurio Registry.
//!
//! All of it lies in one binary, so that one broker and one registry serve every test. Each test uses a topic
//! prefix and subjects of its own.

#![cfg(test)]

#[path = "real/agreement.rs"]
mod agreement;
#[path = "real/battery.rs"]
mod battery;
#[path = "real/broker.rs"]
mod broker;
#[path = "real/catalogue.rs"]
mod catalogue;
#[path = "real/drift.rs"]
mod drift;
#[path = "real/ground.rs"]
mod ground;
#[path = "real/log.rs"]
mod log;
#[path = "real/pipelines.rs"]
mod pipelines;
#[path = "real/receivers.rs"]
mod receivers;
#[path = "real/registry.rs"]
mod registry;
#[path = "real/registry_calls.rs"]
mod registry_calls;
#[path = "real/registry_check.rs"]
mod registry_check;
#[path = "real/standards.rs"]
mod standards;
#[path = "real/stock.rs"]
mod stock;
#[path = "real/storm_couple.rs"]
mod storm_couple;
#[path = "real/storm_former.rs"]
mod storm_former;
#[path = "real/storm_load.rs"]
mod storm_load;
#[path = "real/storm_newer.rs"]
mod storm_newer;
#[path = "real/storm_oracle.rs"]
mod storm_oracle;
#[path = "real/storm_scene.rs"]
mod storm_scene;
#[path = "real/story.rs"]
mod story;
#[path = "real/story_absent_broker.rs"]
mod story_absent_broker;
#[path = "real/story_alertmanager.rs"]
mod story_alertmanager;
#[path = "real/story_cast.rs"]
mod story_cast;
#[path = "real/story_claims.rs"]
mod story_claims;
#[path = "real/story_dead_letters.rs"]
mod story_dead_letters;
#[path = "real/story_frozen.rs"]
mod story_frozen;
#[path = "real/story_frozen_broker.rs"]
mod story_frozen_broker;
#[path = "real/story_guarded.rs"]
mod story_guarded;
#[path = "real/story_journal.rs"]
mod story_journal;
#[path = "real/story_leader.rs"]
mod story_leader;
#[path = "real/story_lies.rs"]
mod story_lies;
#[path = "real/story_migration.rs"]
mod story_migration;
#[path = "real/story_newer_rules.rs"]
mod story_newer_rules;
#[path = "real/story_restart.rs"]
mod story_restart;
#[path = "real/story_short.rs"]
mod story_short;
#[path = "real/story_snapshot.rs"]
mod story_snapshot;
#[path = "real/story_starved.rs"]
mod story_starved;
#[path = "real/story_storm.rs"]
mod story_storm;
#[path = "real/story_tamper.rs"]
mod story_tamper;
#[path = "real/story_why.rs"]
mod story_why;
#[path = "real/trace.rs"]
mod trace;
