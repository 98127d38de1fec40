//! `pavane report`: what came of a domain's rollouts, before and after.

use clap::Args;

use crate::commands::Context;
use crate::commands::simulate::progress::Progress;
use crate::failure::Failure;
use crate::replay::range::{Place, Range};
use crate::report::Tally;

/// Says what came of a domain's rollouts: how they ended, who was paged how often, how soon and for how long.
///
/// The log is read again and judged by the engine that the sentinel judges with, so the same log gives the same report. A
/// rollout counts where it ended, a page where it began; times are the broker's. With --split there is a column for the time
/// before and one for the time since, and what has changed between them.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  pavane report                                           all that the domain's log holds
  pavane report --from 2026-01-01 --to 2026-02-01         one month
  pavane report --split 2026-02-01                        before that day and since
  pavane report --choreography users-v2 --output json     of one choreography, for programs
  pavane report --file shop.jsonl                         of a log that `pavane replay --export` wrote

Exit codes: 0 done, 2 usage, 3 a file or a topic is not as it must be, 4 Kafka or the registry cannot be reached.")]
pub struct Report {
    #[command(flatten)]
    range: Range,
    /// Where another time begins: an offset, a moment in UTC or a day; may be given several times.
    #[arg(long, value_name = "PLACE")]
    split: Vec<Place>,
    /// Count the rollouts of this choreography alone.
    #[arg(long, value_name = "NAME")]
    choreography: Option<String>,
}

impl Report {
    /// Reads and reports.
    pub async fn run(self, context: Context<'_>) -> Result<(), Failure> {
        let (mut records, mut court) = self.range.judged(context).await?;
        let domain = records.head().domain.to_string();
        let mut tally = Tally::new(self.split, self.choreography);
        let mut progress = Progress::default();
        while let Some((entry, _)) = records.next().await? {
            if self.range.is_over(&entry) {
                break;
            }
            if entry.offset() > court.position() {
                let (told, effects) = court.judge(0, &entry)?;
                tally.take(&entry, &told, &effects, !self.range.is_before(&entry));
            }
            let (done, total) = records.progress();
            progress.tell(done.min(total.saturating_sub(1)), total);
        }
        progress.tell(1, 1);
        let report = tally.conclude(domain);
        context.console.data(&report.to_text(), &report)
    }
}
