//! `pavane alerts`: what burns, who is told and why, and what need not be told for a while.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::alerts::{asked, silences, tried};
use crate::commands::Context;
use crate::failure::Failure;
use crate::speaker::Voice;

/// What one can do about alerts.
#[derive(Debug, Subcommand)]
pub enum Alerts {
    /// Lists what burns, and what became of it at each receiver.
    #[command(
        after_help = "Exit code 1 when anything burns. For each receiver: told, waits, silenced, inhibited or spared."
    )]
    List(Asked),
    /// Sends a firing and a resolved alert to one receiver by the way that real ones take.
    #[command(
        after_help = "One attempt each; exit code 1 when the receiver did not take one, with the reason."
    )]
    Test(Test),
    /// The routes that alerts go by.
    #[command(subcommand)]
    Routes(Routes),
    /// Silences: what need not be told, until when and why.
    #[command(subcommand)]
    Silence(Silence),
}

/// Who is asked.
#[derive(Args, Debug)]
pub struct Asked {
    /// Where a sentinel answers.
    #[arg(long, env = "PAVANE_SENTINEL", value_name = "URL", default_value = "http://127.0.0.1:3651")]
    pub sentinel: String,
}

/// Which receiver is tried.
#[derive(Args, Debug)]
pub struct Test {
    /// The sentinel's file.
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// The name of the receiver.
    #[arg(long, value_name = "NAME")]
    pub receiver: String,
}

/// What one can ask about routes.
#[derive(Debug, Subcommand)]
pub enum Routes {
    /// Says who is told of an alert with these labels and by which way, and what became of those that burn.
    #[command(
        after_help = "Asks a sentinel; with --config, only what the routes of a file would do. What never burnt has no \
                      alert: `pavane why ROLLOUT` says how its rollout stands."
    )]
    Explain(Explain),
}

/// Which alert is meant.
#[derive(Args, Debug)]
pub struct Explain {
    /// The labels, e.g. `owner=identity severity=page`.
    #[arg(value_name = "LABEL=VALUE", required = true)]
    pub labels: Vec<String>,
    /// The sentinel's file, in place of a sentinel.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Who is asked.
    #[command(flatten)]
    pub asked: Asked,
}

/// What one can do about silences.
#[derive(Debug, Subcommand)]
pub enum Silence {
    /// Says that alerts with these labels need not be told for a while.
    #[command(after_help = "\
Examples:
  pavane alerts silence add 'rollout=\"r-42\"' --for 2h --comment \"moving the database\"
  pavane alerts silence add 'owner=\"identity\"' 'severity!=\"page\"' --for 30m --comment \"a drill\"

It is a row of pavane.notifications: every sentinel knows it at once, and it survives all of them. What was told to burn is
told to be over, silenced or not.")]
    Add(Add),
    /// Lists the silences that count or will.
    List,
    /// Takes a silence back.
    Expire(Expire),
}

/// What is silenced.
#[derive(Args, Debug)]
pub struct Add {
    /// What it is about: `label="value"`, `!=`, `=~"pattern"`, `!~`; all must hold.
    #[arg(value_name = "MATCHER", required = true)]
    pub matchers: Vec<String>,
    /// For how long, e.g. `2h`.
    #[arg(long = "for", value_name = "DURATION", value_parser = silences::duration)]
    pub lasts: i64,
    /// Why.
    #[arg(long, value_name = "TEXT")]
    pub comment: String,
    /// Who says it.
    #[command(flatten)]
    pub voice: Voice,
}

/// Which silence is taken back.
#[derive(Args, Debug)]
pub struct Expire {
    /// Its id, as it is listed.
    pub id: String,
}

impl Alerts {
    /// Does it.
    pub async fn run(self, context: Context<'_>) -> Result<(), Failure> {
        match self {
            Self::List(asked) => asked::list(&asked, context).await,
            Self::Test(test) => tried::test(&test, context).await,
            Self::Routes(Routes::Explain(explain)) => tried::explain(&explain, context).await,
            Self::Silence(Silence::Add(add)) => silences::add(add, context).await,
            Self::Silence(Silence::List) => silences::list(context).await,
            Self::Silence(Silence::Expire(expire)) => silences::expire(&expire.id, context).await,
        }
    }
}
