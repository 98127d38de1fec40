//! `pavane plan`: what a choreography means once every default is resolved.

mod sheet;

use clap::{Args, Subcommand};
use pavane_choreography::{Places, Plan as Resolved, read_with_places};
use serde::Serialize;

use crate::commands::Context;
use crate::commands::plan::sheet::Sheet;
use crate::document;
use crate::failure::Failure;

/// What one can ask about plans.
#[derive(Debug, Subcommand)]
pub enum Plan {
    /// Shows the plan of a choreography with every default resolved and marked.
    Show(Show),
    /// Prints the JSON Schema of choreographies, for editors. Needs neither Kafka nor a registry.
    #[command(after_help = "\
Examples:
  pavane plan schema > pavane.schema.json
  # in a choreography: # yaml-language-server: $schema=pavane.schema.json")]
    Schema,
}

/// Which plan.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  pavane plan show users-v2.yaml     a file; needs neither Kafka nor a registry
  pavane plan show users-v2          what is published under the name

What stands in parentheses is not written there: it is a default, or taken from the whole.

Exit codes: 0 shown, 1 nothing is published under the name, 2 usage, 3 a file cannot be read or is not \
sound, 4 Kafka or the registry cannot be reached.")]
pub struct Show {
    /// A file, or the name of a published choreography.
    #[arg(value_name = "CHOREOGRAPHY|FILE")]
    choreography: String,
}

#[derive(Serialize)]
struct Shown<'a> {
    digest: String,
    plan: &'a Resolved,
    /// The fields that are not written, by their paths.
    defaults: Vec<String>,
}

impl Plan {
    /// Shows it.
    pub async fn run(self, context: Context<'_>) -> Result<(), Failure> {
        match self {
            Self::Show(show) => show.run(context).await,
            Self::Schema => {
                let schema = pavane_choreography::schema();
                context.console.data(&format!("{schema:#}\n"), &schema)
            }
        }
    }
}

impl Show {
    async fn run(self, context: Context<'_>) -> Result<(), Failure> {
        let (plan, places) = self.read(context).await?;
        let sheet = Sheet::of(&plan, &places);
        let shown = Shown { digest: plan.digest(), plan: &plan, defaults: sheet.defaults() };
        context.console.data(&sheet.to_text(), &shown)
    }

    async fn read(&self, context: Context<'_>) -> Result<(Resolved, Places), Failure> {
        let (source, name) = if let Some(file) = document::as_file(&self.choreography) {
            (document::text(&file)?, file.display().to_string())
        } else {
            let (bus, domain) = (context.connection.bus().await?, context.connection.domain()?);
            let row = document::published(&bus, &domain, &self.choreography).await?;
            (row.source, format!("the published {}", self.choreography))
        };
        read_with_places(&source, &name).map_err(|defects| Failure::invalid(&name, defects))
    }
}
