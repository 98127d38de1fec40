//! The fold: alerts, silences and what was told go in; what is to be told comes out.

use std::collections::{BTreeMap, BTreeSet};

use pavane_events::{EventId, Millis, Timestamp};
use pavane_sentinel_engine::Alert;

use crate::board::Board;
use crate::errand::Errands;
use crate::group::{Group, Place, Standing, Told, is_over};
use crate::inhibit::Inhibition;
use crate::memory::Memory;
use crate::notification::{Notification, Row};
use crate::route::{Leaf, Tree};
use crate::silence::Silence;
use crate::storm::Storms;
use crate::value;

/// How often a group is looked at in which something is kept from being told: half a minute.
const LOOK_AGAIN: Millis = 30_000;
/// After so many failed attempts somebody else is told too.
const FAILURES: u32 = 3;

/// What can happen to a notifier.
#[derive(Clone, Debug)]
pub enum Input {
    /// An alert was raised, or resolved.
    Alert(Alert),
    /// A silence was written.
    Silenced(Silence),
    /// The silence with this id is gone.
    Unsilenced(String),
    /// A receiver was first known then; it is not told of what burnt long before.
    Known {
        /// The receiver.
        receiver: String,
        /// Since when.
        since: Timestamp,
    },
    /// A notification was delivered, by this replica or another.
    Told(Row),
    /// An attempt to deliver the notification with this id failed.
    Failed {
        /// The notification.
        id: String,
        /// How many attempts have failed.
        times: u32,
    },
    /// The notification with this id is no longer tried.
    GivenUp {
        /// The notification.
        id: String,
    },
    /// Everything that stood there at the start has been read: from here on people are told.
    Live,
    /// Time went by.
    Tick,
}

/// What became of an alert on its way to one receiver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It was told, or is being told.
    Told,
    /// It waits for others of its group until then.
    Waits(Timestamp),
    /// A silence keeps it from being told.
    Silenced(String),
    /// Another alert keeps it from being told.
    Inhibited(EventId),
    /// It is over.
    Over,
    /// It began long ago, or before the receiver was known.
    Spared,
}

/// Decides who is told what, and when.
#[derive(Debug)]
pub struct Notifier {
    tree: Tree,
    board: Board,
    memory: Memory,
    groups: BTreeMap<Place, Group>,
    /// The groups by receiver and key.
    by_key: BTreeMap<(String, String), Place>,
    /// The groups by when they are due.
    agenda: BTreeSet<(Timestamp, Place)>,
    errands: Errands,
    storms: Storms,
    live: bool,
    now: Timestamp,
}

impl Notifier {
    /// A notifier that knows no alert. `rules` are the file's; those that [always](Inhibition::always) hold are added.
    pub fn new(tree: Tree, rules: Vec<Inhibition>) -> Self {
        Self {
            tree,
            board: Board::new(rules),
            memory: Memory::default(),
            groups: BTreeMap::new(),
            by_key: BTreeMap::new(),
            agenda: BTreeSet::new(),
            errands: Errands::default(),
            storms: Storms::default(),
            live: false,
            now: Timestamp::default(),
        }
    }

    /// Takes one input. `now` is the wall clock of the replica: it decides when people are told, never what is true.
    #[must_use = "a notification that is not delivered is lost"]
    pub fn handle(&mut self, now: Timestamp, input: Input) -> Vec<Notification> {
        self.now = self.now.max(now);
        let mut out = Vec::new();
        match input {
            Input::Alert(alert) => self.alert(&alert),
            Input::Silenced(silence) => drop(self.board.silences.insert(silence.id.clone(), silence)),
            Input::Unsilenced(id) => drop(self.board.silences.remove(&id)),
            Input::Known { receiver, since } => self.memory.know(receiver, since),
            Input::Told(row) => self.told(&row),
            Input::Failed { id, times } if times >= FAILURES => self.errands.escalate(&id, &mut out),
            Input::GivenUp { id } => {
                self.errands.escalate(&id, &mut out);
                self.errands.give_up(&id);
            }
            Input::Live => self.live(),
            Input::Failed { .. } | Input::Tick => {}
        }
        self.act(&mut out);
        out
    }

    /// When to call again at the latest.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        let group = self.agenda.iter().find(|(_, place)| self.may_tell(place)).map(|(due, _)| *due);
        group.into_iter().chain(self.errands.next_deadline()).min()
    }

    /// Whether a notification still says something that its receiver was not told: another replica may have told it.
    pub fn is_needed(&self, notification: &Notification) -> bool {
        self.memory.lacks(notification)
    }

    /// Whether an alert burns, or its end is still to be told.
    pub fn holds(&self, id: &EventId) -> bool {
        self.board.alerts.contains_key(id)
    }

    /// What burns and was told to a receiver.
    pub fn burning(&self, receiver: &str) -> impl Iterator<Item = &Alert> {
        let told =
            move |alert: &&Alert| !is_over(alert) && self.memory.told(receiver, alert) == Some(Told::Firing);
        self.board.alerts.values().filter(told)
    }

    /// Everything that burns or whose end is still to be told, in the order of its ids.
    pub fn alerts(&self) -> impl Iterator<Item = &Alert> {
        self.board.alerts.values()
    }

    /// The silences, those that are over included until they are taken back.
    pub fn silences(&self) -> impl Iterator<Item = &Silence> {
        self.board.silences.values()
    }

    /// What became of an alert, by receiver.
    pub fn fates(&self, alert: &Alert) -> Vec<(String, Fate)> {
        let leaves = self.tree.leaves_of(&alert.labels).into_iter();
        leaves.map(|leaf| (leaf.receiver.clone(), self.fate(alert, leaf))).collect()
    }

    /// The tree of routes.
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    fn fate(&self, alert: &Alert, leaf: &Leaf) -> Fate {
        let member = |group: &&Group| group.members.contains_key(&alert.id);
        let mut groups = self.groups.iter().filter(|(place, _)| place.path == leaf.path);
        let group = groups.find_map(|(_, group)| Some(group).filter(member));
        let told = group.and_then(|group| group.members.get(&alert.id).copied().flatten());
        if told.is_some() || self.memory.told(&leaf.receiver, alert).is_some() {
            return Fate::Told;
        }
        if is_over(alert) {
            return Fate::Over;
        }
        if let Some(silence) = self.board.silencer(alert, self.now) {
            return Fate::Silenced(silence.id.clone());
        }
        if let Some(source) = self.board.inhibitor(alert) {
            return Fate::Inhibited(source.clone());
        }
        group.map_or(Fate::Spared, |group| Fate::Waits(group.due))
    }

    /// From here on people are told; what was told before is known now.
    fn live(&mut self) {
        self.live = true;
        for (place, group) in &mut self.groups {
            let Some(leaf) = self.tree.leaf(&place.path) else { continue };
            for (id, told) in &mut group.members {
                let Some(alert) = self.board.alerts.get(id) else { continue };
                let spared = || self.memory.spares(&leaf.receiver, alert, self.now).then_some(Told::Resolved);
                *told = (*told).max(self.memory.told(&leaf.receiver, alert)).or_else(spared);
            }
        }
    }

    /// Takes an alert in: into every group that it belongs to.
    fn alert(&mut self, alert: &Alert) {
        let leaves: Vec<Leaf> = self.tree.leaves_of(&alert.labels).into_iter().cloned().collect();
        self.board.put(alert.clone(), self.now);
        for leaf in leaves {
            self.join(&leaf, alert);
        }
        self.board.drop_if_done(&alert.id);
    }

    /// Puts an alert into its group by a route, and says when the group is looked at.
    fn join(&mut self, leaf: &Leaf, alert: &Alert) {
        let told = self.memory.told(&leaf.receiver, alert);
        let is_spared = || self.memory.spares(&leaf.receiver, alert, self.now);
        if told == Some(Told::Resolved) || told.is_none() && is_spared() {
            return;
        }
        let own = Place { path: leaf.path.clone(), labels: leaf.group_of(&alert.labels), storm: false };
        let place = self.home(own, alert);
        let wait = if is_over(alert) { 0 } else { leaf.wait_for(&alert.labels) };
        let (soon, key) = (self.now.plus(wait), (leaf.receiver.clone(), place.key(leaf)));
        let told_at = self.memory.told_at(&key.0, &key.1);
        let group = self.groups.entry(place.clone()).or_insert_with(|| Group { told_at, ..Group::new(soon) });
        self.by_key.insert(key, place.clone());
        if !group.members.contains_key(&alert.id) {
            self.board.join(&alert.id);
        }
        let known = group.members.entry(alert.id.clone()).or_insert(told);
        *known = (*known).max(told);
        let next = group.told_at.map_or(soon, |at| soon.max(at.plus(group.interval(&place, leaf))));
        let is_empty = group.members.len() == 1;
        let due = if is_empty { next } else { group.due.min(next) };
        self.look_at(&place, due);
    }

    /// The group that an alert is in: its own, or the one that gathers a storm if that has it.
    fn home(&self, own: Place, alert: &Alert) -> Place {
        let storm = storm_of(&own, alert);
        let gathered = self.groups.get(&storm).is_some_and(|group| group.members.contains_key(&alert.id));
        if gathered { storm } else { own }
    }

    fn look_at(&mut self, place: &Place, due: Timestamp) {
        if let Some(group) = self.groups.get_mut(place) {
            self.agenda.remove(&(group.due, place.clone()));
            group.due = due;
            self.agenda.insert((due, place.clone()));
        }
    }

    fn told(&mut self, row: &Row) {
        self.memory.read(row);
        let group = self.by_key.get(&(row.receiver.clone(), row.group.clone()));
        if let Some(group) = group.and_then(|place| self.groups.get_mut(place)) {
            group.learn(row);
        }
        self.errands.arrived(row);
    }

    /// Tells what is due.
    fn act(&mut self, out: &mut Vec<Notification>) {
        self.errands.escalate_late(self.now, out);
        while let Some((due, place)) = self.next_due() {
            self.agenda.remove(&(due, place.clone()));
            self.flush(&place, out);
        }
        self.board.flaps.forget(self.now);
    }

    fn next_due(&self) -> Option<(Timestamp, Place)> {
        let due = self.agenda.iter().take_while(|(due, _)| *due <= self.now);
        due.filter(|(_, place)| self.may_tell(place)).map(Clone::clone).next()
    }

    /// Nothing is told before it is known what was told, but for what stands on no log, such as blindness.
    fn may_tell(&self, place: &Place) -> bool {
        let is_straight = |id: &EventId| {
            let alert = self.board.alerts.get(id);
            alert.is_some_and(|alert| crate::is_straight(&alert.labels))
        };
        self.live || self.groups.get(place).is_some_and(|group| group.members.keys().all(is_straight))
    }

    /// Tells what is to be told of one group.
    fn flush(&mut self, place: &Place, out: &mut Vec<Notification>) {
        let Some(leaf) = self.tree.leaf(&place.path).cloned() else { return };
        let Some(mut group) = self.groups.remove(place) else { return };
        let key = (leaf.receiver.clone(), place.key(&leaf));
        if self.is_too_much(place, &leaf, &group) {
            self.by_key.remove(&key);
            self.gather(place, group);
            return;
        }
        let standing = |alert| (alert, self.board.standing(alert, self.now));
        let alerts: Vec<(&Alert, Standing)> = self.members(&group).map(standing).collect();
        let after = self.memory.told_at(&key.0, &key.1);
        let news = group.tell((place, &leaf), &alerts, after, self.now);
        if let Some(news) = news {
            if place.storm {
                let new = if news.brings_new() { news.firing.len() } else { 0 };
                self.storms.gathered(&leaf, value(&place.labels, "domain"), new, self.now);
            }
            self.errands.send(&leaf, news, &self.memory, self.now, out);
        }
        for (id, _) in group.members.extract_if(.., |_, told| *told == Some(Told::Resolved)) {
            self.board.leave(&id);
        }
        if group.members.is_empty() {
            self.by_key.remove(&key);
            return;
        }
        let due = self.now.plus(group.interval(place, &leaf).max(LOOK_AGAIN));
        let due = self.belief(&group).map_or(due, |at| due.min(at.max(self.now.plus(1))));
        group.due = due;
        self.agenda.insert((due, place.clone()));
        self.groups.insert(place.clone(), group);
    }

    /// When the end of something that flaps is believed.
    fn belief(&self, group: &Group) -> Option<Timestamp> {
        self.members(group).filter_map(|alert| self.board.believed(alert)).filter(|at| *at > self.now).min()
    }

    /// The alerts of a group.
    fn members(&self, group: &Group) -> impl Iterator<Item = &Alert> {
        group.members.keys().filter_map(|id| self.board.alerts.get(id))
    }

    /// Whether too much is told one by one already for this group to be.
    fn is_too_much(&mut self, place: &Place, leaf: &Leaf, group: &Group) -> bool {
        let untold = group.members.values().all(Option::is_none);
        let burning = group.members.keys().filter_map(|id| self.board.alerts.get(id));
        let mut burning = burning.filter(|alert| self.board.standing(alert, self.now) == Standing::Burns);
        let Some(domain) = burning.next().map(|alert| value(&alert.labels, "domain").to_owned()) else {
            return false;
        };
        untold && !place.storm && leaf.gathers() && !self.storms.admits(leaf, &domain, self.now)
    }

    fn gather(&mut self, place: &Place, group: Group) {
        let mut due = None;
        for (id, told) in group.members {
            let Some(alert) = self.board.alerts.get(&id) else { continue };
            let storm = storm_of(place, alert);
            let leaf = self.tree.leaf(&storm.path);
            if let Some(leaf) = leaf {
                self.by_key.insert((leaf.receiver.clone(), storm.key(leaf)), storm.clone());
            }
            let gathering = self.groups.entry(storm.clone()).or_insert_with(|| Group::gathering(self.now));
            gathering.members.insert(id, told);
            let at = if gathering.told_at.is_none() { gathering.due } else { gathering.due.max(self.now) };
            due = Some((storm, at));
        }
        if let Some((storm, at)) = due {
            self.look_at(&storm, at);
        }
    }
}

/// Where the alerts of a group go in a storm: to those of the whole domain on the same route.
fn storm_of(place: &Place, alert: &Alert) -> Place {
    let domain = ("domain".to_owned(), value(&alert.labels, "domain").to_owned());
    Place { path: place.path.clone(), labels: [domain].into(), storm: true }
}
