//! What is done in a world: by services, by people, by chance.

use pavane_events::control::DomainConfigured;
use pavane_events::service::RollbackRefused;
use pavane_events::{Body, Entry, Event, EventType};
use pavane_sentinel_engine::{PhaseStatus, RolloutView, Status, StepStatus, StepView};

use super::plans;
use super::world::World;
use crate::floor::{self, *};

#[derive(Clone, Copy)]
enum Act {
    Word,
    Wait,
    Person,
    Start,
    Again,
    Stranger,
    Forge,
    Brink,
    Pretend,
    Unreadable,
    Reject,
    Uncertain,
    Leap,
    Configure,
    Crash,
    Freeze,
    Mood,
}

impl World {
    /// Does one thing.
    pub(crate) fn act(&mut self) {
        let trouble = self.trouble;
        let some = |weight: i64| (weight * trouble + 50) / 100;
        let act = self.dice.weighed(&[
            (600, Act::Word),
            (60, Act::Wait),
            (30 + some(60), Act::Person),
            (25, Act::Start),
            (some(80), Act::Again),
            (some(20), Act::Stranger),
            (some(90), Act::Forge),
            (20, Act::Brink),
            (some(20), Act::Pretend),
            (some(12), Act::Unreadable),
            (some(10), Act::Reject),
            (some(8), Act::Uncertain),
            (some(6), Act::Leap),
            (some(8), Act::Configure),
            (some(12), Act::Crash),
            (some(8), Act::Freeze),
            (some(40), Act::Mood),
        ]);
        match act {
            Act::Word => self.word(),
            Act::Wait => {
                let ms = self.dice.pick(&[1_000, 3_000, 9_000]);
                self.pass(ms);
            }
            Act::Person => self.person(),
            Act::Start => self.start(),
            Act::Again => self.again(),
            Act::Stranger => self.stranger(),
            Act::Forge => self.forge(),
            Act::Brink => self.brink(),
            Act::Pretend => self.pretend(),
            Act::Unreadable => self.unreadable(),
            Act::Reject => self.reject(),
            Act::Uncertain => self.say_of("users", uncertain()),
            Act::Leap => {
                let by = self.dice.pick(&[-60_000, -8_000, -300, 3_000, 9_000, 60_000]);
                self.leap(by);
            }
            Act::Configure => self.configure(),
            Act::Crash => self.crash(),
            Act::Freeze => {
                let ms = self.dice.pick(&[3_000, 9_000, 20_000]);
                self.freeze(ms);
            }
            Act::Mood => self.mood(),
        }
    }

    /// A rollout begins, or would.
    pub(crate) fn start(&mut self) {
        let known: Vec<String> = self.plans.keys().cloned().collect();
        let again = !known.is_empty() && self.dice.chance(10);
        let id = if again { self.dice.pick(&known) } else { format!("r{}", known.len() + 1) };
        let old = self.plans.get(&id).cloned().filter(|_| self.dice.chance(50));
        let plan = old.unwrap_or_else(|| plans::draw(&mut self.dice));
        let older = known.len() % 2 == 1;
        let mut event = self.event(|log| {
            log.older = older;
            log.start(&id, &plan)
        });
        if let Body::RolloutStarted(started) = &mut event.body {
            match self.dice.between(1, 60) {
                1 => started.plan.truncate(40),
                2 => started.plan_digest = "0".repeat(64),
                _ => {}
            }
        }
        self.plans.entry(id).or_insert(plan);
        self.append(event);
    }

    /// A service says the next word of its part, or at times another.
    fn word(&mut self) {
        let open = self.open();
        if open.is_empty() {
            return if self.dice.chance(30) { self.start() } else { self.stray() };
        }
        let rollout = self.dice.pick(&open);
        let weight = |step: &StepView| match step.state {
            StepStatus::Open | StepStatus::Running | StepStatus::GoingBack => 12,
            StepStatus::Stalled => 4,
            StepStatus::Holding
            | StepStatus::Met
            | StepStatus::NotBack
            | StepStatus::Waiting
            | StepStatus::Back
            | StepStatus::Overridden => 1,
        };
        let steps: Vec<_> = rollout.steps.iter().map(|step| (weight(step), step)).collect();
        let step = self.dice.weighed(&steps);
        let instance = format!("{}-{}", step.service, self.dice.pick(&[0, 0, 1]));
        let body = if rollout.status == Status::RollingBack {
            self.word_back(&rollout)
        } else {
            self.word_forward(step, &instance)
        };
        let version = if self.dice.chance(4) { "1.0.0" } else { "2.0.0" };
        self.say(rollout.id.as_str(), &instance, version, body);
    }

    fn word_forward(&mut self, step: &StepView, instance: &str) -> Body {
        let last = step.instances.iter().find(|view| view.instance == instance).map(|view| view.said);
        let awaited = step.expects.rsplit_once('.').map_or("", |(_, event)| event);
        let awaited = match EventType::from_short(awaited) {
            Some(EventType::Ready) => ready(),
            Some(EventType::Drained) => drained(),
            _ => complete(),
        };
        let which = match last {
            None => self.dice.weighed(&[(55, 0), (35, 1), (6, 2), (2, 3), (2, 4)]),
            Some("awaited") => self.dice.weighed(&[(30, 0), (10, 1), (25, 2), (25, 3), (10, 4)]),
            Some(_) => self.dice.weighed(&[(6, 0), (75, 1), (12, 2), (4, 3), (3, 4)]),
        };
        match which {
            0 => started("1.0.0"),
            1 => awaited,
            2 => failed("exit 1"),
            3 => drained(),
            _ => self.dice.pick(&[ready(), complete(), back(1)]),
        }
    }

    fn word_back(&mut self, rollout: &RolloutView) -> Body {
        let epoch = rollout.epoch;
        match self.dice.weighed(&[(60, 0), (5, 1), (4, 2), (5, 3), (5, 4), (3, 5), (3, 6)]) {
            0 => back(epoch),
            1 => back_failed(epoch),
            2 => RollbackRefused { epoch, ..RollbackRefused::default() }.into(),
            3 => started("1.0.0"),
            4 => complete(),
            5 => self.dice.pick(&[drained(), failed("exit 2")]),
            _ => back(epoch + 1),
        }
    }

    /// A word about a rollout that has ended, or has not begun.
    fn stray(&mut self) {
        let n = self.dice.between(1, i64::try_from(self.plans.len()).expect("few") + 1);
        let body =
            self.dice.pick(&[ready(), started("1.0.0"), complete(), drained(), failed("late"), back(1)]);
        let instance = self.dice.pick(&["db-0", "users-0", "users-1", "chat-0", "mail-0"]);
        self.say(&format!("r{n}"), instance, "2.0.0", body);
    }

    fn say(&mut self, rollout: &str, instance: &str, version: &str, body: Body) {
        let mut event = self.event(|log| log.says(rollout, instance, version, body));
        if let Some(pulse) = self.instances.get_mut(instance) {
            pulse.number += 1;
            (event.envelope.boot, event.envelope.sequence) = (Some("b".to_owned()), Some(pulse.number));
        }
        match self.dice.between(0, 100) {
            // a word that an older one overtook, a number left out, one that came from no sidecar
            0 => event.envelope.sequence = event.envelope.sequence.map(|number| number / 2),
            1 => self.instances.values_mut().for_each(|pulse| pulse.number += 1),
            2 => (event.envelope.boot, event.envelope.sequence) = (None, None),
            // another sidecar under the same name, and one that began anew
            3 => event.envelope.boot = Some("twin".to_owned()),
            4 => event.envelope.boot = Some(format!("boot-{}", self.dice.below(1_000))),
            _ => {}
        }
        self.append(event);
    }

    /// An instance of a service says something about a rollout that is under way.
    fn say_of(&mut self, service: &str, body: Body) {
        let open = self.open();
        if !open.is_empty() {
            let rollout = self.dice.pick(&open);
            self.say(rollout.id.as_str(), &format!("{service}-0"), "2.0.0", body);
        }
    }

    /// A person commands something.
    fn person(&mut self) {
        self.know();
        let all = self.reader.view().rollouts;
        if all.is_empty() {
            return;
        }
        let open = self.open();
        let stray = open.is_empty() || self.dice.chance(25);
        let rollout = self.dice.pick(if stray { &all } else { &open });
        let id = rollout.id.to_string();
        if let Some(gate) = rollout.phases.iter().find(|gate| gate.state == PhaseStatus::AwaitingApproval) {
            let (name, attempt) = (gate.id.clone(), gate.attempt);
            return self.answer(&id, &name, attempt);
        }
        let step = self.dice.pick(&rollout.steps).id.clone();
        let body =
            match self.dice.weighed(&[(20, 0), (25, 1), (6, 2), (10, 3), (4, 4), (8, 5), (9, 6), (2, 7)]) {
                0 => pause(),
                1 => resume(),
                2 => held(),
                3 => released(),
                4 => abort(),
                5 => overrides(&step),
                6 => go_back(),
                _ => overrides("nowhere"),
            };
        let event = self.event(|log| log.person(&id, body));
        self.append(event);
    }

    /// Approves or rejects a gate, at times the wrong one.
    fn answer(&mut self, rollout: &str, gate: &str, attempt: i64) {
        let Some(plan) = self.plans.get(rollout).cloned() else { return };
        let attempt = if self.dice.chance(10) { attempt + 1 } else { attempt };
        let gate = if self.dice.chance(10) { "first" } else { gate };
        let say = if self.dice.chance(20) { floor::reject } else { approve };
        let event = self.event(|log| log.person(rollout, say(&plan, gate, attempt)));
        self.append(event);
    }

    /// Something comes again under its identity.
    fn again(&mut self) {
        if self.entries.is_empty() {
            return;
        }
        let back = self.dice.pick(&[3, 30, 300]).min(self.entries.len());
        let n = self.entries.len() - 1 - self.dice.below(back);
        if let Entry::Event(record) = self.entries[n].clone() {
            self.append(record.event);
        }
    }

    /// Something about a rollout that nobody knows, or from a service that has no part in it.
    fn stranger(&mut self) {
        let body = self.dice.pick(&[ready(), complete(), pause(), go_back(), overrides("users")]);
        let rollout = self.dice.pick(&["elsewhere", "r1", "r2"]);
        let event: Event = self.event(|log| log.says(rollout, "billing-0", "2.0.0", body));
        self.append(event);
    }

    /// What holds for the domain changes: how patient it is, and how many rollbacks the sentinel may ask for by itself.
    pub(crate) fn configure(&mut self) {
        let configured = DomainConfigured {
            grace_ms: self.dice.pick(&[250, 250, 400, 1_000]),
            rollback_budget: self.dice.pick(&[0, 1, 3, 100, 100]),
            rollback_window_ms: self.dice.pick(&[10_000, 3_600_000]),
            cool_down_ms: self.dice.pick(&[0, 0, 5_000, 600_000]),
            ..DomainConfigured::default()
        };
        let event = self.event(|log| log.person("r1", configured));
        self.append(event);
    }

    /// What an instance's sidecar says of itself changes.
    fn mood(&mut self) {
        let names: Vec<String> = self.instances.keys().cloned().collect();
        let name = self.dice.pick(&names);
        let which = self.dice.weighed(&[(30, 0), (20, 1), (15, 2), (35, 3)]);
        let pulse = self.instances.get_mut(&name).expect("an instance");
        match which {
            0 => pulse.silent = true,
            1 => pulse.outbox = 1,
            2 => pulse.ahead = 1,
            _ => (pulse.silent, pulse.outbox, pulse.ahead) = (false, 0, 0),
        }
    }
}
