//! Every log that can come about, as a tree: a node is a log, its parent the log without its last record.

use std::collections::{BTreeMap, BTreeSet};

use pavane_events::{Body, Entry, Event, Record, Timestamp, fingerprint};
use pavane_sentinel_engine::{Counter, Effect, Engine, Input, RolloutView, Status, StepStatus};

use crate::dance::{plan, started_by_a_person};
use crate::floor::{domain, rollout_id};

/// A log by its last record.
struct Node {
    parent: usize,
    entry: Entry,
    /// What it decides, as bytes, and as a number.
    kept: Vec<u8>,
    number: u64,
    view: Option<RolloutView>,
    /// What was accepted on it, each thing once.
    accepted: BTreeSet<String>,
    children: BTreeMap<(String, String), usize>,
}

pub(crate) struct Tree {
    nodes: Vec<Node>,
    /// What was reached, and how often.
    pub(crate) reached: BTreeMap<String, usize>,
}

impl Tree {
    pub(crate) const fn new() -> Self {
        Self { nodes: Vec::new(), reached: BTreeMap::new() }
    }

    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// The log on which a rollout has started and nothing else has happened.
    pub(crate) fn begin(&mut self) -> usize {
        if !self.nodes.is_empty() {
            return 0;
        }
        let mut engine = Engine::new(domain(), "reader".to_owned());
        let entry = Entry::Event(Record { offset: 0, at: Timestamp(0), event: started_by_a_person(&plan()) });
        let _ = engine.handle(0, Input::Read(entry.clone()));
        let (kept, view) = (engine.snapshot(), engine.rollout(&rollout_id("r1")));
        let (accepted, children) = (BTreeSet::new(), BTreeMap::new());
        let number = number_of(&kept);
        self.nodes.push(Node { parent: 0, entry, kept, number, view, accepted, children });
        0
    }

    /// The log with another record, so many milliseconds later. What must be true of it is held against it here.
    pub(crate) fn append(&mut self, log: usize, event: Event, later: i64) -> usize {
        let same = (event.envelope.id.to_string(), format!("{:?}", event.body));
        if let Some(known) = self.nodes[log].children.get(&same) {
            return *known;
        }
        let (offset, at) = (self.length(log), Timestamp(self.time(log) + later));
        let entry = Entry::Event(Record { offset, at, event });
        let mut engine = self.engine(log, "reader");
        let effects = engine.handle(0, Input::Read(entry.clone()));
        let (kept, view) = (engine.snapshot(), engine.rollout(&rollout_id("r1")));
        let again =
            Engine::restore(domain(), "another".to_owned(), &kept).expect("it was kept by this program");
        assert!(again.snapshot() == kept, "it does not keep what it was given: {:#?}", self.records(log));
        let accepted = self.nodes[log].accepted.clone();
        let (parent, number, children) = (log, number_of(&kept), BTreeMap::new());
        self.nodes.push(Node { parent, entry, kept, number, view, accepted, children });
        let node = self.nodes.len() - 1;
        self.nodes[log].children.insert(same, node);
        self.hold(node, &effects);
        node
    }

    /// Holds a log against what must be true.
    fn hold(&mut self, node: usize, effects: &[Effect]) {
        let (entry, view) = (self.nodes[node].entry.clone(), self.nodes[node].view.clone());
        let (view, before) = (view.expect("it started"), self.view(self.nodes[node].parent).clone());
        let records = || format!("{:#?}", self.records(node));
        let counted =
            |effect: &Effect| if let Effect::Count(counter) = effect { Some(*counter) } else { None };
        let accepted = effects.iter().filter_map(counted).find_map(|counter| match_accepted(&counter));
        let mut new = Vec::new();
        if let (Some(kind), Entry::Event(record)) = (accepted, &entry)
            && let Body::Proposed(said) = &record.event.body
        {
            let what = format!("{kind} {} {:?} {}", said.epoch, said.step, said.attempt);
            assert!(!self.nodes[node].accepted.contains(&what), "{what} is accepted again: {}", records());
            assert!(!before.paused, "{what} is accepted while the clocks stand still: {}", records());
            let step = before
                .steps
                .iter()
                .find(|step| said.step.as_ref().is_some_and(|id| *id.as_str() == *step.id));
            if let Some(step) = step.filter(|_| kind == "RolloutStalled") {
                let full =
                    before.status == Status::Open && step.want.is_some_and(|want| step.have >= want as usize);
                let late =
                    said.cites.is_some() || step.deadline.is_some_and(|until| record.at.0 > until.0 + 250);
                assert!(!full && late, "{what} stands above its event or before its time: {}", records());
            }
            new.push(what);
        }
        let unmet = view.steps.iter().any(|step| step.want.is_some_and(|want| step.have < want as usize));
        let overridden = view.steps.iter().any(|step| step.state == StepStatus::Overridden);
        let completes = before.status == Status::Open && view.status == Status::Completed;
        assert!(!completes || !unmet || overridden, "it completes unmet: {}", records());
        let ended = !before.status.is_open();
        let revived = view.status == Status::RollingBack && before.status == Status::Completed;
        assert!(!ended || before.status == view.status || revived, "an end is no end: {}", records());
        if ended && !revived {
            assert_eq!(before.verdicts, view.verdicts, "it is judged after its end: {}", records());
        }
        let void = effects.iter().any(|effect| matches!(effect, Effect::Count(Counter::ProposalVoid(_))));
        let stalled = view.steps.iter().any(|step| step.state == StepStatus::Stalled);
        let told = [("void", void), ("stalled", stalled), ("paused", view.paused)];
        let told = told.into_iter().filter(|(_, is)| *is).map(|(what, _)| what.to_owned());
        for what in told.chain([format!("{:?}", view.status)]).chain(new.iter().map(|what| first_word(what)))
        {
            *self.reached.entry(what).or_default() += 1;
        }
        self.nodes[node].accepted.extend(new);
    }

    /// A sentinel of this name that has read this log and nothing else.
    pub(crate) fn engine(&self, log: usize, replica: &str) -> Engine {
        Engine::restore(domain(), replica.to_owned(), &self.nodes[log].kept)
            .expect("it was kept by this program")
    }

    pub(crate) fn view(&self, log: usize) -> &RolloutView {
        self.nodes[log].view.as_ref().expect("it started")
    }

    pub(crate) fn entry(&self, log: usize) -> &Entry {
        &self.nodes[log].entry
    }

    pub(crate) fn time(&self, log: usize) -> i64 {
        self.nodes[log].entry.at().0
    }

    pub(crate) fn length(&self, log: usize) -> i64 {
        self.nodes[log].entry.offset() + 1
    }

    /// The logs from the first to this one, each a record longer.
    pub(crate) fn path(&self, log: usize) -> Vec<usize> {
        let mut path = vec![log];
        while let Some(last) = path.last().copied().filter(|last| *last != 0) {
            path.push(self.nodes[last].parent);
        }
        path.reverse();
        path
    }

    /// A number for what a log decides.
    pub(crate) fn number(&self, log: usize) -> u64 {
        self.nodes[log].number
    }

    /// The records of a log, for a person.
    fn records(&self, log: usize) -> Vec<String> {
        let line = |node: usize| {
            let Entry::Event(record) = &self.nodes[node].entry else { return String::new() };
            let who = record.event.envelope.instance.as_ref().map_or("-", |instance| instance.as_str());
            format!("{} at {} {who} {:?}", record.offset, record.at.0, record.event.body)
        };
        self.path(log).into_iter().map(line).collect()
    }
}

fn number_of(kept: &[u8]) -> u64 {
    let text: String = kept.iter().map(|byte| char::from(*byte)).collect();
    fingerprint(&text, "")[0]
}

fn match_accepted(counter: &Counter) -> Option<&'static str> {
    if let Counter::ProposalAccepted(kind) = counter { Some(kind) } else { None }
}

fn first_word(text: &str) -> String {
    text.split(' ').next().unwrap_or_default().to_owned()
}
