//! `pavane schemas push`: the wire contract, brought to the registry and to the readers' allow-list.
//!
//! Services' own forms of events are pushed by a pipeline, after a review: a schema that somebody pushes from a desk is
//! exactly the change that nobody was told of. So outside CI it takes a word more, and the row says who pushed and whence.

use std::path::{Path, PathBuf};

use clap::Args;
use pavane_bus::registry::{PushOutcome, PushRequest, Pushed, Pusher, push};
use pavane_bus::{Bus, Registry, Topic, Writer};
use serde::Serialize;

use crate::commands::Context;
use crate::exit::Exit;
use crate::failure::{Failure, counted};
use crate::outage;

/// Where the services' own schemas are when nobody says.
const DEFAULT: &str = "schemas";

/// Registers the lifecycle's schemas and the services' own extensions of them.
///
/// Services' own schemas are pushed from CI, where `CI`, `GITHUB_ACTIONS`, `GITLAB_CI` or `BUILD_ID` is set, or with
/// --from-here. Each subject is set to `FULL_TRANSITIVE` before anything is registered under it: old and new programs read
/// each other in any order. The fingerprints go to the allow-list that sidecars read by. A schema that does not
/// fit its earlier versions is refused (exit code 1), and keeps no other from being pushed. Who pushes stands beside the
/// schema in the allow-list. What the registry asks for stands in the file of --client-config, secrets in files of their
/// own (`registry.token.file`).
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  pavane schemas push                  the built-in schemas and schemas/services/<service>/<Event>.avsc
  pavane schemas push --dry-run        ask the registry, change nothing
  pavane schemas push --from-here      a service's own schemas from a desk: everybody sees by whom

Exit codes: 0 all are in the registry, 1 some are refused, 2 usage, or services' own schemas outside CI, \
3 a file or folder cannot be read, 4 Kafka or the registry cannot be reached.")]
pub struct Push {
    /// A folder with services/<service>/<Event>.avsc; `schemas` when it is there.
    #[arg(value_name = "DIR")]
    folder: Option<PathBuf>,
    /// Say what would be done, and change nothing.
    #[arg(long)]
    dry_run: bool,
    /// Push services' own schemas though this is no CI.
    #[arg(long)]
    from_here: bool,
    /// Who pushes; stands in the allow-list. In CI the person who began the run.
    #[arg(long, env = "PAVANE_BY", value_name = "NAME")]
    by: Option<String>,
}

#[derive(Serialize)]
struct Outcome {
    /// Who pushed.
    by: String,
    /// Whence: the address of the run, `ci`, or `desk`.
    whence: String,
    schemas: Vec<OutcomeOne>,
}

#[derive(Serialize)]
struct OutcomeOne {
    subject: String,
    event: String,
    service: Option<String>,
    source: String,
    fingerprint: String,
    id: Option<u32>,
    /// `registered`, `present`, `would_register` or `refused`.
    outcome: &'static str,
    reasons: Vec<String>,
}

impl Push {
    /// Pushes, or says what a push would do.
    pub async fn run(self, context: Context<'_>) -> Result<(), Failure> {
        let services = services(self.folder.as_deref())?;
        if services.is_some() && !self.dry_run && !self.from_here && !is_ci() {
            return Err(Failure::usage("services' own schemas are pushed from CI, and this is none")
                .help("let the pipeline push after the merge; --dry-run asks from anywhere, --from-here pushes from here"));
        }
        let by = Some(self.pusher());
        let request = PushRequest { services, dry_run: self.dry_run, by };
        let pushed = if self.dry_run {
            let registry =
                Registry::new(&context.connection.registry_settings()?).map_err(outage::of_registry)?;
            push(&registry, &request).await.map_err(outage::of_registry)?
        } else {
            publish(&context.connection.bus().await?, &request).await?.0
        };
        let schemas: Vec<OutcomeOne> = pushed.into_iter().map(OutcomeOne::from).collect();
        let refused = schemas.iter().filter(|one| one.outcome == "refused").count();
        let human: String = schemas.iter().map(OutcomeOne::text).collect();
        let Pusher { by, whence } = self.pusher();
        context.console.data(&human, &Outcome { by, whence, schemas })?;
        if refused == 0 {
            return Ok(());
        }
        Err(Failure::new(Exit::Findings, format!("refused: {}", counted(refused, "schema")))
            .help("add fields with defaults alone, and take away only fields that have one"))
    }

    fn pusher(&self) -> Pusher {
        let of = |names: &[&str]| {
            names.iter().find_map(|name| std::env::var(name).ok().filter(|one| !one.is_empty()))
        };
        let by = self.by.clone().or_else(|| of(&["GITHUB_ACTOR", "GITLAB_USER_LOGIN", "USER", "LOGNAME"]));
        let github = || {
            Some(format!(
                "{}/{}/actions/runs/{}",
                of(&["GITHUB_SERVER_URL"])?,
                of(&["GITHUB_REPOSITORY"])?,
                of(&["GITHUB_RUN_ID"])?
            ))
        };
        let whence = if is_ci() {
            github().or_else(|| of(&["CI_JOB_URL", "BUILD_URL"])).unwrap_or_else(|| "ci".to_owned())
        } else {
            "desk".to_owned()
        };
        Pusher { by: by.unwrap_or_else(|| "unknown".to_owned()), whence }
    }
}

/// Registers all, then tells the readers; returns a writer too, since whoever pushes wants to write.
pub async fn publish(bus: &Bus, request: &PushRequest) -> Result<(Vec<Pushed>, Writer), Failure> {
    let pushed = push(bus.registry(), request).await.map_err(outage::of_registry)?;
    let writer = bus.writer().await.map_err(outage::of)?;
    for (key, row) in pushed.iter().filter(|one| one.service.is_some()).filter_map(Pushed::row) {
        writer.put(Topic::Schemas, &key, Some(row)).await.map_err(outage::of)?;
    }
    Ok((pushed, writer))
}

/// Whether this runs in a pipeline, as those say it.
fn is_ci() -> bool {
    let said =
        |name: &str| std::env::var(name).is_ok_and(|value| !matches!(value.as_str(), "" | "0" | "false"));
    ["CI", "GITHUB_ACTIONS", "GITLAB_CI", "BUILD_ID"].into_iter().any(said)
}

/// The folder with the services' own schemas, if there is one. One that was named must be there.
fn services(folder: Option<&Path>) -> Result<Option<PathBuf>, Failure> {
    let named = folder.unwrap_or(Path::new(DEFAULT));
    let inner = named.join("services");
    if inner.is_dir() {
        return Ok(Some(inner));
    }
    match folder {
        None => Ok(None),
        Some(folder) => Err(Failure::usage(format!("{} is no folder", inner.display()))
            .help(format!("put the schemas into {}/services/<service>/<Event>.avsc", folder.display()))),
    }
}

impl From<Pushed> for OutcomeOne {
    fn from(pushed: Pushed) -> Self {
        let (outcome, reasons) = match pushed.outcome {
            PushOutcome::Registered => ("registered", Vec::new()),
            PushOutcome::Present => ("present", Vec::new()),
            PushOutcome::WouldRegister => ("would_register", Vec::new()),
            PushOutcome::Refused(reasons) => ("refused", reasons),
        };
        let Pushed { source, subject, service, event, fingerprint, id, .. } = pushed;
        Self { subject, event, service, source, fingerprint, id, outcome, reasons }
    }
}

impl OutcomeOne {
    fn text(&self) -> String {
        let subject = if self.subject.is_empty() { &self.source } else { &self.subject };
        let id = self.id.map_or_else(String::new, |id| format!("  id {id}"));
        let head = format!("{:<14} {subject}{id}\n", self.outcome.replace('_', " "));
        let reasons = self.reasons.iter().flat_map(|reason| ["    ", reason, "\n"]);
        std::iter::once(head.as_str()).chain(reasons).collect()
    }
}
