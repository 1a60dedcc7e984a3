//! The guard through the real fetch: hundreds of spellings of addresses that must not be reached,
//! with a server on loopback that must never be connected to.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::atomic::Ordering;

use expect_test::expect;
use moltis_testkit::vendor::{Reply, Vendor};
use url::Url;

use super::{Guard, Rules};
use crate::Error;
use crate::web::Answer;
use crate::web::testing::{Canary, Script, authorized, fetch, no_rules, page, rules, system, web};

/// First, last and a middle one of each block that must not be reached.
const INNER_V4: &[[u8; 4]] = &[
    [127, 0, 0, 1],
    [127, 255, 255, 255],
    [127, 1, 2, 3],
    [0, 0, 0, 0],
    [0, 255, 255, 255],
    [0, 1, 2, 3],
    [10, 0, 0, 0],
    [10, 255, 255, 255],
    [10, 0, 0, 138],
    [100, 64, 0, 0],
    [100, 127, 255, 255],
    [100, 100, 100, 200],
    [169, 254, 0, 0],
    [169, 254, 255, 255],
    [169, 254, 169, 254],
    [172, 16, 0, 0],
    [172, 31, 255, 255],
    [172, 17, 0, 2],
    [192, 0, 0, 0],
    [192, 0, 0, 192],
    [192, 0, 2, 1],
    [192, 88, 99, 1],
    [192, 168, 0, 0],
    [192, 168, 255, 255],
    [192, 168, 1, 1],
    [198, 18, 0, 0],
    [198, 19, 255, 255],
    [198, 51, 100, 7],
    [203, 0, 113, 7],
    [224, 0, 0, 1],
    [239, 255, 255, 255],
    [240, 0, 0, 1],
    [255, 255, 255, 255],
    [168, 63, 129, 16],
];

const INNER_V6: &[&str] = &[
    "::",
    "::1",
    "fc00::",
    "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    "fd00:ec2::254",
    "fe80::1",
    "febf::1",
    "fec0::1",
    "ff02::1",
    "ff0e::1",
    "100::1",
    "2001::1",
    "2001:1ff::1",
    "2001:db8::1",
    "2002::1",
    "3fff::1",
    "3fff:fff::1",
    "4000::1",
    "5f00::1",
    "64:ff9b:1::1",
];

const INNER_NAMES: &[&str] = &[
    "localhost",
    "LOCALHOST",
    "localhost.",
    "LocalHost",
    "a.localhost",
    "a.b.localhost.",
    "ｌｏｃａｌｈｏｓｔ",
    "loc%61lhost",
    "%6c%6f%63%61%6c%68%6f%73%74",
    "local\u{ad}host",
    "localhost.localdomain",
    "printer.local",
    "metadata.google.internal",
    "internal",
    "metadata.google.internal.",
    "router",
    "intranet",
    "nas",
    "box.home.arpa",
    "metadata",
];

fn octets(ip: Ipv4Addr, join: &str, write: impl Fn(u8) -> String) -> String {
    ip.octets().map(write).join(join)
}

/// Digits and dots as another script has them; IDNA makes them the plain ones.
fn in_another_script(text: &str, zero: u32, dot: char) -> String {
    let change = |c: char| match c.to_digit(10) {
        Some(digit) => char::from_u32(zero + digit).unwrap(),
        None => dot,
    };
    text.chars().map(change).collect()
}

/// An IPv4 address as some program or other reads it.
fn spellings_of_v4(ip: Ipv4Addr) -> Vec<String> {
    let plain = ip.to_string();
    let number = ip.to_bits();
    let [a, b, c, d] = ip.octets();
    let low16 = u32::from(c) << 8 | u32::from(d);
    let low24 = u32::from(b) << 16 | low16;
    let (high, low) = (number >> 16, number & 0xffff);
    let not = !number;
    let mut all = vec![
        plain.clone(),
        format!("{plain}."),
        octets(ip, ".", |byte| format!("0{byte:o}")),
        octets(ip, ".", |byte| format!("0000{byte:o}")),
        octets(ip, ".", |byte| format!("0x{byte:x}")),
        octets(ip, ".", |byte| format!("0X{byte:02X}")),
        octets(ip, ".", |byte| format!("0x0000{byte:x}")),
        format!("0{a:o}.0x{b:x}.{c}.{d}"),
        format!("0x{a:x}.{b}.{c}.0{d:o}."),
        format!("{number}"),
        format!("{number}."),
        format!("0x{number:x}"),
        format!("0x{number:08X}"),
        format!("0{number:o}"),
        format!("0000000{number:o}"),
        format!("{a}.{b}.{low16}"),
        format!("{a}.{low24}"),
        format!("0x{a:x}.0x{low24:x}"),
        format!("0{a:o}.0{low24:o}"),
        plain.bytes().fold(String::new(), |mut all, byte| {
            write!(all, "%{byte:02x}").unwrap();
            all
        }),
        plain.replace('.', "%2e"),
        plain.replace('.', "。"),
        in_another_script(&plain, 0xff10, '．'),
        in_another_script(&plain, 0x1d7ce, '｡'),
        plain.replace('.', "\u{ad}."),
        plain.replace('.', "\t.\n"),
    ];
    let embedded = [
        format!("::ffff:{plain}"),
        format!("::ffff:{high:x}:{low:x}"),
        format!("0:0:0:0:0:FFFF:{high:X}:{low:X}"),
        format!("::{plain}"),
        format!("::ffff:0:{plain}"),
        format!("64:ff9b::{plain}"),
        format!("64:ff9b:1::{plain}"),
        format!("64:ff9b::{high:x}:{low:x}"),
        format!("2002:{high:x}:{low:x}::1"),
        format!("2001:0:4136:e378:8000:63bf:{:x}:{:x}", not >> 16, not & 0xffff),
        format!("2606:4700::5efe:{plain}"),
        format!("2606:4700::200:5efe:{plain}"),
        format!("fe80::5efe:{plain}"),
        plain,
    ];
    all.extend(embedded.map(|address| format!("[{address}]")));
    all
}

fn spellings_of_v6(text: &str) -> Vec<String> {
    let ip: Ipv6Addr = text.parse().unwrap();
    let long = ip.segments().map(|segment| format!("{segment:04x}")).join(":");
    vec![
        format!("[{text}]"),
        format!("[{}]", text.to_uppercase()),
        format!("[{long}]"),
        format!("[{text}%25eth0]"),
        format!("%5B{text}%5D"),
        text.to_owned(),
    ]
}

pub(crate) fn hosts() -> BTreeSet<String> {
    let v4 = INNER_V4.iter().flat_map(|octets| spellings_of_v4(Ipv4Addr::from(*octets)));
    let v6 = INNER_V6.iter().flat_map(|text| spellings_of_v6(text));
    v4.chain(v6).chain(INNER_NAMES.iter().map(|name| (*name).to_owned())).collect()
}

/// URLs of a host: what a program may take for another host, or for none.
fn urls(host: &str, port: u16) -> Vec<String> {
    vec![
        format!("http://{host}:{port}/"),
        format!("HTTPS://{host}:{port}/x?y#z"),
        format!("http:\\\\{host}:{port}\\"),
        format!("http:{host}:{port}"),
        format!("http:////{host}:{port}"),
        format!(" http://{host}:{port} "),
        format!("http://example.com@{host}:{port}/"),
        format!("http://example.com:80@{host}:{port}/"),
        format!("http://{host}:{port}@{host}:{port}/"),
        format!("http://{host}:{port}#@example.com/"),
        format!("http://{host}:{port}?@example.com/"),
        format!("http://{host}:{port}\\@example.com/"),
    ]
}

fn all_urls(port: u16) -> Vec<String> {
    hosts().iter().flat_map(|host| urls(host, port)).collect()
}

/// Whether it was the guard, or the reading of the URL, that refused.
fn is_refusal(answer: &Result<Answer, Error>) -> bool {
    matches!(answer, Err(Error::Forbidden { .. } | Error::Url { .. }))
}

#[tokio::test]
async fn no_spelling_of_an_inner_address_is_reached() {
    let canary = Canary::start().await;
    let names = Script::new(&[&["127.0.0.1"]]);
    let web = web(rules(canary.port), &[], names.clone());
    let all = all_urls(canary.port);
    assert!(all.len() > 15_000, "{}", all.len());
    let mut by_address = 0;
    for url in &all {
        let answer = fetch(&web, url).await;
        assert!(is_refusal(&answer), "{url:?}: {answer:?}");
        // Not only for the name of a user that some of them hold.
        let Err(Error::Forbidden { reason, .. }) = answer else { continue };
        by_address += usize::from(!reason.contains("user name"));
    }
    eprintln!("{} URLs refused, {by_address} of them by what they mean", all.len());
    assert!(by_address > all.len() / 2, "{by_address}");
    assert_eq!(canary.hits().await, 0);
}

#[tokio::test]
async fn without_the_guard_the_same_spellings_reach_it() {
    let canary = Canary::start().await;
    let web = web(no_rules(canary.port), &[], Script::new(&[&["127.0.0.1"]]));
    let spellings = spellings_of_v4(Ipv4Addr::LOCALHOST);
    let names = INNER_NAMES.iter().map(|name| (*name).to_owned());
    let mut reached = 0;
    for host in spellings.into_iter().take(28).chain(names) {
        let answer = fetch(&web, &format!("http://{host}:{}/", canary.port)).await;
        let Ok(Answer::Page(page)) = answer else { continue };
        reached += usize::from(page.text() == "canary");
    }
    assert_eq!(canary.hits().await, reached);
    assert!(reached >= 40, "{reached}");
}

#[tokio::test]
async fn a_name_with_one_inner_address_is_refused_with_all_of_them() {
    let canary = Canary::start().await;
    let public = ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"];
    let v4 = INNER_V4.iter().map(|octets| Ipv4Addr::from(*octets).to_string());
    for inner in v4.chain(INNER_V6.iter().map(|text| (*text).to_owned())) {
        for answer in [vec![inner.as_str()], vec![public[0], public[1], &inner]] {
            let web = web(rules(canary.port), &[], Script::new(&[&answer]));
            let got = fetch(&web, &format!("http://example.com:{}/", canary.port)).await;
            assert!(matches!(got, Err(Error::Forbidden { .. })), "{answer:?}: {got:?}");
        }
    }
    assert_eq!(canary.hits().await, 0);
}

/// Loopback has a second address on Linux, so that a name can change between two of them.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_address_that_was_judged_is_the_one_that_is_connected_to() {
    let canary = Canary::start().await;
    let public = Canary::at(&format!("127.0.0.2:{}", canary.port), "public").await;
    let is_canary = |ip: std::net::IpAddr| (ip == Ipv4Addr::LOCALHOST).then_some("the canary");
    let rules = Rules { address: is_canary, ..rules(canary.port) };
    let names = Script::new(&[&["127.0.0.2"], &["127.0.0.1"]]);
    let web = web(rules, &[], names.clone());
    let url = format!("http://rebinding.example.com:{}/", canary.port);
    assert_eq!(page(&web, &url).await.text(), "public");
    assert_eq!(names.asked.load(Ordering::SeqCst), 1);
    // Asked again it has moved, and is judged again.
    assert!(matches!(fetch(&web, &url).await, Err(Error::Forbidden { .. })));
    assert_eq!((canary.hits().await, public.hits().await), (0, 1));
}

#[tokio::test]
async fn a_redirect_to_an_inner_address_is_refused_and_not_told_as_a_place_to_go() {
    let canary = Canary::start().await;
    let server = Vendor::start().await;
    let own = server.url().strip_prefix("http://").unwrap().to_owned();
    let web = web(rules(canary.port), &[&own], Script::new(&[&["127.0.0.1"]]));
    let mut tried = 0;
    for host in hosts() {
        let location = format!("http://{host}:{}/", canary.port);
        // What no reader of URLs takes for one is no redirect.
        if Url::parse(&location).is_err() || !location.is_ascii() || location.contains(['\t', '\n'])
        {
            continue;
        }
        server.script(Reply::status(302).header("location", &location));
        let answer = fetch(&web, &server.url()).await;
        assert!(is_refusal(&answer), "{location:?}: {answer:?}");
        tried += 1;
    }
    assert!(tried > 800, "{tried}");
    assert_eq!(canary.hits().await, 0);
}

#[tokio::test]
async fn without_the_guard_the_same_redirect_is_told() {
    let server = Vendor::start().await;
    let own = server.url().strip_prefix("http://").unwrap().to_owned();
    let web = web(no_rules(80), &[&own], Script::new(&[]));
    server.script(Reply::status(302).header("location", "http://0x7f.1/"));
    let to = "http://127.0.0.1/".to_owned();
    assert_eq!(fetch(&web, &server.url()).await, Ok(Answer::Redirected { to }));
}

#[tokio::test]
async fn a_name_that_the_system_knows_to_be_within_is_refused() {
    let canary = Canary::start().await;
    let url = format!("http://localhost:{}/", canary.port);
    let any_name = Rules { name: |_| None, ..rules(canary.port) };
    let refused = fetch(&web(any_name, &[], system()), &url).await;
    assert!(matches!(refused, Err(Error::Forbidden { .. })), "{refused:?}");
    assert_eq!(canary.hits().await, 0);
    // Without the guard the system's answer leads there.
    assert_eq!(page(&web(no_rules(canary.port), &[], system()), &url).await.text(), "canary");
    assert_eq!(canary.hits().await, 1);
}

#[tokio::test]
async fn a_name_that_moves_within_while_it_redirects_is_refused() {
    let server = Vendor::start().await;
    let port = Url::parse(&server.url()).unwrap().port().unwrap();
    server.otherwise(|_| Some(Reply::status(302).header("location", "/next")));
    // The first answer passes for public, the second does not.
    fn only_v4(ip: std::net::IpAddr) -> Option<&'static str> {
        ip.is_ipv6().then_some("it is within")
    }
    let rules = Rules { address: only_v4, ..rules(port) };
    let names = Script::new(&[&["127.0.0.1"], &["::1"]]);
    let web = web(rules, &[], names.clone());
    let answer = fetch(&web, &format!("http://moves.example.com:{port}/")).await;
    assert!(matches!(answer, Err(Error::Forbidden { .. })), "{answer:?}");
    assert_eq!(names.asked.load(Ordering::SeqCst), 2);
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn a_host_that_the_owner_opened_is_reached_by_exactly_its_name() {
    let canary = Canary::start().await;
    let port = canary.port;
    let names = || Script::new(&[&["127.0.0.1"]]);
    for (entry, url, reached) in [
        (format!("127.0.0.1:{port}"), format!("http://127.0.0.1:{port}/"), true),
        (format!("127.0.0.1:{port}"), format!("http://0x7f.1:{port}/"), true),
        (format!("nas:{port}"), format!("http://nas:{port}/"), true),
        (format!("Wiki.Home.Arpa.:{port}"), format!("http://wiki.home.arpa:{port}/"), true),
        ("nas".to_owned(), format!("http://nas:{port}/"), true),
        ("nas:81".to_owned(), format!("http://nas:{port}/"), false),
        (format!("nas:{port}"), format!("http://a.nas:{port}/"), false),
        (format!("nas:{port}"), format!("http://nas.example.com:{port}/"), false),
        (format!("nas:{port}"), format!("http://127.0.0.1:{port}/"), false),
        (format!("nas:{port}"), format!("http://me@nas:{port}/"), false),
    ] {
        let answer = fetch(&web(rules(port), &[&entry], names()), &url).await;
        assert_eq!(answer.is_ok(), reached, "{entry} {url}: {answer:?}");
        assert!(reached || is_refusal(&answer), "{answer:?}");
    }
    assert_eq!(canary.hits().await, 5);
}

#[test]
fn what_is_opened_is_a_host_with_or_without_a_port() {
    let read = |entry: &str| {
        let guard = Guard::new(Rules::WEB, &[entry.to_owned()]);
        guard.map(|guard| guard.open.into_iter().next()).map_err(|error| error.to_string())
    };
    for (entry, port) in
        [("a.b", None), ("a.b:80", Some(80)), ("a.b:443", Some(443)), ("[::1]:8000", Some(8000))]
    {
        assert_eq!(read(entry).unwrap().unwrap().port, port, "{entry}");
    }
    let wrong = ["a.b/c", "https://a.b", "me@a.b", "", "a b", "a.b:99999", "a.b?c", "*.a.b"];
    let told: Vec<String> = wrong.iter().filter_map(|entry| read(entry).err()).collect();
    expect![[r#"
        `a.b/c` is not an http or https URL: write a host, or a host and a port
        `https://a.b` is not an http or https URL: write a host, or a host and a port
        `me@a.b` is not an http or https URL: write a host without a user name
        `` is not an http or https URL: empty host
        `a b` is not an http or https URL: invalid international domain name
        `a.b:99999` is not an http or https URL: invalid port number
        `a.b?c` is not an http or https URL: write a host, or a host and a port
        `*.a.b` is not an http or https URL: name each host by itself"#]]
    .assert_eq(&told.join("\n"));
}

#[tokio::test]
async fn only_http_on_the_ports_of_the_web_is_asked_and_the_reason_is_told() {
    let web = crate::web::Web::new(&crate::web::Options::default()).unwrap();
    let mut told = Vec::new();
    for url in [
        "ftp://example.com/",
        "file:///etc/passwd",
        "gopher://example.com/",
        "http://example.com:22/",
        "https://user:secret@example.com/",
        "http://[::1]:8080/",
        "http://2130706433/?token=secret",
        "http://router/",
        "https://metadata.google.internal/",
        "http://",
    ] {
        let error = web.check(url).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("secret"), "{error:?}");
        let fetched = web.fetch(&authorized(url)).await.unwrap_err();
        assert_eq!(fetched, error);
        told.push(error.to_string());
    }
    expect![[r#"
        `ftp://example.com/` is not an http or https URL: another scheme
        `file:///etc/passwd` is not an http or https URL: another scheme
        `gopher://example.com/` is not an http or https URL: another scheme
        example.com:22 is refused: no web server has this port
        example.com is refused: its URL holds a user name
        [::1]:8080 is refused: it is a loopback address
        127.0.0.1 is refused: it is a loopback address
        router is refused: it is not a full name
        metadata.google.internal is refused: it is a name of the machine or its network
        `http://` is not an http or https URL: empty host"#]]
    .assert_eq(&told.join("\n"));
    for (url, plain) in [
        ("HTTPS://Example.COM:443/a b", "https://example.com/a%20b"),
        ("http://bücher.example:8080", "http://xn--bcher-kva.example:8080/"),
    ] {
        assert_eq!(web.check(url).unwrap(), plain);
    }
}
