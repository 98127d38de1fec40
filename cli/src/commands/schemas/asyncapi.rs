//! `pavane schemas asyncapi`: the events of a domain as an `AsyncAPI` 3 document.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::Args;
use pavane_bus::Topic;
use pavane_review::contracts::asyncapi::{self, Cover};

use crate::commands::Context;
use crate::commands::check::reading;
use crate::failure::Failure;
use crate::files;

/// Writes the events of a domain as an `AsyncAPI` 3 document in JSON: one channel, a message for each event of each
/// service with its Avro schema, an operation for each service that says or reads one.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  pavane schemas asyncapi --domain shop > asyncapi.json
  pavane schemas asyncapi --domain shop --api-version \"$(git describe)\" services/ deploy/

With --kafka the document names the server. Exit codes: 0 written, 2 usage, 3 a file or folder cannot be read.")]
pub struct Asyncapi {
    /// Files and folders: schemas, sidecar files, choreographies.
    #[arg(default_value = ".", value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// The version of the document.
    #[arg(long, value_name = "VERSION", default_value = "1.0.0")]
    api_version: String,
}

impl Asyncapi {
    /// Reads all and writes the document.
    pub fn run(self, context: Context<'_>) -> Result<(), Failure> {
        let read = files::read(&self.paths, &[])?;
        read.whole()?;
        let mut project = reading::read(read).project;
        let domains: BTreeSet<String> =
            project.participants.iter().map(|one| one.domain.to_string()).collect();
        let known = domains.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        let domain = match (&context.connection.domain, domains.iter().next()) {
            (Some(domain), Some(_)) if !domains.contains(domain.as_str()) => {
                return Err(Failure::usage(format!("no sidecar file here is of the domain {domain}"))
                    .help(format!("the sidecar files here know: {known}")));
            }
            (Some(domain), _) => domain.to_string(),
            (None, Some(only)) if domains.len() == 1 => only.clone(),
            (None, _) => {
                let help = format!("name it with --domain; the sidecar files here know: {known}");
                return Err(Failure::usage("nobody said which domain is meant").help(help));
            }
        };
        project.participants.retain(|one| one.domain.as_str() == domain);
        let topic = Topic::Lifecycle.name(&context.connection.prefix);
        let kafka = context.connection.kafka.clone();
        let cover = Cover { domain, version: self.api_version, topic, kafka };
        context.console.print(&format!("{:#}\n", asyncapi::document(&project, &cover)))
    }
}
