//! Two services, three steps, two sentinels, and every order in which what they do can come to the log, as far as there is
//! room: each state is held against what must always be true.
//!
//! A sentinel here has no memory but what it has read, which may end some records before the end, and whenever it acts it
//! proposes and says all that it believes to be due; one of them believes that it is later than it is. From each of some
//! beginnings the nearest states are looked at first. `PAVANE_STATES=N` looks at that many, and says how deep it came.

#[path = "small_scope/dance.rs"]
mod dance;
mod floor;
#[path = "small_scope/log.rs"]
mod log;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use dance::{Act, BEGINNINGS, Move, ONCE, sentinels_do};
use log::Tree;

/// How many states are looked at where nobody asks for more.
const STATES: usize = 6_000;
/// How many things happen one after another at most, beyond a beginning.
const DEPTH: usize = 12;
/// How many records a sentinel lags behind at most.
const LAG: usize = 4;

/// Where the world stands: the log, and what was done that is done once.
#[derive(Clone, Copy)]
struct State {
    log: usize,
    done: u16,
}

#[test]
#[expect(clippy::disallowed_macros, reason = "how much was looked at is part of what is promised")]
fn whatever_order_things_come_in_what_must_be_true_is() {
    let most = asked_for("PAVANE_STATES").unwrap_or(STATES) / BEGINNINGS.len();
    let mut tree = Tree::new();
    let (mut states, mut depths) = (0, BTreeMap::new());
    for beginning in BEGINNINGS {
        let first = lead(&mut tree, beginning);
        states += explore(&mut tree, first, most, &mut depths);
    }
    eprintln!("{states} states of {} logs; by depth {depths:?}; {:?}", tree.len(), tree.reached);
    for must in ["Open", "Completed", "RollingBack", "RolledBack", "stalled", "paused", "void"] {
        assert!(tree.reached.contains_key(must), "nothing reached {must}: {:?}", tree.reached);
    }
}

/// Looks at the nearest states from here, so many of them.
fn explore(tree: &mut Tree, first: State, most: usize, depths: &mut BTreeMap<usize, usize>) -> usize {
    let key = |tree: &Tree, state: State| (tree.number(state.log), state.done);
    let (mut seen, mut queue) = (BTreeSet::from([key(tree, first)]), VecDeque::from([(first, 0)]));
    while let Some((state, depth)) = queue.pop_front() {
        *depths.entry(depth).or_default() += 1;
        if depth == DEPTH || seen.len() == most {
            continue;
        }
        for next in successors(tree, state) {
            if seen.len() < most && seen.insert(key(tree, next)) {
                queue.push_back((next, depth + 1));
            }
        }
    }
    seen.len()
}

/// Where a beginning leads.
fn lead(tree: &mut Tree, beginning: &[Move]) -> State {
    let mut state = State { log: tree.begin(), done: 0 };
    for step in beginning {
        match step {
            Move::Once(n) => {
                let event = ONCE[*n].event(tree, state.log).expect("it can happen");
                state = State { log: tree.append(state.log, event, 0), done: state.done | 1 << n };
            }
            Move::Tick => state.log = tick(tree, state.log),
            Move::Sentinel => {
                for event in sentinels_do(tree, 0, state.log, state.log) {
                    state.log = tree.append(state.log, event, 0);
                }
            }
        }
    }
    state
}

fn tick(tree: &mut Tree, log: usize) -> usize {
    let tick = Act::Tick.event(tree, log).expect("time goes by whatever happens");
    tree.append(log, tick, 1_900)
}

fn successors(tree: &mut Tree, state: State) -> Vec<State> {
    let mut next = Vec::new();
    for (n, act) in ONCE.iter().enumerate().filter(|(n, _)| state.done & (1 << n) == 0) {
        if let Some(event) = act.event(tree, state.log) {
            next.push(State { log: tree.append(state.log, event, 0), done: state.done | 1 << n });
        }
    }
    next.push(State { log: tick(tree, state.log), ..state });
    let mut known = BTreeSet::new();
    for (k, read) in tree.path(state.log).into_iter().rev().take(LAG).flat_map(|read| [(0, read), (1, read)])
    {
        let events = sentinels_do(tree, k, read, state.log);
        let new = known.insert(format!("{:?}", events.iter().map(|event| &event.body).collect::<Vec<_>>()));
        if new && !events.is_empty() {
            let log = events.into_iter().fold(state.log, |log, event| tree.append(log, event, 0));
            next.push(State { log, ..state });
        }
    }
    next
}

#[expect(clippy::disallowed_methods, reason = "a test may be asked for more")]
fn asked_for(name: &str) -> Option<usize> {
    std::env::var(name).ok().and_then(|n| n.parse().ok())
}
