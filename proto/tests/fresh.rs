//! The checked-in code is what the `.proto` files say. `UPDATE_EXPECT=1` renews it.

use std::path::{Path, PathBuf};

const FILES: [&str; 9] =
    ["session", "event", "model", "provider", "config", "system", "code", "hook", "sandbox"];

fn generate(into: &Path) -> Vec<u8> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files: Vec<PathBuf> =
        FILES.iter().map(|name| root.join(format!("moltis/v1/{name}.proto"))).collect();
    let mut set = protox::compile(files, [root]).expect("the .proto files compile");
    tonic_prost_build::configure()
        .out_dir(into)
        .emit_rerun_if_changed(false)
        .compile_fds(set.clone())
        .expect("the code generator runs");
    for file in &mut set.file {
        file.source_code_info = None;
    }
    prost::Message::encode_to_vec(&set)
}

#[test]
fn generated_code_is_fresh() {
    let fresh = tempfile::tempdir().unwrap();
    let descriptors = generate(fresh.path());
    let code = std::fs::read(fresh.path().join("moltis.v1.rs")).unwrap();
    let checked_in = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/gen");
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::create_dir_all(&checked_in).unwrap();
        std::fs::write(checked_in.join("moltis.v1.rs"), &code).unwrap();
        std::fs::write(checked_in.join("moltis.v1.bin"), &descriptors).unwrap();
        return;
    }
    let hint = "is stale: UPDATE_EXPECT=1 cargo test -p moltis-proto";
    assert!(std::fs::read(checked_in.join("moltis.v1.rs")).unwrap() == code, "moltis.v1.rs {hint}");
    let stored = std::fs::read(checked_in.join("moltis.v1.bin")).unwrap();
    assert!(stored == descriptors, "moltis.v1.bin {hint}");
}
