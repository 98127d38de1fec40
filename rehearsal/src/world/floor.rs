//! The floor: how the instances and their sidecars move.

use pavane_events::Millis;
use pavane_sidecar_engine::{Call, Effect, Input as Fact};

use super::broker::stirs;
use super::{Act, World};
use crate::dancer::Later;
use crate::performance::Noted;

impl World<'_> {
    pub(super) fn wake_dancer(&mut self, d: usize, at: Millis) {
        let dancer = &mut self.dancers[d];
        let at = at.max(self.now);
        let at = at + at % 2;
        if dancer.is_up() && dancer.wake.is_none_or(|wake| wake > at) {
            dancer.wake = Some(at);
            self.later(at - self.now, Act::Dancer(d));
        }
    }

    /// A sidecar reads what has come, and looks at its own deadlines.
    pub(super) fn rouse(&mut self, d: usize) {
        if self.dancers[d].wake != Some(self.now) {
            return;
        }
        self.dancers[d].wake = None;
        if !self.dancers[d].is_up() {
            return;
        }
        if !self.dancers[d].broken.deaf {
            while self.visible(self.dancers[d].position, self.dancers[d].lag).is_some() {
                let position = self.dancers[d].position;
                self.dancers[d].position += 1;
                self.show(d, position);
            }
        }
        if self.dancers[d].engine.next_deadline().is_some_and(|at| at <= self.now) {
            self.tell(d, Fact::Tick);
        }
        self.wake_again(d);
    }

    fn wake_again(&mut self, d: usize) {
        let dancer = &self.dancers[d];
        let own = dancer.engine.next_deadline();
        let unread = self.log.get(dancer.position..).filter(|_| !dancer.broken.deaf);
        let next = unread.and_then(|unread| unread.iter().position(stirs));
        let blocked = self.broker_away.max(self.registry_away);
        let came = |next: usize| self.came[dancer.position + next] + dancer.lag;
        let next = next.map(|next| came(next).max(blocked).max(self.now));
        if let Some(at) = own.into_iter().chain(next).min() {
            self.wake_dancer(d, at);
        }
    }

    /// A sidecar has just started: everything that stands on the log is read before it does anything.
    pub(super) fn catch_up(&mut self, d: usize) {
        let end = self.log.len();
        for position in 0..end {
            self.show(d, position);
        }
        self.dancers[d].position = end;
        self.tell(d, Fact::CaughtUp { end: i64::try_from(end).unwrap_or(i64::MAX) });
        self.wake_again(d);
        self.post(d);
    }

    /// A sidecar reads what stands at a place of the log, and what it orders is carried out.
    fn show(&mut self, d: usize, position: usize) {
        let effects = self.dancers[d].engine.read(self.now, &self.log[position]);
        self.carry(d, effects);
    }

    /// A sidecar learns something, and what it orders is carried out.
    fn tell(&mut self, d: usize, fact: Fact) {
        let effects = self.dancers[d].engine.handle(self.now, fact);
        self.carry(d, effects);
    }

    fn carry(&mut self, d: usize, effects: Vec<Effect>) {
        if effects.is_empty() {
            return;
        }
        for effect in &effects {
            if let Effect::RunHook(call) = effect {
                let instance = self.dancers[d].role.settings.instance.clone();
                let back = call.reaction == pavane_events::EventType::RollbackRequested.as_str();
                self.note(Noted::HookBegan { instance, back });
            }
        }
        let boot = self.dancers[d].boot;
        for (delay, later) in self.dancers[d].perform(&mut self.dice, effects) {
            match later {
                Later::Tell(fact) => self.later(delay, Act::Tell(d, boot, fact)),
                Later::Work(call) => self.later(delay, Act::Work(d, boot, call)),
            }
        }
        self.post(d);
    }

    /// The answer to an order reaches the sidecar that gave it, if it still lives.
    pub(super) fn answer(&mut self, d: usize, boot: u32, fact: Fact) {
        if self.dancers[d].boot == boot && self.dancers[d].is_up() {
            self.tell(d, fact);
            self.wake_again(d);
        }
    }

    /// A hook comes to its end, whether or not its sidecar still lives.
    pub(super) fn work(&mut self, d: usize, boot: u32, call: &Call) {
        self.news = self.now;
        if let Some(fact) = self.dancers[d].work(boot, call) {
            self.answer(d, boot, fact);
        }
    }
}
