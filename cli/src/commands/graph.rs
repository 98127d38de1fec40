//! `pavane graph`: who waits for whom, which team owns what, and where the time goes.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use pavane_review::graph::traffic::Traffic;
use pavane_review::graph::{By, Graph as Network};

use crate::collection;
use crate::commands::Context;
use crate::commands::check::reading;
use crate::drift::Held;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::files;
use crate::replay::range::Range;

/// Draws choreographies as graphs, with the teams laid over them.
///
/// Shows which team owns each step, which edges lead across teams and who must talk to whom; phases with what they
/// ask for; the critical path, with the sum of its windows. The same files give the same bytes. Needs neither Kafka
/// nor a registry, but for --observed without --file: this lays what flowed on a log over the picture, service by
/// service, and tells declared waits that were seen, declared ones that never were, and those that nobody declares.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  pavane graph users-v2.yaml                            read it in the terminal
  pavane graph users-v2.yaml --format svg --out users-v2.svg
  pavane graph deploy/ --by team --format mermaid       who must talk to whom, for a page
  pavane graph deploy/ --output json                    nodes, edges, teams, critical path
  pavane graph --observed --file shop.jsonl             and who really moved on whose word

Exit codes: 0 drawn, 2 usage, 3 a file cannot be read or is not sound, 4 Kafka or the registry cannot be \
reached.")]
pub struct Graph {
    /// Choreographies, and folders that hold some.
    #[arg(default_value = ".", value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The form of the picture.
    #[arg(long, value_enum, default_value_t = Form::Text, value_name = "FORM")]
    format: Form,
    /// Write to this file instead of standard output.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// What a node stands for.
    #[arg(long, value_enum, default_value_t = Unit::Step, value_name = "WHAT")]
    by: Unit,
    /// Lay what flowed on the domain's log over it, or in a file that `pavane replay --export` wrote; by service or team.
    #[arg(long)]
    observed: bool,
    /// Which records of which log.
    #[command(flatten)]
    range: Range,
}

/// The form of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    /// Turn by turn, for a terminal of 80 columns.
    Text,
    /// The language of Mermaid.
    Mermaid,
    /// The language of Graphviz.
    Dot,
    /// A picture that needs nothing beside itself.
    Svg,
}

/// What a node stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Unit {
    /// One step; each choreography by itself.
    Step,
    /// All steps of a service; all choreographies together.
    Service,
    /// All steps of a team; all choreographies together.
    Team,
}

impl Graph {
    /// Reads, draws and writes.
    pub async fn run(self, context: Context<'_>) -> Result<(), Failure> {
        let by = match self.by {
            Unit::Step => By::Step,
            Unit::Service => By::Service,
            Unit::Team => By::Team,
        };
        let graph = if self.observed {
            self.laid_over(by, context).await?
        } else if self.range.file.is_some() || self.range.from.is_some() || self.range.to.is_some() {
            return Err(
                Failure::usage("--file, --from and --to say what was observed").help("add --observed")
            );
        } else {
            let found = collection::read(&self.files)?;
            Network::of(found.plans(&self.files)?, by)
        };
        let picture = match (context.console.is_json(), self.format) {
            (true, Form::Mermaid | Form::Dot | Form::Svg) => {
                return Err(Failure::usage("--output json and --format exclude each other")
                    .help("leave one of them out: JSON holds the graph itself, not a picture"));
            }
            (true, Form::Text) => json(&graph)?,
            (false, Form::Text) => graph.to_text(),
            (false, Form::Mermaid) => graph.to_mermaid(),
            (false, Form::Dot) => graph.to_dot(),
            (false, Form::Svg) => graph.to_svg(),
        };
        let Some(out) = &self.out else { return context.console.print(&picture) };
        std::fs::write(out, picture).map_err(|error| {
            Failure::new(Exit::Invalid, format!("cannot write {}", out.display()))
                .because(error)
                .help("name a file in a folder that is there and can be written to")
        })?;
        context.console.note(&format!("drawn to {}", out.display()));
        Ok(())
    }

    /// The network of what is declared here, with what flowed laid over it.
    async fn laid_over(&self, by: By, context: Context<'_>) -> Result<Network, Failure> {
        let files = files::read(&self.files, &[])?;
        files.whole()?;
        let project = reading::read(files).project;
        let held = Held::read(&self.range, &project, context).await?;
        let plans: Vec<_> = project.choreographies.iter().map(|one| one.plan.clone()).collect();
        Ok(Network::observed(&plans, by, &Traffic::of(&project, &held.declared, &held.flow)))
    }
}

fn json(graph: &Network) -> Result<String, Failure> {
    let text = serde_json::to_string(graph)
        .map_err(|error| Failure::new(Exit::Internal, "cannot write the graph").because(error))?;
    Ok(text + "\n")
}
