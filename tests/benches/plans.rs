//! What a plan costs before anything moves: to read, check, compare, draw and play it, for 10, 100 and 1,000 steps.
//!
//! The plans are layered: ten steps a layer, each waits for three of the layer before, ten teams. Beside each row
//! stands how many times as long it takes as the YAML parser alone, which only names what stands in the same text. The
//! laid out picture is held against `dot -Tsvg` of Graphviz too, a process of its own whose start is taken off.
//!
//! `cargo bench -p pavane-tests --bench plans`

#![expect(clippy::print_stdout, reason = "a bench prints what it measured")]

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use pavane_choreography::{Plan, read_with_places};
use pavane_rehearsal::{Piece, Scenario, Script, Sidecars, Stage};
use pavane_review::check::{self, Choreography, Project};
use pavane_review::difference::between;
use pavane_review::graph::{By, Graph};
use pavane_sentinel_engine::Status;
use pavane_tests::figures::{Figures, HEAD, milliseconds};

/// How long each way is measured, and how many times at least and at most.
const LIMIT: Duration = Duration::from_secs(3);
const TURNS: std::ops::RangeInclusive<usize> = 3..=500;

/// A graph with nothing to lay out: what is left is the start of the process.
const EMPTY: &str = "digraph { a }";

const STEPS: [usize; 3] = [10, 100, 1_000];

/// The most steps that are played: every service has a sidecar, and every sidecar reads what all others say.
const MOST_PLAYED: usize = 100;

fn main() {
    for steps in STEPS {
        let text = text(steps);
        println!("\n{steps} steps, {} KiB of YAML", text.len() / 1024);
        println!("{HEAD}     of parser");
        let (plan, places) = read_with_places(&text, "plan.yaml").expect("a sound plan");
        let alone = time(|| events(&text));
        let parser = alone.percentile(50);
        row("the YAML parser alone", &alone, parser);
        row("read: text to plan, with places", &time(|| read_with_places(&text, "plan.yaml")), parser);
        let files = vec![Choreography { file: "plan.yaml".to_owned(), plan: plan.clone(), places }];
        let project = Project { choreographies: files, ..Project::default() };
        row("check: what is wrong with it", &time(|| check::check(&project)), parser);
        let mut longer = plan.clone();
        longer.steps.iter_mut().for_each(|step| step.within *= 2);
        row("diff: against one with longer windows", &time(|| between(&plan, &longer)), parser);
        draw(&plan, parser);
        if steps <= MOST_PLAYED {
            play(plan);
        }
    }
}

/// Draws a plan in every format, and has Graphviz lay out the same graph where it is there.
fn draw(plan: &Plan, parser: Duration) {
    let plans = [plan.clone()];
    let graph = Graph::of(&plans, By::Step);
    row("graph: nodes, edges, critical path", &time(|| Graph::of(&plans, By::Step)), parser);
    row("graph as text", &time(|| graph.to_text()), parser);
    row("graph as Mermaid", &time(|| graph.to_mermaid()), parser);
    row("graph as DOT", &time(|| graph.to_dot()), parser);
    let svg = time(|| graph.to_svg());
    row("graph as SVG, laid out", &svg, parser);
    if dot(EMPTY).is_err() {
        println!("Graphviz is not there: nothing to hold the layout against");
        return;
    }
    let (start, source) = (time(|| dot(EMPTY)).percentile(50), graph.to_dot());
    let graphviz = time(|| dot(&source));
    row("dot -Tsvg of Graphviz, its start in it", &graphviz, parser);
    let layout = graphviz.percentile(50).saturating_sub(start).max(Duration::from_micros(1));
    let ratio = milliseconds(svg.percentile(50)) / milliseconds(layout);
    println!("graph as SVG takes {ratio:.3} of what dot takes without its start");
}

/// Plays a plan in which nothing goes wrong as often as time allows, each time with another seed.
fn play(plan: Plan) {
    let steps = plan.steps.len();
    let piece = Arc::new(Piece::new(plan));
    let script = Script {
        scenario: Scenario::of_start("all goes well"),
        piece,
        others: std::collections::BTreeMap::new(),
    };
    let stage = Stage::new(script, &Sidecars::new());
    let (begun, mut rollouts, mut records) = (Instant::now(), 0_u32, 0_u32);
    while begun.elapsed() < LIMIT {
        let performance = stage.play(u64::from(rollouts));
        assert_eq!(performance.status(None), Some(Status::Completed), "seed {rollouts} of {steps} steps");
        records += u32::try_from(performance.log.len()).expect("a log of one rollout");
        rollouts += 1;
    }
    let seconds = begun.elapsed().as_secs_f64();
    println!(
        "simulated rollouts: {rollouts}, {:.1} a second, {} records each, {:.1} µs a record",
        f64::from(rollouts) / seconds,
        records / rollouts,
        seconds * 1e6 / f64::from(records)
    );
}

/// Does a thing again and again.
fn time<T>(what: impl Fn() -> T) -> Figures {
    let (begun, mut times) = (Instant::now(), Vec::new());
    while times.len() < *TURNS.start() || (times.len() < *TURNS.end() && begun.elapsed() < LIMIT) {
        let turn = Instant::now();
        std::hint::black_box(what());
        times.push(turn.elapsed());
    }
    Figures::of(times)
}

fn row(name: &str, figures: &Figures, yardstick: Duration) {
    let ratio = milliseconds(figures.percentile(50)) / milliseconds(yardstick);
    println!("{}  {ratio:>12.3}", figures.row(name));
}

/// How many events the parser names in a text.
fn events(text: &str) -> usize {
    granit_parser::Parser::new_from_str(text).flatten().count()
}

/// Has Graphviz lay a graph out; an error where it is not there.
fn dot(source: &str) -> std::io::Result<usize> {
    let mut child = Command::new("dot").arg("-Tsvg").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut input = child.stdin.take().expect("a pipe");
    let source = source.to_owned();
    let writer = std::thread::spawn(move || input.write_all(source.as_bytes()));
    let output = child.wait_with_output()?;
    writer.join().expect("it writes and ends")?;
    Ok(output.stdout.len())
}

/// A plan of so many steps, ten a layer, each waiting for three of the layer before.
fn text(steps: usize) -> String {
    let mut text =
        "apiVersion: pavane/v1\nkind: Choreography\nmetadata: { name: large, owner: platform, runbook: \
                    \"https://runbooks.example/large\" }\nsteps:\n"
            .to_owned();
    for step in 0..steps {
        let (layer, place) = (step / 10, step % 10);
        write!(
            text,
            "  - id: s{step}\n    expect: service-{step}.DeploymentComplete\n    within: 5m\n    owner: team-{place}\n    \
             version: \">=2.0.0, <3\"\n    on_stall: rollback\n    compensate: {{ within: 5m }}\n"
        )
        .expect("a string takes all");
        if layer > 0 {
            let before: Vec<String> =
                [0, 3, 7].iter().map(|far| format!("s{}", (layer - 1) * 10 + (place + far) % 10)).collect();
            writeln!(text, "    after: [{}]", before.join(", ")).expect("a string takes all");
        }
    }
    text
}
