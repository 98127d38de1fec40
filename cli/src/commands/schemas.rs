//! `pavane schemas`: the wire contract: checked, shown, brought to the registry and to the readers' allow-list.

pub mod asyncapi;
pub mod check;
pub mod diff;
pub mod docs;
pub mod drift;
pub mod push;

use clap::Subcommand;
use serde::Serialize;

use crate::commands::Context;
use crate::failure::Failure;
use crate::published::{self, Published};
pub use push::publish;

/// What one can do with schemas.
#[derive(Debug, Subcommand)]
pub enum Schemas {
    /// Says what a change of schemas breaks, which services of which teams, and in what order to roll it out.
    Check(check::Check),
    /// Shows what one schema changes against another, field by field, and who can read whom.
    Diff(diff::Diff),
    /// Writes a page of the services' own events: who says each, who reads it, what is in it, and its versions.
    Docs(docs::Docs),
    /// Writes the events of a domain as an `AsyncAPI` 3 document.
    Asyncapi(asyncapi::Asyncapi),
    /// Holds what flows on a log against what the files here declare.
    Drift(drift::Drift),
    /// Registers the lifecycle's schemas and the services' own extensions of them.
    Push(push::Push),
    /// Lists the schemas that readers allow beside the built-in ones.
    List,
}

#[derive(Serialize)]
struct Allowed {
    schemas: Vec<Published>,
}

impl Schemas {
    /// Pushes or lists.
    pub async fn run(self, context: Context<'_>) -> Result<(), Failure> {
        match self {
            Self::Check(check) => check.run(context).await,
            Self::Diff(diff) => diff.run(context),
            Self::Docs(docs) => docs.run(context).await,
            Self::Asyncapi(asyncapi) => asyncapi.run(context),
            Self::Drift(drift) => drift.run(context).await,
            Self::Push(push) => push.run(context).await,
            Self::List => list(context).await,
        }
    }
}

async fn list(context: Context<'_>) -> Result<(), Failure> {
    let schemas = published::load(context).await?;
    let human: String = schemas.iter().map(Published::line).collect();
    context.console.data(&human, &Allowed { schemas })
}
