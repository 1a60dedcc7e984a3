//! Sessions as a tree: agents under the sessions that began them.
//!
//! The invariant: every session stands in it exactly once, whatever its list says of parents.

use std::collections::HashSet;

use moltis_proto::v1;

/// A row of the tree.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Row {
    pub(crate) session: v1::Session,
    /// Sessions above it that began one another.
    pub(crate) depth: usize,
    /// Agents below it that have ended and are not shown.
    pub(crate) folded: usize,
}

/// The order of a tree over a list: how deep each stands, and its place in the list.
pub(crate) fn order(sessions: &[v1::Session]) -> Vec<(usize, usize)> {
    let parents: Vec<Option<usize>> = sessions.iter().map(|one| parent(sessions, one)).collect();
    let mut order = Vec::with_capacity(sessions.len());
    let mut given = vec![false; sessions.len()];
    // Those without a parent first; whoever began itself is none's.
    let roots = (0..sessions.len()).filter(|at| parents[*at].is_none());
    for first in roots.chain(0..sessions.len()) {
        let mut rest = vec![(0, first)];
        while let Some((depth, at)) = rest.pop() {
            if std::mem::replace(&mut given[at], true) {
                continue;
            }
            order.push((depth, at));
            let children = (0..sessions.len()).rev().filter(|child| parents[*child] == Some(at));
            rest.extend(children.map(|child| (depth + 1, child)));
        }
    }
    order
}

/// Where the session that began an agent stands.
fn parent(sessions: &[v1::Session], one: &v1::Session) -> Option<usize> {
    let parent = &one.spawned.as_ref()?.parent;
    sessions.iter().position(|other| other.id == *parent)
}

/// Whether it has nothing to do.
pub(super) fn is_over(session: &v1::Session) -> bool {
    session.open_turns.is_empty() && session.pending.is_empty()
}

/// The rows that are shown: agents that have ended stand in no row of their own, unless the session
/// that began them is opened.
pub(super) fn rows(sessions: &[v1::Session], opened: &HashSet<String>) -> Vec<Row> {
    let order = order(sessions);
    let mut rows: Vec<Row> = Vec::new();
    let mut at = 0;
    while let Some((depth, index)) = order.get(at).copied() {
        let below = order[at + 1..].iter().take_while(|(below, _)| *below > depth).count();
        let over = order[at..=at + below].iter().all(|(_, index)| is_over(&sessions[*index]));
        let above = rows.iter().rposition(|row| row.depth < depth).filter(|_| depth > 0);
        if let Some(above) =
            above.filter(|above| over && !opened.contains(&rows[*above].session.id))
        {
            rows[above].folded += below + 1;
            at += below + 1;
            continue;
        }
        rows.push(Row { session: sessions[index].clone(), depth, folded: 0 });
        at += 1;
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::fixture::session;

    fn agent(id: &str, parent: &str, works: bool) -> v1::Session {
        let spawned = Some(v1::Spawned { parent: parent.into(), ..v1::Spawned::default() });
        let open_turns = if works { vec![v1::OpenTurn::default()] } else { Vec::new() };
        v1::Session { spawned, open_turns, ..session(id, id) }
    }

    fn told(rows: &[Row]) -> Vec<String> {
        rows.iter().map(|row| format!("{} {} {}", row.depth, row.session.id, row.folded)).collect()
    }

    #[test]
    fn agents_that_ended_are_folded_away_under_their_parent_until_it_is_opened() {
        let sessions = [
            agent("over", "s1", false),
            session("s1", ""),
            agent("works", "s1", true),
            agent("below", "over", false),
        ];
        assert_eq!(told(&rows(&sessions, &HashSet::new())), ["0 s1 2", "1 works 0"]);
        let opened = HashSet::from(["s1".to_owned()]);
        assert_eq!(told(&rows(&sessions, &opened)), ["0 s1 0", "1 over 1", "1 works 0"]);
    }

    #[test]
    fn an_agent_that_works_keeps_those_above_it_in_sight() {
        let sessions =
            [session("s1", ""), agent("over", "s1", false), agent("works", "over", true)];
        let all = ["0 s1 0", "1 over 0", "2 works 0"];
        assert_eq!(told(&rows(&sessions, &HashSet::new())), all);
    }

    #[test]
    fn every_session_is_there_once_whatever_is_said_of_parents() {
        let sessions = [
            agent("own", "own", true),
            agent("a", "b", true),
            agent("b", "a", true),
            agent("lost", "nobody", true),
        ];
        let mut all: Vec<usize> = order(&sessions).iter().map(|(_, at)| *at).collect();
        all.sort_unstable();
        assert_eq!(all, [0, 1, 2, 3]);
    }
}
