//! The report as people read it: a row for each figure, a column for each time, and what changed from the first to the last.

use std::collections::BTreeSet;

use pavane_events::{Millis, Timestamp};
use pavane_sentinel_engine::diagnosis::lasting;

use super::{Period, Report, Spread};

/// What stands where there is nothing to say.
const NOTHING: &str = "-";

/// A row: its name, a cell for each time, and the figure that is compared.
struct Row {
    name: String,
    cells: Vec<String>,
    compared: Vec<Option<f64>>,
}

impl Report {
    /// The table.
    pub fn to_text(&self) -> String {
        let rows = self.rows();
        let about = self.choreography.as_ref().map_or(String::new(), |name| format!(" · {name}"));
        let mut text = format!("domain {}{about}\n\n", self.domain);
        let name_width = rows.iter().map(|row| row.name.chars().count()).max().unwrap_or(0);
        let cells = rows.iter().flat_map(|row| &row.cells);
        let width = cells.map(|cell| cell.chars().count()).max().unwrap_or(0);
        for row in &rows {
            let mut line = format!("{:<name_width$}", row.name);
            for cell in &row.cells {
                line = format!("{line}  {cell:>width$}");
            }
            if self.periods.len() > 1 {
                line = format!("{line}  {:>7}", change(&row.compared));
            }
            text = format!("{text}{}\n", line.trim_end());
        }
        text
    }

    fn rows(&self) -> Vec<Row> {
        let mut rows = vec![
            self.words("from", |period| moment(period.from)),
            self.words("to", |period| moment(period.to)),
            self.words("rollouts that ended", |period| period.ended.values().sum::<u64>().to_string()),
        ];
        let kinds: BTreeSet<_> = self.periods.iter().flat_map(|period| period.ended.keys()).collect();
        for kind in kinds {
            let name = format!("  {}", kind.replace('_', " "));
            rows.push(self.words(&name, |period| count(period.ended.get(kind))));
        }
        rows.push(self.figure("ended a week", |period| period.ended_a_week, |n| format!("{n:.1}")));
        rows.push(self.figure("change failure rate", |period| period.change_failure_rate, percent));
        rows.push(self.words("rollouts with a page", |period| period.incidents.to_string()));
        rows.push(self.figure("  for each that ended", |period| period.incident_rate, percent));
        let pages: BTreeSet<_> = self.periods.iter().flat_map(|period| period.pages.keys()).collect();
        for page in pages {
            rows.push(self.words(&format!("  {page}"), |period| count(period.pages.get(page))));
        }
        rows.extend(self.times("told after the window", |period| period.told_after_ms));
        rows.extend(self.times("a page burned", |period| period.burned_ms));
        rows.push(self.words("  burning at the end", |period| period.burning.to_string()));
        rows.extend(self.times("a rollout completed in", |period| period.completed_after_ms));
        rows.push(self.words("orders by people", |period| period.orders.to_string()));
        rows
    }

    fn words(&self, name: &str, cell: impl Fn(&Period) -> String) -> Row {
        let cells = self.periods.iter().map(cell).collect();
        Row { name: name.to_owned(), cells, compared: Vec::new() }
    }

    fn figure(&self, name: &str, of: impl Fn(&Period) -> Option<f64>, show: impl Fn(f64) -> String) -> Row {
        let compared: Vec<_> = self.periods.iter().map(of).collect();
        let cells = compared.iter().map(|n| n.map_or_else(|| NOTHING.to_owned(), &show)).collect();
        Row { name: name.to_owned(), cells, compared }
    }

    fn times(&self, name: &str, of: impl Fn(&Period) -> Option<Spread>) -> [Row; 2] {
        let row = |name: String, part: fn(Spread) -> Millis| {
            let spreads: Vec<_> = self.periods.iter().map(|period| of(period).map(part)).collect();
            let cells = spreads.iter().map(|ms| ms.map_or_else(|| NOTHING.to_owned(), lasting)).collect();
            #[expect(clippy::cast_precision_loss, reason = "times of a log are far below 2^52 ms")]
            let compared = spreads.iter().map(|ms| ms.map(|ms| ms as f64)).collect();
            Row { name, cells, compared }
        };
        [
            row(format!("{name}, median"), |spread| spread.median),
            row(format!("{name}, 9 in 10"), |spread| spread.p90),
        ]
    }
}

/// What changed from the first time to the last; nothing where one of them has no figure, or the first is 0.
fn change(figures: &[Option<f64>]) -> String {
    let (Some(Some(first)), Some(Some(last))) = (figures.first(), figures.last()) else {
        return String::new();
    };
    if *first == 0.0 {
        return String::new();
    }
    format!("{:+.0} %", (last / first - 1.0) * 100.0)
}

fn count(n: Option<&u64>) -> String {
    n.copied().unwrap_or_default().to_string()
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

fn moment(at: Option<Timestamp>) -> String {
    let moment = at.and_then(|at| jiff::Timestamp::from_millisecond(at.0).ok());
    moment.map_or_else(|| NOTHING.to_owned(), |moment| moment.strftime("%Y-%m-%d %H:%MZ").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_of_the_first_figure_and_none_of_nothing() {
        assert_eq!(change(&[Some(0.5), Some(0.9), Some(0.25)]), "-50 %");
        assert_eq!(change(&[Some(1.0), Some(1.7)]), "+70 %");
        for none in [&[Some(0.0), Some(1.0)][..], &[None, Some(1.0)], &[Some(1.0), None], &[]] {
            assert_eq!(change(none), "");
        }
    }
}
