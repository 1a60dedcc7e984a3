//! Hooks as a person has them: folders on the disk, programs that really run.

mod bundled;
mod examples;
mod home;
mod log;
mod points;
mod shell;
mod trust;
mod vendor;
