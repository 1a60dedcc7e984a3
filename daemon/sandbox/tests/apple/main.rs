//! Apple's `container` through the port, on Linux: its place is taken by a program that takes the same
//! words and gives the same answers (`container.sh`), and whose containers are bubblewrap's.

#![cfg(target_os = "linux")]

mod contained;
mod ended;
mod found;
mod images;
mod support;
