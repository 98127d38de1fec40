//! The sidecar's file: who it stands beside, what it reacts to, and how.
//!
//! ```yaml
//! service: user-service
//! domain: shop
//! team: identity
//! instance: user-service-0              # default: the host's name
//! zone: eu                              # default: none; --zone and PAVANE_ZONE go before it
//! http: 127.0.0.1:3650                  # the service's door, health and metrics; the default. Or unix:/PATH, or both
//! journal: /var/lib/pavane/user-service-0.journal
//! outbox: { events: 10000, bytes: 8388608 }              # how much may wait for the broker; the default
//! limits: { connections: 256, memory: 100663296 }        # how much it takes on at a time; the default
//! version: { http: "http://127.0.0.1:8080/version" }     # or exec, file, env
//! ready:                                # the service as a whole: asked on and on, held against bounds
//!   healthy_for: 10s
//!   all: [{ name: pool, queue: { http: "http://127.0.0.1:8080/pool", field: /waiting }, at_most: 5, back_at: 1 }]
//! reactions:
//!   - on: user-db.Ready                 # or [a.Ready, b.Ready]: all of them; { any: [a.Ready, b.Ready] }: one of
//!                                       # them; RolloutStarted, PhaseBegun, RollbackRequested
//!     version: ">=2, <3"                # the versions that count of who speaks
//!     when: event.data.prerequisite == "schema-v2"       # in CEL, over `event` and `rollout`
//!     instances: 1
//!     run: { http: { post: "http://127.0.0.1:8080/upgrade" }, timeout: 60s }
//!     retry: { attempts: 3, backoff: 1s..30s }
//!     ready: { http: "http://127.0.0.1:8080/readyz", within: 2m, successes: 3 }
//!     emit: DeploymentComplete
//!   - on: RollbackRequested
//!     run: { exec: ["./revert.sh"], env: { MODE: fast } }
//! consumes:                             # what is read of others' events, for those who change them
//!   - { event: user-db.Ready, fields: [prerequisite] }   # or schema: FILE
//! ```

mod check;
mod consumes;
mod door;
mod outage;
mod process;
mod reaction;
mod ready;
mod run;
mod survey;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use pavane_choreography::diagnostic::{Code, Diagnostic, Place};
use pavane_choreography::yaml::{self, Fields, Item, Reported};
use pavane_events::{Domain, EventType, Instance, Service, Zone};

pub use crate::line::Limits;
pub use check::{Check, Probe, Queue};
pub use consumes::{Consumed, Reads};
pub use door::{Bounds, Listen};
pub use outage::{Drain, Outage};
pub use process::{Keeping, Restart};
pub use reaction::{Question, Reaction};
pub use ready::Ready;
pub use run::{Breaker, Command, Fallback, Hook, Post, Rate, Run, Step, Timed};
pub use survey::{Survey, Surveyed, survey};

/// Where the sidecar answers unless the file says otherwise.
pub const DEFAULT_HTTP: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 3650);

/// What the sidecar's file means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The service that it stands beside.
    pub service: Service,
    /// The domain of the service.
    pub domain: Domain,
    /// The team that owns the service; empty when none is named.
    pub team: String,
    /// The instance of the service; no two that run at a time may share one.
    pub instance: Instance,
    /// The zone or region that the instance runs in; the steps of other zones are not its own.
    pub zone: Option<Zone>,
    /// Where it answers.
    pub http: Listen,
    /// Names under which it may be asked at its door, beside addresses and `localhost`.
    pub hosts: Vec<String>,
    /// Whether `/readyz` fails while the log cannot be read. Off by default: the service's own readiness
    /// would go with it wherever the two share a pod.
    pub ready_needs_kafka: bool,
    /// How much may wait for the broker.
    pub outbox: Limits,
    /// How much it takes on at a time.
    pub limits: Bounds,
    /// The file that holds what must survive a crash.
    pub journal: PathBuf,
    /// How long it may take to end in order.
    pub grace: Duration,
    /// What the service does before it is stopped.
    pub drain: Option<Drain>,
    /// How long what is away is borne.
    pub outage: Outage,
    /// How the process is looked after that the sidecar wraps, where it wraps one.
    pub process: Keeping,
    /// How the version that runs is learnt.
    pub version: Question,
    /// When the service as a whole is well; it counts as well where nothing is said.
    pub ready: Option<Ready>,
    /// What the service does when an event comes.
    pub reactions: Vec<Reaction>,
    /// What the service reads of other services' events; nobody acts on it but those who check their changes.
    pub consumes: Vec<Consumed>,
    /// Whether anything is asked over TLS; where nothing is, no certificates are read.
    pub tls: bool,
}

impl Config {
    /// Every reaction that says that the service runs waits until the service as a whole is well.
    fn held(mut self) -> Self {
        let hold = self.ready.as_ref().map(|ready| ready.hold);
        for Reaction { terms, .. } in &mut self.reactions {
            let runs = matches!(terms.emit, EventType::DeploymentComplete | EventType::RollbackComplete);
            terms.hold = hold.filter(|_| runs);
        }
        self
    }

    /// The same for a sidecar that wraps its service: whether the process runs is a check like any other, and what is
    /// left of the grace is the sidecar's own.
    pub(crate) fn beside_process(mut self) -> Self {
        self.ready.get_or_insert_with(Ready::of_process).checks.insert(0, Check::of_process());
        self.grace = self.grace.saturating_sub(self.process.stop).max(self.grace / 2);
        self.held()
    }

    /// Reads a sidecar's file; or else says every defect, in the order of their places.
    pub fn from_yaml(text: &str, file: &str) -> Result<Self, Vec<Diagnostic>> {
        let tls = pavane_bus::http::is_tls(text);
        yaml::read(text, file, |item| config(item, instance).map(|(config, _)| Self { tls, ..config }))
    }
}

/// Where things stand that other files may contradict.
#[derive(Debug)]
struct Places {
    service: Place,
    team: Option<Place>,
    reactions: Vec<[Place; 3]>,
}

/// Reads the file; `instance` says what is taken for an instance that it does not name.
fn config(
    item: &Item<'_>,
    instance: impl FnOnce(&mut Fields<'_>) -> Result<Instance, Reported>,
) -> Result<(Config, Places), Reported> {
    item.fields(|f| {
        let service = f.required("service", |i| i.spanned(Item::name));
        let domain = f.required("domain", Item::name);
        let team = f.optional("team", |i| i.spanned(Item::label));
        let instance = instance(f);
        let zone = f.optional("zone", Item::name);
        let http = f.optional("http", door::listen);
        let hosts = f.optional("hosts", |i| i.list(Item::text));
        let ready_needs_kafka = f.optional("ready_needs_kafka", Item::boolean);
        let outbox = f.optional("outbox", door::limits);
        let limits = f.optional("limits", door::bounds);
        let journal = f.required("journal", Item::text);
        let grace = outage::duration(f, "grace");
        let drain = f.optional("drain", outage::drain);
        let outage = f.optional("outage", outage::outage);
        let process = f.optional("process", process::keeping);
        let version = f.required("version", reaction::version);
        let ready = f.optional("ready", ready::ready);
        let reactions = f.optional("reactions", reaction::reactions);
        let consumes = f.optional("consumes", consumes::consumes);
        let (service, team, reactions) = (service?, team?, reactions?.unwrap_or_default());
        let places = Places {
            service: service.item.place(),
            team: team.as_ref().map(|team| team.item.place()),
            reactions: reactions.iter().map(|placed| [placed.at, placed.on, placed.emit]).collect(),
        };
        let config = Config {
            service: service.value,
            domain: domain?,
            team: team.map(|team| team.value).unwrap_or_default(),
            instance: instance?,
            zone: zone?,
            http: http?.unwrap_or(Listen { tcp: Some(DEFAULT_HTTP), unix: None }),
            outbox: outbox?.unwrap_or(door::LIMITS),
            limits: limits?.unwrap_or_default(),
            hosts: hosts?.unwrap_or_default(),
            ready_needs_kafka: ready_needs_kafka?.unwrap_or(false),
            journal: PathBuf::from(journal?),
            grace: grace?.unwrap_or(outage::GRACE),
            drain: drain?,
            outage: outage?.unwrap_or_default(),
            process: process?.unwrap_or_default(),
            version: version?,
            reactions: reactions.into_iter().map(|placed| placed.reaction).collect(),
            consumes: consumes?.unwrap_or_default(),
            ready: ready?,
            tls: false,
        };
        let config = config.held();
        Ok((config, places))
    })
}

/// The instance as it is written, else the name of the host.
fn instance(f: &mut Fields<'_>) -> Result<Instance, Reported> {
    if let Some(instance) = f.optional("instance", Item::name)? {
        return Ok(instance);
    }
    let from_env = std::env::var("HOSTNAME").ok();
    let host = from_env.or_else(|| std::fs::read_to_string("/etc/hostname").ok());
    host.and_then(|host| Instance::new(host.trim()).ok()).ok_or_else(|| {
        let message = "`instance` is missing, and the host has no name to take for it";
        f.refuse(Code::MissingField, message, "add `instance:` here")
    })
}

#[cfg(test)]
mod tests {
    use pavane_choreography::Expect;
    use pavane_events::EventType;
    use pavane_sidecar_engine::{Readiness, Retry, Trigger};

    use super::*;

    const WHOLE: &str = r#"
service: user-service
domain: shop
team: identity
instance: user-service-0
http: 127.0.0.1:0
journal: /tmp/j
version: { http: "http://127.0.0.1:8080/version" }
reactions:
  - on: user-db.Ready
    instances: 2
    run: { http: { post: "http://127.0.0.1:8080/upgrade" }, timeout: 45s }
    retry: { attempts: 5, backoff: 2s..20s }
    ready: { http: "http://127.0.0.1:8080/readyz", within: 2m, successes: 3 }
    emit: DeploymentComplete
  - on: RollbackRequested
    run: { exec: ["./revert.sh", "--now"], env: { MODE: fast } }
    emit: RollbackComplete
"#;

    #[test]
    fn a_whole_file_is_read_as_it_is_meant() {
        let config = Config::from_yaml(WHOLE, "sidecar.yaml").unwrap();
        let [forward, back] = &config.reactions[..] else { panic!("two reactions") };
        let ready = Expect { service: Service::new("user-db").unwrap(), event: EventType::Ready };
        assert_eq!(forward.terms.on, Trigger::Event(ready));
        assert_eq!((forward.terms.instances, forward.terms.timeout), (2, 45_000));
        assert_eq!(forward.terms.retry, Retry { attempts: 5, first: 2_000, cap: 20_000, pause: None });
        assert_eq!(forward.terms.ready, Some(Readiness { within: 120_000, successes: 3, every: 1_000 }));
        let Some(Hook::Exec(command)) = back.run.as_ref().map(|run| &run.main.hook) else {
            panic!("a program")
        };
        assert_eq!(command.argv, ["./revert.sh", "--now"]);
        assert_eq!(command.env["MODE"], "fast");
        assert_eq!(back.terms.emit, EventType::RollbackComplete);
        assert_eq!(
            back.terms.retry,
            Retry { attempts: 3, first: 1_000, cap: 30_000, pause: None },
            "by default"
        );
    }

    #[test]
    fn the_page_on_the_file_shows_one_that_is_read_and_names_every_field() {
        let page = include_str!("../../docs/sidecar.md");
        let shown = page.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
        let config = Config::from_yaml(shown, "sidecar.md").unwrap_or_else(|defects| panic!("{defects:#?}"));
        assert_eq!(config.reactions[0].terms.on.name(), "cache.Ready and user-db.Ready");
        // What the reader names as known where it meets a field that it does not know.
        let asked = |text: &str, line: u32| {
            let defects = Config::from_yaml(text, "a").unwrap_err();
            let help = defects.into_iter().find(|defect| defect.line == line).unwrap().help;
            help.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>()
        };
        let mut fields = asked("zzzzzz: 1\n", 1);
        let known = |part: &str| asked(&format!("reactions:\n  - {part}\n"), 2);
        fields.extend(known("{ on: b.Ready, zzzzzz: 1 }"));
        fields.extend(asked("service: a\noutbox: { zzzzzz: 1 }\n", 2));
        fields.extend(asked("service: a\nlimits: { zzzzzz: 1 }\n", 2));
        fields.extend(asked("service: a\nprocess: { zzzzzz: 1 }\n", 2));
        fields.extend(known("{ on: b.Ready, run: { exec: [a], zzzzzz: 1 } }"));
        fields.extend(known("{ on: b.Ready, run: { http: { post: \"http://a\", zzzzzz: 1 } } }"));
        fields.extend(known("{ on: b.Ready, run: { exec: [a], breaker: { failures: 1, zzzzzz: 1 } } }"));
        fields.extend(known("{ on: b.Ready, run: { exec: [a], rate: { calls: 1, every: 1s, zzzzzz: 1 } } }"));
        fields.extend(known(
            "{ on: b.Ready, run: { exec: [a], fallback: { after: 1, run: { exec: [b] }, zzzzzz: 1 } } }",
        ));
        fields.extend(known("{ on: b.Ready, retry: { zzzzzz: 1 } }"));
        fields.extend(known("{ on: b.Ready, ready: { http: \"http://a\", zzzzzz: 1 } }"));
        fields.extend(asked("team: a\nready: { all: [{ name: a, tcp: \"a:1\" }], zzzzzz: 1 }\n", 2));
        fields.extend(asked("team: a\nready: { all: [{ name: a, tcp: \"a:1\", zzzzzz: 1 }] }\n", 2));
        assert!(fields.len() > 25, "{fields:?}");
        for field in fields {
            let rows = [
                "",
                "retry.",
                "ready.",
                "http.",
                "outbox.",
                "process.",
                "breaker.",
                "rate.",
                "before.",
                "outage.",
                "limits.",
                "fallback.",
            ]
            .map(|before| format!("| `{before}{field}"));
            assert!(rows.iter().any(|row| page.contains(row)), "`{field}` has no row");
        }
    }

    #[test]
    fn every_defect_is_said_in_one_go() {
        let text = "service: user service\ndomain: shop\ninstance: a-0\njurnal: /tmp/j\nversion: { htp: x }\n\
                    reactions:\n  - on: user-db.Redy\n    run: { http: { post: ftp://x } }\n    \
                    retry: { attempts: 0, backoff: 30s..1s }\n  - on: RollbackRequested\n    emit: Ready\n  \
                    - on: RollbackRequested\n    run: { exec: [] }\n";
        let defects = Config::from_yaml(text, "sidecar.yaml").unwrap_err();
        let said: Vec<_> = defects.iter().map(|d| format!("{}:{} {}", d.line, d.column, d.message)).collect();
        for (place, words) in [
            ("1:10", "user service"),
            ("1:1", "`journal` is missing"),
            ("4:1", "`jurnal` is not known here"),
            ("5:", "htp"),
            ("7:9", "Redy"),
            ("8:", "not a URL"),
            ("9:", "`attempts` is 0"),
            ("9:", "the shorter first"),
            ("10:5", "`run` is missing"),
            ("11:11", "RollbackComplete"),
            ("13:", "exec"),
        ] {
            let found = said.iter().any(|line| line.starts_with(place) && line.contains(words));
            assert!(found, "{place} {words} is not among {said:#?}");
        }
    }

    #[test]
    fn what_a_reaction_lets_through_is_read_with_the_file_and_told_with_its_place() {
        let file = |reactions: &str| {
            let text = format!(
                "service: a\ndomain: shop\ninstance: a-0\njournal: /tmp/j\nversion: {{ env: V }}\nreactions:\n{reactions}"
            );
            Config::from_yaml(&text, "sidecar.yaml")
        };
        let two = "  - { on: b.Ready, version: '>=2', when: 'event.zone == \"eu\"' }\n  - { on: b.Ready, when: 'event.zone == \"us\"' }\n";
        let names: Vec<_> =
            file(two).unwrap().reactions.iter().map(|reaction| reaction.terms.name()).collect();
        assert_eq!(names, ["b.Ready of >=2 if event.zone == \"eu\"", "b.Ready if event.zone == \"us\""]);
        for (reaction, place, words) in [
            ("  - on: b.Ready\n    when: event.zon == 'eu'\n", (8, 11), "`event.zon` is not known"),
            ("  - on: b.Ready\n    when: 'event.zone ='\n", (8, 11), "at character"),
            ("  - on: b.Ready\n    version: new\n", (8, 14), "version"),
            ("  - on: RollbackRequested\n    run: { exec: [a] }\n    when: 'true'\n", (7, 5), "picked over"),
            ("  - on: b.Ready\n  - on: b.Ready\n", (8, 5), "already"),
            (
                "  - on: b.Ready\n    run: { exec: [a], fallback: { after: 3, run: { exec: [b] } } }\n",
                (7, 5),
                "`fallback` is never taken: it comes after 3 attempts, and there are 3",
            ),
        ] {
            let defects = file(reaction).unwrap_err();
            let told =
                |defect: &Diagnostic| (defect.line, defect.column) == place && defect.message.contains(words);
            assert!(defects.iter().any(told), "{reaction}: {defects:#?}");
        }
    }

    #[test]
    fn a_reaction_may_rest_on_several_events_on_one_of_several_or_on_a_phase() {
        let on = |written: &str| {
            let text = format!(
                "service: a\ndomain: shop\ninstance: a-0\nzone: eu\njournal: /tmp/j\nversion: {{ env: V }}\n\
                 reactions:\n  - on: {written}\n"
            );
            let config = Config::from_yaml(&text, "sidecar.yaml");
            config.map(|config| (config.zone.unwrap().to_string(), config.reactions[0].terms.on.name()))
        };
        for (written, name) in [
            ("[b.Ready]", "b.Ready"),
            ("[c.Ready, b.DeploymentComplete]", "b.DeploymentComplete and c.Ready"),
            ("{ any: [c.Ready, b.Ready] }", "b.Ready or c.Ready"),
            ("PhaseBegun", "PhaseBegun"),
            ("RolloutStarted", "RolloutStarted"),
        ] {
            assert_eq!(on(written), Ok(("eu".to_owned(), name.to_owned())), "{written}");
        }
        for (written, place, words) in [
            ("[]", (8, 9), "names no event"),
            ("{ any: [] }", (8, 16), "`any` names no event"),
            ("[b.Ready, b.Ready]", (8, 19), "b.Ready stands here already"),
            ("[b.Ready, PhaseBegun]", (8, 19), "not an event of a service"),
            ("{ all: [b.Ready] }", (8, 11), "`all` is not known here"),
            ("{ any: b.Ready }", (8, 16), "wants a list"),
        ] {
            let defects = on(written).unwrap_err();
            let found = defects
                .iter()
                .any(|defect| (defect.line, defect.column) == place && defect.message.contains(words));
            assert!(found, "{written}: {words} at {place:?} is not among {defects:#?}");
        }
    }

    #[test]
    fn two_reactions_on_the_same_event_are_refused() {
        let text = "service: a\ndomain: shop\ninstance: a-0\njournal: /tmp/j\nversion: { env: V }\nreactions:\n  \
                    - { on: b.Ready }\n  - { on: b.Ready }\n";
        let defects = Config::from_yaml(text, "sidecar.yaml").unwrap_err();
        assert_eq!(defects.len(), 1, "{defects:?}");
        assert_eq!((defects[0].code.as_str(), defects[0].line), ("PAV019", 8));
    }
}
