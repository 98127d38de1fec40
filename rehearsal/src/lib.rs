//! The tabletop exercise: a plan played against the real engines of both sides, in virtual time.
