//! Faults on real processes: each rollout has one, all are danced at the same time, and the call and `pavane why` must name
//! the cause, whose doing it is, who owns that, and what to do; and nobody else.

use anyhow::{Context, Result, ensure};
use pavane_tests::place::workspace;
use pavane_tests::process::Signal;
use pavane_tests::real::Services;
use pavane_tests::stage::sentinel::Sentinel;
use pavane_tests::stage::tool::{Manner, Tool};
use pavane_tests::stage::{SOON, Stage};
use pavane_tests::webhook::Delivery;
use serde_json::Value;

use crate::story_why::pavane;

/// A fault, and how it must be told. The service is rolled out by a plan of its own, and its team is called after it.
struct Fault {
    name: &'static str,
    service: &'static str,
    injury: Injury,
    alert: &'static str,
    cause: &'static str,
    next: &'static str,
    /// What stands in fields of its own: the name, and a part of it.
    shows: &'static [(&'static str, &'static str)],
}

/// What is done to a service.
enum Injury {
    Manner(Manner),
    /// Its hook is this script.
    Hook(&'static str),
    /// Its sidecar waits for another event.
    Deaf,
    /// Its sidecar gets a signal before its turn.
    Signal(Signal),
    /// Neither it nor a sidecar is there.
    Absent,
    /// A tool says its event before its turn.
    Early,
    /// A tool says its event with another version than the plan asks for.
    OtherVersion,
    /// Its plan is started twice.
    Twice,
}

const fn stalls(
    name: &'static str,
    service: &'static str,
    injury: Injury,
    cause: &'static str,
    next: &'static str,
) -> Fault {
    Fault { name, service, injury, alert: "RolloutStalled", cause, next, shows: &[("outlook", " UTC (in ")] }
}

impl Fault {
    const fn shows(self, shows: &'static [(&'static str, &'static str)]) -> Self {
        Self { shows, ..self }
    }
}

/// The hook asks for more memory than it may have.
const GREEDY: &str = "ulimit -v 60000; head -c 400000000 /dev/zero | tail -n 1\n";

const FAULTS: [Fault; 11] = [
    stalls("a hook fails", "failing", Injury::Manner(Manner::GiveUp), "failed", "mend failing-0")
        .shows(&[("exit_code", "1"), ("offsets", "")]),
    stalls("a hook runs out of memory", "greedy", Injury::Hook(GREEDY), "failed", "mend greedy-0")
        .shows(&[("exit_code", "1"), ("output", "memory")]),
    stalls("a hook is killed", "killed", Injury::Hook("kill -9 $$\n"), "failed", "mend killed-0")
        .shows(&[("evidence", "signal")]),
    stalls(
        "a hook hangs",
        "hanging",
        Injury::Manner(Manner::Wait),
        "not_finished",
        "what holds hanging-0 up",
    )
    .shows(&[("heartbeats", ""), ("lacking", "hanging-0"), ("outlook", " UTC (in ")]),
    stalls(
        "a service is not ready after its hook",
        "unwell",
        Injury::Manner(Manner::LeaveUnwell),
        "not_finished",
        "what holds unwell-0 up",
    ),
    stalls("a service does not begin", "deaf", Injury::Deaf, "not_started", "has not begun on deaf-0"),
    stalls("a sidecar is dead", "dead", Injury::Signal(Signal::Kill), "unreachable", "whether dead-0 runs"),
    stalls(
        "a sidecar is frozen",
        "frozen",
        Injury::Signal(Signal::Stop),
        "unreachable",
        "whether frozen-0 runs",
    ),
    stalls("a service is not there", "absent", Injury::Absent, "unreachable", "whether absent runs"),
    stalls(
        "a deploy tool reports another version",
        "strange",
        Injury::OtherVersion,
        "conflict",
        "the version that the step asks for",
    )
    .shows(&[("evidence", "1.0.0")]),
    Fault {
        name: "an event comes before what must come first",
        service: "early",
        injury: Injury::Early,
        alert: "SequenceViolated",
        cause: "out_of_order",
        next: "who moved early early",
        shows: &[("missing", "early-db.Ready"), ("outlook", "it keeps the word")],
    },
];

/// Two rollouts want one service. It is told to the team of the plan, as nothing else is wrong.
const TWICE: Fault = Fault {
    name: "two rollouts want one service",
    service: "wanted",
    injury: Injury::Twice,
    alert: "RolloutRefused",
    cause: "conflict",
    next: "wait for the end of",
    shows: &[("why", "pavane why ")],
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_fault_of_real_processes_is_told_with_its_cause_and_blamed_on_whose_doing_it_is() {
    let test = "each_fault_of_real_processes_is_told_with_its_cause_and_blamed_on_whose_doing_it_is";
    let Some(services) = Services::get(test).await else { return };
    let stage = Stage::set("catalogue", "shop", &services).await.unwrap();
    play(&stage).await.unwrap();
}

#[expect(clippy::print_stdout, reason = "the count is what is asked for")]
async fn play(stage: &Stage) -> Result<()> {
    let mut sentinel = Sentinel::start(stage, "sentinel-a").await?;
    let faults: Vec<&Fault> = FAULTS.iter().chain([&TWICE]).collect();
    let mut tools = Vec::new();
    for fault in &faults {
        tools.push(enter(stage, fault).await.context(fault.name)?);
    }
    sentinel.ready().await?;
    let mut rollouts = Vec::new();
    for (fault, tool) in faults.iter().zip(&mut tools) {
        rollouts.push(begin(stage, fault, tool.as_mut()).await.context(fault.name)?);
    }
    let mut wrong = Vec::new();
    for (fault, rollout) in faults.iter().zip(&rollouts) {
        wrong.extend(told(stage, fault, rollout).await.context(fault.name).err());
    }
    println!("{} of {} causes named right on processes", faults.len() - wrong.len(), faults.len());
    ensure!(wrong.is_empty(), "{wrong:#?}");
    stage.all_signatures_held()
}

/// The service with its sidecar, if it has one.
async fn enter(stage: &Stage, fault: &Fault) -> Result<Option<Tool>> {
    let service = fault.service;
    let on = match fault.injury {
        Injury::Absent | Injury::Early | Injury::OtherVersion | Injury::Twice => return Ok(None),
        Injury::Deaf => "somebody.Ready".to_owned(),
        Injury::Manner(_) | Injury::Hook(_) | Injury::Signal(_) => format!("{service}-db.Ready"),
    };
    let tool = Tool::enter(stage, service, &on, &[]).await?;
    if let Injury::Manner(manner) = fault.injury {
        tool.behave(manner)?;
    }
    if let Injury::Hook(script) = fault.injury {
        let path = stage.path(&format!("{service}-files/upgrade.sh"));
        std::fs::write(&path, script).with_context(|| format!("failed to write {}", path.display()))?;
    }
    Ok(Some(tool))
}

/// Starts the rollout of a fault and lets it happen.
async fn begin(stage: &Stage, fault: &Fault, tool: Option<&mut Tool>) -> Result<String> {
    let service = fault.service;
    if let Some(tool) = tool {
        tool.sidecar.ready().await?;
        if let Injury::Signal(signal) = fault.injury {
            tool.sidecar.process.signal(signal)?;
        }
    }
    let plan = stage.write(&format!("{service}-plan.yaml"), &plan(service))?;
    let rollout = stage.start(&plan).await?;
    match fault.injury {
        Injury::Early => {
            say(stage, &rollout, service, "DeploymentComplete", "2.0.0").await?;
            return Ok(rollout);
        }
        Injury::Twice => {
            let (code, said) = pavane(stage, &["start", &plan]).await?;
            ensure!(code != 0, "the second start was not refused: {said}");
            return Ok(rollout);
        }
        Injury::Manner(_)
        | Injury::Hook(_)
        | Injury::Deaf
        | Injury::Signal(_)
        | Injury::Absent
        | Injury::OtherVersion => {}
    }
    say(stage, &rollout, &format!("{service}-db"), "Ready", "2.0.0").await?;
    if matches!(fault.injury, Injury::OtherVersion) {
        say(stage, &rollout, service, "DeploymentComplete", "1.0.0").await?;
    }
    Ok(rollout)
}

async fn say(stage: &Stage, rollout: &str, service: &str, event: &str, version: &str) -> Result<()> {
    let said = ["emit", "--rollout", rollout, "--service", service, "--version", version, "--event", event];
    stage.pavane(&said).await.map(drop)
}

fn plan(service: &str) -> String {
    format!(
        "apiVersion: pavane/v1
kind: Choreography
metadata: {{ name: {service}-v2, owner: team-{service}, runbook: \"https://runbooks.example/{service}\" }}
method: choreography
steps:
  - id: schema
    expect: {service}-db.Ready
    within: 10m
  - id: move
    after: [schema]
    expect: {service}.DeploymentComplete
    version: \">=2.0.0\"
    within: 5s
  - id: rest
    after: [move]
    expect: {service}-web.DeploymentComplete
    within: 10m
"
    )
}

/// The call, and what `pavane why` says besides.
async fn told(stage: &Stage, fault: &Fault, rollout: &str) -> Result<()> {
    let about = |delivery: &Delivery| {
        let alert = &delivery.body["alerts"][0];
        let of_fault = alert["labels"]["alertname"] == fault.alert && alert["status"] == "firing";
        let of_rollout = alert["labels"]["rollout"] == rollout || alert["annotations"]["origin"] == rollout;
        of_fault && of_rollout
    };
    let call = stage.on_call().wait_for(fault.alert, SOON, about).await?;
    let alert = &call.body["alerts"][0];
    let (labels, notes) = (&alert["labels"], &alert["annotations"]);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let team = format!("team-{}", fault.service);
    ensure!(labels["cause"] == fault.cause, "the cause is {} in {alert:#}", labels["cause"]);
    let culprit = if matches!(fault.injury, Injury::Twice) { "wanted-db" } else { fault.service };
    ensure!(
        notes["culprit"] == culprit && notes["culprit_owner"] == *team,
        "blamed is somebody else in {alert:#}"
    );
    ensure!(labels["owner"] == *team, "{team} is not called: {alert:#}");
    ensure!(text(&notes["next_step"]).contains(fault.next), "the next step is another: {alert:#}");
    for (field, part) in fault.shows {
        let shown = notes[field].as_str().with_context(|| format!("no {field} in {alert:#}"))?;
        ensure!(shown.contains(part), "{field} lacks {part:?} in {alert:#}");
    }
    let page = text(&notes["page"]);
    ensure!(workspace().join(&page).exists(), "there is no page {page}");
    let calls = stage.on_call().deliveries();
    let others = calls.iter().flat_map(|call| call.body["alerts"].as_array().cloned().unwrap_or_default());
    let others = others.filter(|other| other["labels"]["rollout"] == rollout);
    for other in others {
        let blamed = text(&other["annotations"]["culprit"]);
        ensure!(blamed.is_empty() || blamed == culprit, "{blamed} is blamed in {other:#}");
    }
    if fault.alert != "RolloutStalled" {
        return Ok(());
    }
    ensure!(text(&notes["waiting"]).starts_with("rest (team-"), "who waits is not told: {alert:#}");
    let (code, said) = pavane(stage, &["why", rollout, "--output", "json"]).await?;
    let why: Value = serde_json::from_str(&said).with_context(|| format!("failed to read {said}"))?;
    let first = &why["awaited"][0];
    let (cause, service) = (&first["cause"], &first["service"]);
    ensure!(code == 1 && *cause == fault.cause && *service == fault.service, "why says otherwise: {why:#}");
    let next = why["next"].as_array().into_iter().flatten().any(|line| text(line).contains(fault.next));
    ensure!(next, "why says to do otherwise: {why:#}");
    Ok(())
}
