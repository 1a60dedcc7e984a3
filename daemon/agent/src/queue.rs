//! Where a message goes that arrives while others are being answered.

use moltis_core::id::TurnId;
use moltis_core::session::{OpenTurn, Purpose, QueueMode};

/// The turn that a message belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A turn of its own, after all others.
    New,
    /// It joins a turn that has not started.
    Queued(TurnId),
    /// It joins the running turn.
    Running(TurnId),
}

/// Decides by the queue mode and the turns that have not ended, oldest first. `running` is the
/// turn that is being worked on, started or about to.
///
/// - `followup`: always a turn of its own.
/// - `collect`: the last turn that waits; a turn of its own when none does.
/// - `steer`: the running turn; a turn of its own when none is running.
///
/// No message joins a turn that is for something else than an answer: it answers nothing.
pub fn place(mode: QueueMode, running: Option<&TurnId>, open: &[OpenTurn]) -> Place {
    let answers = |turn: &OpenTurn| turn.purpose == Purpose::Answer;
    let waits = |turn: &&OpenTurn| !turn.started && answers(turn) && Some(&turn.turn) != running;
    let answered =
        |running: &&TurnId| !open.iter().any(|turn| !answers(turn) && turn.turn == **running);
    match mode {
        QueueMode::Followup => Place::New,
        QueueMode::Collect => open
            .iter()
            .rev()
            .find(waits)
            .map_or(Place::New, |turn| Place::Queued(turn.turn.clone())),
        QueueMode::Steer => {
            running.filter(answered).map_or(Place::New, |running| Place::Running(running.clone()))
        }
    }
}

#[cfg(test)]
#[path = "queue_tests.rs"]
mod tests;
