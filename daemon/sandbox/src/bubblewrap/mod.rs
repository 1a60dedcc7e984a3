//! The sandbox of Linux machines without a container engine: bubblewrap, namespaces made by hand.
//!
//! Each command, and each program that goes on, is a sandbox of its own that is made in some
//! hundredths of a second: programs of this machine to be read, folders in memory that go with it,
//! the workspace, no network but a socket to the hosts that are listed. There is no image and nothing
//! is kept between commands. The parts: [`room`] and [`etc`] are what there is inside, [`seams`] what
//! of the workspace steers programs outside,
//! [`filter`] what of the kernel can be reached, [`limits`] what may be used up, [`enter`] the way in,
//! [`launch`] the thread that starts, [`wards`] and [`tree`] the way it ends, [`once`] and [`kept`]
//! the two ways to run, [`probe`] the proof.
//!
//! Not here: when it is taken. The invariant: the machine's user, network, processes and files are
//! never those of the sandbox; where one of the namespaces is missing, nothing runs.

mod enter;
mod etc;
mod filter;
mod kept;
mod launch;
mod limits;
mod once;
mod probe;
mod room;
mod seams;
mod tree;
mod wards;

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use moltis_core::error::{Code, Error, Result};
use moltis_core::id::SessionId;
use moltis_core::sandbox::{Exit, Place, Process};
use moltis_core::tool::{Output, Run};
use tokio::process::Command;

use crate::backend::Backend;
use crate::opening::{Openings, PROGRAM};
use crate::{Options, Variables};

/// Where programs are looked for: not where the environment says, which others may have a say in.
const PLACES: &[&str] = &["/usr/bin", "/bin", "/usr/local/bin"];

/// What leads to the person's systemd.
const BUS: &[&str] = &["DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR"];

/// The backend.
pub(crate) struct Bubblewrap {
    program: PathBuf,
    version: String,
    /// What mounts the machine's programs and the `/etc`.
    programs: Vec<OsString>,
    tmux: Option<PathBuf>,
    /// What carries connections to single hosts is on this machine.
    has_relay: bool,
    openings: Openings,
    /// Its folder below the daemon's data.
    own: PathBuf,
    /// What is not seen inside though it is in a workspace.
    hidden: Vec<PathBuf>,
    forbids_namespaces: bool,
    /// The file with the filter of calls.
    filter: Option<PathBuf>,
    limits: limits::Limits,
    /// Who limits all of a sandbox together; known after the probe.
    manager: Mutex<Option<limits::Manager>>,
    bus: Vec<(&'static str, OsString)>,
    variables: Arc<dyn Variables>,
    home_persistence: bool,
    /// The daemon is the machine's root.
    root: bool,
    seams: Arc<seams::Seams>,
    wards: Arc<wards::Wards>,
    launcher: launch::Launcher,
    keep: kept::Keep,
}

impl Bubblewrap {
    /// Looks for bubblewrap and prepares what its sandboxes need.
    ///
    /// # Errors
    /// Where there is none, or the daemon's data can't be written.
    pub(crate) async fn find(options: &Options) -> Result<Self> {
        let asked = options.clone();
        let prepared = tokio::task::spawn_blocking(move || prepare(&asked));
        let prepared =
            prepared.await.map_err(|error| Error::new(Code::Internal, error.to_string()));
        let Some(prepared) = prepared?.map_err(|error| unprepared(&error))? else {
            return Err(Error::new(Code::NotConfigured, "bubblewrap is not on this machine")
                .with_hint("install the package `bubblewrap`"));
        };
        let version = said(&prepared.program, "--version").await?;
        let version = version.trim().trim_start_matches("bubblewrap ").to_owned();
        // One that is root by its file's rights forbids the option.
        let forbids_namespaces = !prepared.set_user
            && said(&prepared.program, "--help").await?.contains("--disable-userns");
        let wards = Arc::new(wards::Wards::new());
        let launcher = launch::Launcher::new(Arc::clone(&wards)).map_err(|e| unprepared(&e))?;
        Ok(Self {
            program: prepared.program,
            version,
            programs: prepared.programs,
            tmux: prepared.tmux,
            has_relay: prepared.has_relay,
            openings: Openings::new(&options.data_dir, options.outlet.clone()),
            own: prepared.own,
            hidden: prepared.hidden,
            forbids_namespaces,
            filter: prepared.filter,
            limits: prepared.limits,
            manager: Mutex::new(None),
            bus: BUS.iter().filter_map(|name| Some((*name, std::env::var_os(name)?))).collect(),
            variables: Arc::clone(&options.variables),
            home_persistence: options.home_persistence,
            root: rustix::process::geteuid().is_root(),
            seams: Arc::new(prepared.seams),
            wards,
            launcher,
            keep: kept::Keep::default(),
        })
    }
}

#[async_trait]
impl Backend for Bubblewrap {
    fn name(&self) -> &str {
        "bubblewrap"
    }

    fn detail(&self) -> String {
        format!(
            "bubblewrap {}; programs are this machine's own; what a command leaves in /tmp or in its \
             home, and what it leaves running, goes when it ends",
            self.version
        )
    }

    fn lacks(&self) -> Vec<String> {
        let manager = *self.manager.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut lacks = self.limits.lacks(manager, self.root);
        let mut say = |lack: bool, text: &str| {
            if lack {
                lacks.push(text.to_owned());
            }
        };
        say(true, "Programs can reach single hosts of the network, or none; not all of it.");
        say(!self.has_relay, "No single hosts can be allowed: socat is not there.");
        say(
            true,
            "Below the root of a workspace, programs can change what steers others outside: \
             `.git/hooks` and the like of repositories within it.",
        );
        say(
            true,
            "In a git worktree, branches and tags can't be deleted and nothing is packed (`git gc`).",
        );
        say(true, "A workspace can be filled up to the size of the disk that it is on.");
        say(self.filter.is_none(), "No calls to the kernel are filtered on this processor.");
        say(
            self.filter.is_none() && !self.forbids_namespaces,
            "Programs can make user namespaces: this bubblewrap is older than 0.8.",
        );
        say(self.tmux.is_none(), "No program can go on running: tmux is not there.");
        say(self.home_persistence, "Homes are not kept.");
        say(
            self.root,
            "Moltis runs as root: what programs can see, they see with the rights of root's files.",
        );
        lacks
    }

    async fn probe(&self) -> Result<()> {
        self.prove().await
    }

    async fn exec(&self, place: &Place, run: &Run, output: &dyn Output) -> Result<Exit> {
        self.run(place, run, output).await
    }

    async fn start(&self, place: &Place, name: &str, run: &Run) -> Result<()> {
        self.keep(place, name, run).await
    }

    async fn send_keys(&self, place: &Place, name: &str, run: &Run, keys: bool) -> Result<()> {
        self.type_into(place, name, &run.command, keys).await
    }

    async fn screen(&self, place: &Place, name: &str, lines: u32) -> Result<(Process, String)> {
        self.look(place, name, lines).await
    }

    async fn processes(&self, place: &Place) -> Result<Vec<Process>> {
        Ok(self.list(place).await)
    }

    async fn kill(&self, place: &Place, name: &str) -> Result<()> {
        self.end(place, name).await
    }

    async fn stop(&self, session: &SessionId) {
        self.keep.forget(session);
        self.wards.end(session).await;
    }

    fn running(&self) -> u64 {
        self.wards.sessions()
    }
}

/// What the disk has for sandboxes, and has been given.
struct Prepared {
    program: PathBuf,
    programs: Vec<OsString>,
    tmux: Option<PathBuf>,
    has_relay: bool,
    set_user: bool,
    own: PathBuf,
    hidden: Vec<PathBuf>,
    filter: Option<PathBuf>,
    limits: limits::Limits,
    seams: seams::Seams,
}

/// Looks for bubblewrap and writes what its sandboxes need; `None` where it is not there.
fn prepare(options: &Options) -> io::Result<Option<Prepared>> {
    let Some(program) = program("bwrap") else { return Ok(None) };
    let set_user = fs::metadata(&program)?.permissions().mode() & 0o4000 != 0;
    let own = options.data_dir.join("run").join("sandbox").join("bubblewrap");
    fs::create_dir_all(own.join("empty"))?;
    fs::write(own.join("here"), seams::HERE)?;
    fs::set_permissions(&own, fs::Permissions::from_mode(0o700))?;
    let own = own.canonicalize()?;
    let filter = match filter::program()? {
        Some(filter) => {
            let path = own.join("filter");
            fs::write(&path, filter)?;
            Some(path)
        }
        None => None,
    };
    let hidden = vec![options.data_dir.canonicalize()?];
    let limits = limits::Limits::new(options);
    let seams = seams::Seams::new(own.join("placeholders"))?;
    let programs = [room::programs(), etc::make(&own.join("etc"))?].concat();
    let tmux = self::program("tmux");
    let has_relay = self::program(PROGRAM).is_some();
    Ok(Some(Prepared {
        program,
        programs,
        tmux,
        has_relay,
        set_user,
        own,
        hidden,
        filter,
        limits,
        seams,
    }))
}

/// What a program says to this argument.
async fn said(program: &Path, argument: &str) -> Result<String> {
    let failed = |why: String| {
        Error::new(Code::Unavailable, format!("`{}` can't be asked: {why}", program.display()))
    };
    let asked = Command::new(program).arg(argument).env_clear().kill_on_drop(true).output();
    match tokio::time::timeout(Duration::from_secs(10), asked).await {
        Ok(Ok(said)) => Ok(String::from_utf8_lossy(&said.stdout).into_owned()),
        Ok(Err(error)) => Err(failed(error.to_string())),
        Err(_) => Err(failed("it does not answer".to_owned())),
    }
}

/// A program of the machine.
fn program(name: &str) -> Option<PathBuf> {
    PLACES.iter().map(|place| Path::new(place).join(name)).find(|path| path.is_file())
}

fn unprepared(error: &io::Error) -> Error {
    Error::new(Code::Storage, format!("the sandbox's folder can't be prepared: {error}"))
}

#[cfg(test)]
mod tests;
