//! The completion scripts of the repository are what the program prints. `UPDATE_EXPECT=1` renews
//! them.

use std::path::Path;

use crate::run::Home;

#[test]
fn the_completion_scripts_are_fresh() {
    let home = Home::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../completions");
    for (shell, file) in [("bash", "moltis.bash"), ("zsh", "_moltis"), ("fish", "moltis.fish")] {
        let ran = home.run(&["completions", shell]);
        assert_eq!(ran.code, 0, "{ran:?}");
        assert!(ran.stdout.contains("COMPLETE"), "{ran:?}");
        let mended = match shell {
            "bash" => "COMP_WORDBREAKS=${COMP_WORDBREAKS//:}\n_clap_complete_moltis() {",
            "zsh" => "else\n    compdef _clap_dynamic_completer_moltis moltis\nfi",
            _ => "moltis",
        };
        assert!(ran.stdout.contains(mended), "the generated script has another form: {ran:?}");
        let path = folder.join(file);
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(&path, &ran.stdout).unwrap();
        }
        let stored = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(stored == ran.stdout, "{file} is stale: UPDATE_EXPECT=1 cargo test -p moltis");
    }
}
