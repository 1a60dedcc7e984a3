//! The list of models: which one answers here, or everywhere, and how hard it thinks.

use moltis_proto::v1;

use super::chat::configure;
use super::cmd::Cmd;
use super::model::{Model, Overlay};
use super::picker::Picker;
use crate::keymap::Action;

/// The efforts that a session may ask for; the first is: as configured.
pub(crate) const EFFORTS: [&str; 5] = ["", "minimal", "low", "medium", "high"];

/// The effort above or below.
pub(super) fn step_effort(now: &str, up: bool) -> &'static str {
    let at = EFFORTS.iter().position(|effort| *effort == now).unwrap_or(0);
    let next = if up { (at + 1).min(EFFORTS.len() - 1) } else { at.saturating_sub(1) };
    EFFORTS.get(next).copied().unwrap_or_default()
}

/// The list of models.
#[derive(Debug)]
pub(crate) struct Models {
    /// Its list.
    pub(crate) picker: Picker,
    /// What there is; shared by all who ask.
    pub(crate) list: v1::ListModelsResponse,
    /// The effort that will be asked for.
    pub(crate) effort: &'static str,
    /// The model that answers in this session.
    pub(crate) current: String,
    /// The providers are being asked.
    pub(crate) loading: bool,
}

impl Models {
    /// Looks anew which models fit.
    pub(super) fn rank(&mut self) {
        let labels: Vec<String> =
            self.list.models.iter().map(|model| format!("{} {}", model.id, model.name)).collect();
        let current = self.list.models.iter().position(|model| model.id == self.current);
        let keep = current.filter(|_| self.picker.query.is_empty());
        self.picker.rank(labels.iter().map(String::as_str), keep);
    }

    /// The models that fit, best first.
    pub(crate) fn rows(&self) -> impl Iterator<Item = &v1::Model> {
        self.picker.ranked().iter().filter_map(|index| self.list.models.get(*index))
    }
}

/// The model that answers in the session that is shown.
pub(super) fn current(model: &Model) -> String {
    let settings = model.session.as_ref().and_then(|session| session.settings.as_ref());
    let own = settings.map(|settings| settings.model.clone()).filter(|own| !own.is_empty());
    let default = || model.models.as_ref().map(|models| models.default.clone());
    own.or_else(default).unwrap_or_default()
}

/// Opens the list with what is known, and asks anew.
pub(super) fn open(model: &mut Model) -> Vec<Cmd> {
    let settings = model.session.as_ref().and_then(|session| session.settings.as_ref());
    let effort = settings.map_or("", |settings| settings.effort.as_str());
    let effort = EFFORTS.iter().find(|known| **known == effort).copied().unwrap_or_default();
    let mut models = Models {
        picker: Picker::default(),
        list: model.models.clone().unwrap_or_default(),
        effort,
        current: current(model),
        loading: true,
    };
    models.rank();
    model.open(Overlay::Models(Box::new(models)));
    vec![Cmd::ListModels { refresh: false }]
}

/// The list has arrived.
pub(super) fn arrived(model: &mut Model, list: v1::ListModelsResponse) {
    model.models = Some(list.clone());
    let current = current(model);
    for overlay in &mut model.overlays {
        if let Overlay::Models(models) = overlay {
            models.list = list.clone();
            models.current.clone_from(&current);
            models.loading = false;
            models.rank();
        }
    }
}

pub(super) fn act(model: &mut Model, action: Action) -> Vec<Cmd> {
    let Some(Overlay::Models(models)) = model.overlays.last_mut() else { return Vec::new() };
    if models.picker.act(action) {
        return Vec::new();
    }
    let effort = models.effort;
    let chosen = models.picker.chosen().and_then(|index| models.list.models.get(index));
    let chosen = chosen.map(|model| model.id.clone());
    match (action, chosen) {
        (Action::Leave, _) => model.close(),
        (Action::EffortUp | Action::EffortDown, _) => {
            models.effort = step_effort(effort, action == Action::EffortUp);
        }
        (Action::ModelRefresh, _) => {
            models.loading = true;
            return vec![Cmd::ListModels { refresh: true }];
        }
        (Action::ModelDefault, Some(id)) => return vec![Cmd::SetDefault { model: id }],
        (Action::Accept, Some(id)) => {
            model.close();
            return configure(model, |settings| {
                settings.model = id;
                effort.clone_into(&mut settings.effort);
            });
        }
        _ => {}
    }
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_effort_goes_step_by_step_and_stays_at_its_ends() {
        assert_eq!(step_effort("", true), "minimal");
        assert_eq!(step_effort("minimal", false), "");
        assert_eq!(step_effort("high", true), "high");
        assert_eq!(step_effort("", false), "");
        assert_eq!(step_effort("unheard-of", true), "minimal");
    }
}
