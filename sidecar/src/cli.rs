//! The program `pavane-sidecar`: its arguments, its file, its signals, its exit code.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::Parser;
use pavane_bus::Settings;
use pavane_events::{Domain, Zone};
use pavane_telemetry::Setup;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::init;

/// The file is not one that a sidecar can run by.
const INVALID: u8 = 3;
/// Something that should not be.
const INTERNAL: u8 = 70;
/// How many threads work on its tasks. What it does takes little time and much waiting: with a second one, each step of
/// an answer would be handed from one to the other, and both want memory of their own.
const WORKERS: usize = 1;
/// How long what still blocks a thread is waited for at the end.
const LAST_WAIT: Duration = Duration::from_millis(500);
/// A second signal ended the program at once.
const INTERRUPTED: i32 = 130;

/// Takes part in rollouts beside a service: listens for the events that the service waits for, runs its hooks,
/// and says what became of it.
#[derive(Parser, Debug)]
#[command(name = "pavane-sidecar", version)]
struct Args {
    /// The sidecar's file: its service, what it reacts to, and how.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Where Kafka is.
    #[arg(long, value_name = "HOST:PORT", env = "PAVANE_KAFKA")]
    kafka: String,
    /// Where the schema registry is.
    #[arg(long, value_name = "URL", env = "PAVANE_REGISTRY")]
    registry: String,
    /// The domain of the service, in place of the file's.
    #[arg(long, value_name = "NAME", env = "PAVANE_DOMAIN")]
    domain: Option<Domain>,
    /// The zone or region that the instance runs in, in place of the file's.
    #[arg(long, value_name = "NAME", env = "PAVANE_ZONE")]
    zone: Option<Zone>,
    /// Further settings of the Kafka client and the registry: TLS, SASL; lines of `key=value`.
    #[arg(long, value_name = "FILE")]
    client_config: Option<PathBuf>,
    /// What the names of all topics begin with.
    #[arg(
        long,
        value_name = "NAME",
        env = "PAVANE_PREFIX",
        default_value = "pavane",
        hide_short_help = true
    )]
    prefix: String,
    /// Looks after orphans, as the first process of a container does by itself.
    #[arg(long, hide_short_help = true)]
    init: bool,
    /// The service's own program, to be started and looked after by the sidecar: `-- PROGRAM ARGUMENT…`.
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

/// Runs the program.
pub fn main() -> ExitCode {
    let args = Args::parse();
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = match runtime.worker_threads(WORKERS).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return complain(INTERNAL, &format!("failed to start the runtime: {error}")),
    };
    if init::is_wanted(args.init) {
        return match runtime.block_on(init::run()) {
            Ok(code) => ExitCode::from(code),
            Err(error) => complain(INTERNAL, &format!("failed to start as the first process: {error}")),
        };
    }
    let config = match read(&args) {
        Ok(config) => config,
        Err(complaint) => return complain(INVALID, &complaint),
    };
    let outcome = runtime.block_on(work(args, config));
    // A question to a broker that does not answer is not waited for.
    runtime.shutdown_timeout(LAST_WAIT);
    match outcome {
        Ok(code) => ExitCode::from(code),
        Err(error) => complain(INTERNAL, &format!("failed to {error:#}")),
    }
}

fn read(args: &Args) -> Result<Config, String> {
    let name = args.config.display().to_string();
    let text =
        std::fs::read_to_string(&args.config).map_err(|error| format!("failed to read {name}: {error}"))?;
    let config = Config::from_yaml(&text, &name).map_err(|defects| {
        let lines: Vec<_> = defects.iter().map(ToString::to_string).collect();
        format!("{}\n{} defect(s) in {name}", lines.join("\n"), defects.len())
    })?;
    let domain = args.domain.clone().unwrap_or(config.domain);
    Ok(Config { domain, zone: args.zone.clone().or(config.zone), ..config })
}

async fn work(args: Args, config: Config) -> anyhow::Result<u8> {
    let setup = Setup {
        service: "pavane-sidecar".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        instance: config.instance.to_string(),
        filter: "info",
    };
    let telemetry = setup.install()?;
    let mut settings = Settings::new(args.kafka, args.registry).with_prefix(args.prefix);
    if let Some(file) = &args.client_config {
        let name = file.display().to_string();
        let text = std::fs::read_to_string(file).with_context(|| format!("read {name}"))?;
        settings.read_client_settings(&text, &name)?;
    }
    // On a worker of the runtime: from there it wakes the other tasks, and they it, without a switch of threads.
    let outcome = if args.command.is_empty() {
        let stop = stop_on_signal()?;
        tokio::spawn(crate::run_with(config, settings, stop)).await?.map(|()| 0)
    } else {
        tokio::spawn(crate::run_beside(config, settings, args.command)).await?
    };
    tokio::task::spawn_blocking(|| telemetry.shutdown()).await??;
    outcome
}

/// The first SIGTERM or SIGINT asks to stop; the second ends the process where it stands.
fn stop_on_signal() -> anyhow::Result<CancellationToken> {
    let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let stop = CancellationToken::new();
    let first = stop.clone();
    tokio::spawn(async move {
        for times in 0_u8.. {
            tokio::select! { _ = term.recv() => {} _ = int.recv() => {} }
            if times > 0 {
                std::process::exit(INTERRUPTED);
            }
            first.cancel();
        }
    });
    Ok(stop)
}

/// Says on standard error why the program ends.
fn complain(code: u8, text: &str) -> ExitCode {
    use std::io::Write as _;
    // Nobody is left to tell when standard error is gone.
    drop(writeln!(std::io::stderr(), "pavane-sidecar: {text}"));
    ExitCode::from(code)
}
