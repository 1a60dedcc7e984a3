use expect_test::expect;
use proptest::prelude::*;
use url::Url;

use super::Hosts;

fn list(entries: &[&str]) -> Hosts {
    let entries: Vec<String> = entries.iter().map(|entry| (*entry).to_owned()).collect();
    Hosts::new(&entries).unwrap()
}

/// Whether `host:port` is on the list.
fn has(hosts: &Hosts, place: &str) -> bool {
    let url = Url::parse(&format!("http://{place}/")).unwrap();
    hosts.has(&url.host().unwrap(), url.port().unwrap_or(80))
}

#[test]
fn an_entry_names_a_host_or_all_below_one_on_its_port_or_those_of_the_web() {
    for (entry, reached, not) in [
        (
            "example.org",
            &["example.org", "example.org:443", "EXAMPLE.org.", "ｅxample.org"][..],
            &["example.org:8080", "www.example.org", "xexample.org", "example.org.evil.test"][..],
        ),
        ("Example.ORG.", &["example.org"], &["example.com"]),
        ("example.org:8080", &["example.org:8080"], &["example.org", "example.org:443"]),
        ("example.org:443", &["example.org:443"], &["example.org:80"]),
        (
            "*.example.org",
            &["a.example.org", "a.b.example.org:443"],
            &["example.org", "xexample.org", "a.example.org:81", "a.example.org.evil.test"],
        ),
        ("*.example.org:22", &["git.example.org:22"], &["git.example.org", "example.org:22"]),
        ("1.2.3.4", &["1.2.3.4", "0x1.2.3.4"], &["1.2.3.5", "1.2.3.4.example.org"]),
        ("[2606:4700::1]:443", &["[2606:4700:0:0::1]:443"], &["[2606:4700::1]", "[::1]:443"]),
        ("bücher.example", &["xn--bcher-kva.example"], &["bucher.example"]),
    ] {
        let hosts = list(&[entry]);
        for place in reached {
            assert!(has(&hosts, place), "{entry} names {place}");
        }
        for place in not {
            assert!(!has(&hosts, place), "{entry} does not name {place}");
        }
    }
    assert!(!has(&list(&[]), "example.org"));
    assert!(has(&list(&["a.test", "b.test"]), "b.test"));
}

#[test]
fn what_is_wrong_with_an_entry_is_told() {
    let wrong = [
        "",
        "*",
        "*.",
        "*.org",
        "*.1.2.3.4",
        "a.*.org",
        "**.a.org",
        "https://a.org",
        "a.org/x",
        "me@a.org",
        "a b",
        "a.org:99999",
        "::1",
    ];
    let told: Vec<String> =
        wrong.iter().map(|entry| super::super::check(entry).unwrap_err().to_string()).collect();
    expect![[r#"
        `` names no host: empty host
        `*` names no host: name each host by itself
        `*.` names no host: empty host
        `*.org` names no host: too much ends in that
        `*.1.2.3.4` names no host: an address has no names below it
        `a.*.org` names no host: name each host by itself
        `**.a.org` names no host: name each host by itself
        `https://a.org` names no host: write a host, or a host and a port
        `a.org/x` names no host: write a host, or a host and a port
        `me@a.org` names no host: write a host without a user name
        `a b` names no host: invalid international domain name
        `a.org:99999` names no host: invalid port number
        `::1` names no host: empty host"#]]
    .assert_eq(&told.join("\n"));
}

proptest! {
    #[test]
    fn a_suffix_names_nothing_that_does_not_end_in_it(
        name in "[a-c.]{0,6}", suffix in "[a-c]{1,2}\\.[a-c]{1,2}",
    ) {
        let hosts = list(&[&format!("*.{suffix}")]);
        let host = format!("{name}{suffix}");
        if Url::parse(&format!("http://{host}/")).is_ok_and(|url| url.has_host()) {
            let below = name.len() > 1 && name.ends_with('.');
            prop_assert_eq!(has(&hosts, &host), below, "{}", host);
        }
    }
}
