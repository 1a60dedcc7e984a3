//! Models in process.
