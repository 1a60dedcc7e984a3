use expect_test::expect;

use super::Recipe;

fn recipe(packages: &[&str]) -> Recipe {
    let packages: Vec<String> = packages.iter().map(|name| (*name).to_owned()).collect();
    Recipe::new("ubuntu:25.10", &packages).unwrap()
}

#[test]
fn a_tag_is_of_what_the_image_is_made_of_in_any_order() {
    let tag = recipe(&["git", "tmux"]).tag();
    assert_eq!(tag.len(), "moltis-sandbox:".len() + 12);
    assert_eq!(tag, recipe(&["tmux", "git", "tmux"]).tag());
    assert_ne!(tag, recipe(&["git"]).tag());
    assert_eq!(recipe(&[]).tag(), "ubuntu:25.10");
}

#[test]
fn the_description_is_this() {
    expect![[r#"
        FROM ubuntu:25.10
        USER 0
        RUN set -e; \
        if command -v apt-get >/dev/null; then export DEBIAN_FRONTEND=noninteractive; apt-get update -q; apt-get install -y -q --no-install-recommends git tmux; rm -rf /var/lib/apt/lists/*; \
        elif command -v apk >/dev/null; then apk add --no-cache git tmux; \
        elif command -v dnf >/dev/null; then dnf install -y git tmux; dnf clean all; \
        else echo 'the base has none of apt-get, apk and dnf' >&2; exit 1; fi
    "#]].assert_eq(&recipe(&["tmux", "git"]).dockerfile());
}

#[test]
fn names_can_say_nothing_but_names() {
    for base in ["", "a b", "a\nRUN x", "-x", "a;b"] {
        assert!(Recipe::new(base, &[]).is_err(), "{base:?}");
    }
    for package in ["", "a b", "a;b", "$(x)", "-o", "a\nb", "a&b", "`x`"] {
        assert!(Recipe::new("base", &[package.to_owned()]).is_err(), "{package:?}");
    }
    assert!(Recipe::new("localhost:5000/a/b@sha256:00", &["libstdc++6=1:2~3".to_owned()]).is_ok());
}

#[test]
fn a_real_tar_reads_the_archive() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.tar");
    std::fs::write(&file, recipe(&["git"]).archive()).unwrap();
    let read = std::process::Command::new("tar")
        .args(["-xOf"])
        .arg(&file)
        .arg("Dockerfile")
        .output()
        .unwrap();
    assert!(read.status.success(), "{}", String::from_utf8_lossy(&read.stderr));
    assert_eq!(String::from_utf8_lossy(&read.stdout), recipe(&["git"]).dockerfile());
}
