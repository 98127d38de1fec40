//! What the tests that cross crates stand on: real services, our programs as processes, a service to roll
//! out, and somebody who receives alerts.
//!
//! Everything listens on loopback at a free port, writes below a temporary folder, and is stopped by the id
//! of the process that was started, also when the test run itself is killed.
//!
//! | room | what is in it |
//! |---|---|
//! | [`real`] | one Apache Kafka and one Apicurio Registry per test binary, a Python with the stock clients, Alertmanager, Prometheus |
//! | [`process`] | a child process with its log in a file, that cannot outlive the test run |
//! | [`program`] | `pavane`, `pavane-sentinel`, `pavane-sidecar` and the demo service, built once and started |
//! | [`stage`] | topics of their own, our programs as processes on them, and a log to look at |
//! | [`webhook`] | a receiver that keeps deliveries and checks their signatures |
//! | [`strict`] | receivers that take nothing but what their documents say |
//! | [`figures`] | measured times as the benches print them |
//! | [`wait`] | waiting for a condition with a bound |
//! | [`place`] | free ports, the target folder, the cache |

pub mod figures;
pub mod place;
pub mod process;
pub mod program;
pub mod real;
pub mod stage;
pub mod strict;
pub mod wait;
pub mod webhook;
