//! `pavane schemas diff`: what a change of schemas changes, field by field, and what each change asks of whom.

use std::path::{Path, PathBuf};

use clap::Args;
use pavane_contracts::change::{Change, changes};
use pavane_contracts::{Direction, Mode, Schema};
use serde::Serialize;

use crate::commands::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::files;

/// Shows what one schema changes against another, field by field, and who can read whom.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  pavane schemas diff old/Ready.avsc schemas/services/matchmaking/Ready.avsc

Exit codes: 0 told, 2 usage, 3 a file cannot be read or holds no schema.")]
pub struct Diff {
    /// The schema as it was.
    #[arg(value_name = "OLD")]
    old: PathBuf,
    /// The schema as it is to be.
    #[arg(value_name = "NEW")]
    new: PathBuf,
}

#[derive(Serialize)]
struct Told {
    name: String,
    /// Each change of a field; `was` or `is` is null for what came or went.
    changes: Vec<Changed>,
    /// Whether the new schema reads what the old one wrote.
    backward: bool,
    /// Whether the old schema reads what the new one writes.
    forward: bool,
}

#[derive(Serialize)]
struct Changed {
    field: String,
    was: Option<String>,
    is: Option<String>,
}

impl Diff {
    /// Reads both and tells.
    pub fn run(&self, context: Context<'_>) -> Result<(), Failure> {
        let (old, new) = (schema(&self.old)?, schema(&self.new)?);
        let found = changes(&old, &new);
        let broken = Mode::Full.breaches(&new, &[&old]);
        let fits = |direction| broken.iter().all(|breach| breach.direction != direction);
        let (backward, forward) = (fits(Direction::Backward), fits(Direction::Forward));
        let mut human: String =
            found.iter().flat_map(Change::lines).flat_map(|line| [line, "\n".to_owned()]).collect();
        if found.is_empty() {
            human.push_str("nothing that is read or written changes\n");
        }
        human.push_str(match (backward, forward) {
            (true, true) => "old and new read each other: any order of roll-out will do\n",
            (true, false) => "the old cannot read the new: upgrade who reads it first\n",
            (false, true) => "the new cannot read the old: upgrade who writes it first\n",
            (false, false) => "neither reads the other: no order of roll-out carries this\n",
        });
        for breach in &broken {
            human = format!("{human}  {}: {}\n", breach.direction.told(), breach.difference);
        }
        let changes = found.into_iter().map(|one| Changed { field: one.field, was: one.was, is: one.is });
        let told = Told { name: new.full_name().to_owned(), changes: changes.collect(), backward, forward };
        context.console.data(&human, &told)
    }
}

fn schema(path: &Path) -> Result<Schema, Failure> {
    let file = files::one(path)?;
    Schema::parse(&file.text).map_err(|defects| {
        let told: Vec<String> = defects.iter().map(ToString::to_string).collect();
        Failure::new(Exit::Invalid, format!("{} is no schema", file.name))
            .because(told.join("; "))
            .help("`pavane check` shows each defect at its line")
    })
}
