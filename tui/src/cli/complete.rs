//! Names for the shell: sessions, models, questions and more of the running daemon.
//!
//! A person waits at a prompt: 150 ms at most, no daemon is started, and whatever goes wrong is
//! silence.

use std::path::PathBuf;
use std::pin::Pin;
use std::time::Duration;

use clap::CommandFactory as _;
use clap_complete::engine::CompletionCandidate;
use clap_complete::env::CompleteEnv;
use moltis_proto::v1::{
    CatalogRequest, ListHooksRequest, ListImagesRequest, ListModelsRequest, ListProvidersRequest,
    ListSessionsRequest, ListVariablesRequest, ShowConfigRequest,
};

use super::{Cli, GlobalFlags, question, trust};
use crate::client::{Client, Connector, Failure, call};
use crate::widget::SafeText;

const PATIENCE: Duration = Duration::from_millis(150);

/// Answers the shell and ends the process, if it is the shell that asks.
pub(crate) fn answer_shell() {
    CompleteEnv::with_factory(Cli::command).complete();
}

/// Sessions: their keys, else their ids, with titles.
pub(super) fn sessions() -> Vec<CompletionCandidate> {
    ask(|mut client| {
        Box::pin(async move {
            let request = ListSessionsRequest { archived: false, limit: 200 };
            let sessions = client.caller.call(&call::SESSIONS, &request).await?.sessions;
            let candidates = sessions.into_iter().map(|session| {
                let name = if session.key.is_empty() { session.id } else { session.key };
                candidate(name, &session.title)
            });
            Ok(candidates.collect())
        })
    })
}

/// Variables for the sandbox.
pub(super) fn variables() -> Vec<CompletionCandidate> {
    ask(|mut client| {
        Box::pin(async move {
            let request = ListVariablesRequest {};
            let names = client.caller.call(&call::VARIABLES, &request).await?.names;
            Ok(names.into_iter().map(|name| candidate(name, "")).collect())
        })
    })
}

/// Models that can be asked.
pub(super) fn models() -> Vec<CompletionCandidate> {
    ask(|mut client| {
        Box::pin(async move {
            let request = ListModelsRequest { refresh: false };
            let models = client.caller.call(&call::MODELS, &request).await?.models;
            Ok(models.into_iter().map(|model| candidate(model.id, &model.name)).collect())
        })
    })
}

/// Models that can be pulled.
pub(super) fn catalog() -> Vec<CompletionCandidate> {
    ask(|mut client| {
        Box::pin(async move {
            let models = client.caller.call(&call::CATALOG, &CatalogRequest {}).await?.models;
            Ok(models.into_iter().map(|model| candidate(model.name, &model.description)).collect())
        })
    })
}

/// Models that were pulled.
pub(super) fn pulled() -> Vec<CompletionCandidate> {
    ask(|mut client| {
        Box::pin(async move {
            let models = client.caller.call(&call::CATALOG, &CatalogRequest {}).await?.models;
            let pulled = models.into_iter().filter(|model| model.installed);
            Ok(pulled.map(|model| candidate(model.name, &model.description)).collect())
        })
    })
}

/// Providers that are set up, then the kinds that could be.
pub(super) fn providers() -> Vec<CompletionCandidate> {
    ask(|mut client| {
        Box::pin(async move {
            let list = client.caller.call(&call::PROVIDERS, &ListProvidersRequest {}).await?;
            let ready = list.providers.into_iter().map(|provider| (provider.name, "set up"));
            let kinds = list.kinds.into_iter().map(|kind| (kind.name, "not set up"));
            let mut names: Vec<(String, &str)> = Vec::new();
            for (name, state) in ready.chain(kinds) {
                if names.iter().all(|(known, _)| *known != name) {
                    names.push((name, state));
                }
            }
            Ok(names.into_iter().map(|(name, state)| candidate(name, state)).collect())
        })
    })
}

/// Kinds of providers.
pub(super) fn kinds() -> Vec<CompletionCandidate> {
    ask(|mut client| {
        Box::pin(async move {
            let kinds = client.caller.call(&call::PROVIDERS, &ListProvidersRequest {}).await?.kinds;
            Ok(kinds.into_iter().map(|kind| candidate(kind.name, "")).collect())
        })
    })
}

/// Questions that wait, with what is asked.
pub(super) fn approvals() -> Vec<CompletionCandidate> {
    ask(|mut client| {
        Box::pin(async move {
            let waiting = question::waiting(&mut client, "").await?.into_iter();
            Ok(waiting.map(|asked| candidate(asked.id.clone(), &question::line(&asked))).collect())
        })
    })
}

/// What is allowed.
pub(super) fn patterns() -> Vec<CompletionCandidate> {
    ask(|mut client| {
        Box::pin(async move {
            let all = trust::allowed(&mut client).await?.into_iter();
            Ok(all.map(|one| candidate(one.pattern, "")).collect())
        })
    })
}

/// Hooks of the home.
pub(super) fn hooks() -> Vec<CompletionCandidate> {
    ask(|mut client| {
        Box::pin(async move {
            let hooks = client.caller.call(&call::HOOKS, &ListHooksRequest::default()).await?.hooks;
            Ok(hooks.into_iter().map(|hook| candidate(hook.name, &hook.description)).collect())
        })
    })
}

/// Images of the sandbox.
pub(super) fn images() -> Vec<CompletionCandidate> {
    ask(|mut client| {
        Box::pin(async move {
            let images = client.caller.call(&call::IMAGES, &ListImagesRequest {}).await?.images;
            Ok(images.into_iter().map(|image| candidate(image.tag, "")).collect())
        })
    })
}

/// Keys of the configuration, with their values.
pub(super) fn config_keys() -> Vec<CompletionCandidate> {
    ask(|mut client| {
        Box::pin(async move {
            let values =
                client.caller.call(&call::SHOW_CONFIG, &ShowConfigRequest::default()).await?.values;
            Ok(values.into_iter().map(|value| candidate(value.key, &value.value)).collect())
        })
    })
}

fn candidate(name: String, help: &str) -> CompletionCandidate {
    let help = SafeText::one_line(help).as_str().to_owned();
    CompletionCandidate::new(name).help((!help.is_empty()).then(|| help.into()))
}

/// What a question gets in the end.
type Candidates = Pin<Box<dyn Future<Output = Result<Vec<CompletionCandidate>, Failure>>>>;

fn ask(question: fn(Client) -> Candidates) -> Vec<CompletionCandidate> {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
        return Vec::new();
    };
    let connector = Connector::new(&flags(std::env::args_os()), "cli");
    let answer = async {
        match connector.running().await {
            Ok(Some(client)) => question(client).await.unwrap_or_default(),
            _ => Vec::new(),
        }
    };
    let answer = Box::pin(answer);
    runtime.block_on(async { tokio::time::timeout(PATIENCE, answer).await.unwrap_or_default() })
}

/// The flags that say where the daemon is, out of a line that is not finished yet.
fn flags(words: impl Iterator<Item = std::ffi::OsString>) -> GlobalFlags {
    let env =
        |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let mut flags = GlobalFlags {
        data_dir: env("MOLTIS_DATA_DIR"),
        socket: env("MOLTIS_SOCKET"),
        no_autostart: true,
        ..GlobalFlags::default()
    };
    let mut words = words.peekable();
    while let Some(word) = words.next() {
        let Some(word) = word.to_str() else { continue };
        let (name, value) = match word.split_once('=') {
            Some((name, value)) => (name, Some(PathBuf::from(value))),
            None => (word, words.peek().map(PathBuf::from)),
        };
        match name {
            "--data-dir" => flags.data_dir = value,
            "--socket" => flags.socket = value,
            _ => {}
        }
    }
    flags
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unfinished_line_still_says_where_the_daemon_is() {
        let line = ["moltis", "--", "moltis", "--data-dir", "/d", "--socket=/s", "send", "-s"];
        let flags = flags(line.iter().map(Into::into));
        assert_eq!(flags.data_dir, Some(PathBuf::from("/d")));
        assert_eq!(flags.socket, Some(PathBuf::from("/s")));
    }
}
