//! The house rules of `docs/ARCHITECTURE.md`, checked against what cargo itself says.
//!
//! Each failure names the exact edge and the rule that it breaks.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// What each of our crates may see of our crates. A crate that is not listed may not exist.
const MAY_SEE: &[(&str, &[&str])] = &[
    ("moltis-proto", &[]),
    ("moltis-core", &[]),
    ("moltis-codec", &["moltis-core", "moltis-proto"]),
    ("moltis-agent", &["moltis-core"]),
    ("moltis-net", &["moltis-core"]),
    ("moltis-config", &[]),
    ("moltis-telemetry", &["moltis-core"]),
    ("moltis-session", &["moltis-core", "moltis-agent"]),
    ("moltis-store", &["moltis-core", "moltis-codec"]),
    ("moltis-providers", &["moltis-core", "moltis-net"]),
    ("moltis-local", &["moltis-core", "moltis-net"]),
    ("moltis-highlight", &["moltis-core"]),
    ("moltis-checkpoint", &["moltis-core"]),
    ("moltis-hooks", &["moltis-core"]),
    ("moltis-tools", &["moltis-core", "moltis-net"]),
    ("moltis-sandbox", &["moltis-core"]),
    ("moltis-context", &["moltis-core"]),
    ("moltis-worktree", &["moltis-core"]),
    ("moltis-edge", &["moltis-core", "moltis-codec", "moltis-proto"]),
    ("moltis-testkit", &["moltis-core", "moltis-proto"]),
    ("moltis", &["moltis-proto"]),
];

/// The composition root: sees everything but the client and the test kit.
const ROOT: &str = "moltisd";

/// Heavy dependencies and the only crates that may name them.
const OWNERS: &[(&str, &[&str])] = &[
    ("redb", &["moltis-store"]),
    ("reqwest", &["moltis-net"]),
    ("rustls", &["moltis-net", "moltisd"]),
    ("tonic", &["moltis-proto", "moltis-edge", "moltis", "moltis-testkit"]),
    ("candle-core", &["moltis-local"]),
    ("candle-nn", &["moltis-local"]),
    ("tokenizers", &["moltis-local"]),
    ("syntect", &["moltis-highlight"]),
    ("two-face", &["moltis-highlight"]),
    ("similar", &["moltis-checkpoint"]),
    ("grep-searcher", &["moltis-tools"]),
    ("lopdf", &["moltis-tools"]),
    ("html5ever", &["moltis-tools"]),
    ("dom_query", &["moltis-tools"]),
    ("dom_smoothie", &["moltis-tools"]),
    ("bollard", &["moltis-sandbox"]),
    ("ratatui", &["moltis"]),
    ("crossterm", &["moltis"]),
    ("chacha20poly1305", &["moltis-store"]),
    ("tracing-subscriber", &["moltis-telemetry"]),
    ("toml_edit", &["moltis-config"]),
];

/// Crates that must not be anywhere below the pure crates.
const IMPURE: &[&str] = &["tokio", "mio", "reqwest", "redb", "rustix", "hyper", "tonic", "fs-err"];

/// Crates whose whole tree must be free of the [`IMPURE`] ones.
const PURE: &[&str] = &["moltis-core", "moltis-agent"];

/// Never anywhere: a second crypto library, or one that needs system packages.
const BANNED: &[&str] =
    &["openssl-sys", "native-tls", "aws-lc-rs", "aws-lc-sys", "cmake", "onig_sys"];

/// A crate and the crates that it names outside of its tests.
#[derive(Debug, Clone)]
struct Package {
    folder: String,
    direct: BTreeSet<String>,
    tree: BTreeSet<String>,
}

type Graph = BTreeMap<String, Package>;

fn violations(graph: &Graph) -> Vec<String> {
    let ours: BTreeSet<&str> = graph.keys().map(String::as_str).collect();
    let mut found = Vec::new();
    for (name, package) in graph {
        let expected = match name.as_str() {
            "moltis" => "tui",
            "moltisd" => "moltisd",
            other => other.trim_start_matches("moltis-"),
        };
        if package.folder != expected {
            found.push(format!("{name} lives in `{}`, not in `{expected}`", package.folder));
        }
        found.extend(edges(name, package, &ours));
        for (heavy, owners) in OWNERS {
            if package.direct.contains(*heavy) && !owners.contains(&name.as_str()) {
                found.push(format!("{name} -> {heavy}: owned by {}", owners.join(", ")));
            }
        }
        for impure in IMPURE {
            if PURE.contains(&name.as_str()) && package.tree.contains(*impure) {
                found.push(format!("{name} -> … -> {impure}: {name} does no I/O"));
            }
        }
        for banned in BANNED {
            if package.tree.contains(*banned) {
                found
                    .push(format!("{name} -> … -> {banned}: one crypto provider, no system parts"));
            }
        }
    }
    found
}

fn edges(name: &str, package: &Package, ours: &BTreeSet<&str>) -> Vec<String> {
    let seen = package.direct.iter().filter(|dependency| ours.contains(dependency.as_str()));
    if name == ROOT {
        return seen
            .filter(|dependency| ["moltis", "moltis-testkit"].contains(&dependency.as_str()))
            .map(|dependency| format!("{name} -> {dependency}: the daemon is not made of these"))
            .collect();
    }
    let Some((_, allowed)) = MAY_SEE.iter().find(|(row, _)| *row == name) else {
        return vec![format!("{name}: not in the table of layers")];
    };
    seen.filter(|dependency| !allowed.contains(&dependency.as_str()))
        .map(|dependency| format!("{name} -> {dependency}: may see only [{}]", allowed.join(", ")))
        .collect()
}

fn metadata() -> Value {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../Cargo.toml");
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked", "--manifest-path"])
        .arg(manifest)
        .output()
        .expect("cargo metadata runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("cargo metadata prints JSON")
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().map_or(&[], Vec::as_slice)
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

/// The normal and build edges of every package: id to ids.
fn resolved(metadata: &Value) -> BTreeMap<&str, BTreeSet<&str>> {
    let mut edges = BTreeMap::new();
    for node in list(&metadata["resolve"], "nodes") {
        let below = list(node, "deps")
            .iter()
            .filter(|dep| list(dep, "dep_kinds").iter().any(|kind| text(kind, "kind") != "dev"))
            .map(|dep| text(dep, "pkg"))
            .collect();
        edges.insert(text(node, "id"), below);
    }
    edges
}

fn graph(metadata: &Value) -> Graph {
    let edges = resolved(metadata);
    let names: BTreeMap<&str, &str> = list(metadata, "packages")
        .iter()
        .map(|package| (text(package, "id"), text(package, "name")))
        .collect();
    let members: BTreeSet<&str> =
        list(metadata, "workspace_members").iter().filter_map(Value::as_str).collect();
    let mut graph = Graph::new();
    for package in list(metadata, "packages") {
        let id = text(package, "id");
        if !members.contains(id) {
            continue;
        }
        let direct = edges[id].iter().map(|below| names[below].to_owned()).collect();
        let mut tree = BTreeSet::new();
        let mut open: Vec<&str> = edges[id].iter().copied().collect();
        while let Some(next) = open.pop() {
            if tree.insert(names[next].to_owned()) {
                open.extend(edges[next].iter().copied());
            }
        }
        let folder = Path::new(text(package, "manifest_path"))
            .parent()
            .and_then(Path::file_name)
            .map(|folder| folder.to_string_lossy().into_owned())
            .unwrap_or_default();
        graph.insert(text(package, "name").to_owned(), Package { folder, direct, tree });
    }
    graph
}

#[test]
fn every_edge_between_crates_is_allowed() {
    let found = violations(&graph(&metadata()));
    assert!(found.is_empty(), "see docs/ARCHITECTURE.md:\n{}", found.join("\n"));
}

#[test]
fn a_forbidden_edge_is_named() {
    let mut graph = graph(&metadata());
    let agent = graph.get_mut("moltis-agent").expect("there is an agent");
    agent.direct.insert("moltis-store".to_owned());
    agent.direct.insert("redb".to_owned());
    agent.tree.insert("tokio".to_owned());
    expect_test::expect![[r#"
        moltis-agent -> moltis-store: may see only [moltis-core]
        moltis-agent -> redb: owned by moltis-store
        moltis-agent -> … -> tokio: moltis-agent does no I/O"#]]
    .assert_eq(&violations(&graph).join("\n"));
}

#[test]
fn no_dependency_is_under_a_license_that_binds_us() {
    let metadata = metadata();
    let found: Vec<String> = list(&metadata, "packages")
        .iter()
        .filter(|package| {
            let license = text(package, "license");
            let choices = license.split(" OR ").map(|choice| choice.trim_matches(['(', ')']));
            choices.clone().count() > 0
                && choices.clone().all(|choice| choice.contains("GPL") && !choice.contains("LGPL"))
        })
        .map(|package| format!("{} is {}", text(package, "name"), text(package, "license")))
        .collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn every_file_is_short_enough_to_hold_one_idea() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut open = vec![root.join("daemon"), root.join("tui"), root.join("proto")];
    let mut long = Vec::new();
    while let Some(path) = open.pop() {
        if path.is_dir() {
            if path.file_name().is_some_and(|name| name != "gen" && name != "target") {
                open.extend(path.read_dir().unwrap().map(|entry| entry.unwrap().path()));
            }
            continue;
        }
        if path.extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        let lines = std::fs::read_to_string(&path).unwrap().lines().count();
        if lines > 600 {
            long.push(format!("{}: {lines} lines", path.display()));
        }
    }
    assert!(long.is_empty(), "over 600 lines:\n{}", long.join("\n"));
}
