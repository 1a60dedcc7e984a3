//! What a person gets of checkpoints: what an agent did is shown and taken back, what they did
//! themselves stays.

mod diff;
#[cfg(target_os = "linux")]
mod full_disk;
mod hostile;
mod keep;
mod limits;
mod property;
mod rig;
mod undo;
