//! A disk that is really full: a file system of one megabyte, in a mount namespace of its own.

use std::process::Command;

use moltis_checkpoint::Checkpointer;
use moltis_core::checkpoint::Checkpoints;
use moltis_core::{Code, SessionId};

use crate::rig::files_below;

/// Where the small file system is; set in the inner process only.
const FOLDER: &str = "MOLTIS_TEST_FULL_DISK";

fn is_ci() -> bool {
    std::env::var("CI").is_ok_and(|ci| ci == "true")
}

/// The test program itself, where a file system of one megabyte is mounted at the folder.
fn inside(folder: &std::path::Path) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "sh", "-c"]);
    command.arg(format!(
        "mount -t tmpfs -o size=1m tmpfs \"${FOLDER}\" && touch \"${FOLDER}/mounted\" && exec \"$@\""
    ));
    command.arg("sh").arg(std::env::current_exe().unwrap());
    command.args(["--exact", "full_disk::a_snapshot_on_the_small_disk", "--nocapture"]);
    command.env(FOLDER, folder);
    command
}

#[test]
fn a_full_disk_fails_the_snapshot_with_a_hint_and_leaves_nothing_half() {
    let folder = tempfile::tempdir().unwrap();
    let output = match inside(folder.path()).output() {
        Ok(output) => output,
        Err(error) => {
            assert!(!is_ci(), "unshare: {error}");
            eprintln!("skipped: there is no unshare to mount a small file system with");
            return;
        }
    };
    let told = String::from_utf8_lossy(&output.stdout);
    if !told.contains("running 1 test") {
        let why = String::from_utf8_lossy(&output.stderr);
        assert!(!is_ci(), "{why}");
        eprintln!("skipped: no small file system can be mounted here: {why}");
        return;
    }
    assert!(told.contains("the disk was full"), "{told}");
    assert!(output.status.success(), "{told}");
}

/// The inner half of the test above; by itself it has no small disk and says nothing.
#[tokio::test]
async fn a_snapshot_on_the_small_disk() {
    let Some(folder) = std::env::var_os(FOLDER).map(std::path::PathBuf::from) else {
        return;
    };
    assert!(folder.join("mounted").exists());
    let workspace = tempfile::tempdir().unwrap();
    for number in 0..40_u8 {
        std::fs::write(workspace.path().join(number.to_string()), vec![number; 50_000]).unwrap();
    }
    let checkpoints = Checkpointer::open(&folder.join("checkpoints"), 1 << 30).unwrap();
    let session = SessionId::from("s");
    let failed = checkpoints.take(&session, workspace.path()).await.unwrap_err();
    assert_eq!(failed.code, Code::Storage);
    assert_eq!(failed.hint.as_deref(), Some("free some space, or lower `checkpoints.max_mb`"));
    assert_eq!(files_below(&folder.join("checkpoints")).len(), 0);
    println!("the disk was full");
}
