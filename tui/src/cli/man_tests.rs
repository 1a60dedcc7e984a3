//! The man pages of the repository are what the command line says. `UPDATE_EXPECT=1` renews them.
//! The daemon's own page is moltisd's.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::CommandFactory as _;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use super::Cli;
use crate::keymap::{Context, table};

/// The keys of the full-screen chat, from the table that makes them work.
fn keys(page: &mut Vec<u8>) {
    let mut roff = Roff::new();
    roff.control("SH", ["KEYS"]);
    for context in Context::ALL {
        let bindings = table().iter().filter(|binding| binding.context == context);
        roff.control("SS", [context.title()]);
        for binding in bindings {
            roff.control("TP", []);
            roff.text([bold(binding.keys.join(", "))]);
            roff.text([roman(binding.help)]);
        }
    }
    roff.to_writer(page).unwrap();
}

/// What every page says after its options.
fn common(page: &mut Vec<u8>, name: &str) {
    let mut roff = Roff::new();
    let mut list = |title: &str, rows: &[(&str, &str)]| {
        roff.control("SH", [title]);
        for (term, text) in rows {
            roff.control("TP", []);
            roff.text([bold(*term)]);
            roff.text([roman(*text)]);
        }
    };
    list(
        "EXIT STATUS",
        &[
            ("0", "All went well."),
            ("1", "It failed."),
            ("2", "The command makes no sense as it was written."),
            ("3", "The daemon can't be reached."),
            ("4", "The turn waits for an approval."),
            ("5", "The turn failed or was cancelled."),
            ("6", "Client and daemon speak different versions."),
        ],
    );
    list(
        "ENVIRONMENT",
        &[
            ("MOLTIS_CONFIG_DIR", "Where moltis.toml is; as --config-dir."),
            ("MOLTIS_DATA_DIR", "Where the data is; as --data-dir."),
            ("MOLTIS_SOCKET", "The daemon's socket; as --socket. Nothing is started then."),
            ("NO_COLOR", "No colors, when it is set and not empty."),
        ],
    );
    list(
        "FILES",
        &[
            ("~/.config/moltis/moltis.toml", "The configuration."),
            ("~/.moltis/moltis.redb", "All sessions and, encrypted, all secrets."),
            ("~/.moltis/vault.key", "The key of the secrets."),
            ("~/.moltis/agents/*/sessions/*.jsonl", "Transcripts to read and to search."),
            ("~/.moltis/logs/moltisd.log", "The daemon's log."),
            ("~/.moltis/run/moltisd.sock", "The daemon's socket."),
        ],
    );
    roff.control("SH", ["SEE ALSO"]);
    let own = if name == "moltis" { "moltis-send" } else { "moltis" };
    roff.text([bold(own), roman("(1), "), bold("moltisd"), roman("(8)")]);
    roff.to_writer(page).unwrap();
}

fn pages(command: &clap::Command, name: &str, into: &mut BTreeMap<String, Vec<u8>>) {
    let mut page = Vec::new();
    // The name in `SYNOPSIS` is the one that is typed; the one of the page has dashes.
    let typed = command.clone().display_name(name.to_owned()).bin_name(name.replace('-', " "));
    let man = Man::new(typed).title(name.to_owned()).manual("Moltis").source("Moltis");
    man.render_title(&mut page).unwrap();
    man.render_name_section(&mut page).unwrap();
    man.render_synopsis_section(&mut page).unwrap();
    man.render_description_section(&mut page).unwrap();
    man.render_options_section(&mut page).unwrap();
    if command.has_subcommands() {
        man.render_subcommands_section(&mut page).unwrap();
    }
    if matches!(name, "moltis" | "moltis-attach") {
        keys(&mut page);
    }
    common(&mut page, name);
    into.insert(format!("{name}.1"), page);
    for below in command.get_subcommands() {
        pages(below, &format!("{name}-{}", below.get_name()), into);
    }
}

#[test]
fn the_man_pages_are_fresh() {
    let mut fresh = BTreeMap::new();
    let mut command = Cli::command();
    command.build();
    pages(&command, "moltis", &mut fresh);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../man");
    let stored: Vec<PathBuf> = std::fs::read_dir(&folder)
        .map(|entries| entries.map(|entry| entry.unwrap().path()))
        .map(|paths| paths.filter(|path| path.extension().is_some_and(|it| it == "1")).collect())
        .unwrap_or_default();
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::create_dir_all(&folder).unwrap();
        for stale in stored {
            std::fs::remove_file(stale).unwrap();
        }
        for (name, page) in &fresh {
            std::fs::write(folder.join(name), page).unwrap();
        }
        return;
    }
    let hint = "UPDATE_EXPECT=1 cargo test -p moltis renews man/ and completions/";
    let names: Vec<&String> = fresh.keys().collect();
    assert_eq!(stored.len(), fresh.len(), "{names:?}: {hint}");
    for (name, page) in &fresh {
        let stored = std::fs::read(folder.join(name)).unwrap_or_default();
        assert!(stored == *page, "man/{name} is stale: {hint}");
    }
}

#[test]
fn the_command_line_is_sound() {
    Cli::command().debug_assert();
}
