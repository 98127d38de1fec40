//! Why a rollout stands where it stands: what is gathered to answer it, and how the answer looks.

mod gather;
mod lookup;
mod path;
mod sheet;

pub use gather::{Gathered, gather};
pub use lookup::{near, unknown};
pub use sheet::sheet;
