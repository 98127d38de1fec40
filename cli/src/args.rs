//! The command line as it is read: the options of all commands, and the list of commands.

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::commands::{
    advise, alerts, apply, approve, bench, check, configure, demo, dev, diff, dlq, emit, events, explain,
    graph, orders, plan, replay, report, schemas, sentinel, sidecar, simulate, start, status, test, topics,
    watch, why,
};
use crate::connection::Connection;
use crate::console::Manner;
use crate::exit::Exit;

/// Rolls services out as a dance: each moves when the one before it has, and a sentinel says who has stopped.
#[derive(Debug, Parser)]
#[command(name = "pavane", version, max_term_width = 110)]
#[command(after_help = "See a rollout dance, stall and go back, with nothing installed: pavane demo")]
#[command(after_long_help = long_help())]
pub(crate) struct Cli {
    /// Where.
    #[command(flatten)]
    pub(crate) connection: Connection,
    /// How.
    #[command(flatten)]
    pub(crate) manner: Manner,
    /// What.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Demo(demo::Demo),
    Dev(dev::Dev),
    /// Makes or verifies the topics.
    #[command(subcommand)]
    Topics(topics::Topics),
    /// Checks a change of schemas, registers schemas, or lists the extensions that readers allow.
    #[command(subcommand)]
    Schemas(schemas::Schemas),
    Check(check::Check),
    Simulate(simulate::Simulate),
    Test(test::Test),
    Apply(apply::Apply),
    Diff(diff::Diff),
    Graph(graph::Graph),
    Advise(advise::Advise),
    /// Shows the plan that a choreography means.
    #[command(subcommand)]
    Plan(plan::Plan),
    Start(start::Start),
    Emit(emit::Emit),
    /// The log in the languages of others.
    #[command(subcommand)]
    Events(events::Events),
    Status(status::Status),
    Watch(watch::Watch),
    Why(why::Why),
    Explain(explain::Explain),
    Replay(replay::Replay),
    Report(report::Report),
    /// Stops the clocks of a rollout.
    Pause(orders::Order),
    /// Lets the clocks of a paused rollout run on.
    Resume(orders::Order),
    /// Ends a rollout where it stands.
    Abort(orders::Order),
    /// Asks all services of a rollout that had moved to go back, in reverse order.
    Rollback(orders::Order),
    Approve(approve::Approve),
    Reject(approve::Reject),
    /// Lets a step count as met, whatever its service says.
    Override(orders::Override),
    /// Stops the clocks of all rollouts of the domain.
    Hold(orders::Grounds),
    /// Lets the clocks of a held domain run on.
    Release(orders::Grounds),
    Configure(configure::Configure),
    /// Lets the domain begin anew: nothing that stands on its log so far counts any more. Stop its sentinels before.
    BeginAnew(orders::Grounds),
    /// Measures how fast the sentinel judges.
    #[command(subcommand)]
    Bench(bench::Bench),
    /// What burns, who is told, and what need not be told for a while.
    #[command(subcommand)]
    Alerts(alerts::Alerts),
    /// Looks after the records that nobody could read.
    #[command(subcommand)]
    Dlq(dlq::Dlq),
    /// Runs a sentinel: the same as the program `pavane-sentinel`.
    Sentinel(sentinel::Sentinel),
    /// Runs a sidecar: the same as the program `pavane-sidecar`.
    Sidecar(sidecar::Sidecar),
}

/// The commands in the order in which people need them. What is in no room stands in the last.
const ROOMS: [(&str, &[&str]); 3] = [
    ("Before it moves", &["check", "graph", "advise", "plan", "diff", "simulate", "test", "apply"]),
    (
        "While it moves",
        &[
            "start",
            "status",
            "watch",
            "why",
            "explain",
            "replay",
            "report",
            "emit",
            "events",
            "approve",
            "reject",
            "pause",
            "resume",
            "rollback",
            "abort",
            "override",
            "hold",
            "release",
            "begin-anew",
        ],
    ),
    ("Run it", &["demo", "dev", "topics", "schemas", "configure", "sentinel", "sidecar"]),
];

/// Reads the command line of this process; what is wrong with it ends the process with its exit code.
pub(crate) fn read() -> Cli {
    Cli::from_arg_matches(&command().get_matches()).unwrap_or_else(|error| error.exit())
}

/// The command line, whose help lists the commands room by room.
fn command() -> clap::Command {
    let command = Cli::command();
    let rooms = rooms(&command);
    command.mut_subcommands(|one| one.hide(true)).override_usage("pavane [OPTIONS] <COMMAND>").help_template(
        format!("{{about-with-newline}}\n{{usage-heading}} {{usage}}\n\n{rooms}{{all-args}}{{after-help}}"),
    )
}

fn rooms(command: &clap::Command) -> String {
    let heading = command.get_styles().get_header();
    let mut text = String::new();
    for (k, (room, names)) in ROOMS.iter().enumerate() {
        let homeless = command.get_subcommands().filter(|one| {
            k + 1 == ROOMS.len() && ROOMS.iter().all(|(_, names)| !names.contains(&one.get_name()))
        });
        let own = names.iter().filter_map(|name| command.find_subcommand(name));
        let mut listed = clap::Command::new("")
            .subcommands(own.chain(homeless).enumerate().map(|(at, one)| one.clone().display_order(at)))
            .disable_help_subcommand(true)
            .max_term_width(110)
            .help_template("{subcommands}");
        let listed = listed.render_help().ansi().to_string();
        text = format!("{text}{heading}{room}:{heading:#}\n{}\n\n", listed.trim_end());
    }
    text
}

fn long_help() -> String {
    format!(
        "\
Examples:
  pavane demo                                       see it first; needs nothing
  pavane dev                                        a broker, a registry and a sentinel to try with

  pavane topics apply && pavane schemas push        once per Kafka and registry
  pavane check                                      what is wrong with the files here
  pavane graph users-v2.yaml                        who waits for whom, across teams, and for how long
  pavane simulate users-v2.yaml                     how it goes, played in virtual time
  pavane test                                       the scenarios that stand beside the choreographies
  pavane diff users-v2.yaml                         what changes against what is published, and what that means
  pavane apply users-v2.yaml                        publish it

  pavane start users-v2 --wait --timeout 30m        start it and wait for its end
  pavane emit --rollout R --service user-db --version 2.0.0 --event Ready
                                                    say an event from CI
  pavane watch                                      see who has moved and who is awaited
  pavane why R                                      what it waits for, from whom, since when, and what to do
  pavane replay                                     what the log decided, verdict by verdict, with the offsets
  pavane rollback R --reason 'too many errors'      ask all who moved to go back

Exit codes:
{}

Data go to standard output, all else to standard error. With --output json each result is one
JSON object on one line, and a failure is one JSON object on standard error.",
        Exit::table()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        command().debug_assert();
    }

    #[test]
    fn the_help_lists_every_command_once() {
        let help = command().render_help().to_string();
        for one in Cli::command().get_subcommands() {
            let line = format!("\n  {} ", one.get_name());
            assert_eq!(help.matches(&line).count(), 1, "{line}{help}");
        }
    }

    #[test]
    fn the_long_help_names_every_exit_code() {
        let help = command().render_long_help().to_string();
        for exit in Exit::ALL {
            assert!(help.contains(exit.meaning()), "{exit:?}");
        }
    }

    #[test]
    fn every_command_takes_the_options_that_say_where() {
        let options =
            ["--kafka", "k:1", "--registry", "http://r", "--domain", "shop", "--client-config", "c"];
        for command in [
            vec!["topics", "apply"],
            vec!["schemas", "push"],
            vec!["apply", "f.yaml"],
            vec!["diff", "f.yaml"],
            vec!["start", "users-v2"],
            vec!["emit", "--rollout", "r", "--service", "s", "--version", "1.0.0", "--event", "Ready"],
            vec!["status"],
            vec!["watch"],
            vec!["why", "r"],
            vec!["replay"],
            vec!["report"],
            vec!["demo"],
            vec!["dev"],
            vec!["sentinel", "--config", "f"],
            vec!["sidecar", "--config", "f"],
        ] {
            let line = ["pavane"].iter().chain(&command).chain(&options);
            let cli = Cli::try_parse_from(line).unwrap_or_else(|error| panic!("{command:?}: {error}"));
            assert_eq!(cli.connection.kafka.as_deref(), Some("k:1"), "{command:?}");
        }
    }
}
