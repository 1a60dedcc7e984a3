//! A journal in memory.
