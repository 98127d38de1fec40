//! `pavane explain`: what a cause or an alert means, and what to do about it.

use clap::Args;
use pavane_sentinel::pages;
use serde::Serialize;

use crate::commands::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// Says what a cause or an alert means, and what to do about it: the page that alerts lead to.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  pavane explain not_finished       a cause, as alerts and `pavane why` name it
  pavane explain RolloutPartial     an alert, as its `alertname` names it
  pavane explain                    what there is

Exit codes: 0 there is such a page, 1 there is none, 2 usage.")]
pub struct Explain {
    /// The cause or the alert; a list of all when none is named.
    name: Option<String>,
}

#[derive(Serialize)]
struct Page<'a> {
    name: &'a str,
    text: &'a str,
}

impl Explain {
    /// Says it.
    pub fn run(&self, context: Context<'_>) -> Result<(), Failure> {
        let names: Vec<&str> = pages::names().collect();
        let Some(name) = self.name.as_deref() else {
            return context.console.data(&(names.join("\n") + "\n"), &names);
        };
        let Some(text) = pages::page(name) else {
            let what = format!("there is no cause and no alert {name}");
            return Err(Failure::new(Exit::Findings, what).help(format!("there are {}", names.join(", "))));
        };
        context.console.data(text, &Page { name, text })
    }
}
