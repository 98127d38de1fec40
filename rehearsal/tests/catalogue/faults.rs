//! The faults: what happens, and what people must be told of it.

/// A fault, and how it must be told.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fault {
    /// What happens, for a person.
    pub(crate) name: &'static str,
    /// The plan that is danced: a file of `tests/scenarios`.
    pub(crate) plan: &'static str,
    /// What happens, as scenarios write it, an entry a line.
    pub(crate) timeline: &'static str,
    /// The first alert that tells it.
    pub(crate) alert: &'static str,
    /// The cause that it names.
    pub(crate) cause: &'static str,
    /// Whose doing it is; empty where it is nobody's.
    pub(crate) culprit: &'static str,
    /// The team that owns that, or that must decide.
    pub(crate) owner: &'static str,
    /// A part of the next step.
    pub(crate) next: &'static str,
    /// Where it is no stall: a part of what `pavane why` says.
    pub(crate) why: &'static str,
    /// Who else has a fault in this play, and may be named for it.
    pub(crate) also: &'static [&'static str],
    /// What stands in fields of its own: the name, and how it begins. It stands in what `pavane why` says, too.
    pub(crate) shows: &'static [(&'static str, &'static str)],
}

const USERS: &str = "users-v2.yaml";
const RATINGS: &str = "matchmaking.yaml";
const CHECKOUT: &str = "hybrid.yaml";
const SEARCH: &str = "canary.yaml";
const TOGETHER: &str = "together.yaml";

/// A fault of the plan in which user-db, then user-service, then messaging move.
const fn users(name: &'static str, timeline: &'static str) -> Fault {
    let (cause, culprit, owner, next, why) = ("", "", "", "", "");
    Fault {
        name,
        plan: USERS,
        timeline,
        alert: "RolloutStalled",
        cause,
        culprit,
        owner,
        next,
        why,
        also: &[],
        shows: &[],
    }
}

impl Fault {
    const fn told(
        self,
        cause: &'static str,
        culprit: &'static str,
        owner: &'static str,
        next: &'static str,
    ) -> Self {
        Self { cause, culprit, owner, next, ..self }
    }

    /// Danced with another plan.
    const fn with(self, plan: &'static str) -> Self {
        Self { plan, ..self }
    }

    /// Told by another alert, while `pavane why` says this.
    const fn by(self, alert: &'static str, why: &'static str) -> Self {
        Self { alert, why, ..self }
    }

    const fn also(self, also: &'static [&'static str]) -> Self {
        Self { also, ..self }
    }

    const fn shows(self, shows: &'static [(&'static str, &'static str)]) -> Self {
        Self { shows, ..self }
    }
}

/// The catalogue.
pub(crate) const FAULTS: &[Fault] = &[
    users(
        "a service says its event in a new schema, and whoever waits for it rejects it",
        "- { at: 10s, publish: { service: matchmaking, event: Ready, schema: v2 } }",
    )
    .with(RATINGS)
    .told("contract_broken", "matchmaking", "games", "say it again in the agreed schema")
    .shows(&[("schema_id", "2"), ("field", "/"), ("dead_letter", ""), ("offsets", "")]),
    users(
        "a service says its event in a new schema, and nobody waits for it: a dead letter",
        "- { at: 10s, publish: { service: messaging, event: DeploymentComplete, schema: v2 } }",
    )
    .told("contract_broken", "messaging", "social", "say it again in the agreed schema")
    .shows(&[("schema_id", "2"), ("field", "/"), ("dead_letter", ""), ("offsets", "")]),
    users("an event is acknowledged and lost", "- { at: 10s, lose: { event: messaging.DeploymentComplete } }")
        .told("gap", "messaging", "social", "say it again"),
    users(
        "the log leaves a number of a service out, and its hook hangs",
        "- { at: 10s, lose: { event: messaging.DeploymentStarted } }
         - { at: 10s, fail: { service: messaging, how: hang } }",
    )
    .told("gap", "messaging", "social", "acknowledged and is not on the log"),
    users("an event waits in the outbox", "- { at: 10s, delay: { event: messaging.DeploymentComplete, by: 20m } }")
        .told("undelivered", "messaging", "social", "the way from messaging-0 to Kafka")
        .shows(&[("outbox", "messaging-0 1"), ("heartbeats", "")]),
    users("a sidecar is dead", "- { at: 10s, fail: { service: messaging, how: crash, for: 2h } }").told(
        "unreachable",
        "messaging",
        "social",
        "look whether messaging-0 runs",
    ),
    users(
        "a sidecar dies in its hook and cannot tell what became of it",
        "- { after: messaging.DeploymentStarted, in: 1s, fail: { service: messaging, how: crash } }",
    )
    .by("HookUncertain", "cannot tell whether its hook")
    .told("uncertain", "messaging", "social", "look what it did"),
    users("a host is dead before its turn", "- { at: 10s, fail: { service: messaging, how: die } }").told(
        "unreachable",
        "messaging",
        "social",
        "look whether messaging-0 runs",
    ),
    users(
        "a host dies in its hook",
        "- { after: messaging.DeploymentStarted, in: 1s, fail: { service: messaging, how: die } }",
    )
    .told("unreachable", "messaging", "social", "look whether messaging-0 runs"),
    users("a hook fails on one of three", "- { at: 10s, fail: { service: user-service, instance: 1, how: hook } }")
        .told("failed", "user-service", "identity", "mend user-service-")
        .shows(&[("lacking", "user-service-"), ("progress", "1 of 3 steps done (schema at offset ")]),
    users("a hook hangs, and its sidecar gives it up", "- { at: 10s, fail: { service: messaging, how: hang } }")
        .told("failed", "messaging", "social", "mend messaging-0"),
    users(
        "a hook that began late is still at work when its window ends",
        "- { at: 10s, fail: { service: messaging, how: hang } }
         - { after: user-service.DeploymentComplete, fail: { service: messaging, how: crash, for: 1m } }",
    )
    .told("not_finished", "messaging", "social", "look what holds messaging-0 up"),
    users("a hook runs out of memory", "- { at: 10s, fail: { service: messaging, how: memory } }").told(
        "failed",
        "messaging",
        "social",
        "mend messaging-0",
    ),
    users("a service is not ready after its hook", "- { at: 10s, fail: { service: messaging, how: ready } }")
        .told("failed", "messaging", "social", "mend messaging-0"),
    users(
        "a service falls ill after it had reported",
        "- { after: messaging.DeploymentStarted, in: 1s, fail: { service: user-service, instance: 0, how: sick } }
         - { at: 10s, fail: { service: messaging, how: hang } }",
    )
    .told("failed", "user-service", "identity", "mend user-service-0"),
    users("a hook brings another version", "- { at: 10s, fail: { service: user-service, how: version } }")
        .told("failed", "user-service", "identity", "mend user-service-"),
    users(
        "a deploy tool reports another version than the plan asks for",
        "- { at: 10s, fail: { service: user-service, how: start } }
         - { after: user-db.Ready, in: 5s, say: { event: user-service.DeploymentComplete, version: 1.0.0 } }",
    )
    .told("conflict", "user-service", "identity", "the version that the step asks for"),
    users("two sidecars have one name", "- { at: 10s, fail: { service: messaging, how: twin } }").told(
        "conflict",
        "messaging",
        "social",
        "one sidecar for each instance name",
    ),
    users("a service does not begin", "- { at: 10s, fail: { service: messaging, how: start } }")
        .told("not_started", "messaging", "social", "the upgrade has not begun on messaging-0")
        .shows(&[("lag", "messaging-0 "), ("lacking", "messaging-0")]),
    users(
        "a prerequisite does not begin, and all others wait for it",
        "- { at: 0s, fail: { service: user-db, how: start } }",
    )
    .told("not_started", "user-db", "data", "the upgrade has not begun on user-db-0"),
    users(
        "a service does not begin while the broker's clock leaps an hour ahead",
        "- { at: 10s, fail: { service: messaging, how: start } }
         - { after: user-service.DeploymentComplete, in: 1s, clock: { leap: 1h } }",
    )
    .told("not_started", "messaging", "social", "the upgrade has not begun on messaging-0"),
    users(
        "a service whose clock is slow has a hook that fails",
        "- { at: 0s, fail: { service: messaging, how: clock } }
         - { at: 10s, fail: { service: messaging, how: hook } }",
    )
    .told("failed", "messaging", "social", "mend messaging-0"),
    users(
        "the sentinel that speaks dies just before a hook fails",
        "- { at: 10s, fail: { service: messaging, how: hook } }
         - { after: messaging.DeploymentStarted, crash: { sentinel: 1, for: 30m } }",
    )
    .told("failed", "messaging", "social", "mend messaging-0"),
    users("an event comes before what must come first", "- { at: 10s, say: { event: messaging.DeploymentComplete } }")
        .by("SequenceViolated", "moved before")
        .told("out_of_order", "messaging", "social", "find out who moved messaging early"),
    users("the registry is away", "- { at: 10s, registry: { away: 1m } }").by("Blind", "").told(
        "registry",
        "registry",
        "platform",
        "look whether the registry runs",
    ),
    users("the broker is away", "- { at: 10s, broker: { away: 1m } }").by("Blind", "").told(
        "broker",
        "kafka",
        "platform",
        "look whether the brokers run",
    ),
    users("the broker is frozen", "- { at: 10s, broker: { frozen: 1m } }").by("Blind", "").told(
        "no_sight",
        "kafka",
        "platform",
        "look whether the broker that leads",
    ),
    users("two rollouts want the same services", "- { at: 0s, start: {} }
         - { at: 20s, start: { rollout: second, by: bob } }")
    .by("RolloutRefused", "")
    .told("conflict", "user-db", "identity", "wait for the end of first"),
    users(
        "a way back fails",
        "- { at: 10s, fail: { service: messaging, how: hook } }
         - { at: 10s, fail: { service: user-service, instance: 0, how: revert } }",
    )
    .by("RolloutPartial", "user-service")
    .told("failed", "user-service", "identity", "bring these to one version by hand")
    .also(&["messaging"]),
    users(
        "a way back is not answered",
        "- { at: 10s, fail: { service: messaging, how: hook } }
         - { at: 10s, fail: { service: user-service, instance: 0, how: stuck } }",
    )
    .by("RollbackStalled", "")
    .told("not_finished", "user-service", "identity", "look at user-service-0")
    .also(&["messaging"]),
    users(
        "a way back is refused: somebody changed the version by hand",
        "- { at: 10s, fail: { service: messaging, how: hook } }
         - { after: messaging.DeploymentStarted, fail: { service: user-service, instance: 0, how: drift } }",
    )
    .by("RolloutPartial", "user-service")
    .told("failed", "user-service", "identity", "bring these to one version by hand")
    .also(&["messaging"]),
    users(
        "a person aborts while a hook runs, and it ends afterwards",
        "- { after: messaging.DeploymentStarted, in: 1s, abort: { by: ann, reason: lunch } }
         - { at: 20m, release: {} }",
    )
    .by("LateEvent", "aborted")
    .told("conflict", "messaging", "social", "look which version messaging-0 runs"),
    users(
        "a rollout is paused and forgotten",
        "- { at: 1m, pause: { by: ann, reason: lunch } }
         - { at: 25h, resume: { by: ann } }",
    )
    .by("RolloutOrphaned", "paused it: lunch")
    .told("paused", "", "identity", "`pavane resume first`"),
    users("nobody approves a phase", "- { at: 10m, approve: { phase: till } }")
        .with(CHECKOUT)
        .by("ApprovalAwaited", "waits for the approval")
        .told("approval", "", "checkout", "`pavane approve first till`"),
    users("somebody rejects a phase", "- { after: awaits, in: 1m, reject: { phase: till, reason: not today } }")
        .with(CHECKOUT)
        .by("GateRejected", "rejected phase till: not today")
        .told("rejected", "", "checkout", "`pavane approve first till`"),
    users("the metric of a canary has no value", "- { at: 0s, metric: { query: errors, value: none } }")
        .with(SEARCH)
        .by("MetricMissing", "is watched by")
        .told("metric", "prometheus", "search", "look whether Prometheus answers"),
    users("the metric of a canary breaks its bound", "- { at: 0s, metric: { query: errors, value: 0.5 } }")
        .with(SEARCH)
        .told("failed", "search", "search", "out of its bound"),
    users("nobody is heard of whom a share is to move", "- { at: 0s, fail: { service: search, how: die } }
         - { at: 1m, start: {} }")
        .with(SEARCH)
        .by("CohortUnknown", "")
        .told("unreachable", "search", "search", "look whether search and the sidecars beside run"),
    users(
        "a version changes behind everyone's back after the rollout",
        "- { after: completed, in: 1m, fail: { service: search, instance: 0, how: drift } }
         - { at: 30m, release: {} }",
    )
    .with(SEARCH)
    .by("VersionDrift", "")
    .told("conflict", "search", "search", "bring search-0 to"),
    users(
        "a version changes behind everyone's back, and another service does not run with it",
        "- { after: completed, in: 1m, fail: { service: user-db, instance: 0, how: drift } }
         - { at: 30m, release: {} }",
    )
    .with(TOGETHER)
    .by("VersionSkew", "")
    .told("conflict", "user-service", "identity", "bring user-db to >=5, <7")
    .also(&["user-db"]),
];

/// What comes to nothing: a name, the plan, and what happens.
pub(crate) const ABSORBED: &[(&str, &str, &str)] = &[
    ("a sidecar's clock is an hour slow", USERS, "- { at: 0s, fail: { service: user-service, how: clock } }"),
    ("the broker's clock leaps an hour ahead", USERS, "- { at: 30s, clock: { leap: 1h } }"),
    ("an event stands on the log twice", USERS, "- { at: 0s, duplicate: { event: user-db.Ready } }"),
    (
        "a sidecar dies before its turn and is back with its journal",
        USERS,
        "- { at: 10s, fail: { service: messaging, how: crash } }",
    ),
    ("a sentinel dies and another goes on", USERS, "- { at: 30s, crash: { sentinel: 1 } }"),
];
