//! How the service is changed, as it stands in the file: what is asked of it, what comes before, and how often at most.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use pavane_choreography::diagnostic::Code;
use pavane_choreography::yaml::{Fields, Item, Reader, Reported};
use pavane_events::Millis;

/// What holds where the file says nothing.
pub(super) const TIMEOUT: Millis = 60_000;
const PAUSE: Duration = Duration::from_secs(30);
/// The most steps before a hook, and what a valve may be set to.
const STEPS: usize = 16;
const MOST: u32 = 10_000;

/// How the service is changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// What is done before, in this order.
    pub before: Vec<Step>,
    /// The hook itself.
    pub main: Timed,
    /// What is called in its place once it has been tried often enough.
    pub fallback: Option<Fallback>,
    /// Whether the hook may be run once more where it was cut short.
    pub idempotent: bool,
    /// Whether the process that the sidecar wraps is started anew once the hook has done its work.
    pub restart: bool,
    /// When it is left alone because it fails.
    pub breaker: Option<Breaker>,
    /// How often it may be called.
    pub rate: Option<Rate>,
}

/// What is done before a hook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What is done.
    pub first: Timed,
    /// What is done where that fails.
    pub other: Option<Timed>,
    /// Whether it may be done once more where it was cut short.
    pub idempotent: bool,
}

/// What is called in place of a hook that has been tried often enough.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fallback {
    /// How many attempts the hook itself is given.
    pub after: u32,
    /// What is done from the next one on.
    pub run: Timed,
}

/// A hook and how long it may take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timed {
    /// How the service is asked.
    pub hook: Hook,
    /// How long it may take.
    pub timeout: Duration,
}

/// When a hook that fails is left alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Breaker {
    /// How many calls in a row must fail.
    pub failures: u32,
    /// For how long it is left alone.
    pub pause: Duration,
}

/// How often a hook may be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How many calls.
    pub calls: u32,
    /// In what time.
    pub every: Duration,
}

/// How something is asked of the service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hook {
    /// By a POST.
    Http(Post),
    /// By a program.
    Exec(Command),
}

/// Where a hook is posted to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Post {
    /// The URL.
    pub url: String,
    /// The file that holds the keys that requests are signed with.
    pub secret_file: Option<PathBuf>,
}

/// A program to start, without a shell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// The program and its arguments; at least the program.
    pub argv: Vec<String>,
    /// Variables of its environment, beside those of the sidecar and `PAVANE_*`.
    pub env: BTreeMap<String, String>,
}

impl Hook {
    /// A POST to this URL, without a signature.
    pub fn post(url: impl Into<String>) -> Self {
        Self::Http(Post { url: url.into(), secret_file: None })
    }
}

impl Run {
    /// What an attempt calls, the first one being 1.
    pub fn called(&self, attempt: u32) -> &Timed {
        let fallback = self.fallback.as_ref().filter(|fallback| attempt > fallback.after);
        fallback.map_or(&self.main, |fallback| &fallback.run)
    }

    /// How long one attempt may take, with all that comes before it, in milliseconds.
    pub(super) fn longest(&self) -> Millis {
        let ways = self.before.iter().flat_map(|step| std::iter::once(&step.first).chain(&step.other));
        let before: Duration = ways.map(|timed| timed.timeout).sum();
        let fallback = self.fallback.as_ref().map_or(Duration::ZERO, |fallback| fallback.run.timeout);
        let whole = before + self.main.timeout.max(fallback);
        Millis::try_from(whole.as_millis()).unwrap_or(Millis::MAX)
    }
}

/// Reads how the service is changed.
pub(super) fn run(item: &Item<'_>) -> Result<Run, Reported> {
    item.fields(|f| {
        let before = f.optional("before", |i| steps(i));
        let idempotent = f.optional("idempotent", Item::boolean);
        let restart = f.optional("restart", Item::boolean);
        let breaker = f.optional("breaker", breaker);
        let rate = f.optional("rate", rate);
        let fallback = f.optional("fallback", fallback);
        let main = timed(f)?;
        Ok(Run {
            before: before?.unwrap_or_default(),
            main,
            fallback: fallback?,
            idempotent: idempotent?.unwrap_or(false),
            restart: restart?.unwrap_or(false),
            breaker: breaker?,
            rate: rate?,
        })
    })
}

/// Reads how the service is asked for something, and how long that may take.
pub(super) fn hook(item: &Item<'_>) -> Result<Timed, Reported> {
    item.fields(timed)
}

fn steps(item: &Item<'_>) -> Result<Vec<Step>, Reported> {
    let steps = item.list(|item| {
        item.fields(|f| {
            let (first, other) = (f.required("run", hook), f.optional("else", hook));
            let idempotent = f.optional("idempotent", Item::boolean);
            Ok(Step { first: first?, other: other?, idempotent: idempotent?.unwrap_or(false) })
        })
    })?;
    if steps.len() > STEPS {
        let message = format!("`before` holds {} steps; {STEPS} are the most", steps.len());
        return Err(item.refuse(Code::BadNumber, message, "make one program of some"));
    }
    Ok(steps)
}

fn fallback(item: &Item<'_>) -> Result<Fallback, Reported> {
    item.fields(|f| {
        let (after, run) = (f.required("after", |i| i.count(1..=MOST)), f.required("run", hook));
        Ok(Fallback { after: after?, run: run? })
    })
}

fn breaker(item: &Item<'_>) -> Result<Breaker, Reported> {
    item.fields(|f| {
        let failures = f.required("failures", |i| i.count(1..=MOST));
        let pause = super::outage::duration(f, "pause");
        Ok(Breaker { failures: failures?, pause: pause?.unwrap_or(PAUSE) })
    })
}

fn rate(item: &Item<'_>) -> Result<Rate, Reported> {
    item.fields(|f| {
        let calls = f.required("calls", |i| i.count(1..=MOST));
        let every = f.required("every", Item::duration);
        Ok(Rate { calls: calls?, every: length(every?) })
    })
}

fn timed(f: &mut Fields<'_>) -> Result<Timed, Reported> {
    let hook = f.exactly_one(&[("http", by_http as Reader<'_, Hook>), ("exec", by_exec)]);
    let env = f.optional("env", |i| i.entries(Item::text));
    let timeout = f.optional("timeout", Item::duration);
    let (hook, env, timeout) = (hook?, env?, timeout?.unwrap_or(TIMEOUT));
    let hook = match (hook, env) {
        (Hook::Exec(command), Some(env)) => Hook::Exec(Command { env, ..command }),
        (Hook::Http(_), Some(_)) => {
            let message = "`env` belongs to a program, and this hook is a request";
            return Err(f.refuse(Code::Contradiction, message, "leave `env` out, or use `exec`"));
        }
        (hook, None) => hook,
    };
    Ok(Timed { hook, timeout: length(timeout) })
}

fn by_http(item: &Item<'_>) -> Result<Hook, Reported> {
    item.fields(|f| {
        let (url, secret) = (f.required("post", Item::url), f.optional("secret_file", Item::text));
        Ok(Hook::Http(Post { url: url?, secret_file: secret?.map(PathBuf::from) }))
    })
}

fn by_exec(item: &Item<'_>) -> Result<Hook, Reported> {
    Ok(Hook::Exec(Command { argv: argv(item)?, env: BTreeMap::new() }))
}

/// Reads a program and its arguments.
pub(super) fn argv(item: &Item<'_>) -> Result<Vec<String>, Reported> {
    let argv = item.list(Item::text)?;
    if argv.is_empty() {
        let message = format!("`{}` names no program", item.field());
        let help = "write e.g. `exec: [\"./upgrade.sh\", \"--fast\"]`";
        return Err(item.refuse(Code::WrongType, message, help));
    }
    Ok(argv)
}

fn length(millis: Millis) -> Duration {
    Duration::from_millis(millis.max(0).unsigned_abs())
}
