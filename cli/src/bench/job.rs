//! The job that engines are measured by: many rollouts of a few steps, each step within a window of the one before;
//! some stop dead, and each of those must be told exactly once.
//!
//! A file of the job holds a line per event, `ts_ms,id,step`, in the order of time. The first step starts the rollout;
//! every other one is a `DeploymentComplete` of a service that the rollout has for itself.

use pavane_choreography::{Expect, Plan, Step};
use pavane_events::command::RolloutStarted;
use pavane_events::control::{DomainConfigured, Pulse};
use pavane_events::name::NameError;
use pavane_events::service::DeploymentComplete;
use pavane_events::{
    Body, Domain, Entry, Envelope, Event, EventId, EventType, Instance, Millis, Record, RolloutId, Service,
    Source, StepId, Timestamp, identity,
};

/// What happens: when, to which rollout, which step. Step 0 starts it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Move {
    /// When, in milliseconds.
    pub at: i64,
    /// To which rollout.
    pub rollout: RolloutId,
    /// The place of its step in the sequence.
    pub step: usize,
}

/// A rollout that stopped, as the files of expected stalls write it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stall {
    /// When its window ended.
    pub deadline: i64,
    /// The rollout.
    pub rollout: String,
    /// The step that did not come.
    pub missing: String,
}

/// The steps in their order, the window of each, and the plan that says so.
#[derive(Clone, Debug)]
pub struct Job {
    /// The domain of all rollouts.
    pub domain: Domain,
    /// How long after the step before a step must come.
    pub window: Millis,
    sequence: Vec<StepId>,
    start: RolloutStarted,
}

impl Job {
    /// A job of these steps, of which the first is the trigger. Fails when one of them is no name.
    pub fn new(sequence: &[&str], window: Millis) -> Result<Self, NameError> {
        let sequence = sequence.iter().map(StepId::new).collect::<Result<Vec<_>, _>>()?;
        let mut steps: Vec<Step> = Vec::new();
        for id in sequence.iter().skip(1) {
            let expect = Expect { service: Service::new(id.as_str())?, event: EventType::DeploymentComplete };
            let after = steps.last().map(|before: &Step| before.id.clone()).into_iter().collect();
            steps.push(Step { after, per_rollout: true, ..Step::new(id.clone(), expect, window, "bench") });
        }
        let plan = Plan::new("bench", "bench", steps);
        let start = RolloutStarted {
            choreography: plan.name.clone(),
            plan_digest: plan.digest(),
            plan: plan.to_json(),
            rules: 1,
            by: String::new(),
            reason: String::new(),
        };
        Ok(Self { domain: Domain::new("bench")?, window, sequence, start })
    }

    /// Reads a file of the job. The error names the line.
    pub fn read(&self, text: &str) -> Result<Vec<Move>, String> {
        let mut moves: Vec<Move> = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let parsed = self.line(line).ok_or_else(|| {
                format!("line {}: {line:?} is not `ts_ms,id,step` with a step of the sequence", number + 1)
            })?;
            if moves.last().is_some_and(|last| last.at > parsed.at) {
                return Err(format!("line {}: it is earlier than the line before", number + 1));
            }
            moves.push(parsed);
        }
        Ok(moves)
    }

    fn line(&self, line: &str) -> Option<Move> {
        let mut fields = line.split(',');
        let (at, id, step) = (fields.next()?, fields.next()?, fields.next()?);
        let step = self.sequence.iter().position(|known| known.as_str() == step)?;
        let rollout = RolloutId::new(id).ok()?;
        Some(Move { at: at.parse().ok()?, rollout, step }).filter(|_| fields.next().is_none())
    }

    /// A move as it is decoded from the log; its offset is whoever appends it to give. `number` makes its id.
    pub fn entry(&self, step: &Move, number: usize) -> Entry {
        let rollout = &step.rollout;
        let id = EventId::new(format!("e{number}")).expect("a number is a name");
        let (source, speaker) = if step.step == 0 {
            ("/ci/bench".to_owned(), None)
        } else {
            let service = format!("{}-{rollout}", self.sequence[step.step]);
            (format!("/pavane/{}/{service}/{service}-0", self.domain), Some(service))
        };
        let source = Source::new(source).expect("names fit into a source");
        let mut envelope = Envelope::new(self.domain.clone(), source, id);
        envelope.rollout = Some(rollout.clone());
        envelope.instance = speaker.as_ref().and_then(|service| Instance::new(format!("{service}-0")).ok());
        envelope.service = speaker.and_then(|service| Service::new(service).ok());
        let body: Body = match step.step {
            0 => self.start.clone().into(),
            _ => DeploymentComplete::default().into(),
        };
        Entry::Event(Record { offset: 0, at: Timestamp(step.at), event: Event { envelope, body } })
    }

    /// The entry that takes the grace away: the peers have none.
    pub(super) fn configured(&self) -> Entry {
        let id = EventId::new("configured").expect("a name");
        let envelope = Envelope::new(self.domain.clone(), Source::new("/ci/bench").expect("a name"), id);
        let body = DomainConfigured { grace_ms: 0, by: "bench".to_owned(), ..DomainConfigured::default() };
        Entry::Event(Record { offset: 0, at: Timestamp(0), event: Event { envelope, body: body.into() } })
    }

    /// An entry as a replica of the sentinel says it; what it says is whoever reads it back to give.
    pub(super) fn said(&self, replica: &str) -> Entry {
        let id = EventId::new("said").expect("a name");
        let mut envelope = Envelope::new(self.domain.clone(), identity::sentinel_source(&self.domain), id);
        envelope.replica = Some(replica.to_owned());
        let body = Pulse::default().into();
        Entry::Event(Record { offset: 0, at: Timestamp(0), event: Event { envelope, body } })
    }
}

/// A generated run of the job: its moves, and the stalls that must be told.
#[derive(Debug)]
pub struct Made {
    /// What happens, in order.
    pub moves: Vec<Move>,
    /// What must be told, in order.
    pub stalls: Vec<Stall>,
}

/// How the rollouts of a generated run lie in time.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    /// All are open at once.
    AllOpen,
    /// About so many are open at any time.
    Rolling(usize),
}

/// Makes a run of four steps and windows of 250 s, of which one rollout in a hundred stops dead. The same seed makes the
/// same run.
pub fn made(shape: Shape, rollouts: u64, seed: u64) -> Made {
    const PACE: u64 = 100_000;
    const WINDOW: u64 = 250_000;
    const STEPS: [&str; 4] = ["A", "B", "C", "D"];
    let mut dice = Dice(seed);
    let (mut moves, mut stalls) = (Vec::new(), Vec::new());
    for n in 0..rollouts {
        let name = format!("{:016x}", mix(seed.wrapping_mul(1_000_003).wrapping_add(n)));
        let id = RolloutId::new(&name).expect("hexadecimal is a name");
        let dead = dice.below(1_000) < 10;
        let last = if dead { dice.below(3) } else { 3 };
        let (mut at, mut newest) = (0, 0);
        for step in 0..4 {
            at = match (shape, step) {
                (Shape::AllOpen, _) => step * PACE + dice.below(PACE),
                (Shape::Rolling(open), 0) => n * (3 * PACE * 1_000 / open as u64) / 1_000,
                (Shape::Rolling(_), _) => at + 1 + dice.below(2 * PACE),
            };
            if step <= last {
                newest = at;
                moves.push((at, n, Move { at: signed(at), rollout: id.clone(), step: index(step) }));
            }
        }
        if dead {
            let missing = STEPS[index(last + 1)].to_owned();
            stalls.push(Stall { deadline: signed(newest + WINDOW), rollout: name, missing });
        }
    }
    moves.sort_by_key(|(at, n, _)| (*at, *n));
    stalls.sort();
    Made { moves: moves.into_iter().map(|(_, _, step)| step).collect(), stalls }
}

fn index(small: u64) -> usize {
    usize::try_from(small).expect("the place of a step")
}

fn signed(time: u64) -> i64 {
    i64::try_from(time).expect("a time of a few days")
}

/// splitmix64: small, and the same everywhere.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        let drawn = mix(self.0);
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        drawn % end
    }
}

fn mix(z: u64) -> u64 {
    let z = z.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
