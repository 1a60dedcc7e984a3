//! The turn as a pure machine.
