//! Models in process: GGUF files run with candle's arithmetic, no server and no system package.
//!
//! [`Local`] is a [`moltis_core::provider::Provider`] named `local`, with a catalog and the means to
//! bring models here. One thread computes; it begins with the first request and takes its memory
//! with it when it idles. A conversation's keys and values are kept between turns, so that only
//! what is new is read.
//!
//! Model files and vocabularies come from outside and are never trusted: a malformed one gives an
//! error. This crate makes no connections of its own, it asks `net`; and it knows no other vendor.

mod catalog;
mod engine;
mod error;
#[cfg(test)]
mod fixture;
mod gguf;
mod local;
mod model;
mod pull;
mod shelf;
mod text;

pub use local::{Local, Options};
