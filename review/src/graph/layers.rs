//! Turns: each node stands after all that it waits for, and after all of the phases before its own.

use super::network::{Edge, Node};

/// Turns edges round until none leads in a circle; walks from the first node, and an edge that meets a node on the
/// way to itself leads back.
pub(super) fn break_circles(nodes: &[Node], edges: &mut [Edge]) {
    const NEW: u8 = 0;
    const OPEN: u8 = 1;
    const DONE: u8 = 2;
    let mut out = vec![Vec::new(); nodes.len()];
    let mut entered = vec![0usize; nodes.len()];
    for (at, edge) in edges.iter().enumerate() {
        out[edge.from].push(at);
        entered[edge.to] += 1;
    }
    let mut roots: Vec<usize> = (0..nodes.len()).collect();
    roots.sort_by_key(|&node| (entered[node], node));
    let mut state = vec![NEW; nodes.len()];
    for root in roots {
        let mut walk = if state[root] == NEW { vec![(root, 0)] } else { Vec::new() };
        while let Some((node, next)) = walk.pop() {
            state[node] = OPEN;
            let Some(&at) = out[node].get(next) else {
                state[node] = DONE;
                continue;
            };
            walk.push((node, next + 1));
            match state[edges[at].to] {
                NEW => walk.push((edges[at].to, 0)),
                OPEN => edges[at].back = true,
                _ => {}
            }
        }
    }
}

/// Gives each node its turn, and returns the first and last turn of each band. An edge against the order of the
/// bands leads back.
pub(super) fn assign(nodes: &mut [Node], edges: &mut [Edge], bands: usize) -> Vec<(usize, usize)> {
    for edge in edges.iter_mut() {
        edge.back |= nodes[edge.from].band > nodes[edge.to].band;
    }
    let mut order = sorted(nodes.len(), edges);
    order.sort_by_key(|&node| nodes[node].band);
    let mut waits = vec![Vec::new(); nodes.len()];
    for edge in edges.iter().filter(|edge| !edge.back) {
        waits[edge.to].push(edge.from);
    }
    let (mut spans, mut floor, mut band) = (vec![(0, 0); bands], 0, None);
    let mut highest = 0;
    for node in order {
        if nodes[node].band != band {
            band = nodes[node].band;
            floor = highest;
            if let Some(band) = band {
                spans[band] = (floor, floor);
            }
        }
        let after = waits[node].iter().map(|&from| nodes[from].layer + 1).max().unwrap_or(0);
        nodes[node].layer = after.max(floor);
        highest = highest.max(nodes[node].layer + 1);
        if let Some(band) = band {
            spans[band].1 = nodes[node].layer.max(spans[band].1);
        }
    }
    spans
}

/// The nodes, each after all that lead to it; of several that are free, the first.
fn sorted(count: usize, edges: &[Edge]) -> Vec<usize> {
    let mut out = vec![Vec::new(); count];
    let mut entered = vec![0usize; count];
    for edge in edges.iter().filter(|edge| !edge.back) {
        out[edge.from].push(edge.to);
        entered[edge.to] += 1;
    }
    let mut order: Vec<usize> = (0..count).filter(|&node| entered[node] == 0).collect();
    let mut next = 0;
    while let Some(&node) = order.get(next) {
        next += 1;
        for &to in &out[node] {
            entered[to] -= 1;
            if entered[to] == 0 {
                order.push(to);
            }
        }
    }
    order
}
