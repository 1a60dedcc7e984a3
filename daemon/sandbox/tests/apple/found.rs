//! Whether it is taken, and why not.

use moltis_core::sandbox::{Sandbox as _, SandboxStatus};
use moltis_sandbox::Sandboxes;

use crate::support::{Double, missing};

async fn status(double: &Double) -> SandboxStatus {
    let data = tempfile::tempdir().unwrap();
    Sandboxes::new(double.options(data.path())).probe().await
}

/// The reason and the hint.
async fn refused(double: &Double) -> (String, String) {
    let status = status(double).await;
    assert_eq!(status.backend, None, "{}", status.detail);
    (status.detail, status.hint.unwrap_or_default())
}

#[tokio::test]
async fn where_it_can_not_be_used_the_reason_and_what_mends_it_are_told() {
    if missing() {
        return;
    }
    let double = Double::new("1.2.2");
    assert_eq!(status(&double).await.backend.as_deref(), Some("apple-container"));
    double.flavor("service='not running'");
    let (reason, hint) = refused(&double).await;
    assert!(reason.contains("service of Apple's `container` does not run"), "{reason}");
    assert_eq!(hint, "container system start");
    double.flavor("version=0.11.0");
    let (reason, hint) = refused(&double).await;
    assert!(reason.contains("0.11.0 can't take capabilities away"), "{reason}");
    assert!(hint.contains("0.12.0"), "{hint}");
    let other = "#!/bin/sh\necho other 1.0\n";
    std::fs::write(double.path().join("container"), other).unwrap();
    let (reason, _) = refused(&double).await;
    assert!(reason.contains("is not Apple's: it says `other 1.0`"), "{reason}");
    std::fs::remove_file(double.path().join("container")).unwrap();
    let (reason, hint) = refused(&double).await;
    assert!(reason.contains("is not on this machine"), "{reason}");
    assert!(hint.contains("github.com/apple/container"), "{hint}");
}
