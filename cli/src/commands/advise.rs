//! `pavane advise`: which method fits, and when none of this is worth its trouble.

use std::collections::BTreeMap;
use std::io::{self, BufRead, IsTerminal};
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use pavane_choreography::Plan;
use pavane_events::EventType;
use pavane_review::advise::{Answers, Around, Item, Sequence, Shape, advise};

use crate::collection::{self, Collection};
use crate::commands::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// Tells which method fits choreographies, and when not to use pavane at all.
///
/// Weighs the graphs (edges across teams, steps without a way back, size), what is said of what lies around them, and
/// how much can be seen while services move. Sidecars' and sentinels' files among FILE answer a part of the checklist.
/// Every reason names its number. Needs neither Kafka nor a registry.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  pavane advise deploy/ --services 40 --engineers 25
  pavane advise users-v2.yaml --audit yes --sequence strict
  pavane advise deploy/ --checklist observability.yaml --output json

A checklist file answers some or all of these, each with `true` or `false`:
  traces_collected, traces_with_exemplars, structured_logs, correlatable_metrics, alert_receivers,
  watched_sentinel, runbooks, owners, readiness_checks
Of several files one `false` outweighs every `true`; what FILE shows outweighs what is said of it.

Exit codes: 0 whatever the advice, 2 usage, 3 a file cannot be read or is not sound.")]
pub struct Advise {
    /// Choreographies, sidecars' and sentinels' files, and folders that hold some.
    #[arg(default_value = ".", value_name = "FILE")]
    files: Vec<PathBuf>,
    /// How many services there are in all; by default those in the choreographies are counted.
    #[arg(long, value_name = "N")]
    services: Option<usize>,
    /// How many engineers work on them.
    #[arg(long, value_name = "N")]
    engineers: Option<usize>,
    /// Whether each move must be accounted for to somebody outside.
    #[arg(long, value_enum, value_name = "ANSWER")]
    audit: Option<Answer>,
    /// Whether the order of the moves may vary.
    #[arg(long, value_enum, value_name = "HOW")]
    sequence: Option<Order>,
    /// A file that answers the observability checklist; may be given several times.
    #[arg(long, value_name = "FILE")]
    checklist: Vec<PathBuf>,
    /// Ask at the terminal what neither the files nor a checklist answer.
    #[arg(long)]
    ask: bool,
}

/// Yes or no.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Answer {
    /// It is so.
    Yes,
    /// It is not so.
    No,
}

/// Whether the order may vary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Order {
    /// Each move has its place.
    Strict,
    /// Whoever has what it waits for may move.
    Loose,
}

impl Advise {
    /// Reads, asks, weighs and tells.
    pub fn run(self, context: Context<'_>) -> Result<(), Failure> {
        let found = collection::read(&self.files)?;
        let plans = found.plans(&self.files)?;
        for name in &found.left_out {
            context.console.warn(&format!("{name} is not sound and left out: see `pavane check {name}`"));
        }
        let mut answers = Answers::default();
        look(&found, plans, &mut answers);
        for file in &self.checklist {
            let name = file.display().to_string();
            let text = std::fs::read_to_string(file)
                .map_err(|error| Failure::new(Exit::Invalid, format!("cannot read {name}")).because(error))?;
            answers.read(&text, &name).map_err(|defects| Failure::invalid(&name, defects))?;
        }
        if self.ask {
            ask(&mut answers, context)?;
        }
        let around = Around {
            services: self.services,
            engineers: self.engineers,
            audit: self.audit.map(|answer| answer == Answer::Yes),
            sequence: self.sequence.map(|order| match order {
                Order::Strict => Sequence::Strict,
                Order::Loose => Sequence::Loose,
            }),
        };
        let advice = advise(Shape::of(plans), around, answers.score());
        context.console.data(&advice.to_text(), &advice)
    }
}

/// Answers from the files what they can answer.
fn look(found: &Collection, plans: &[Plan], answers: &mut Answers) {
    let steps = || plans.iter().flat_map(|plan| plan.steps.iter().map(move |step| (plan, step)));
    let told = steps().filter(|(plan, step)| step.runbook.is_some() || plan.runbook.is_some()).count();
    answers.count(Item::Runbooks, told, steps().count(), "steps");
    let teams: BTreeMap<_, _> = found
        .sidecars
        .iter()
        .filter_map(|sidecar| Some((&sidecar.service, &sidecar.team.as_ref()?.0)))
        .collect();
    let known = || steps().filter_map(|(_, step)| Some((step, teams.get(&step.expect.service)?)));
    let own = known().filter(|(step, team)| step.owner == ***team).count();
    answers.count(Item::Owners, own, known().count(), "steps whose service has a sidecar's file");
    let forward = || {
        let all = found.sidecars.iter().flat_map(|sidecar| &sidecar.reactions);
        all.map(|reaction| &reaction.terms).filter(|terms| terms.emit != EventType::RollbackComplete)
    };
    let asked = forward().filter(|terms| terms.ready.is_some()).count();
    answers.count(Item::ReadinessChecks, asked, forward().count(), "reactions that go forward");
    let telling = found.sentinels.iter().filter(|sentinel| !sentinel.receivers.is_empty()).count();
    answers.count(Item::AlertReceivers, telling, found.sentinels.len(), "sentinels' files");
    if found.exports_spans {
        answers.count(Item::TracesCollected, 1, 1, "set of files says where spans go");
    }
}

/// Asks at the terminal what is open.
fn ask(answers: &mut Answers, context: Context<'_>) -> Result<(), Failure> {
    let stdin = io::stdin();
    if !stdin.is_terminal() {
        return Err(
            Failure::usage("--ask needs a terminal to ask at").help("answer with --checklist FILE instead")
        );
    }
    let mut lines = stdin.lock().lines();
    for item in answers.open() {
        context.console.warn(&format!("{} [y/n, empty for unknown]", item.question()));
        let line = lines
            .next()
            .transpose()
            .map_err(|error| Failure::new(Exit::Internal, "cannot read from the terminal").because(error))?;
        match line.as_deref().map(str::trim) {
            Some("y" | "yes") => answers.say(item, true),
            Some("n" | "no") => answers.say(item, false),
            Some("") => {}
            Some(other) => {
                return Err(Failure::usage(format!("{other:?} is neither y nor n")));
            }
            None => return Ok(()),
        }
    }
    Ok(())
}
