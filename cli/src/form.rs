//! The forms in which findings are told.

use clap::ValueEnum;
use pavane_review::contracts::Summary;
use pavane_review::report::sarif::Tool;
use pavane_review::report::{Report, github, gitlab, human, json, junit, markdown, sarif};

use crate::commands::check::pages;
use crate::console::Console;

/// The form of the findings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// Text for people, with the lines.
    Human,
    /// One JSON object.
    Json,
    /// Workflow commands: GitHub shows each beside its line.
    Github,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
    /// XML as test runners write it: one case a file.
    Junit,
    /// A code quality report, for merge requests on GitLab.
    Gitlab,
    /// A summary in Markdown, for the page of a run.
    Markdown,
}

/// What else decides how findings are told.
#[derive(Clone, Copy, Debug, Default)]
pub struct Telling<'a> {
    /// Each note in full.
    pub notes: bool,
    /// Warnings fail.
    pub strict: bool,
    /// Where the pages of the codes lie on the web.
    pub docs_url: Option<&'a str>,
    /// What has changed, where changes were looked at.
    pub summary: Option<&'a Summary>,
}

impl Form {
    /// The form that is asked for; else the one that follows the manner of the console.
    pub fn or_default(form: Option<Self>, console: &Console) -> Self {
        form.unwrap_or(if console.is_json() { Self::Json } else { Self::Human })
    }

    /// The findings in this form.
    pub fn told(self, report: &Report, telling: Telling<'_>) -> String {
        match self {
            Self::Human => {
                let changes = telling.summary.map_or_else(String::new, Summary::to_text);
                changes + &human::human(report, telling.notes)
            }
            Self::Json => json::json(report),
            Self::Github => github::github(report),
            Self::Sarif => {
                let (version, docs) = (env!("CARGO_PKG_VERSION"), telling.docs_url);
                sarif::sarif(report, Tool { version, docs, page: pages::page })
            }
            Self::Junit => junit::junit(report, telling.strict),
            Self::Gitlab => gitlab::gitlab(report),
            Self::Markdown => {
                let title = if telling.summary.is_some() { "Event contracts" } else { "pavane check" };
                markdown::markdown(title, report, telling.summary)
            }
        }
    }
}
