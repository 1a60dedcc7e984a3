//! Whole-program tests: the real `moltisd`, in a temporary home, over its real socket.

mod architecture;
mod crash;
mod local;
mod spine;
mod terminal;
