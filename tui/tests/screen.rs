//! The pure halves of the full-screen client: its state and its views, compiled and tested here
//! until the loop that joins them to the program is written.
#![allow(dead_code, unused_imports, missing_docs, reason = "the program will use the rest")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    unreachable_pub,
    reason = "only tests are built here"
)]
#[path = "../src/app/mod.rs"]
mod app;
#[path = "../src/keymap/mod.rs"]
mod keymap;
#[path = "../src/theme.rs"]
mod theme;
#[path = "../src/view/mod.rs"]
mod view;
#[path = "../src/widget/mod.rs"]
mod widget;
