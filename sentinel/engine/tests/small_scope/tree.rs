//! Every log that can come about, as a tree: a node is a log, its parent the log without its last record. Of logs that are
//! one state only the first that was found is kept.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::rc::Rc;

use pavane_events::{Entry, Event, Record, Timestamp};
use pavane_sentinel_engine::{Draft, Effect, Engine, Input, RolloutView};

use crate::acts::{self, Act, BEGINNINGS, Move, NAME, ONCE, TICK};
use crate::checks::{self, Step};
use crate::floor::{domain, rollout_id};
use crate::key::{self, FIRST};

/// What sentinels have come to believe, each thing once, in an order of its own.
type Beliefs = Rc<BTreeMap<u64, Rc<Draft>>>;

/// A log by its last record.
struct Node {
    parent: usize,
    entry: Entry,
    /// What the record is called, wherever it stands.
    name: Rc<str>,
    /// What was done that is done once.
    done: u16,
    /// What may come to the log at any time.
    believed: Beliefs,
    /// The names of what was said that counts once.
    said: Rc<BTreeSet<Rc<str>>>,
    /// What was accepted, each thing once.
    accepted: Rc<BTreeSet<String>>,
    /// Whoever has read so far; gone when the logs beyond have been looked at.
    engine: Option<Box<Engine>>,
}

#[derive(Default)]
pub(crate) struct Tree {
    nodes: Vec<Node>,
    seen: BTreeSet<u64>,
    /// How many records were appended to some log.
    pub(crate) appended: usize,
    /// What was reached, and how often.
    pub(crate) reached: BTreeMap<String, usize>,
}

/// A record that may come next.
struct Next {
    event: Event,
    name: Rc<str>,
    later: i64,
    done: u16,
}

impl Tree {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// The logs from which all is looked at.
    pub(crate) fn beginnings(&mut self) -> Vec<usize> {
        let (mut engine, event) =
            (Engine::new(domain(), NAME.to_owned()), acts::started_by_a_person(&acts::plan()));
        let entry = Entry::Event(Record { offset: FIRST, at: Timestamp(0), event });
        let _ = engine.read(0, &entry);
        self.nodes.push(Node {
            parent: 0,
            entry,
            name: "start".into(),
            done: 0,
            believed: Beliefs::default(),
            said: Rc::default(),
            accepted: Rc::default(),
            engine: Some(Box::new(engine)),
        });
        BEGINNINGS.iter().map(|beginning| self.begin(beginning)).collect()
    }

    fn begin(&mut self, beginning: &[Move]) -> usize {
        let mut node = 0;
        for step in beginning {
            let next = match step {
                Move::Once(n) => vec![self.once(node, *n)],
                Move::Tick => vec![self.tick(node)],
                Move::Sentinel => {
                    let engine = self.engine(node);
                    let drafts = acts::believed_at(&engine, self.offset(node), self.time(node), 0);
                    let named = drafts.iter().zip(self.offset(node) + 1..);
                    named.map(|(draft, offset)| self.comes(node, draft, offset)).collect()
                }
            };
            for next in next {
                let engine = self.engine(node);
                node = self.append(node, &engine, next, false).expect("it is put down whatever it is");
            }
        }
        node
    }

    /// Puts whatever can come next on a log; those that are new are put down.
    pub(crate) fn look_beyond(&mut self, node: usize, found: &mut Vec<usize>) {
        let engine = self.engine(node);
        let mut believed = (*self.nodes[node].believed).clone();
        for draft in acts::believed(&engine, self.offset(node), self.time(node)) {
            believed.entry(self.key_of(node, &draft)).or_insert_with(|| Rc::new(draft));
        }
        let view = engine.rollout(&rollout_id("r1")).expect("it has started");
        believed.retain(|_, draft| !checks::is_void_for_ever(draft, &view));
        self.nodes[node].believed = Rc::new(believed);
        let done = self.nodes[node].done;
        let mut next: Vec<Next> =
            (0..ONCE.len()).filter(|n| done & (1 << n) == 0).map(|n| self.once(node, n)).collect();
        next.push(self.tick(node));
        let offset = self.offset(node) + 1;
        let said = Rc::clone(&self.nodes[node].said);
        let believed = Rc::clone(&self.nodes[node].believed);
        let unsaid = |draft: &&Rc<Draft>| draft.id.as_ref().is_none_or(|id| !said.contains(id.as_str()));
        next.extend(believed.values().filter(unsaid).map(|draft| self.comes(node, draft, offset)));
        next.extend(
            self.leap(node)
                .into_iter()
                .flat_map(acts::explained)
                .map(|draft| self.comes(node, &draft, offset)),
        );
        for next in next {
            if let Some(new) = self.append(node, &engine, next, true) {
                found.push(new);
            }
        }
        self.nodes[node].engine = Some(engine);
    }

    /// Lets a log go on without anybody but a sentinel until nothing happens, and looks whether anything was missed.
    pub(crate) fn lead_to_its_end(&mut self, node: usize) {
        let mut engine = self.engine(node);
        let (mut offset, mut at) = (self.offset(node), self.time(node));
        let mut put = |engine: &mut Engine, event: Event, later: i64| {
            (offset, at) = (offset + 1, at.plus(later));
            let _ = engine.read(0, &Entry::Event(Record { offset, at, event }));
            (offset, at)
        };
        for draft in self.leap(node).into_iter().flat_map(acts::explained).skip(2) {
            let event = acts::written(&draft, self.offset(node) + 1);
            put(&mut engine, event, 0);
        }
        for _ in 0..16 {
            let (mut last, mut now) = put(&mut engine, acts::tick(self.offset(node) + 1_000), 0);
            for _ in 0..8 {
                let due = acts::believed_at(&engine, last, now, 0);
                if due.is_empty() {
                    break;
                }
                for draft in due {
                    (last, now) = put(&mut engine, acts::written(&draft, last + 1), 0);
                }
            }
            put(&mut engine, acts::tick(last + 1), TICK);
        }
        let view = engine.rollout(&rollout_id("r1")).expect("it has started");
        let missed = checks::missed(&view);
        assert!(
            missed.is_none(),
            "{} at the end of {:#?}\n{view:#?}",
            missed.unwrap_or_default(),
            self.records(node)
        );
    }

    /// Lets go of what these logs were read with, and of what led to them: what lies beyond has been found.
    pub(crate) fn forget(&mut self, level: &[usize]) {
        for node in level {
            let parent = self.nodes[*node].parent;
            if parent != 0 {
                self.nodes[parent].engine = None;
            }
        }
    }

    fn once(&self, node: usize, n: usize) -> Next {
        let act: &Act = &ONCE[n];
        let (event, later) = act.event();
        let name = event.envelope.id.as_str().into();
        Next { event, name, later, done: self.nodes[node].done | 1 << n }
    }

    fn tick(&self, node: usize) -> Next {
        let event = acts::tick(self.offset(node) + 1);
        Next { event, name: "tick".into(), later: TICK, done: self.nodes[node].done }
    }

    /// What a sentinel has written comes to the log at this place.
    fn comes(&self, node: usize, draft: &Draft, offset: i64) -> Next {
        let event = acts::written(draft, offset);
        let own = || format!("proposed {:x}", self.key_of(node, draft)).into();
        let name = draft.id.as_ref().map_or_else(own, |id| id.as_str().into());
        Next { event, name, later: 0, done: self.nodes[node].done }
    }

    /// The log with another record, held against what must be true of it; where only what is new is kept,
    /// nothing is of one that is one state with another.
    fn append(&mut self, log: usize, engine: &Engine, next: Next, only_new: bool) -> Option<usize> {
        self.appended += 1;
        let (offset, at) = (self.offset(log) + 1, self.time(log).plus(next.later));
        let (before, mut engine) = (view(engine), engine.clone());
        let entry = Entry::Event(Record { offset, at, event: next.event });
        let effects: Vec<Effect> = engine.read(0, &entry);
        let (kept, after) = (engine.snapshot(), view(&engine));
        let step =
            Step { entry: &entry, before: &before, after: &after, effects: &effects, now: engine.time() };
        let accepted = checks::hold(&step, &self.nodes[log].accepted, &mut self.reached)
            .unwrap_or_else(|wrong| panic!("{wrong}: {:#?}\n{entry:#?}", self.records(log)));
        let mut names: Vec<Rc<str>> =
            self.path(log).into_iter().map(|node| Rc::clone(&self.nodes[node].name)).collect();
        names.push(Rc::clone(&next.name));
        let mut said = Rc::clone(&self.nodes[log].said);
        if checks::counts_once(&entry) && !said.contains(&next.name) {
            Rc::make_mut(&mut said).insert(Rc::clone(&next.name));
        }
        let believed = Rc::clone(&self.nodes[log].believed);
        let labels: Vec<&str> = names.iter().map(|name| &**name).collect();
        let above = self.leap(log).map(|leap| {
            let above = usize::try_from(leap - FIRST).expect("on the log");
            labels[above.min(labels.len())..].iter().copied().collect::<BTreeSet<_>>()
        });
        let rest = (next.done, &said, believed.keys().collect::<Vec<_>>(), above);
        if !self.seen.insert(key::of(&kept, &labels, &rest)) && only_new {
            return None;
        }
        if self.seen.len().is_multiple_of(16) {
            let again =
                Engine::restore(domain(), "another".to_owned(), &kept).expect("it was kept by this program");
            assert!(again.snapshot() == kept, "it does not keep what it was given: {:#?}", self.records(log));
        }
        let mut all = Rc::clone(&self.nodes[log].accepted);
        if let Some(accepted) = accepted {
            Rc::make_mut(&mut all).insert(accepted);
        }
        let (name, done) = (next.name, next.done);
        self.nodes.push(Node { parent: log, entry, name, done, believed, said, accepted: all, engine: None });
        Some(self.nodes.len() - 1)
    }

    /// A sentinel that has read this log and nothing else.
    fn engine(&self, node: usize) -> Box<Engine> {
        let Node { parent, entry, engine, .. } = &self.nodes[node];
        if let Some(engine) = engine {
            return engine.clone();
        }
        let mut engine = self.engine(*parent);
        let _ = engine.handle(0, Input::Read(entry.clone()));
        engine
    }

    /// The offset of a leap that nobody has explained.
    fn leap(&self, node: usize) -> Option<i64> {
        let name = |node: &usize| &*self.nodes[*node].name == "leap";
        let leap = self.path(node).into_iter().find(name)?;
        let offset = self.offset(leap);
        let told = format!("ClockStepped {offset}");
        (!self.nodes[node].accepted.contains(&told)).then_some(offset)
    }

    fn offset(&self, node: usize) -> i64 {
        self.nodes[node].entry.offset()
    }

    fn time(&self, node: usize) -> Timestamp {
        self.nodes[node].entry.at()
    }

    /// A number for what a sentinel would write, wherever the records stand that it names.
    fn key_of(&self, node: usize, draft: &Draft) -> u64 {
        let path = self.path(node);
        let names: Vec<&str> = path.iter().map(|node| &*self.nodes[*node].name).collect();
        let mut hasher = DefaultHasher::new();
        key::relabelled(format!("{:?}", checks::essence(draft)).as_bytes(), &names, &mut hasher);
        draft.id.as_ref().map(pavane_events::EventId::as_str).hash(&mut hasher);
        hasher.finish()
    }

    /// The logs from the first to this one, each a record longer.
    fn path(&self, node: usize) -> Vec<usize> {
        let mut path = vec![node];
        while let Some(last) = path.last().copied().filter(|last| *last != 0) {
            path.push(self.nodes[last].parent);
        }
        path.reverse();
        path
    }

    /// The records of a log, for a person.
    fn records(&self, node: usize) -> Vec<String> {
        let line = |node: usize| {
            let Entry::Event(record) = &self.nodes[node].entry else { return String::new() };
            format!(
                "{} at {} {} {:?}",
                record.offset - FIRST,
                record.at.0,
                self.nodes[node].name,
                record.event.body
            )
        };
        self.path(node).into_iter().map(line).collect()
    }
}

fn view(engine: &Engine) -> RolloutView {
    engine.rollout(&rollout_id("r1")).expect("it has started")
}
