//! Whether a sandbox keeps what this backend promises, asked of a real one.
//!
//! A script inside tells what it sees, and the daemon compares that with what it sees itself. Not
//! here: attacks; they are the tests'. The invariant: an answer that is missing counts against it.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::time::Duration;

use moltis_core::error::{Code, Error, Result};
use moltis_core::id::SessionId;
use moltis_core::sandbox::{Mount, Network, Place};
use moltis_core::tool::{Output, Run};

use super::Bubblewrap;
use super::enter::Telling;
use super::limits::Manager;

/// Tells what it sees, a line each: `name=value`.
const SCRIPT: &str = r#"
echo "uid=$(id -u)"
while read -r name value; do
  case $name in CapPrm:|CapEff:|CapBnd:|NoNewPrivs:|Seccomp:) echo "${name%:}=$value" ;; esac
done </proc/self/status
while read -r a b c rest; do
  case "$a $b $c" in
    "Max processes "*) echo "processes=${c%% *}" ;;
    "Max data size") echo "data=${rest%% *}" ;;
  esac
done </proc/self/limits
for kind in user pid net mnt ipc uts; do echo "$kind=$(readlink /proc/self/ns/$kind)"; done
for place in / /usr /etc /proc/sys/kernel /dev /home; do
  if (: >"$place/moltis-probe") 2>/dev/null; then echo "writes=$place"; fi
done
if (: >>/proc/sys/kernel/core_pattern) 2>/dev/null; then echo "writes=switches"; fi
for place in /root /var /boot /srv /opt /media /mnt /sys /etc/shadow "$1"; do
  if [ -e "$place" ]; then echo "sees=$place"; fi
done
set -- /proc/[0-9]*; echo "others=$(($# > 8))"
set -- $(grep -c : /proc/net/dev); echo "interfaces=$1"
set -- /home/*; echo "homes=$*"
if (: >/tmp/probe && : >"$HOME/probe") 2>/dev/null; then echo "temporary=yes"; fi
echo "secret=$MOLTIS_PROBE_SECRET"
"#;

/// The longest that it may take.
const LONGEST: Duration = Duration::from_secs(20);

/// Takes the output and shows it to nobody.
struct Unseen;

impl Output for Unseen {
    fn push(&self, _: &str) {}
}

impl Bubblewrap {
    pub(super) async fn prove(&self) -> Result<()> {
        let manager = self.manager_that_limits().await;
        *self.manager.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = manager;
        let own = self.own.join("etc/passwd").display().to_string();
        let script = SCRIPT.replace("\"$1\"", &format!("'{}'", own.replace('\'', "'\\''")));
        let exit = self.run(&place(), &run(script), &Unseen).await?;
        if exit.code != 0 {
            let said = exit.stderr.trim();
            return Err(unproved(&format!("the probe ended with {}: {said}", exit.code)));
        }
        let mut seen: BTreeMap<&str, &str> = BTreeMap::new();
        for (name, value) in exit.stdout.lines().filter_map(|line| line.split_once('=')) {
            if name == "writes" {
                return Err(unproved(&format!("`{value}` can be written inside")));
            }
            if name == "sees" {
                return Err(unproved(&format!("`{value}` of the machine can be seen inside")));
            }
            seen.insert(name, value.trim());
        }
        self.judge(&seen)
    }

    fn judge(&self, seen: &BTreeMap<&str, &str>) -> Result<()> {
        let none = "0000000000000000";
        let mut wanted = vec![
            ("uid", "1000"),
            ("CapPrm", none),
            ("CapEff", none),
            ("CapBnd", none),
            ("NoNewPrivs", "1"),
            ("others", "0"),
            ("interfaces", "1"),
            ("homes", super::room::HOME),
            ("temporary", "yes"),
            ("secret", ""),
        ];
        if self.filter.is_some() {
            wanted.push(("Seccomp", "2"));
        }
        for (name, value) in wanted {
            let found = seen.get(name).copied().unwrap_or("nothing");
            if found != value {
                return Err(unproved(&format!("`{name}` is {found} inside, not {value}")));
            }
        }
        let mut limits = vec![("data", self.limits.memory)];
        if self.limits.counts() {
            limits.push(("processes", self.limits.pids));
        }
        for (name, most) in limits {
            let found = seen.get(name).copied().unwrap_or("nothing");
            if !found.parse().is_ok_and(|found: u64| found <= most) {
                return Err(unproved(&format!("the limit of `{name}` is {found}, not {most}")));
            }
        }
        for kind in ["user", "pid", "net", "mnt", "ipc", "uts"] {
            let ours = fs::read_link(format!("/proc/self/ns/{kind}")).map_err(|e| unread(&e))?;
            let theirs = seen.get(kind).copied().unwrap_or_default();
            if theirs.is_empty() || *ours == *theirs {
                return Err(unproved(&format!("it shares the machine's {kind} namespace")));
            }
        }
        Ok(())
    }

    /// The systemd that limits all of a sandbox together, if one does.
    async fn manager_that_limits(&self) -> Option<Manager> {
        let manager = if self.root { Manager::Machine } else { Manager::Person };
        if self.limits.outside(Some(manager)).is_empty() {
            return None;
        }
        match self
            .enter_with(&place(), &run(String::new()), "", Telling::Lines, Some(manager))
            .await
        {
            Ok(ward) if self.limits.hold_for(ward.pid()) => return Some(manager),
            Ok(_) => tracing::debug!(?manager, "its control groups do not limit"),
            Err(error) => tracing::debug!(?manager, %error, "no control groups"),
        }
        None
    }
}

fn place() -> Place {
    Place {
        session: SessionId::new("probe"),
        workspace: None,
        mount: Mount::None,
        network: Network::None,
    }
}

fn run(command: String) -> Run {
    Run {
        command,
        typed: false,
        directory: String::new(),
        timeout: LONGEST,
        network: Network::None,
        hosts: Vec::new(),
        mount: Mount::None,
    }
}

fn unproved(why: &str) -> Error {
    Error::new(Code::Unavailable, format!("bubblewrap does not contain programs here: {why}"))
}

fn unread(error: &io::Error) -> Error {
    unproved(&format!("its own namespaces can't be read: {error}"))
}
