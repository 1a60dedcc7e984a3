//! Finds, merges, explains and edits configuration.
//!
//! The owner of the sections hands in one [`Schema`]; from that table follow the commented
//! template, validation, origins and edits. This crate knows no section's content, least of all that
//! of lists of tables, and reads nothing but one file. Its invariants: a value without an error has the kind that its key
//! promises, and the value of a secret key appears in no message and no listing.

mod document;
mod edit;
mod file;
mod problem;
mod resolve;
mod rows;
#[cfg(test)]
mod sample;
mod schema;
mod template;
mod value;

pub use edit::{EditError, set, unset};
pub use file::{File, FileError, config_dir, home_dir};
pub use problem::{Place, Problem, Severity};
pub use resolve::{Config, Flag, Origin, Resolved, Setting, Sources, resolve};
pub use rows::{Row, Rows};
pub use schema::{Key, Preset, Schema, Section};
pub use template::template;
pub use value::{Kind, Value};
