//! What should happen: a choreography as it is written, and the plan that is meant.
//!
//! A document goes through three rooms and leaves as a [`Plan`]; what is wrong with it leaves as
//! [`Diagnostic`]s, all at once.
//!
//! | room | what is in it |
//! |---|---|
//! | [`yaml`] | text → tree with places → values; also reads the sidecar's and the sentinel's files |
//! | [`document`] `written` | the file as a whole, and each step and phase by itself |
//! | `expand` | short-hands written out: matrix, zones, cohorts |
//! | `names` `layout` `resolve` [`graph`] | the steps together: names, phases, circles, order |
//! | [`plan`] [`phase`] [`instances`] [`maintenance`] | the plan as it is meant; what `RolloutStarted` carries |
//! | [`published`] | the plan as it stands published, and what a trigger starts |
//! | [`expectation`] | `user-service.DeploymentComplete`, as it stands in files |
//! | `soundness` | whether a plan that came over the log can be judged |
//! | [`diagnostic`] [`places`] | codes, places, remedies |
//! | [`mod@schema`] | the JSON Schema of the document, told by the reader |

pub mod diagnostic;
pub mod document;
mod error;
mod expand;
pub mod expectation;
pub mod graph;
pub mod instances;
mod layout;
pub mod maintenance;
mod names;
pub mod phase;
pub mod places;
pub mod plan;
pub mod published;
mod resolve;
pub mod schema;
mod soundness;
mod written;
pub mod yaml;

pub use diagnostic::Diagnostic;
pub use document::{read, read_with_places};
pub use error::Unsound;
pub use graph::Graph;
pub use instances::{Instances, Share};
pub use maintenance::{Maintenance, Weekday};
pub use phase::{Approval, Bound, Phase, Watch};
pub use places::Places;
pub use plan::{Compensate, Concurrency, Expect, Method, OnStall, Plan, Severity, Step, Trigger};
pub use published::{BadRow, Published};
pub use schema::schema;
