//! A picture on a plane: a box for each node, a way for each edge, a strip for each phase.
//!
//! Turns stand side by side from left to right, or, where that would be too wide, one beneath the other. A way
//! passes a turn through a gap of its own and bends between the turns alone, so it can touch no box but those at
//! its ends. Ways from one node share their bends: they leave as one and branch.

use std::collections::BTreeMap;

use super::network::{Kind, Sheet};
use super::order::{self, Slots};
use super::place::{self, Size};

/// The widest picture that still stands from left to right, in pixels.
const WIDEST: i64 = 2_000;
const BETWEEN_NODES: i64 = 16;
const BETWEEN_BENDS: i64 = 9;
const MARGIN: i64 = 16;
/// How far a way back lies beside the way there, in pixels.
const ASIDE: i64 = 8;

/// A point, in pixels from the upper left corner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Point {
    /// To the right.
    pub x: i64,
    /// Down.
    pub y: i64,
}

/// A box, in pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rect {
    /// Its left side.
    pub x: i64,
    /// Its upper side.
    pub y: i64,
    /// How wide it is.
    pub width: i64,
    /// How high it is.
    pub height: i64,
}

/// The picture of one sheet, without head and legend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// How wide it is, in pixels.
    pub width: i64,
    /// How high it is, in pixels.
    pub height: i64,
    /// Whether the turns stand from left to right; else from the top down.
    pub rightward: bool,
    /// The box of each node.
    pub boxes: Vec<Rect>,
    /// The way of each edge, from the box that is waited for to the one that waits: points of which each second
    /// pair is joined by a straight line along the turns and the others by a bend between them.
    pub ways: Vec<Vec<Point>>,
    /// The strip of each band.
    pub bands: Vec<Rect>,
}

/// How large things are, in pixels.
#[derive(Clone, Copy, Debug)]
pub struct Measure {
    /// The width of a box.
    pub width: i64,
    /// The height of a box.
    pub height: i64,
    /// The height of the head of a phase, above its strip or to its left.
    pub head: i64,
    /// The width of the head of a phase, where it stands to the left.
    pub side: i64,
}

/// Lays a sheet out.
pub fn lay(sheet: &Sheet, measure: Measure) -> Layout {
    let mut plane = Plane::new(sheet);
    let rows = order::arrange(&plane.slots);
    let turns = i64::try_from(rows.len()).unwrap_or(i64::MAX / WIDEST);
    let most = rows.iter().map(Vec::len).max().unwrap_or(0);
    let broad = i64::try_from(most).unwrap_or(i64::MAX / WIDEST) * (measure.width + BETWEEN_NODES);
    let long: i64 = gaps(sheet, &plane.slots, &rows).iter().sum::<i64>() + turns * measure.width;
    let rightward = long <= WIDEST || long <= broad;
    let (along, across) =
        if rightward { (measure.width, measure.height) } else { (measure.height, measure.width) };
    plane.sizes = (0..plane.slots.layer.len())
        .map(|slot| {
            let bend = slot >= sheet.nodes.len();
            let (extent, gap) = if bend { (2, BETWEEN_BENDS) } else { (across, BETWEEN_NODES) };
            Size { extent, gap, bend }
        })
        .collect();
    plane.middles = place::settle(&plane.slots, &rows, &plane.sizes);
    plane.starts = starts(&gaps(sheet, &plane.slots, &rows), along);
    plane.draw(sheet, measure, rightward)
}

/// The slots of a sheet and where they stand: `starts` along the turns, `middles` across.
struct Plane {
    slots: Slots,
    paths: Vec<Vec<usize>>,
    sizes: Vec<Size>,
    middles: Vec<i64>,
    starts: Vec<i64>,
}

impl Plane {
    fn new(sheet: &Sheet) -> Self {
        let mut slots = Slots::default();
        for node in &sheet.nodes {
            slots.add(node.layer);
        }
        let mut bends: BTreeMap<(usize, bool, usize), usize> = BTreeMap::new();
        let path = |edge: &super::Edge| {
            let (low, high) = if edge.back { (edge.to, edge.from) } else { (edge.from, edge.to) };
            let mut path = vec![low];
            for layer in sheet.nodes[low].layer + 1..sheet.nodes[high].layer {
                let bend = *bends.entry((low, edge.back, layer)).or_insert_with(|| slots.add(layer));
                path.push(bend);
            }
            path.push(high);
            for pair in path.windows(2) {
                slots.link(pair[0], pair[1]);
            }
            path
        };
        let paths = sheet.edges.iter().map(path).collect();
        Self { slots, paths, sizes: Vec::new(), middles: Vec::new(), starts: Vec::new() }
    }

    fn draw(&self, sheet: &Sheet, measure: Measure, rightward: bool) -> Layout {
        let (along, across) =
            if rightward { (measure.width, measure.height) } else { (measure.height, measure.width) };
        let banded = !sheet.bands.is_empty();
        let head = match (banded, rightward) {
            (false, _) => 0,
            (true, true) => measure.head,
            (true, false) => measure.side,
        };
        let shift = (MARGIN, MARGIN + head);
        let point = |main: i64, cross: i64| {
            let (main, cross) = (main + shift.0, cross + shift.1);
            if rightward { Point { x: main, y: cross } } else { Point { x: cross, y: main } }
        };
        let rect = |main: i64, cross: i64, along: i64, across: i64| {
            let Point { x, y } = point(main, cross);
            if rightward {
                Rect { x, y, width: along, height: across }
            } else {
                Rect { x, y, width: across, height: along }
            }
        };
        let boxes =
            sheet.nodes.iter().enumerate().map(|(at, node)| {
                rect(self.starts[node.layer], self.middles[at] - across / 2, along, across)
            });
        let ports = self.ports(across);
        let ways = self.paths.iter().zip(&sheet.edges).map(|(path, edge)| {
            let mut way: Vec<Point> =
                self.way(path, along, &ports).into_iter().map(|(main, cross)| point(main, cross)).collect();
            if edge.back {
                way.reverse();
                // Between neighbours the way there and the way back would lie on each other.
                let aside = if way.len() == 2 { ASIDE } else { 0 };
                for point in &mut way {
                    *(if rightward { &mut point.y } else { &mut point.x }) += aside;
                }
            }
            way
        });
        let end = self.starts.last().map_or(0, |last| last + along);
        let ends = (0..self.middles.len()).map(|slot| self.middles[slot] + self.sizes[slot].extent / 2);
        let breadth = ends.max().unwrap_or(0) + 1;
        let bands = sheet.bands.iter().map(|band| {
            let (from, to) = (self.starts[band.layers.0] - 12, self.starts[band.layers.1] + along + 12);
            rect(from, -head, to - from, breadth + head + MARGIN / 2)
        });
        let (long, broad) = (end + 2 * MARGIN, breadth + head + 2 * MARGIN);
        let (width, height) = if rightward { (long, broad) } else { (broad, long) };
        Layout {
            width,
            height,
            rightward,
            boxes: boxes.collect(),
            ways: ways.collect(),
            bands: bands.collect(),
        }
    }

    /// The points of a way, along and across: out of the box, through each bend, into the box.
    fn way(
        &self,
        path: &[usize],
        along: i64,
        ports: &BTreeMap<(usize, usize), (i64, i64)>,
    ) -> Vec<(i64, i64)> {
        let mut points = Vec::new();
        for pair in path.windows(2) {
            let (leaves, enters) = ports[&(pair[0], pair[1])];
            points.push((self.starts[self.slots.layer[pair[0]]] + along, leaves));
            points.push((self.starts[self.slots.layer[pair[1]]], enters));
        }
        points
    }

    /// Where each link leaves and enters, across: spread over the side of a box in the order of the other ends.
    fn ports(&self, across: i64) -> BTreeMap<(usize, usize), (i64, i64)> {
        let mut ports = BTreeMap::new();
        for slot in 0..self.slots.layer.len() {
            for (to, at) in self.spread(slot, &self.slots.behind[slot], across) {
                ports.entry((slot, to)).or_insert((at, 0)).0 = at;
            }
            for (from, at) in self.spread(slot, &self.slots.before[slot], across) {
                ports.entry((from, slot)).or_insert((0, at)).1 = at;
            }
        }
        ports
    }

    fn spread(&self, slot: usize, others: &[usize], across: i64) -> Vec<(usize, i64)> {
        let mut others = others.to_vec();
        others.sort_by_key(|&other| (self.middles[other], other));
        let gaps = i64::try_from(others.len()).unwrap_or(i64::MAX) - 1;
        let room = if self.sizes[slot].bend { 0 } else { (across * 7 / 10).min(gaps * 14) };
        let at = |place: usize| {
            let place = i64::try_from(place).unwrap_or(0);
            self.middles[slot] - room / 2 + if gaps == 0 { 0 } else { room * place / gaps }
        };
        others.into_iter().enumerate().map(|(place, other)| (other, at(place))).collect()
    }
}

/// The room before each turn: wider where many ways bend, and where a phase begins.
fn gaps(sheet: &Sheet, slots: &Slots, rows: &[Vec<usize>]) -> Vec<i64> {
    let begins = |layer: usize| sheet.bands.iter().any(|band| band.layers.0 == layer);
    // Beside the ends of ways of which one is enough stands a word.
    let chooses = |layer: usize| {
        sheet.edges.iter().any(|edge| edge.kind == Kind::Any && sheet.nodes[edge.to].layer == layer)
    };
    let gap = |layer: usize| {
        let ways: usize =
            if layer == 0 { 0 } else { rows[layer - 1].iter().map(|&s| slots.behind[s].len()).sum() };
        let ways = i64::try_from(ways.min(44)).unwrap_or(44);
        let room = if layer == 0 { 0 } else { 40 + ways + if chooses(layer) { 18 } else { 0 } };
        room + if begins(layer) { 20 } else { 0 }
    };
    (0..rows.len()).map(gap).collect()
}

fn starts(gaps: &[i64], along: i64) -> Vec<i64> {
    let mut at = -along;
    gaps.iter()
        .map(|gap| {
            at += along + gap;
            at
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::graph::network::tests::{phase, plan};
    use crate::graph::{By, Graph};

    const MEASURE: Measure = Measure { width: 160, height: 60, head: 60, side: 190 };

    /// A plan in which each step waits for steps not far before it, with phases or without.
    fn woven(count: usize, phases: usize, seed: u64) -> Graph {
        let mut state = seed;
        let mut dice = |sides: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(state >> 33).expect("31 bits") % sides
        };
        let names: Vec<String> = (0..count).map(|at| format!("s{at:04}")).collect();
        let mut waits: Vec<(Vec<&str>, Vec<&str>)> = Vec::new();
        for at in 0..count {
            let mut some = |most: usize| {
                let near = at.min(2 + count / 6);
                let mut some: Vec<&str> = (0..if at == 0 { 0 } else { dice(most) })
                    .map(|_| names[at - 1 - dice(near)].as_str())
                    .collect();
                some.sort_unstable();
                some.dedup();
                some
            };
            waits.push((some(4), some(3)));
        }
        let steps: Vec<(&str, &[&str], &[&str])> =
            names.iter().zip(&waits).map(|(name, (all, any))| (name.as_str(), &all[..], &any[..])).collect();
        let mut plan = plan(&steps);
        for (at, names) in names.chunks(count.div_ceil(phases.max(1)).max(1)).take(phases).enumerate() {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            plan.phases.push(phase(&format!("p{at}"), &names));
        }
        for (at, step) in plan.steps.iter_mut().enumerate() {
            step.owner = format!("team-{}", at % 7);
        }
        Graph::of(&[plan], By::Step)
    }

    fn apart(one: Rect, other: Rect) -> bool {
        one.x + one.width <= other.x
            || other.x + other.width <= one.x
            || one.y + one.height <= other.y
            || other.y + other.height <= one.y
    }

    fn sound(sheet: &Sheet) {
        let layout = lay(sheet, MEASURE);
        assert_eq!(layout, lay(sheet, MEASURE));
        for (at, one) in layout.boxes.iter().enumerate() {
            assert!(one.x >= 0 && one.y >= 0 && one.x + one.width <= layout.width, "{one:?}");
            assert!(one.y + one.height <= layout.height, "{one:?}");
            for other in &layout.boxes[at + 1..] {
                assert!(apart(*one, *other), "{one:?} {other:?}");
            }
        }
        for (edge, way) in sheet.edges.iter().zip(&layout.ways) {
            assert!(edge.back || sheet.nodes[edge.from].layer < sheet.nodes[edge.to].layer, "{edge:?}");
            for pair in way.windows(2) {
                // A bend stays within the corners of its ends.
                let (left, right) = (pair[0].x.min(pair[1].x), pair[0].x.max(pair[1].x));
                let (top, bottom) = (pair[0].y.min(pair[1].y), pair[0].y.max(pair[1].y));
                let passed = Rect { x: left, y: top, width: right - left, height: bottom - top };
                for hit in &layout.boxes {
                    assert!(apart(passed, *hit), "{edge:?} {pair:?} {hit:?}");
                }
            }
        }
        for (node, one) in sheet.nodes.iter().zip(&layout.boxes) {
            let Some(band) = node.band.map(|band| layout.bands[band]) else { continue };
            assert!(band.x <= one.x && one.x + one.width <= band.x + band.width, "{node:?}");
            assert!(band.y <= one.y && one.y + one.height <= band.y + band.height, "{node:?}");
        }
        for (at, one) in layout.bands.iter().enumerate() {
            layout.bands[at + 1..].iter().for_each(|other| assert!(apart(*one, *other)));
        }
    }

    #[test]
    fn boxes_and_ways_keep_apart_at_sixty_and_at_three_hundred_steps() {
        for (count, phases) in [(60, 0), (60, 5), (60, 60), (300, 0), (300, 12)] {
            sound(&woven(count, phases, 7).sheets[0]);
        }
    }

    #[test]
    fn a_plan_of_a_thousand_steps_side_by_side_is_laid_out() {
        let graph = woven(1_000, 0, 3);
        assert_eq!(lay(&graph.sheets[0], MEASURE).boxes.len(), 1_000);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn whatever_the_plan_boxes_and_ways_keep_apart(count in 1usize..40, phases in 0usize..6, seed: u64) {
            let graph = woven(count, phases, seed);
            sound(&graph.sheets[0]);
            prop_assert_eq!(graph.to_svg(), woven(count, phases, seed).to_svg());
        }
    }
}
