//! One file per command: its options, its help and what it does.

pub mod advise;
pub mod alerts;
pub mod apply;
pub mod approve;
pub mod bench;
pub mod check;
pub mod configure;
pub mod demo;
pub mod dev;
pub mod diff;
pub mod dlq;
pub mod emit;
pub mod events;
pub mod explain;
pub mod graph;
pub mod orders;
pub mod plan;
pub mod replay;
pub mod report;
pub mod schemas;
pub mod sentinel;
pub mod sidecar;
pub mod simulate;
pub mod start;
pub mod status;
pub mod test;
pub mod topics;
pub mod watch;
pub mod why;

use crate::args::{Cli, Command};
use crate::commands::orders::Verb;
use crate::connection::Connection;
use crate::console::Console;
use crate::failure::Failure;
use crate::interrupt::or_interrupted;

/// What every command is given.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// Where it speaks to.
    pub console: &'a Console,
    /// Where Kafka and the registry are.
    pub connection: &'a Connection,
}

/// Does what the command line asks.
pub(crate) async fn run(cli: Cli, console: &Console) -> Result<(), Failure> {
    let context = Context { console, connection: &cli.connection };
    let ends_by_itself = !matches!(cli.command, Command::Dev(_) | Command::Sentinel(_) | Command::Sidecar(_));
    let work = Box::pin(carry_out(cli.command, context));
    if ends_by_itself { or_interrupted(work).await } else { work.await }
}

async fn carry_out(command: Command, context: Context<'_>) -> Result<(), Failure> {
    match command {
        Command::Demo(demo) => demo.run(context).await,
        Command::Dev(dev) => dev.run(context).await,
        Command::Topics(topics) => topics.run(context).await,
        Command::Schemas(schemas) => schemas.run(context).await,
        Command::Check(check) => check.run(context),
        Command::Simulate(simulate) => simulate.run(context).await,
        Command::Test(test) => test.run(context).await,
        Command::Apply(apply) => apply.run(context).await,
        Command::Diff(diff) => diff.run(context).await,
        Command::Plan(plan) => plan.run(context).await,
        Command::Graph(graph) => graph.run(context).await,
        Command::Advise(advise) => advise.run(context),
        Command::Bench(bench) => bench.run(context),
        Command::Start(start) => start.run(context).await,
        Command::Emit(emit) => emit.run(context).await,
        Command::Events(events) => events.run(context).await,
        Command::Status(status) => status.run(context).await,
        Command::Watch(watch) => watch.run(context).await,
        Command::Why(why) => why.run(context).await,
        Command::Explain(explain) => explain.run(context),
        Command::Replay(replay) => replay.run(context).await,
        Command::Report(report) => report.run(context).await,
        Command::Pause(order) => order.run(context, Verb::Pause).await,
        Command::Resume(order) => order.run(context, Verb::Resume).await,
        Command::Abort(order) => order.run(context, Verb::Abort).await,
        Command::Rollback(order) => order.run(context, Verb::Rollback).await,
        Command::Approve(approve) => approve.run(context).await,
        Command::Reject(reject) => reject.run(context).await,
        Command::Override(order) => order.run(context).await,
        Command::Configure(configure) => configure.run(context).await,
        Command::Hold(grounds) => grounds.hold(context).await,
        Command::Release(grounds) => grounds.release(context).await,
        Command::BeginAnew(grounds) => grounds.begin_anew(context).await,
        Command::Alerts(alerts) => alerts.run(context).await,
        Command::Dlq(dlq) => dlq.run(context).await,
        Command::Sentinel(sentinel) => sentinel.run(context).await,
        Command::Sidecar(sidecar) => Box::pin(sidecar.run(context)).await,
    }
}
