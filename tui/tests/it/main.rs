//! The real `moltis` against a daemon that is played: what scripts see, and what generated files say.

#[cfg(test)]
mod autostart;
#[cfg(test)]
mod cli;
#[cfg(test)]
mod fake;
#[cfg(test)]
mod generated;
#[cfg(test)]
mod run;
#[cfg(test)]
mod screen;
#[cfg(test)]
mod send;
