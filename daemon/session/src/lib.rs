//! Sessions as actors.
