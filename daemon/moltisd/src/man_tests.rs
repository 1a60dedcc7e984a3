//! The daemon's man page is what its command line and its table of vendors say. `UPDATE_EXPECT=1` renews it.

use std::path::Path;

use clap::CommandFactory as _;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};
use moltis_providers::vendors::VENDORS;

use crate::flags::Flags;

fn list(roff: &mut Roff, title: &str, rows: &[(String, &str)]) {
    roff.control("SH", [title]);
    for (term, text) in rows {
        roff.control("TP", []);
        roff.text([bold(term.as_str())]);
        roff.text([roman(*text)]);
    }
}

/// The variables that the daemon reads.
fn environment() -> Vec<(String, &'static str)> {
    let fixed = [
        ("MOLTIS_CONFIG_DIR, MOLTIS_DATA_DIR", "As the flags."),
        ("MOLTIS_SECTION__KEY", "Any key of the configuration."),
        (
            "MOLTIS_PROVIDER, MOLTIS_API_KEY, MOLTIS_BASE_URL",
            "One provider, for containers: its kind, its key, and where it is.",
        ),
        ("MOLTIS_READY_FD", "A descriptor that is told when the daemon listens or why not."),
        ("NOTIFY_SOCKET", "Of systemd: is told READY=1 and STOPPING=1."),
    ];
    let mut rows: Vec<(String, &str)> =
        fixed.iter().map(|(name, text)| ((*name).to_owned(), *text)).collect();
    let of_env = || VENDORS.iter().filter(|vendor| vendor.from_env);
    let keys: Vec<&str> = of_env().flat_map(|vendor| vendor.key_envs.iter().copied()).collect();
    rows.push((keys.join(", "), "Keys of vendors: one is enough to set its vendor up."));
    let mut places: Vec<&str> = of_env().map(|vendor| vendor.base_url_env).collect();
    places.retain(|name| !name.is_empty());
    rows.push((places.join(", "), "Where the vendors are, in place of their own addresses."));
    rows
}

fn page() -> Vec<u8> {
    let mut page = Vec::new();
    let man = Man::new(Flags::command()).section("8").manual("Moltis").source("Moltis");
    man.render_title(&mut page).unwrap();
    man.render_name_section(&mut page).unwrap();
    man.render_synopsis_section(&mut page).unwrap();
    let mut roff = Roff::new();
    roff.control("SH", ["DESCRIPTION"]);
    roff.text([
        roman("A person need not start it: "),
        bold("moltis"),
        roman("(1) does when none runs. It serves one data directory, which it locks."),
    ]);
    roff.to_writer(&mut page).unwrap();
    man.render_options_section(&mut page).unwrap();
    let mut roff = Roff::new();
    let row = |term: &str, text: &'static str| (term.to_owned(), text);
    let signals = [
        row("SIGTERM, SIGINT", "Stop in order; at once on a second one."),
        row("SIGHUP", "Read the configuration again."),
    ];
    list(&mut roff, "SIGNALS", &signals);
    list(&mut roff, "ENVIRONMENT", &environment());
    let codes = [
        row("0", "All went well."),
        row("1", "It failed, or what was checked is not sound."),
        row("2", "The command line or the configuration can't be used."),
    ];
    list(&mut roff, "EXIT STATUS", &codes);
    roff.control("SH", ["SEE ALSO"]);
    roff.text([bold("moltis"), roman("(1), "), bold("moltis-daemon"), roman("(1)")]);
    roff.to_writer(&mut page).unwrap();
    page
}

#[test]
fn the_man_page_is_fresh() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../man/moltisd.8");
    let fresh = page();
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(&path, &fresh).unwrap();
    }
    let stored = std::fs::read(&path).unwrap_or_default();
    assert!(stored == fresh, "man/moltisd.8 is stale: UPDATE_EXPECT=1 cargo test --workspace");
}
