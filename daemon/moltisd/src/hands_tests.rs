use moltis_session::{Preset, Presets as _};

use super::{PresetFiles, preset};

#[test]
fn a_preset_is_what_its_file_says() {
    let text = "+++\ntools = [\"read\", \"grep\"]\nmodel = \"a/b\"\n+++\n\nYou review code.\n";
    let tools = vec!["read".to_owned(), "grep".to_owned()];
    let expected =
        Preset { system: "You review code.".to_owned(), tools, model: Some("a/b".to_owned()) };
    assert_eq!(preset(text), Ok(expected));
    assert_eq!(preset("Just words.").unwrap().system, "Just words.");
    assert!(preset("+++\ntool = []\n+++\nx").unwrap_err().contains("unknown field `tool`"));
    assert!(preset("+++\ntools = []\n").is_err());
}

#[test]
fn a_preset_that_is_not_there_is_told_with_those_that_are() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("reviewer.md"), "You review.").unwrap();
    let presets = PresetFiles(folder.path().to_owned());
    assert_eq!(presets.preset("reviewer").unwrap().system, "You review.");
    let error = presets.preset("tester").unwrap_err();
    assert_eq!(error, "there is no preset `tester`; there are: reviewer");
    for name in ["../reviewer", "", "a/b", "a.b"] {
        assert!(presets.preset(name).unwrap_err().contains("is no name of a preset"), "{name}");
    }
}
