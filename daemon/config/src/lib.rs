//! Finds, merges, explains and edits configuration.
