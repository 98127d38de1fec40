//! Tells people, at least once: what was raised and not delivered is tried again after any crash, by any
//! replica, under the same id and with the same bytes.
//!
//! | room | what is in it |
//! |---|---|
//! | [`dispatcher`] | who is told what, when, by which replica |
//! | [`delivery`] [`schedule`] | one notification to one receiver, tried until it is taken |
//! | [`marks`] [`ledger`] | what was delivered: in memory, and as rows of `pavane.notifications` |
//! | [`webhook`] [`signature`] [`egress`] [`body`] | a signed POST, to where it may go |

pub(crate) mod body;
pub(crate) mod delivery;
pub(crate) mod dispatcher;
pub(crate) mod egress;
pub(crate) mod ledger;
pub(crate) mod marks;
pub(crate) mod schedule;
pub(crate) mod signature;
pub(crate) mod webhook;
