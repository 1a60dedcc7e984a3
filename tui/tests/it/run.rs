//! Running the real program in a home of its own.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    /// The only document on stdout.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The documents of a stream.
    pub(crate) fn lines(&self) -> Vec<Value> {
        self.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// A home without anything, and nothing of the environment of whoever runs the tests.
pub(crate) struct Home {
    pub(crate) dir: TempDir,
    pub(crate) program: PathBuf,
}

impl Home {
    /// A home; moltis is where cargo put it.
    pub(crate) fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("m").tempdir().unwrap();
        Self { dir, program: PathBuf::from(env!("CARGO_BIN_EXE_moltis")) }
    }

    /// Where its daemon would listen.
    pub(crate) fn socket(&self) -> PathBuf {
        self.dir.path().join("data/run/moltisd.sock")
    }

    /// A command in this home.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(words)
            .env_clear()
            .env("HOME", self.dir.path())
            .env("PATH", "/usr/bin:/bin")
            .env("MOLTIS_DATA_DIR", self.dir.path().join("data"))
            .env("MOLTIS_CONFIG_DIR", self.dir.path().join("config"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs to the end, with nothing on standard input.
    pub(crate) fn run(&self, words: &[&str]) -> Ran {
        end(self.command(words).spawn().unwrap())
    }

    /// Runs to the end with that on standard input.
    pub(crate) fn run_with(&self, words: &[&str], input: &str) -> Ran {
        let mut child = self.command(words).stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        end(child)
    }
}

/// Waits for the end.
pub(crate) fn end(child: Child) -> Ran {
    let output = child.wait_with_output().unwrap();
    Ran {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Reads what the child prints until that text has come; gives back what was read.
pub(crate) fn read_until(child: &mut Child, text: &str) -> String {
    let pipe = child.stdout.as_mut().unwrap();
    let mut read = String::new();
    let mut byte = [0];
    while !read.contains(text) {
        assert_eq!(pipe.read(&mut byte).unwrap(), 1, "ended after {read:?}");
        read.push(char::from(byte[0]));
    }
    read
}

/// Reads the next line that the child prints.
pub(crate) fn read_line(child: &mut Child) -> String {
    let mut line = String::new();
    // A line at a time keeps nothing back: the reader is made for one byte.
    BufReader::with_capacity(1, child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    line
}

/// Sends Ctrl-C.
pub(crate) fn interrupt(child: &Child) {
    let pid = rustix::process::Pid::from_child(child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
}
