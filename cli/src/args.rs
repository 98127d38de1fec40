//! The command line as it is read: the options of all commands, and the list of commands.

use clap::{Parser, Subcommand};

use crate::commands::{
    advise, apply, approve, check, demo, dev, diff, emit, graph, orders, plan, schemas, sentinel, sidecar,
    simulate, start, status, test, topics, watch,
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
    /// Registers the schemas, or lists the extensions that readers allow.
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
    Status(status::Status),
    Watch(watch::Watch),
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
    /// Runs a sentinel: the same as the program `pavane-sentinel`.
    Sentinel(sentinel::Sentinel),
    /// Runs a sidecar: the same as the program `pavane-sidecar`.
    Sidecar(sidecar::Sidecar),
}

fn long_help() -> String {
    format!(
        "\
Examples:
  pavane demo                                       see it first; needs nothing
  pavane dev                                        a broker, a registry and a sentinel to try with

  pavane topics apply && pavane schemas push        once per Kafka and registry
  pavane check                                      what is wrong with the files here, before anything moves
  pavane graph users-v2.yaml                        who waits for whom, across teams, and for how long
  pavane apply users-v2.yaml                        check a choreography and publish it
  pavane diff users-v2.yaml                         what would change, and what that means
  pavane start users-v2 --wait --timeout 30m        start it and wait for its end
  pavane emit --rollout R --service user-db --version 2.0.0 --event Ready
                                                    say an event from CI
  pavane watch                                      see who has moved and who is awaited
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
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_long_help_names_every_exit_code() {
        let help = Cli::command().render_long_help().to_string();
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
