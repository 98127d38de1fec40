//! What a log says when it is read again: its verdicts, and what another plan would have decided.
//!
//! | room | what is in it |
//! |---|---|
//! | [`line`](mod@line) [`range`] | a record as one line of a file, and back |
//! | [`source`] | where records come from: a log, or a file |
//! | [`court`] | the sentinel's engine, reading along, and what it says of each record |
//! | [`asked`] | what somebody asks for by its name, and nobody bears |
//! | [`comparison`] `other` `life` `outcome` | the same facts judged by another plan, and the difference |

pub mod asked;
pub mod comparison;
pub mod court;
mod life;
pub mod line;
mod other;
pub mod outcome;
pub mod range;
pub mod source;
