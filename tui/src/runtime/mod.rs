//! The full-screen client at work: one loop between the terminal, the model and the daemon.
//!
//! `input` reads keys, `feed` follows the session across restarts, `effects` does what the model
//! wants, `keep` knows the files, `pace` decides when a frame is due, `trace` measures. The loop
//! takes everything that is ready, updates the model, then paints at most one frame: at once after a
//! key, at a bounded rate after anything else. While nothing happens it sleeps without a timer.

mod effects;
mod feed;
mod input;
mod keep;
mod looping;
mod pace;
mod trace;

pub(crate) use looping::{Start, run};
