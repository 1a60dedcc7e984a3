use super::{Image, containers, images, ours, runs, version};

/// As `container list --all --format json` of 0.12.3 has it (`PrintableContainer`), but for what is
/// not read.
const OLD: &str = r#"[{"networks":[{"hostname":"a","network":"default"}],"status":"running",
    "configuration":{"id":"moltis-a","labels":{"moltis.instance":"one","moltis.session":"s"},
    "readOnly":true,"resources":{"cpus":4,"memoryInBytes":1073741824}}},
    {"networks":[],"status":"stopped","configuration":{"id":"other","labels":{}}}]"#;

/// The same of 1.2.2 (`ManagedContainer`, `ContainerStatus`).
const NEW: &str = r#"[{"configuration":{"id":"moltis-a","labels":{"moltis.instance":"one",
    "moltis.session":"s"},"readOnly":true},"id":"moltis-a",
    "status":{"networks":[],"startedDate":"2026-08-07T18:36:01Z","state":"running"}},
    {"configuration":{"id":"other","labels":{}},"id":"other",
    "status":{"networks":[],"state":"stopped"}}]"#;

#[test]
fn containers_of_both_generations_are_read() {
    for said in [OLD, NEW] {
        let all = containers(said).unwrap();
        let seen: Vec<_> = all.iter().map(|one| (one.id.as_str(), one.runs)).collect();
        assert_eq!(seen, [("moltis-a", true), ("other", false)]);
        let is_of = |instance, session| all[0].is_of(instance, session);
        assert!(is_of("one", None) && is_of("one", Some("s")));
        assert!(!is_of("two", None) && !is_of("one", Some("t")) && !all[1].is_of("one", None));
    }
    assert_eq!(containers("[]").unwrap(), []);
}

#[test]
fn an_answer_that_can_not_be_read_is_an_error() {
    for said in ["", "no containers", "{}", "[{}]", r#"[{"configuration":{"id":"a"},"status":7}]"#]
    {
        assert!(containers(said).is_err(), "{said}");
    }
    assert!(images(r#"[{"id":"a"}]"#).is_err());
}

#[test]
fn images_of_both_generations_are_read() {
    let old = r#"[{"reference":"docker.io/library/moltis-sandbox:1a2b","fullSize":"8.3 MB",
        "descriptor":{"digest":"sha256:00","mediaType":"m","size":3}},
        {"reference":"ghcr.io/x/not-moltis-sandbox:1","fullSize":"1 MB","descriptor":{}}]"#;
    let new = r#"[{"id":"00","configuration":{"creationDate":"2026-08-07T18:36:01Z",
        "name":"docker.io/library/moltis-sandbox:1a2b","descriptor":{}},
        "variants":[{"digest":"sha256:01","platform":{"architecture":"arm64","os":"linux"},"size":8}]}]"#;
    let of = |said: &str| {
        let all = images(said).unwrap();
        assert!(all.iter().any(|image: &Image| image.is_called("moltis-sandbox:1a2b")));
        let ours = ours(all, "moltis-sandbox:1a2b");
        assert_eq!(ours.len(), 1, "{ours:?}");
        (ours[0].tag.clone(), ours[0].current, ours[0].size, ours[0].created.as_second())
    };
    assert_eq!(of(old), ("moltis-sandbox:1a2b".to_owned(), true, 0, 0));
    assert_eq!(of(new), ("moltis-sandbox:1a2b".to_owned(), true, 8, 1_786_127_761));
}

#[test]
fn what_it_is_and_whether_it_runs_is_read() {
    let said = "container CLI version 1.2.2 (build: release, commit: af405ff)\n";
    assert_eq!(version(said), Some((1, 2, 2)));
    assert_eq!(version("container CLI version 0.12.0-rc1 (build: debug)"), Some((0, 12, 0)));
    assert_eq!(version("container 1.2"), None);
    assert!(runs(
        r#"{"apiServerVersion":"1","appRoot":"/a","installRoot":"/b","status":"running"}"#
    ));
    for said in [r#"{"status":"not running"}"#, r#"{"status":"unregistered"}"#, "running", ""] {
        assert!(!runs(said), "{said}");
    }
}
