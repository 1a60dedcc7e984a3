//! The systemd user unit of the daemon.
//!
//! One unit per person; it is used only when it runs exactly this program on exactly these
//! directories. Whether systemd is there at all is found out by asking it.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;

use super::dial::Connector;
use super::failure::Failure;

/// The unit's name.
const NAME: &str = "moltisd.service";

/// By this line a unit of this program's making is known.
const MARK: &str = "Description=Moltis, a personal AI gateway\n";

/// What stands before the directories of a unit.
const DIRECTORIES: &str = " --foreground --config-dir ";

/// The unit as it is to be.
pub(crate) struct Unit {
    path: PathBuf,
    text: String,
}

impl Unit {
    /// The unit that runs that program on the connector's directories.
    pub(crate) fn of(program: &Path, connector: &Connector) -> Self {
        let home = std::env::home_dir().unwrap_or_else(|| PathBuf::from("/"));
        let config = std::env::var_os("XDG_CONFIG_HOME")
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
            .unwrap_or_else(|| home.join(".config"));
        let text = text(program, connector.config_dir(), connector.data_dir());
        Self { path: config.join("systemd").join("user").join(NAME), text }
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether exactly this unit is installed.
    pub(crate) fn is_installed(&self) -> bool {
        std::fs::read_to_string(&self.path).is_ok_and(|text| text == self.text)
    }

    /// Whether it may be written: nothing is there, or what this program wrote for these directories.
    pub(crate) fn is_free(&self) -> Result<(), Failure> {
        let Ok(text) = std::fs::read_to_string(&self.path) else { return Ok(()) };
        let shown = self.path.display();
        if !text.contains(MARK) {
            let failure = Failure::new("conflict", format!("`{shown}` is not of moltis' making"));
            return Err(failure.with_hint("move it away"));
        }
        let words = |text: &str| {
            let line = text.lines().find(|line| line.starts_with("ExecStart="))?;
            line.split_once(DIRECTORIES).map(|(_, words)| words.to_owned())
        };
        if words(&text) == words(&self.text) {
            return Ok(());
        }
        let failure = Failure::new("conflict", format!("`{shown}` is for other directories"));
        Err(failure.with_hint("moltis daemon uninstall"))
    }

    /// Whether this program wrote the one that is there.
    pub(crate) fn is_ours(&self) -> bool {
        std::fs::read_to_string(&self.path).is_ok_and(|text| text.contains(MARK))
    }

    /// Writes it.
    pub(crate) fn write(&self) -> Result<(), Failure> {
        let folder = self.path.parent().unwrap_or(Path::new("/"));
        std::fs::create_dir_all(folder)
            .and_then(|()| std::fs::write(&self.path, &self.text))
            .map_err(|error| Failure::io(format!("cannot write `{}`", self.path.display()), &error))
    }

    /// Removes it; says whether there was one.
    pub(crate) fn remove(&self) -> Result<bool, Failure> {
        match std::fs::remove_file(&self.path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
            Err(error) => {
                Err(Failure::io(format!("cannot remove `{}`", self.path.display()), &error))
            }
        }
    }

    /// Starts it; returns when the daemon has told systemd that it is ready.
    pub(crate) async fn start(&self) -> Result<(), Failure> {
        systemctl(&["start", NAME]).await
    }

    /// Makes systemd read what was written or removed.
    pub(crate) async fn reload(&self) -> Result<(), Failure> {
        systemctl(&["daemon-reload"]).await
    }

    /// Makes systemd start it now and at every login.
    pub(crate) async fn enable(&self) -> Result<(), Failure> {
        systemctl(&["enable", "--now", NAME]).await
    }

    /// Makes systemd stop it and forget it.
    pub(crate) async fn disable(&self) -> Result<(), Failure> {
        systemctl(&["disable", "--now", NAME]).await
    }
}

async fn systemctl(arguments: &[&str]) -> Result<(), Failure> {
    let words = arguments.join(" ");
    let ended = Command::new("systemctl")
        .arg("--user")
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .output()
        .await
        .map_err(|error| Failure::io("cannot run `systemctl`", &error))?;
    if ended.status.success() {
        return Ok(());
    }
    let errors = String::from_utf8_lossy(&ended.stderr);
    let last = errors.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it failed");
    Err(Failure::new("io", format!("`systemctl --user {words}`: {}", last.trim())))
}

fn text(program: &Path, config_dir: &Path, data_dir: &Path) -> String {
    format!(
        "[Unit]\n\
         {MARK}\
         Documentation=man:moltisd(8)\n\
         \n\
         [Service]\n\
         Type=notify\n\
         ExecStart={}{DIRECTORIES}{} --data-dir {}\n\
         ExecReload=kill -HUP $MAINPID\n\
         Restart=on-failure\n\
         RestartSec=2\n\
         TimeoutStopSec=30\n\
         UMask=0077\n\
         \n\
         [Install]\n\
         WantedBy=default.target\n",
        quoted(program),
        quoted(config_dir),
        quoted(data_dir),
    )
}

/// A path as a word of a unit's command line: systemd expands `%` and `$` and splits at spaces.
fn quoted(path: &Path) -> String {
    let text = path.to_string_lossy().replace('%', "%%").replace('$', "$$");
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn the_unit_names_program_and_directories_as_single_words() {
        let text = text(Path::new("/opt/my apps/moltisd"), Path::new("/c"), Path::new("/d/100%"));
        let line = text.lines().find(|line| line.starts_with("ExecStart=")).unwrap();
        expect![[
            r#"ExecStart="/opt/my apps/moltisd" --foreground --config-dir "/c" --data-dir "/d/100%%""#
        ]]
        .assert_eq(line);
    }
}
