//! Whole-program tests: the real `moltisd`, in a temporary home, over its real socket.

mod architecture;
mod client;
mod configuration;
mod crash;
mod keys;
mod spine;
mod terminal;
