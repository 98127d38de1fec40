//! What can be seen while services move, point by point. Some is read off the files, the rest is asked of people.

use pavane_choreography::Diagnostic;
use pavane_choreography::yaml::{self, Fields, Item as Value, Reported};
use serde::Serialize;

/// One question of the checklist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Item {
    /// Spans reach a collector.
    TracesCollected,
    /// Metrics carry exemplars that lead to traces.
    TracesWithExemplars,
    /// Logs are structured and carry the id of the rollout.
    StructuredLogs,
    /// Metrics can be joined by service and version.
    CorrelatableMetrics,
    /// The sentinel has somebody to tell.
    AlertReceivers,
    /// Somebody outside notices that the sentinel is silent.
    WatchedSentinel,
    /// Each step says where a person reads what to do.
    Runbooks,
    /// The owner of each step is the team of the service.
    Owners,
    /// Each service is asked whether it is well before it says so.
    ReadinessChecks,
}

/// What is known of a question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Point {
    /// The question.
    pub item: Item,
    /// What was asked.
    pub question: &'static str,
    /// How many points it is worth.
    pub worth: u32,
    /// How many were reached.
    pub reached: u32,
    /// Where that is known from.
    pub source: Source,
    /// What was found; empty where nothing was looked at.
    pub found: String,
    /// What it costs to be without.
    pub without: &'static str,
}

/// Where an answer comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// It was read off the files.
    Files,
    /// Somebody said it.
    Said,
    /// Nobody said anything; taken as no.
    Unknown,
}

/// How much can be seen, out of 100.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Score {
    /// The sum of the points that were reached.
    pub reached: u32,
    /// The most that can be reached.
    pub most: u32,
    /// How many of these belong to questions that were answered.
    pub answered: u32,
    /// The points, in the order of the checklist.
    pub points: Vec<Point>,
}

/// What is known: of each question how many of how many, or what somebody said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answers {
    said: Vec<(Item, bool)>,
    counted: Vec<(Item, usize, usize, &'static str)>,
}

impl Item {
    /// The checklist in its order.
    pub const ALL: [Self; 9] = [
        Self::TracesCollected,
        Self::TracesWithExemplars,
        Self::StructuredLogs,
        Self::CorrelatableMetrics,
        Self::AlertReceivers,
        Self::WatchedSentinel,
        Self::Runbooks,
        Self::Owners,
        Self::ReadinessChecks,
    ];

    /// The name of the question in a checklist file.
    pub const fn key(self) -> &'static str {
        match self {
            Self::TracesCollected => "traces_collected",
            Self::TracesWithExemplars => "traces_with_exemplars",
            Self::StructuredLogs => "structured_logs",
            Self::CorrelatableMetrics => "correlatable_metrics",
            Self::AlertReceivers => "alert_receivers",
            Self::WatchedSentinel => "watched_sentinel",
            Self::Runbooks => "runbooks",
            Self::Owners => "owners",
            Self::ReadinessChecks => "readiness_checks",
        }
    }

    /// The question.
    pub const fn question(self) -> &'static str {
        match self {
            Self::TracesCollected => "Do the spans of services, sidecars and sentinels reach a collector?",
            Self::TracesWithExemplars => "Do latency and error metrics carry exemplars that lead to traces?",
            Self::StructuredLogs => "Are logs structured, and do they carry the id of the rollout?",
            Self::CorrelatableMetrics => "Can metrics be joined by service, version and instance?",
            Self::AlertReceivers => "Does the sentinel have a receiver to tell?",
            Self::WatchedSentinel => "Does somebody outside notice when the sentinel is silent?",
            Self::Runbooks => "Does each step say where a person reads what to do?",
            Self::Owners => "Is the owner of each step the team that runs the service?",
            Self::ReadinessChecks => "Is each service asked whether it is well before it says so?",
        }
    }

    /// How many of the 100 points it is worth.
    pub const fn worth(self) -> u32 {
        match self {
            Self::StructuredLogs
            | Self::CorrelatableMetrics
            | Self::AlertReceivers
            | Self::ReadinessChecks => 15,
            Self::TracesCollected | Self::TracesWithExemplars | Self::WatchedSentinel => 10,
            Self::Runbooks | Self::Owners => 5,
        }
    }

    /// What it costs to be without.
    pub const fn without(self) -> &'static str {
        match self {
            Self::TracesCollected => "nobody sees which service took the time of a slow rollout",
            Self::TracesWithExemplars => "from a bad number to the request behind it is a search by hand",
            Self::StructuredLogs => "the logs of one rollout cannot be told from those of another",
            Self::CorrelatableMetrics => {
                "an error rate cannot be laid at the door of the version that brought it"
            }
            Self::AlertReceivers => "a stall is told to nobody",
            Self::WatchedSentinel => "a sentinel that is down looks like a rollout that goes well",
            Self::Runbooks => "whoever is woken starts from nothing",
            Self::Owners => "the page goes to a team that cannot help",
            Self::ReadinessChecks => "a service says that it is there before it can serve",
        }
    }
}

impl Answers {
    /// Notes what somebody said. Of several who answer a question, one no outweighs every yes.
    pub fn say(&mut self, item: Item, yes: bool) {
        match self.said.iter_mut().find(|(said, _)| *said == item) {
            Some((_, before)) => *before &= yes,
            None => self.said.push((item, yes)),
        }
    }

    /// Notes how many of how many things in the files have it. Nothing to look at says nothing.
    pub fn count(&mut self, item: Item, have: usize, of: usize, noun: &'static str) {
        if of > 0 {
            self.counted.push((item, have.min(of), of, noun));
        }
    }

    /// The questions that neither the files nor anybody answered.
    pub fn open(&self) -> Vec<Item> {
        Item::ALL.into_iter().filter(|&item| self.point(item).source == Source::Unknown).collect()
    }

    /// Reads a checklist file: `name: true` or `name: false` for each question that it answers.
    pub fn read(&mut self, text: &str, file: &str) -> Result<(), Vec<Diagnostic>> {
        let answers = yaml::read(text, file, |root| root.fields(answers))?;
        for (item, yes) in answers {
            self.say(item, yes);
        }
        Ok(())
    }

    /// The score.
    pub fn score(&self) -> Score {
        let points: Vec<Point> = Item::ALL.into_iter().map(|item| self.point(item)).collect();
        let reached = points.iter().map(|point| point.reached).sum();
        let most = points.iter().map(|point| point.worth).sum();
        let answered = points.iter().filter(|point| point.source != Source::Unknown);
        let answered = answered.map(|point| point.worth).sum();
        Score { reached, most, answered, points }
    }

    /// What the files show weighs more than what people say of them.
    fn point(&self, item: Item) -> Point {
        let counted = self.counted.iter().find(|(counted, ..)| *counted == item);
        let said = self.said.iter().find(|(said, _)| *said == item);
        let worth = item.worth();
        let (reached, source, found) = match (counted, said) {
            (Some(&(_, have, of, noun)), _) => {
                let reached = u64::from(worth) * have as u64 / of as u64;
                (u32::try_from(reached).unwrap_or(worth), Source::Files, format!("{have} of {of} {noun}"))
            }
            (None, Some((_, true))) => (worth, Source::Said, String::new()),
            (None, Some((_, false))) => (0, Source::Said, String::new()),
            (None, None) => (0, Source::Unknown, String::new()),
        };
        Point { item, question: item.question(), worth, reached, source, found, without: item.without() }
    }
}

impl Score {
    /// Whether enough was answered to rest advice on: half of what the checklist is worth.
    pub const fn is_known(&self) -> bool {
        self.answered * 2 >= self.most
    }

    /// The score in per cent, rounded down.
    pub fn percent(&self) -> u32 {
        (self.reached * 100).checked_div(self.most).unwrap_or(0)
    }
}

fn answers(f: &mut Fields<'_>) -> Result<Vec<(Item, bool)>, Reported> {
    let asked: Vec<_> =
        Item::ALL.into_iter().map(|item| (item, f.optional(item.key(), Value::boolean))).collect();
    let mut said = Vec::new();
    for (item, answer) in asked {
        said.extend(answer?.map(|yes| (item, yes)));
    }
    Ok(said)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_points_add_up_to_a_hundred() {
        assert_eq!(Item::ALL.iter().map(|item| item.worth()).sum::<u32>(), 100);
        assert_eq!(Answers::default().score().reached, 0);
        assert_eq!(Answers::default().open(), Item::ALL);
    }

    #[test]
    fn what_files_show_weighs_more_than_what_is_said_and_a_no_more_than_a_yes() {
        let mut answers = Answers::default();
        answers.say(Item::Runbooks, true);
        answers.count(Item::Runbooks, 3, 5, "steps");
        answers.say(Item::StructuredLogs, true);
        answers.say(Item::StructuredLogs, false);
        answers.say(Item::TracesCollected, true);
        answers.count(Item::Owners, 0, 0, "steps");
        let score = answers.score();
        assert_eq!((score.reached, score.percent()), (3 + 10, 13));
        assert!(!answers.open().contains(&Item::Runbooks) && answers.open().contains(&Item::Owners));
    }

    #[test]
    fn a_checklist_file_is_read_strictly() {
        let mut answers = Answers::default();
        answers.read("structured_logs: true\nrunbooks: false\n", "team.yaml").expect("a good file");
        assert_eq!(answers.score().reached, 15);
        let defects =
            answers.read("structured_log: true\nowners: yes\n", "team.yaml").expect_err("two defects");
        let text: Vec<String> = defects.iter().map(ToString::to_string).collect();
        assert_eq!(defects.len(), 2, "{text:?}");
        assert!(text[0].contains("did you mean `structured_logs`?"), "{text:?}");
    }
}
