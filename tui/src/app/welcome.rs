//! The first run: nothing is set up, so this offers what this machine can do, each step to be
//! skipped.

use moltis_proto::v1;

use super::cmd::{Cmd, Secret};
use super::editor::Editor;
use super::model::{Model, Overlay};
use super::models;
use super::msg::Trouble;
use super::picker::Picker;
use crate::keymap::Action;
use crate::widget::SafeText;

/// The screen of the first run.
#[derive(Debug)]
pub(crate) struct Welcome {
    /// What can be done, best first.
    pub(crate) offers: Vec<Offer>,
    pub(crate) selected: usize,
    pub(crate) step: Step,
    /// What went wrong with the last try.
    pub(crate) trouble: Option<Trouble>,
    kinds: Vec<v1::ProviderKind>,
    /// A model that was brought here and is to answer from now on.
    pulled: Option<String>,
}

/// Something that can be set up.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Offer {
    /// Bring the starter model onto this machine.
    Starter(v1::CatalogModel),
    /// Use a server that runs here.
    Server(v1::FoundServer),
    /// Enter a provider's key.
    Key,
    /// Look around first.
    Skip,
}

/// Where the person is.
#[derive(Debug)]
pub(crate) enum Step {
    /// Among the offers.
    Offers,
    /// Watching a model arrive.
    Pulling(v1::Step),
    /// Waiting for the daemon.
    Working(&'static str),
    /// Choosing a provider.
    Provider(Picker),
    /// Entering its key.
    Key { provider: String, field: Editor },
}

impl Welcome {
    fn new() -> Self {
        Self {
            offers: vec![Offer::Key, Offer::Skip],
            selected: 0,
            step: Step::Offers,
            trouble: None,
            kinds: Vec::new(),
            pulled: None,
        }
    }

    /// Puts an offer into its place; the chosen one stays chosen unless the best is new.
    fn offer(&mut self, offer: Offer) {
        if self.offers.contains(&offer) {
            return;
        }
        self.offers.push(offer);
        self.offers.sort_by_key(|offer| match offer {
            Offer::Starter(_) => 0,
            Offer::Server(_) => 1,
            Offer::Key => 2,
            Offer::Skip => 3,
        });
        self.selected = 0;
    }

    /// Looks anew which providers fit.
    pub(super) fn rank(&mut self) {
        if let Step::Provider(picker) = &mut self.step {
            picker.rank(self.kinds.iter().map(|kind| kind.name.as_str()), None);
        }
    }

    /// The providers that fit, while one is chosen.
    pub(crate) fn providers(&self) -> Vec<SafeText> {
        let Step::Provider(picker) = &self.step else { return Vec::new() };
        let kinds = picker.ranked().iter().filter_map(|index| self.kinds.get(*index));
        kinds.map(|kind| SafeText::one_line(&kind.name)).collect()
    }
}

fn pane(model: &mut Model) -> Option<&mut Welcome> {
    model.overlays.iter_mut().find_map(|overlay| match overlay {
        Overlay::Welcome(welcome) => Some(&mut **welcome),
        _ => None,
    })
}

/// Opens the screen when there is no model at all; once in a run.
pub(super) fn consider(model: &mut Model) -> Vec<Cmd> {
    let nothing = model
        .models
        .as_ref()
        .is_some_and(|models| models.models.is_empty() && models.default.is_empty());
    if nothing && !model.asked_first_run {
        model.asked_first_run = true;
        model.open(Overlay::Welcome(Box::new(Welcome::new())));
        return vec![Cmd::LookAround];
    }
    if nothing {
        return stuck(model);
    }
    finish(model)
}

/// There is still no model after something was set up: says what the providers said.
fn stuck(model: &mut Model) -> Vec<Cmd> {
    let failures = model.models.as_ref().map(|models| models.failures.clone()).unwrap_or_default();
    if let Some(welcome) = pane(model)
        && matches!(welcome.step, Step::Working(_))
    {
        let said: Vec<String> = failures
            .iter()
            .map(|failure| format!("{}: {}", failure.provider, failure.reason))
            .collect();
        let message =
            if said.is_empty() { "no model was found".to_owned() } else { said.join("; ") };
        welcome.trouble = Some(Trouble { code: String::new(), message, hint: String::new() });
        welcome.step = Step::Offers;
    }
    Vec::new()
}

/// There is a model now: the screen has done its work.
fn finish(model: &mut Model) -> Vec<Cmd> {
    let Some(welcome) = pane(model) else { return Vec::new() };
    let pulled = welcome.pulled.take();
    model.overlays.retain(|overlay| !matches!(overlay, Overlay::Welcome(_)));
    let Some(list) = &model.models else { return Vec::new() };
    if !list.default.is_empty() {
        let text = format!("ready: {} answers", list.default);
        model.say(SafeText::one_line(&text));
        return Vec::new();
    }
    let named = pulled.and_then(|name| {
        list.models.iter().find(|known| known.local && known.id.ends_with(&format!("/{name}")))
    });
    let only = list.models.first().filter(|_| list.models.len() == 1);
    match named.or(only) {
        Some(chosen) => vec![Cmd::SetDefault { model: chosen.id.clone() }],
        None => models::open(model),
    }
}

pub(super) fn catalog(model: &mut Model, catalog: Vec<v1::CatalogModel>) {
    if let Some(welcome) = pane(model)
        && let Some(starter) = catalog.into_iter().find(|entry| entry.starter)
    {
        welcome.offer(Offer::Starter(starter));
    }
}

pub(super) fn servers(model: &mut Model, servers: Vec<v1::FoundServer>) {
    if let Some(welcome) = pane(model) {
        for server in servers.into_iter().take(8) {
            welcome.offer(Offer::Server(server));
        }
    }
}

pub(super) fn kinds(model: &mut Model, kinds: Vec<v1::ProviderKind>) {
    if let Some(welcome) = pane(model) {
        welcome.kinds = kinds.into_iter().filter(|kind| kind.needs_key).collect();
        welcome.rank();
    }
}

/// A step of the starter model's way here.
pub(super) fn pulled(model: &mut Model, result: Result<v1::Step, Trouble>) -> Vec<Cmd> {
    let Some(welcome) = pane(model) else { return Vec::new() };
    if !matches!(welcome.step, Step::Pulling(_)) {
        return Vec::new();
    }
    match result {
        Ok(step) if step.finished => {
            welcome.step = Step::Working("setting the model up");
            vec![Cmd::ListModels { refresh: true }]
        }
        Ok(step) => {
            welcome.step = Step::Pulling(step);
            Vec::new()
        }
        Err(trouble) => {
            welcome.step = Step::Offers;
            welcome.trouble = Some(trouble);
            Vec::new()
        }
    }
}

/// A provider was set up, or not.
pub(super) fn set_up(model: &mut Model, result: Result<(), Trouble>) -> Vec<Cmd> {
    let Some(welcome) = pane(model) else { return Vec::new() };
    match result {
        Ok(()) => {
            welcome.step = Step::Working("asking for its models");
            vec![Cmd::ListModels { refresh: true }]
        }
        Err(trouble) => {
            welcome.step = Step::Offers;
            welcome.trouble = Some(trouble);
            Vec::new()
        }
    }
}

pub(super) fn act(model: &mut Model, action: Action) -> Vec<Cmd> {
    if action == Action::Detach {
        return vec![Cmd::Quit];
    }
    let Some(welcome) = pane(model) else { return Vec::new() };
    match &mut welcome.step {
        Step::Offers => offers(model, action),
        Step::Pulling(_) => {
            if action == Action::Leave {
                welcome.step = Step::Offers;
                return vec![Cmd::PausePull];
            }
            Vec::new()
        }
        Step::Working(_) => {
            if action == Action::Leave {
                welcome.step = Step::Offers;
            }
            Vec::new()
        }
        Step::Provider(picker) => {
            if picker.act(action) {
                return Vec::new();
            }
            let chosen = picker.chosen().and_then(|index| welcome.kinds.get(index));
            match (action, chosen) {
                (Action::Accept, Some(kind)) => {
                    let provider = kind.name.clone();
                    welcome.step = Step::Key { provider, field: Editor::default() };
                }
                (Action::Leave, _) => welcome.step = Step::Offers,
                _ => {}
            }
            Vec::new()
        }
        Step::Key { provider, field } => match action {
            Action::Leave => {
                welcome.step = Step::Offers;
                Vec::new()
            }
            Action::Accept if !field.text().trim().is_empty() => {
                let key = Secret::new(field.text().trim().to_owned());
                let name = provider.clone();
                welcome.step = Step::Working("storing the key");
                vec![Cmd::Login { name, key }]
            }
            _ => Vec::new(),
        },
    }
}

fn offers(model: &mut Model, action: Action) -> Vec<Cmd> {
    let Some(welcome) = pane(model) else { return Vec::new() };
    match action {
        Action::ListUp => welcome.selected = welcome.selected.saturating_sub(1),
        Action::ListDown => {
            welcome.selected = (welcome.selected + 1).min(welcome.offers.len().saturating_sub(1));
        }
        Action::Leave => skip(model),
        Action::Accept => {
            welcome.trouble = None;
            match welcome.offers.get(welcome.selected).cloned() {
                Some(Offer::Starter(starter)) => {
                    let first = v1::Step { phase: "starting".into(), ..v1::Step::default() };
                    welcome.step = Step::Pulling(first);
                    welcome.pulled = Some(starter.name.clone());
                    return vec![Cmd::Pull { name: starter.name }];
                }
                Some(Offer::Server(server)) => {
                    welcome.step = Step::Working("setting the server up");
                    return vec![Cmd::Adopt(server)];
                }
                Some(Offer::Key) => {
                    welcome.step = Step::Provider(Picker::default());
                    welcome.rank();
                }
                Some(Offer::Skip) | None => skip(model),
            }
        }
        _ => {}
    }
    Vec::new()
}

fn skip(model: &mut Model) {
    model.overlays.retain(|overlay| !matches!(overlay, Overlay::Welcome(_)));
    model.say("no model is set up yet; C-x m lists what there is");
}
