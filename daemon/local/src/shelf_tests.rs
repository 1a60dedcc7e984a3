use super::*;
use crate::fixture::Fixture;

#[test]
fn names_are_safe_as_files() {
    for name in ["smollm2-135m", "a", "qwen2.5_0.5b"] {
        assert!(is_name(name), "{name}");
    }
    for name in ["", ".hidden", "../x", "a/b", "A", "a b", "-a", &"a".repeat(65)] {
        assert!(!is_name(name), "{name}");
    }
}

#[test]
fn a_file_gives_its_model_a_name() {
    let name = |path: &str| name_of(Path::new(path));
    assert_eq!(name("/x/Qwen3-0.6B-Q8_0.gguf").as_deref(), Some("qwen3-0.6b-q8_0"));
    assert_eq!(name("/x/My Model (1).gguf").as_deref(), Some("my-model--1-"));
    assert_eq!(name("/x/...gguf"), None);
    assert_eq!(name("/"), None);
}

#[test]
fn models_put_there_by_hand_are_listed_and_others_left_out() {
    let dir = tempfile::tempdir().unwrap();
    let shelf = Shelf::new(dir.path().to_owned());
    Fixture::new("qwen3").write(&shelf.model("tiny"));
    fs::write(shelf.model("broken"), "GGUF").unwrap();
    fs::write(shelf.part("half"), "GGUF").unwrap();
    fs::write(dir.path().join("notes.txt"), "").unwrap();
    for _ in 0..2 {
        // The second time from the card.
        let models = shelf.list().unwrap();
        let [(name, card)] = models.as_slice() else { panic!("{models:?}") };
        assert_eq!(name, "tiny");
        assert_eq!((card.title.as_str(), card.context), ("Tiny", 256));
        assert!(shelf.card("tiny").exists());
    }
}

#[test]
fn a_card_of_another_file_is_not_believed() {
    let dir = tempfile::tempdir().unwrap();
    let shelf = Shelf::new(dir.path().to_owned());
    Fixture::new("llama").write(&shelf.model("tiny"));
    let card = shelf.list().unwrap().remove(0).1;
    let lie = Card { title: "A lie".to_owned(), bytes: 1, ..card.clone() };
    shelf.write_card("tiny", &lie).unwrap();
    assert_eq!(shelf.list().unwrap(), [("tiny".to_owned(), card)]);
}

#[test]
fn no_directory_is_no_models() {
    let dir = tempfile::tempdir().unwrap();
    let shelf = Shelf::new(dir.path().join("none"));
    assert_eq!(shelf.list().unwrap(), []);
    assert!(!shelf.remove("tiny").unwrap());
}

#[test]
fn removing_takes_everything_along() {
    let dir = tempfile::tempdir().unwrap();
    let shelf = Shelf::new(dir.path().to_owned());
    Fixture::new("llama").write(&shelf.model("tiny"));
    shelf.list().unwrap();
    fs::write(shelf.part("tiny"), "x").unwrap();
    assert!(shelf.remove("tiny").unwrap());
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    assert!(!shelf.remove("../tiny").unwrap());
}
