//! Where things are: the directories and the socket, by the same rules as the daemon's.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// The longest plain path of a socket; the kernel's limit is 107 on Linux and 103 elsewhere.
const LONGEST_SOCKET_PATH: usize = 100;

/// The configuration directory: as given, else `~/.config/moltis`.
pub(super) fn config_dir(given: Option<&Path>) -> PathBuf {
    absolute(given, &[".config", "moltis"])
}

/// The data directory: as given, else `~/.moltis`.
pub(super) fn data_dir(given: Option<&Path>) -> PathBuf {
    absolute(given, &[".moltis"])
}

fn absolute(given: Option<&Path>, below_home: &[&str]) -> PathBuf {
    match given {
        Some(given) => std::path::absolute(given).unwrap_or_else(|_| given.to_owned()),
        None => {
            let home = std::env::home_dir().unwrap_or_else(|| PathBuf::from("/"));
            below_home.iter().fold(home, |path, name| path.join(name))
        }
    }
}

/// The daemon's socket for that absolute data directory.
pub(super) fn socket(data_dir: &Path) -> PathBuf {
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").filter(|dir| !dir.is_empty());
    let runtime = runtime.map_or_else(|| PathBuf::from("/tmp"), PathBuf::from);
    socket_in(data_dir, &runtime, rustix::process::geteuid().as_raw())
}

fn socket_in(data_dir: &Path, runtime: &Path, uid: u32) -> PathBuf {
    let plain = data_dir.join("run").join("moltisd.sock");
    if plain.as_os_str().len() <= LONGEST_SOCKET_PATH {
        return plain;
    }
    let digest = Sha256::digest(data_dir.as_os_str().as_encoded_bytes());
    let name: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    runtime.join(format!("moltis-{uid}")).join(format!("{name}.sock"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_path_falls_back_to_the_runtime_directory() {
        let runtime = Path::new("/run/user/7");
        let short = socket_in(Path::new("/home/ann/.moltis"), runtime, 7);
        assert_eq!(short, Path::new("/home/ann/.moltis/run/moltisd.sock"));
        let long = PathBuf::from(format!("/{}", "d".repeat(99)));
        let path = socket_in(&long, runtime, 7);
        assert!(path.starts_with("/run/user/7/moltis-7"));
        assert_eq!(path.file_name().unwrap().len(), "0123456789abcdef.sock".len());
        assert!(path.as_os_str().len() <= LONGEST_SOCKET_PATH);
    }
}
