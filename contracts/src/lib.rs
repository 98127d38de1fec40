//! What two programs have agreed to say to each other: schemas with the places of all that stands in them, what makes
//! a schema unfit, and what a change of one breaks.
//!
//! Everything here is a function of texts. The registry that is built in, the checks before a pull request is merged
//! and the readers on the log go by the same rules, because there is one place that they stand in.
//!
//! | room | what is in it |
//! |---|---|
//! | [`schema`] | a parsed schema: its types, each with its place |
//! | [`compat`] | what a reader cannot read of a writer, all of it |
//! | [`mode`] | which versions must read which |
//! | [`bounds`] | what makes a schema dangerous to read by |
//! | [`style`] | what will make the next change hard |
//! | [`likeness`] | two names for one thing |
//! | [`change`] | what a person wants to see of a change |

pub mod bounds;
pub mod change;
pub mod compat;
mod default;
mod json;
pub mod likeness;
pub mod mode;
mod parse;
pub mod place;
pub mod schema;
pub mod style;

pub use compat::{Difference, Kind, can_read};
pub use mode::{Breach, Direction, Mode};
pub use place::{Place, Spot};
pub use schema::{Defect, Schema};
