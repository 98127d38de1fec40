//! What a sidecar does in its turn, what its service answers, and how its outbox drains.

use pavane_events::Timestamp;
use pavane_sidecar_engine::{Effect, Input as Fact};

use crate::fault::{Kind, NEVER};
use crate::partition::Beat;
use crate::sidecar::Later;
use crate::voice;
use crate::world::{Act, World};

impl World {
    pub(crate) fn sidecar(&mut self, d: usize) {
        let again = self.dice.between(20, 160);
        self.at(again, Act::Sidecar(d));
        let now = self.now;
        if self.faults.on(Kind::SidecarCrash, d, now) {
            if !self.sidecars[d].down {
                self.sidecars[d].down = true;
                self.sidecars[d].reboot();
                self.tell(|world| format!("{} is killed", world.sidecars[d].name));
            }
            return;
        }
        if self.sidecars[d].down {
            self.sidecars[d].down = false;
            self.tell(|world| format!("{} starts again", world.sidecars[d].name));
            self.begin_send(d);
        }
        if self.faults.on(Kind::SidecarFreeze, d, now) {
            return;
        }
        self.beat(d);
        let p = self.sidecars[d].partition;
        if self.faults.unreachable(p, now) {
            return self.inform(d, Fact::Tick);
        }
        let late = if self.faults.on(Kind::SidecarLag, d, now) { 4_000 } else { 0 };
        let end = *self.sidecars[d].end.get_or_insert(self.partitions[p].end());
        while self.sidecars[d].position < self.partitions[p].end() {
            let one = &self.sidecars[d];
            if self.partitions[p].truth[one.position] + one.lag + late > now {
                break;
            }
            let entry = self.partitions[p].entries[one.position].clone();
            self.sidecars[d].position += 1;
            self.inform(d, Fact::Observed(entry));
            if self.sidecars[d].position == end {
                self.caught_up(d, end);
            }
        }
        if end == 0 && !self.sidecars[d].engine.is_caught_up() {
            self.caught_up(d, end);
        }
        self.inform(d, Fact::Tick);
    }

    fn caught_up(&mut self, d: usize, end: usize) {
        self.inform(d, Fact::CaughtUp { end: i64::try_from(end).expect("short") });
    }

    /// A heartbeat every second, on a topic of its own.
    fn beat(&mut self, d: usize) {
        let one = &mut self.sidecars[d];
        if self.now - one.last_beat < 1_000 {
            return;
        }
        one.last_beat = self.now;
        let partition = &mut self.partitions[one.partition];
        let mut heartbeat =
            voice::heartbeat(&partition.domain, &one.name, &one.settings.boot, one.engine.phase().word);
        heartbeat.outbox = i64::try_from(one.outbox.len()).expect("short");
        heartbeat.acknowledged = one.acknowledged;
        let away =
            self.faults.any(Kind::BrokerAway, self.now) || self.faults.any(Kind::BrokerFrozen, self.now);
        if !away && !self.faults.any(Kind::HeartbeatsGone, self.now) {
            let at = Timestamp(self.now + self.broker_offset);
            partition.beats.push(Beat { came: self.now, heartbeat, at });
        }
    }

    /// Tells a sidecar's engine a fact and carries out what it orders.
    fn inform(&mut self, d: usize, fact: Fact) {
        let effects = self.sidecars[d].engine.handle(self.now, fact);
        for effect in &effects {
            if let Effect::RunHook(call) = effect {
                let (rollout, reaction) = (call.rollout.clone(), call.reaction.clone());
                self.tell(|world| {
                    format!("{} runs its hook on {reaction} of {rollout}", world.sidecars[d].name)
                });
            }
        }
        for (delay, later) in self.sidecars[d].perform(&mut self.dice, effects) {
            self.at(delay, Act::Later(d, later));
        }
        self.begin_send(d);
    }

    pub(crate) fn later(&mut self, d: usize, later: Later) {
        let frozen = self.faults.on(Kind::SidecarFreeze, d, self.now);
        match later {
            // the hook works on, whatever becomes of its sidecar
            Later::Work(boot, call) => {
                let answer = self.sidecars[d].work(&call);
                if let Some(fact) = answer {
                    self.at(0, Act::Later(d, Later::Tell(boot, Box::new(fact))));
                }
            }
            Later::Tell(..) | Later::Send(_) if frozen => self.at(150, Act::Later(d, later)),
            Later::Tell(boot, fact) => {
                if self.sidecars[d].boot == boot && !self.sidecars[d].down {
                    self.inform(d, *fact);
                }
            }
            Later::Send(boot) => self.drain(d, boot),
        }
    }

    fn begin_send(&mut self, d: usize) {
        let one = &mut self.sidecars[d];
        if one.sending || one.down || one.outbox.is_empty() {
            return;
        }
        one.sending = true;
        let boot = one.boot;
        let slow = self.lasting.is_none() && self.dice.chance(3)
            || self.faults.any(Kind::Delays, self.now) && self.dice.chance(40);
        let delay = if slow { self.dice.between(1_000, 5_000) } else { self.dice.pick(&[1, 5, 30, 30, 300]) };
        self.at(delay, Act::Later(d, Later::Send(boot)));
    }

    /// First in, first out: the next event goes when the broker has acknowledged the one before. Who dies between the
    /// broker's word and his own note of it sends it again.
    fn drain(&mut self, d: usize, boot: u32) {
        let (p, now) = (self.sidecars[d].partition, self.now);
        let at = self.faults.reachable_at(p, now);
        if at > now && self.sidecars[d].boot == boot {
            if at < NEVER {
                let delay = at - now + self.dice.between(1, 300);
                self.at(delay, Act::Later(d, Later::Send(boot)));
            }
            return;
        }
        let stale = self.sidecars[d].boot != boot;
        let Some(event) = self.sidecars[d].outbox.front().cloned() else { return };
        if stale {
            // it was on its way when its sidecar died
            if self.dice.chance(50) {
                self.send(p, 0, event);
            }
            return;
        }
        let one = &mut self.sidecars[d];
        one.outbox.pop_front();
        one.sending = false;
        if event.envelope.boot.as_ref() == Some(&one.settings.boot) {
            one.acknowledged = event.envelope.sequence.unwrap_or(one.acknowledged);
        }
        let again = if self.faults.any(Kind::Duplicates, now) { 60 } else { 4 };
        if self.lasting.is_none() && self.dice.chance(again) {
            let later = self.dice.between(1, 3_000);
            self.at(later, Act::Append(p, Box::new(event.clone())));
        }
        self.append(p, event);
        self.begin_send(d);
    }
}
