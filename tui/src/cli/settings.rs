//! `moltis sessions set`: what holds for a session's turns.
//!
//! What is not named stays as it is; an empty value goes back to what is configured. The invariant:
//! a workspace reaches the daemon as an absolute path, because the daemon has another directory.

use std::path::{Path, absolute};
use std::time::Duration;

use clap::builder::{PossibleValue, PossibleValuesParser};
use clap::{Args, ValueHint};
use clap_complete::ArgValueCandidates;
use moltis_proto::v1::{ConfigureRequest, Session, Settings};

use super::complete;
use super::context::Context;
use super::sessions::Named;
use crate::client::{Client, Failure, call, op_id};

/// How long a worktree may be made without a word.
const MOMENT: Duration = Duration::from_secs(1);

/// In a worktree of its own.
pub(super) const OWN: &str = "own";

/// Words of `moltis sessions set`.
#[derive(Args, Debug)]
pub(crate) struct SetArgs {
    #[command(flatten)]
    pub(super) named: Named,
    #[command(flatten)]
    wanted: Wanted,
}

/// What is to hold; an empty value is as configured.
#[derive(Args, Debug)]
#[group(required = true, multiple = true)]
struct Wanted {
    /// The directory that it works on; "" is the configured one, as with all of these
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    workspace: Option<String>,
    /// Where it works, given a git repository: in the directory itself, or in a worktree of its own
    #[arg(long, value_name = "TREE", value_parser = words(["shared", OWN]))]
    tree: Option<String>,
    /// What is done without asking
    #[arg(long, value_name = "MODE", value_parser = words(["ask", "on-miss", "auto"]))]
    approvals: Option<String>,
    /// How the sandbox sees the workspace
    #[arg(long, value_name = "MOUNT", value_parser = words(["none", "ro", "rw"]))]
    mount: Option<String>,
    /// What the sandbox can reach
    #[arg(long, value_name = "NETWORK", value_parser = words(["none", "listed", "open"]))]
    network: Option<String>,
    /// The model to ask: `provider/model`
    #[arg(long, short, value_name = "MODEL", add = ArgValueCandidates::new(complete::models))]
    model: Option<String>,
    /// How hard it is to think
    #[arg(long, value_name = "EFFORT", value_parser = words(["minimal", "low", "medium", "high"]))]
    effort: Option<String>,
    /// The kind of agent that the model works as: a preset's name
    #[arg(long, value_name = "NAME")]
    agent: Option<String>,
}

/// One of those words, or nothing.
fn words<const N: usize>(words: [&'static str; N]) -> PossibleValuesParser {
    let shown = words.into_iter().map(PossibleValue::new);
    PossibleValuesParser::new(shown.chain([PossibleValue::new("").hide(true)]))
}

/// Sets what is named.
pub(super) async fn set(
    context: &Context,
    client: &mut Client,
    session: Session,
    args: SetArgs,
) -> Result<Session, Failure> {
    let settings = merged(session.settings.unwrap_or_default(), args.wanted)?;
    let request =
        ConfigureRequest { op_id: op_id(), session: session.id, settings: Some(settings) };
    let makes = request.settings.as_ref().is_some_and(|settings| settings.tree == OWN);
    told(context, makes, client.caller.call(&call::CONFIGURE, &request)).await
}

/// Waits, and says so where a worktree is made and that takes longer than a moment.
pub(super) async fn told<T>(context: &Context, makes: bool, wait: impl Future<Output = T>) -> T {
    let mut wait = Box::pin(wait);
    tokio::select! {
        done = &mut wait => return done,
        () = tokio::time::sleep(MOMENT), if makes => {}
    }
    context.output.note("a worktree is made: that takes as long as the repository is large");
    wait.await
}

fn merged(mut settings: Settings, wanted: Wanted) -> Result<Settings, Failure> {
    let Wanted { workspace, tree, approvals, mount, network, model, effort, agent } = wanted;
    if let Some(directory) = workspace {
        settings.workspace = self::workspace(&directory)?;
    }
    for (held, wanted) in [
        (&mut settings.tree, tree),
        (&mut settings.approvals, approvals),
        (&mut settings.mount, mount),
        (&mut settings.network, network),
        (&mut settings.model, model),
        (&mut settings.effort, effort),
        (&mut settings.preset, agent),
    ] {
        if let Some(wanted) = wanted {
            *held = wanted;
        }
    }
    Ok(settings)
}

/// A workspace as the daemon takes it: absolute, without `..` and links where it is here to be looked
/// at; the daemon of a forwarded socket may have directories that are not here.
pub(super) fn workspace(directory: &str) -> Result<String, Failure> {
    if directory.is_empty() {
        return Ok(String::new());
    }
    let failed = |error: std::io::Error| Failure::io(format!("cannot use `{directory}`"), &error);
    let path = match std::fs::canonicalize(directory) {
        Ok(path) if !path.is_dir() => {
            return Err(Failure::new("invalid", format!("`{directory}` is not a directory")));
        }
        Ok(path) => path,
        Err(_) if Path::new(directory).is_absolute() => absolute(directory).map_err(failed)?,
        Err(error) => return Err(failed(error)),
    };
    let unsaid = || Failure::new("invalid", format!("the path of `{directory}` is no text"));
    path.into_os_string().into_string().map_err(|_| unsaid())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted() -> Wanted {
        Wanted {
            workspace: None,
            tree: None,
            approvals: None,
            mount: None,
            network: None,
            model: None,
            effort: None,
            agent: None,
        }
    }

    #[test]
    fn what_is_not_named_stays_and_nothing_goes_back_to_the_configured() {
        let held = Settings {
            model: "work/a".to_owned(),
            effort: "low".to_owned(),
            workspace: "/w".to_owned(),
            queue: 2,
            ..Settings::default()
        };
        let wanted =
            Wanted { model: Some(String::new()), approvals: Some("auto".to_owned()), ..wanted() };
        let set = merged(held.clone(), wanted).unwrap();
        let expected = Settings { model: String::new(), approvals: "auto".to_owned(), ..held };
        assert_eq!(set, expected);
    }

    #[test]
    fn a_workspace_is_told_as_an_absolute_path() {
        let home = tempfile::tempdir().unwrap();
        let real = home.path().canonicalize().unwrap();
        std::fs::create_dir(real.join("a")).unwrap();
        let dotted = format!("{}/a/../a", home.path().display());
        assert_eq!(workspace(&dotted).unwrap(), real.join("a").display().to_string());
        assert_eq!(workspace("").unwrap(), "");
        assert_eq!(workspace("/only/over/there").unwrap(), "/only/over/there");
        assert!(workspace("only/over/there").is_err());
        std::fs::write(real.join("file"), "").unwrap();
        let file = format!("{}/file", home.path().display());
        assert_eq!(workspace(&file).unwrap_err().code, "invalid");
    }
}
