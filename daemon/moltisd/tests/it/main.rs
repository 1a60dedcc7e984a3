//! Whole-program tests: the real `moltisd`, in a temporary home, over its real socket.

mod architecture;
mod client;
mod compaction;
mod configuration;
mod context;
mod crash;
mod hands;
mod hooks;
mod keys;
mod local;
mod security;
mod spine;
mod terminal;
mod worktrees;
