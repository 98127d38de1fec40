//! What happens to the outbox on its model, in what order: drawn by chance.

use proptest::prelude::*;

use super::disk::Fault;

/// What happens next.
#[derive(Clone, Copy, Debug)]
pub(super) enum Op {
    /// The service says an event, or says the one before again.
    Post { local: bool, again: bool, size: u16 },
    /// The sidecar says something itself.
    Own,
    /// The clerk writes.
    Write,
    /// The broker takes the oldest that is with it.
    Take,
    /// The broker takes it, and the answer is lost.
    TakeUnheard,
    /// The broker fails, and with it all that is with it.
    Fail,
    /// Something befalls the disk.
    Befall(Fault),
    /// The process is killed.
    Kill,
    /// The power fails, and the dice say what the disk has of what was written.
    Crash(u32),
}

/// What befalls outbox, disk and broker, drawn by chance.
pub(super) fn turns() -> impl Strategy<Value = Vec<Op>> {
    let post = (any::<bool>(), 0..4_u8, 0..3_000_u16);
    let post = post.prop_map(|(local, again, size)| Op::Post { local, again: again == 0, size });
    let befall = prop_oneof![
        2 => Just(Fault::None),
        2 => Just(Fault::Full),
        1 => Just(Fault::Sync),
        2 => (0..40_u32).prop_map(Fault::Kill),
    ];
    let op = prop_oneof![
        10 => post,
        2 => Just(Op::Own),
        8 => Just(Op::Write),
        10 => Just(Op::Take),
        1 => Just(Op::TakeUnheard),
        1 => Just(Op::Fail),
        2 => befall.prop_map(Op::Befall),
        1 => Just(Op::Kill),
        1 => any::<u32>().prop_map(Op::Crash),
    ];
    prop::collection::vec(op, 1..120)
}
