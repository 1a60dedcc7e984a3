//! The real `moltis` against a daemon that is played: what scripts see, and what generated files say.

#[cfg(test)]
mod acting;
#[cfg(test)]
mod approvals;
#[cfg(test)]
mod autostart;
#[cfg(test)]
mod cli;
#[cfg(test)]
mod fake;
#[cfg(test)]
mod fake_acting;
#[cfg(test)]
mod generated;
#[cfg(test)]
mod played;
#[cfg(test)]
mod run;
#[cfg(test)]
mod screen;
#[cfg(test)]
mod send;
