//! Sandboxes on real engines: `MOLTIS_TEST_DOCKER` and `MOLTIS_TEST_PODMAN` name their sockets.
//!
//! `.ci/engines` starts both. An engine that is missing is skipped aloud, and fails where CI runs.
//! Each claim is tested on both.

mod contained;
mod ended;
mod images;
mod listed;
mod open;
#[path = "../shared/outlet.rs"]
mod outlet;
mod places;
mod process;
mod support;
mod unguarded;
