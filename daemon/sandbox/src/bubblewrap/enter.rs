//! The way into a sandbox.
//!
//! What runs inside first is a shell that says it is there, and only then is told what to run: by
//! that time the kernel holds sandbox and daemon together, and a daemon that ended meanwhile tells it
//! nothing. What it is told, and the owner's variables, come over its standard input, not as
//! arguments, which everyone on the machine can read. Not here: what becomes of what it prints. The
//! invariant: nothing of a command runs before its sandbox is complete.

use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use moltis_core::error::{Code, Error, Result};
use moltis_core::id::SessionId;
use moltis_core::sandbox::{Mount, Network, Place};
use moltis_core::tool::Run;
use secrecy::ExposeSecret as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Command;
use tokio::time::timeout;

use super::Bubblewrap;
use super::limits::Manager;
use super::room::{Floor, Ground, HOME, Room, WORKSPACE};
use super::wards::Ward;
use crate::linked::{Linked, Seen};
use crate::opening::{self, Opening};
use crate::shell::quoted;

/// What a shell inside says when it is there.
const HERE: u8 = 6;

/// The longest that making a sandbox may take.
const SETTING_UP: Duration = Duration::from_secs(20);

/// Bytes that are kept of what bubblewrap complains of.
const COMPLAINT: u64 = 4_000;

/// What is said where nothing can lead to single hosts.
pub(super) const NO_RELAY: &str =
    "socat is not on this machine: single hosts of the network can't be allowed";

/// The longest command, bytes: Linux takes no argument longer than 128 KiB.
const COMMAND: usize = 120_000;

/// Runs what comes, and ends with it. What comes cut off ends in the middle of a quoted word, which no
/// shell runs.
const ONCE: &str = "printf '\\006'; . /dev/stdin";

/// Takes line after line.
const LINES: &str = "printf '\\006'; exec /bin/sh";

/// Carries connections to single hosts, as a child of nobody: what it is told to run may wait for all
/// of its children.
const RELAY: &str = "(socat $relay </dev/null >/dev/null 2>&1 &)
until_listens || { echo 'nothing in it leads to the hosts that are allowed' >&2; exit 1; }
";

/// Puts the filter under its number, makes what follows the first that a full memory ends, and
/// becomes it.
const OUTSIDE: &str = "filter=$1; shift; echo 1000 2>/dev/null >/proc/self/oom_score_adj; \
                       [ -z \"$filter\" ] || exec 9<\"$filter\" || exit 125; exec \"$@\"";

/// How the shell inside takes what it is told.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Telling {
    /// All at once.
    Once,
    /// Line after line, for as long as it runs.
    Lines,
}

impl Bubblewrap {
    /// A sandbox for this program, whose shell has been told the owner's variables and this script.
    /// The workspace is seen and the network reached as the run says, for that is what was judged.
    pub(super) async fn enter(
        &self,
        place: &Place,
        run: &Run,
        script: &str,
        telling: Telling,
    ) -> Result<Ward> {
        let manager = *self.manager.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        self.enter_with(place, run, script, telling, manager).await
    }

    pub(super) async fn enter_with(
        &self,
        place: &Place,
        run: &Run,
        script: &str,
        telling: Telling,
        manager: Option<Manager>,
    ) -> Result<Ward> {
        let directory = run.directory.as_str();
        let mut steps = Path::new(directory).components();
        if steps.any(|step| !matches!(step, Component::Normal(_) | Component::CurDir)) {
            return Err(Error::new(
                Code::Invalid,
                format!("`{directory}` leads out of the workspace"),
            ));
        }
        let opening = self.opening(&place.session, run.network).await?;
        let (floor, repository) = self.floor(place, run.mount).await?;
        let ground = Ground { floor, opening };
        let told = self.told(script).await?;
        let command = self.command(&ground, &repository, directory, telling, manager);
        let mut ward = self.launcher.start(command, place.session.clone(), ground).await?;
        match timeout(SETTING_UP, hear(&mut ward)).await {
            Ok(heard) => heard?,
            Err(_) => return Err(Error::new(Code::Unavailable, "a sandbox does not start")),
        }
        ward.settle();
        let mut stdin = ward.stdin.take().ok_or_else(streamless)?;
        let written = stdin.write_all(told.as_bytes()).await;
        if let Err(error) = written {
            return Err(Error::new(Code::Unavailable, format!("a sandbox takes nothing: {error}")));
        }
        if telling == Telling::Lines {
            ward.stdin = Some(stdin);
        }
        Ok(ward)
    }

    /// What leads to the network that a run may reach.
    async fn opening(&self, session: &SessionId, network: Network) -> Result<Option<Opening>> {
        match network {
            Network::None => Ok(None),
            Network::Open => Err(not_open()),
            Network::Listed if !self.has_relay => {
                Err(Error::new(Code::NotConfigured, NO_RELAY)
                    .with_hint("install the package `socat`"))
            }
            Network::Listed => self.openings.open(session).await.map(Some),
        }
    }

    /// The workspace of a place, made sure of, and what is seen of the repository that it is a
    /// worktree of.
    async fn floor(&self, place: &Place, mount: Mount) -> Result<(Floor, Vec<(PathBuf, Seen)>)> {
        let workspace = place.workspace.clone().filter(|_| mount != Mount::None);
        let Some(workspace) = workspace else { return Ok((Floor::None, Vec::new())) };
        let hidden = self.hidden.clone();
        let seams = self.seams.clone();
        let floor = tokio::task::spawn_blocking(move || {
            let workspace = real(&workspace)?;
            let repository = repository(&workspace, mount, &hidden);
            let floor = match mount {
                Mount::None => Floor::None,
                Mount::ReadOnly => Floor::ReadOnly(workspace),
                Mount::ReadWrite => {
                    let lease = seams.take(&workspace)?;
                    Floor::ReadWrite(workspace, lease)
                }
            };
            Ok((floor, repository))
        });
        floor.await.map_err(|error| Error::new(Code::Internal, error.to_string()))?
    }

    /// What the shell is told.
    async fn told(&self, script: &str) -> Result<String> {
        let mut told = String::new();
        for (name, value) in self.variables.variables().await? {
            let value = value.expose_secret();
            if is_name(&name) && !value.contains('\0') {
                told.push_str(&format!("export {name}={}\n", quoted(value)));
            }
        }
        told.push_str(script);
        told.push('\n');
        Ok(told)
    }

    fn command(
        &self,
        ground: &Ground,
        repository: &[(PathBuf, Seen)],
        directory: &str,
        telling: Telling,
        manager: Option<Manager>,
    ) -> Command {
        let start = match &ground.floor {
            Floor::None => HOME.to_owned(),
            _ => format!("{WORKSPACE}/{directory}").trim_end_matches('/').to_owned(),
        };
        let room = Room {
            programs: &self.programs,
            own: &self.own,
            ground,
            repository,
            hidden: &self.hidden,
            directory: start,
            folder: self.limits.folder,
            forbids_namespaces: self.forbids_namespaces,
            filter: self.filter.as_ref().map(|_| 9),
        };
        let mut words: Vec<OsString> = Vec::new();
        words.extend(self.limits.outside(manager));
        words.push(self.program.clone().into_os_string());
        words.extend(room.arguments());
        words.push("--".into());
        let first = if telling == Telling::Once { ONCE } else { LINES };
        words.extend(["/bin/sh", "-c"].map(OsString::from));
        let relay = ground.opening.as_ref().map(|_| [opening::RELAY, RELAY].concat());
        let relay = relay.unwrap_or_default();
        words.push(format!("{}{relay}{first}", self.limits.inside()).into());
        let mut command = Command::new("/bin/sh");
        command.args(["-c", OUTSIDE, "sh"]).arg(self.filter.as_deref().unwrap_or(Path::new("")));
        command.args(words).env_clear().envs(self.bus.iter().cloned()).current_dir("/");
        command
    }
}

/// What is seen of the repository that a workspace is a worktree of. Blocks on the disk.
fn repository(workspace: &Path, mount: Mount, hidden: &[PathBuf]) -> Vec<(PathBuf, Seen)> {
    let Some(linked) = Linked::of(workspace) else { return Vec::new() };
    if hidden.iter().any(|path| linked.holds(path)) || linked.packed().is_none() {
        return Vec::new();
    }
    linked.places(mount == Mount::ReadWrite)
}

/// Waits for the shell inside.
async fn hear(ward: &mut Ward) -> Result<()> {
    let (Some(stdout), Some(stderr)) = (&mut ward.stdout, &mut ward.stderr) else {
        return Err(streamless());
    };
    if stdout.read_u8().await.is_ok_and(|byte| byte == HERE) {
        return Ok(());
    }
    let mut complaint = Vec::new();
    // What could be read of it is told.
    let _ = stderr.take(COMPLAINT).read_to_end(&mut complaint).await;
    let complaint = String::from_utf8_lossy(&complaint);
    let complaint = complaint.trim();
    let code = if complaint.contains("Can't chdir") { Code::Invalid } else { Code::Unavailable };
    Err(Error::new(code, format!("the sandbox could not be made: {complaint}")))
}

fn streamless() -> Error {
    Error::new(Code::Internal, "a sandbox was started without its streams")
}

fn not_open() -> Error {
    Error::new(Code::Denied, "bubblewrap does not give programs the whole network")
        .with_hint("set the network to `listed` or `none`, or install Docker or Podman")
}

/// The workspace's real path. Not the whole machine, and not what only looks like a folder.
fn real(workspace: &Path) -> Result<PathBuf> {
    let unusable = |why: &str| {
        let path = workspace.display();
        Error::new(Code::Invalid, format!("`{path}` can't be the workspace of a sandbox: {why}"))
    };
    let real = workspace.canonicalize().map_err(|error| unusable(&error.to_string()))?;
    if !real.is_dir() {
        return Err(unusable("it is not a folder"));
    }
    if real.parent().is_none() {
        return Err(unusable("it is the whole machine"));
    }
    Ok(real)
}

/// A command line for the shell inside, as an argument.
///
/// # Errors
/// Where Linux does not take it.
pub(super) fn argument(text: &str) -> Result<String> {
    if text.contains('\0') {
        return Err(Error::new(Code::Invalid, "a command has no zero bytes"));
    }
    if text.len() > COMMAND {
        return Err(Error::new(Code::Invalid, format!("a command has at most {COMMAND} bytes"))
            .with_hint("write it to a file of the workspace and run that"));
    }
    Ok(quoted(text))
}

fn is_name(name: &str) -> bool {
    !name.starts_with(|first: char| first.is_ascii_digit())
        && !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
