//! What is left of the limits: the day's, this session's, and those of the turn that runs in it.

use moltis_proto::v1;

use super::cmd::Cmd;
use super::model::{Model, Overlay};
use super::msg::Trouble;
use crate::widget::SafeText;

/// The pane that shows it.
#[derive(Debug)]
pub(crate) struct Left {
    session: String,
    /// The limits that are set; `None` until the daemon has answered.
    pub(crate) limits: Option<Vec<Limit>>,
}

/// How a limit stands.
#[derive(Debug)]
pub(crate) struct Limit {
    pub(crate) span: SafeText,
    pub(crate) unit: SafeText,
    pub(crate) limit: u64,
    pub(crate) spent: u64,
    pub(crate) reserved: u64,
}

pub(super) fn open(model: &mut Model) -> Vec<Cmd> {
    let Some(session) = model.session_id().map(str::to_owned) else { return Vec::new() };
    model.open(Overlay::Left(Box::new(Left { session: session.clone(), limits: None })));
    vec![Cmd::Budget { session }]
}

pub(super) fn arrived(
    model: &mut Model,
    session: &str,
    result: Result<Vec<v1::BudgetLimit>, Trouble>,
) {
    let pane = model.overlays.iter_mut().find_map(|overlay| match overlay {
        Overlay::Left(left) if left.session == session => Some(left),
        _ => None,
    });
    let limit = |limit: v1::BudgetLimit| Limit {
        span: SafeText::one_line(&limit.span),
        unit: SafeText::one_line(&limit.unit),
        limit: limit.limit,
        spent: limit.spent,
        reserved: limit.reserved,
    };
    match (pane, result) {
        (Some(pane), Ok(limits)) => pane.limits = Some(limits.into_iter().map(limit).collect()),
        (Some(_), Err(trouble)) => {
            model.overlays.retain(|overlay| !matches!(overlay, Overlay::Left(_)));
            model.complain("not known what is left", &trouble);
        }
        (None, _) => {}
    }
}
