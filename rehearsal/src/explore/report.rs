//! An exploration as a person reads it.

use super::{Exploration, Kind};
use crate::clock::roughly;

impl Exploration {
    /// The report as text.
    pub fn to_text(&self) -> String {
        let mut lines = vec![format!("{}: {} rehearsals", self.plan, self.runs), String::new()];
        let width = self.kinds.iter().map(|row| row.kind.chars().count()).max().unwrap_or(0);
        lines.push(format!(
            "{:<width$}  absorbed  completed  rolled back  waits  partial  told within",
            "fault"
        ));
        lines.extend(self.kinds.iter().map(|row| row_text(row, width)));
        lines.push(String::new());
        lines.extend(
            self.slowest.as_ref().map(|slowest| {
                format!("slowest to be told: {} ({})", roughly(slowest.after_ms), slowest.fault)
            }),
        );
        if !self.partial.is_empty() {
            lines.push(format!("ends in part ({}):", self.partial.len()));
            lines.extend(self.partial.iter().take(MOST).map(|name| format!("  {name}")));
            let rest = self.partial.len().saturating_sub(MOST);
            lines.extend((rest > 0).then(|| format!("  and {rest} more")));
        }
        if self.findings.is_empty() {
            lines.push("every path ends in a verdict or in success; none in silence".to_owned());
        }
        for finding in &self.findings {
            lines.push(format!("FOUND {} (seed {})", finding.message, finding.seed));
            lines.push(format!("  after: {}", finding.faults.join(" and ")));
        }
        lines.join("\n") + "\n"
    }
}

/// How many names are listed.
const MOST: usize = 20;

fn row_text(row: &Kind, width: usize) -> String {
    let number = |n: usize| if n == 0 { "·".to_owned() } else { n.to_string() };
    let told = row.slowest_ms.map_or("·".to_owned(), roughly);
    format!(
        "{:<width$}  {:>8}  {:>9}  {:>11}  {:>5}  {:>7}  {told:>11}",
        row.kind,
        number(row.absorbed),
        number(row.completed),
        number(row.rolled_back),
        number(row.waits),
        number(row.partial),
    )
}
