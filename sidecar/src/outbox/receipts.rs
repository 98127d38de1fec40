//! What the door has answered under a key, so that the same request gets the same answer and makes no second event.
//!
//! The log remembers it first: an event stands there under its key. A receipt saves reading the log again, so it needs
//! no sync of its own; what was not written before a crash is learnt from the log as it is read to its end.

use std::collections::{BTreeMap, VecDeque};

use pavane_events::EventId;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

/// How many answers are remembered; the oldest goes first.
pub(crate) const REMEMBERED: usize = 10_000;

/// What was answered for an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Receipt {
    pub(crate) id: EventId,
    /// What the request said, in short; none where it was learnt from the log.
    pub(crate) digest: Option<u64>,
    pub(crate) sequence: i64,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
}

/// What is answered to who waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The broker has it.
    Appended(Receipt),
    /// The journal has it.
    Kept { id: EventId, sequence: i64 },
    /// It can never be written, and why.
    Never(String),
    /// The disk is full, and nothing of it is kept.
    Full,
}

/// Who waits for an answer.
pub(crate) type Waiter = oneshot::Sender<Answer>;

/// An event that the broker has not answered for.
#[derive(Debug, Default)]
struct Open {
    digest: Option<u64>,
    /// Whether a request may name it again.
    keyed: bool,
    /// Its sequence number, once the journal holds it.
    kept: Option<i64>,
    for_broker: Vec<Waiter>,
    for_journal: Vec<Waiter>,
}

/// What is known of a key.
pub(crate) enum Known {
    /// Nothing: the request is the first.
    New,
    /// The request is a repetition, and whoever waits is answered in time.
    Again,
    /// The key stands for another request.
    Other,
}

/// The receipts, and who waits for one.
#[derive(Debug, Default)]
pub(crate) struct Receipts {
    open: BTreeMap<EventId, Open>,
    done: BTreeMap<EventId, (u64, Receipt)>,
    order: VecDeque<(u64, EventId)>,
    next: u64,
    /// What the journal does not hold yet, and what it need not hold any more.
    fresh: Vec<u64>,
    forgotten: Vec<u64>,
}

impl Receipts {
    /// Receipts as the journal held them.
    pub(crate) fn recalled(rows: Vec<(u64, Receipt)>) -> Self {
        let mut receipts = Self::default();
        for (number, receipt) in rows {
            receipts.next = number + 1;
            receipts.order.push_back((number, receipt.id.clone()));
            receipts.done.insert(receipt.id.clone(), (number, receipt));
        }
        receipts
    }

    /// Takes note of a request, and of who waits for its answer: the broker's, or the journal's.
    pub(crate) fn ask(
        &mut self,
        id: &EventId,
        digest: Option<u64>,
        keyed: bool,
        local: bool,
        waiter: Waiter,
    ) -> Known {
        if let Some((_, receipt)) = self.done.get(id) {
            if differs(receipt.digest, digest) {
                return Known::Other;
            }
            tell(waiter, Answer::Appended(receipt.clone()));
            return Known::Again;
        }
        let known = self.open.contains_key(id);
        let open = self.open.entry(id.clone()).or_default();
        if known && differs(open.digest, digest) {
            return Known::Other;
        }
        open.keyed |= keyed;
        if !known {
            open.digest = digest;
        }
        match (local, open.kept) {
            (true, Some(sequence)) => tell(waiter, Answer::Kept { id: id.clone(), sequence }),
            (true, None) if !known => open.for_journal.push(waiter),
            (true, None) | (false, _) => open.for_broker.push(waiter),
        }
        if known { Known::Again } else { Known::New }
    }

    /// An event that an earlier process left in the line: whoever said it may say it again.
    pub(crate) fn expect(&mut self, id: &EventId, digest: Option<u64>, sequence: i64) {
        let open = Open { digest, keyed: true, kept: Some(sequence), ..Open::default() };
        self.open.insert(id.clone(), open);
    }

    /// The journal holds an event.
    pub(crate) fn kept(&mut self, id: &EventId, sequence: i64) {
        let Some(open) = self.open.get_mut(id) else { return };
        open.kept = Some(sequence);
        for waiter in open.for_journal.drain(..) {
            tell(waiter, Answer::Kept { id: id.clone(), sequence });
        }
    }

    /// Whether it is known where an event stands on the log.
    pub(crate) fn has(&self, id: &EventId) -> bool {
        self.done.contains_key(id)
    }

    /// Whoever asked was told that the event may be named again.
    pub(crate) fn remember(&mut self, id: &EventId) {
        if let Some(open) = self.open.get_mut(id) {
            open.keyed = true;
        }
    }

    /// The broker has answered for an event.
    pub(crate) fn appended(&mut self, receipt: &Receipt) {
        let Some(mut open) = self.open.remove(&receipt.id) else { return };
        let receipt = Receipt { digest: open.digest, ..receipt.clone() };
        for waiter in open.for_broker.drain(..).chain(open.for_journal.drain(..)) {
            tell(waiter, Answer::Appended(receipt.clone()));
        }
        if open.keyed {
            self.file(receipt);
        }
    }

    /// An event will not be written: whoever waits is told so, and its key is free again.
    pub(crate) fn drop_with(&mut self, id: &EventId, answer: &Answer) {
        let Some(open) = self.open.remove(id) else { return };
        for waiter in open.for_broker.into_iter().chain(open.for_journal) {
            tell(waiter, answer.clone());
        }
    }

    /// An event of this instance stands on the log; where it stands twice, the first counts. Tells whether it still
    /// waited for the broker.
    pub(crate) fn learn(&mut self, receipt: Receipt) -> bool {
        if let Some((number, known)) = self.done.get_mut(&receipt.id) {
            if receipt.offset < known.offset {
                (known.partition, known.offset) = (receipt.partition, receipt.offset);
                self.fresh.push(*number);
            }
            return false;
        }
        let Some(open) = self.open.get_mut(&receipt.id) else {
            self.file(receipt);
            return false;
        };
        open.keyed = true;
        self.appended(&receipt);
        true
    }

    /// What the journal is to hold, and to forget.
    pub(crate) fn take(&mut self) -> (Vec<(u64, Receipt)>, Vec<u64>) {
        let fresh = std::mem::take(&mut self.fresh);
        let row = |number: u64| {
            let (_, id) =
                self.order.get(usize::try_from(number.checked_sub(self.order.front()?.0)?).ok()?)?;
            self.done.get(id).cloned()
        };
        (fresh.into_iter().filter_map(row).collect(), std::mem::take(&mut self.forgotten))
    }

    /// The journal could not take them.
    pub(crate) fn put_back(&mut self, rows: &[(u64, Receipt)], forgotten: Vec<u64>) {
        self.fresh.extend(rows.iter().map(|(number, _)| *number));
        self.forgotten.extend(forgotten);
    }

    /// Whether there is anything that the journal does not know.
    pub(crate) fn is_tidy(&self) -> bool {
        self.fresh.is_empty() && self.forgotten.is_empty()
    }

    fn file(&mut self, receipt: Receipt) {
        let number = self.next;
        self.next += 1;
        self.order.push_back((number, receipt.id.clone()));
        self.fresh.push(number);
        self.done.insert(receipt.id.clone(), (number, receipt));
        while self.order.len() > REMEMBERED {
            let Some((number, id)) = self.order.pop_front() else { break };
            self.done.remove(&id);
            self.forgotten.push(number);
        }
    }
}

const fn differs(known: Option<u64>, asked: Option<u64>) -> bool {
    matches!((known, asked), (Some(known), Some(asked)) if known != asked)
}

/// Whoever asked may have gone away; the event stands all the same.
fn tell(waiter: Waiter, answer: Answer) {
    drop(waiter.send(answer));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_stands_for_one_request_and_one_answer() {
        let mut receipts = Receipts::default();
        let (id, answer) = (EventId::new("k-1").unwrap(), receipt("k-1", 7));
        let (first, mut first_answer) = oneshot::channel();
        assert!(matches!(receipts.ask(&id, Some(1), true, false, first), Known::New));
        let (second, mut second_answer) = oneshot::channel();
        assert!(matches!(receipts.ask(&id, Some(1), true, false, second), Known::Again));
        assert!(matches!(receipts.ask(&id, Some(2), true, false, oneshot::channel().0), Known::Other));
        receipts.appended(&answer);
        let (third, mut third_answer) = oneshot::channel();
        assert!(matches!(receipts.ask(&id, Some(1), true, true, third), Known::Again));
        let given = Answer::Appended(Receipt { digest: Some(1), ..answer });
        for answered in [&mut first_answer, &mut second_answer, &mut third_answer] {
            assert_eq!(answered.try_recv().unwrap(), given);
        }
        assert!(matches!(receipts.ask(&id, Some(2), true, false, oneshot::channel().0), Known::Other));
    }

    #[test]
    fn what_the_window_no_longer_holds_is_forgotten_in_the_journal_too() {
        let mut receipts = Receipts::default();
        let rows: Vec<_> = (0..REMEMBERED + 5).map(|n| receipt(&format!("k-{n}"), 0)).collect();
        for row in &rows {
            receipts.learn(row.clone());
        }
        let (fresh, forgotten) = receipts.take();
        assert_eq!((fresh.len(), forgotten), (REMEMBERED, vec![0, 1, 2, 3, 4]));
        assert_eq!((fresh[0].0, &fresh[0].1), (5, &rows[5]));
        assert!(receipts.is_tidy());
        let mut recalled = Receipts::recalled(fresh);
        recalled.learn(receipt("one-more", 0));
        let (fresh, forgotten) = recalled.take();
        assert_eq!((fresh.len(), fresh[0].0, forgotten), (1, REMEMBERED as u64 + 5, vec![5]));
    }

    fn receipt(id: &str, offset: i64) -> Receipt {
        Receipt { id: EventId::new(id).unwrap(), digest: None, sequence: 1, partition: 0, offset }
    }
}
