//! Short-hands written out: the matrix on the tree, zones and cohorts on the steps.

pub(crate) mod copies;
pub(crate) mod matrix;
pub(crate) mod meant;
pub(crate) mod stages;
