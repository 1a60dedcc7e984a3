//! What a person gets of checkpoints: what an agent did is shown and taken back, what they did
//! themselves stays.

mod diff;
mod hostile;
mod keep;
mod limits;
mod property;
mod rig;
mod undo;
