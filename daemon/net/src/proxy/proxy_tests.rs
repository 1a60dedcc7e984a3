use std::sync::Arc;
use std::time::Duration;

use expect_test::expect;
use proptest::prelude::*;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::{BOUNDS, Options, Proxy};
use crate::guard::tests::hosts;
use crate::guard::{Guard, Rules};
use crate::names::Names;
use crate::web::testing::{Canary, Script, no_rules, rules, system};

fn owned(entries: &[&str]) -> Vec<String> {
    entries.iter().map(|entry| (*entry).to_owned()).collect()
}

fn proxy(rules: Rules, hosts: &[&str], open: &[&str], names: Arc<dyn Names>) -> Proxy {
    let options = Options { hosts: owned(hosts), ..Options::default() };
    let guard = Guard::new(rules, &owned(open)).unwrap();
    Proxy { guard, names, ..Proxy::new(&options).unwrap() }
}

/// A proxy for a server of this machine, opened and listed.
fn open_to(port: u16) -> Proxy {
    let own = format!("127.0.0.1:{port}");
    proxy(rules(port), &[&own], &[&own], system())
}

/// Everything that is answered to these bytes.
async fn say(proxy: &Proxy, bytes: impl AsRef<[u8]>) -> String {
    let (mut program, inside) = duplex(1 << 20);
    program.write_all(bytes.as_ref()).await.unwrap();
    program.shutdown().await.unwrap();
    let mut answer = Vec::new();
    let (_, read) = tokio::join!(proxy.serve(inside), program.read_to_end(&mut answer));
    read.unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

/// The status line and the body.
fn told(answer: &str) -> String {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((answer, ""));
    format!("{} | {}", head.lines().next().unwrap_or_default(), body.trim_end())
}

/// A server that answers the first head that comes, and keeps all that comes.
struct Far {
    port: u16,
    tasks: JoinSet<Vec<u8>>,
}

impl Far {
    async fn answering(answer: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut got = Vec::new();
            while !got.windows(4).any(|four| four == b"\r\n\r\n") {
                assert!(stream.read_buf(&mut got).await.unwrap() > 0, "{got:?}");
            }
            stream.write_all(answer.as_bytes()).await.unwrap();
            // What was sent beyond the request would come before the end.
            drop(stream.read_to_end(&mut got).await);
            got
        });
        Self { port, tasks }
    }

    async fn start() -> Self {
        Self::answering("HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok").await
    }

    async fn got(mut self) -> String {
        let got = self.tasks.join_next().await.unwrap().unwrap();
        String::from_utf8(got).unwrap().replace(&self.port.to_string(), "PORT")
    }
}

#[tokio::test]
async fn a_listed_host_is_asked_and_its_answer_comes_back() {
    let far = Far::start().await;
    let (proxy, port) = (open_to(far.port), far.port);
    let asked = format!(
        "POST http://127.0.0.1:{port}/a?b=c HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nX-Own: 1\r\n\
         Proxy-Authorization: secret\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 2\r\nTE: trailers\r\n\
         Keep-Alive: 5\r\nUpgrade: h2c\r\nProxy-Connection: keep-alive\r\nExpect: 100-continue\r\n\
         Content-Length: 4\r\n\r\nbody"
    );
    let answer = say(&proxy, asked).await;
    assert!(answer.contains("HTTP/1.1 200 OK") && answer.ends_with("\r\n\r\nok"), "{answer}");
    expect![[r#"
        POST /a?b=c HTTP/1.1
        x-own: 1
        host: 127.0.0.1:PORT
        connection: close
        content-length: 4

        body"#]]
    .assert_eq(&far.got().await.replace('\r', ""));
}

#[tokio::test]
async fn a_tunnel_carries_whatever_is_not_tls() {
    let canary = Canary::start().await;
    let port = canary.port;
    for host in ["", "Host: 127.0.0.1\r\n", &format!("Host: 127.0.0.1:{port}\r\n")] {
        let asked =
            format!("CONNECT 127.0.0.1:{port} HTTP/1.1\r\n{host}\r\nGET / HTTP/1.1\r\n\r\n");
        let answer = say(&open_to(port), asked).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(answer.ends_with("\r\n\r\ncanary"), "{answer}");
    }
    assert_eq!(canary.hits().await, 3);
}

#[tokio::test]
async fn what_is_refused_says_which_host_and_which_key() {
    let names = || Script::new(&[&["10.0.0.1"]]);
    let proxy = proxy(Rules::WEB, &["inner.example", "10.1.2.3", "nas"], &[], names());
    let mut all = Vec::new();
    for request in [
        "GET http://other.example/ HTTP/1.1\r\nHost: other.example",
        "CONNECT other.example:443 HTTP/1.1\r\nHost: other.example:443",
        "CONNECT inner.example:22 HTTP/1.1",
        "GET http://inner.example/secret HTTP/1.1\r\nHost: inner.example",
        "CONNECT inner.example:443 HTTP/1.1",
        "CONNECT 10.1.2.3:443 HTTP/1.1",
        "CONNECT nas:443 HTTP/1.1",
        "GET / HTTP/1.1\r\nHost: inner.example",
        "GET https://inner.example/ HTTP/1.1\r\nHost: inner.example",
        "GET ftp://inner.example/ HTTP/1.1",
        "CONNECT inner.example HTTP/1.1",
        "GET http://inner.example/ HTTP/1.1\r\nHost: other.example",
        "GET http://inner.example/ HTTP/1.1\r\nHost: inner.example\r\nHost: inner.example",
        "GET http://other.example@inner.example/ HTTP/1.1",
        "GET http://inner.example@other.example/ HTTP/1.1",
        "CONNECT inner.example:443@other.example:443 HTTP/1.1",
        "PRI * HTTP/2.0",
        "nonsense",
    ] {
        all.push(told(&say(&proxy, format!("{request}\r\n\r\n")).await));
    }
    expect![[r#"
        HTTP/1.1 403 other.example:80 is not in `sandbox.allow_hosts` | moltis: other.example:80 is not in `sandbox.allow_hosts`
        HTTP/1.1 403 other.example:443 is not in `sandbox.allow_hosts` | moltis: other.example:443 is not in `sandbox.allow_hosts`
        HTTP/1.1 403 inner.example:22 is not in `sandbox.allow_hosts` | moltis: inner.example:22 is not in `sandbox.allow_hosts`
        HTTP/1.1 403 inner.example is refused: it is in a private network; that `sandbox.allow_hosts` lists it is not enough, `web.allow` must too | moltis: inner.example is refused: it is in a private network; that `sandbox.allow_hosts` lists it is not enough, `web.allow` must too
        HTTP/1.1 403 inner.example is refused: it is in a private network; that `sandbox.allow_hosts` lists it is not enough, `web.allow` must too | moltis: inner.example is refused: it is in a private network; that `sandbox.allow_hosts` lists it is not enough, `web.allow` must too
        HTTP/1.1 403 10.1.2.3 is refused: it is in a private network; that `sandbox.allow_hosts` lists it is not enough, `web.allow` must too | moltis: 10.1.2.3 is refused: it is in a private network; that `sandbox.allow_hosts` lists it is not enough, `web.allow` must too
        HTTP/1.1 403 nas is refused: it is not a full name; that `sandbox.allow_hosts` lists it is not enough, `web.allow` must too | moltis: nas is refused: it is not a full name; that `sandbox.allow_hosts` lists it is not enough, `web.allow` must too
        HTTP/1.1 400 this is a proxy: it takes `http://` addresses and CONNECT | moltis: this is a proxy: it takes `http://` addresses and CONNECT
        HTTP/1.1 400 other than `http://`, all goes by CONNECT | moltis: other than `http://`, all goes by CONNECT
        HTTP/1.1 400 other than `http://`, all goes by CONNECT | moltis: other than `http://`, all goes by CONNECT
        HTTP/1.1 400 CONNECT names a host and a port | moltis: CONNECT names a host and a port
        HTTP/1.1 400 its Host header names another host | moltis: its Host header names another host
        HTTP/1.1 400 its Host header names another host | moltis: its Host header names another host
        HTTP/1.1 400 its address holds a user name | moltis: its address holds a user name
        HTTP/1.1 400 its address holds a user name | moltis: its address holds a user name
        HTTP/1.1 400 its address holds a user name | moltis: its address holds a user name
        HTTP/1.1 400 Bad Request | 
        HTTP/1.1 400 Bad Request | "#]].assert_eq(&all.join("\n"));
}

#[tokio::test]
async fn a_name_that_is_not_listed_is_not_even_looked_up() {
    let names = Script::new(&[&["93.184.215.14"]]);
    let proxy = proxy(Rules::WEB, &["listed.example"], &[], names.clone());
    say(&proxy, "CONNECT secret.evil.example:443 HTTP/1.1\r\n\r\n").await;
    assert_eq!(names.asked.load(std::sync::atomic::Ordering::SeqCst), 0);
}

#[tokio::test]
async fn no_spelling_of_an_inner_address_is_reached_though_it_is_listed() {
    let canary = Canary::start().await;
    let port = canary.port;
    let (mut all, mut by_address) = (0, 0);
    for host in hosts() {
        let entry = format!("{host}:{port}");
        let listed = if super::check(&entry).is_ok() { vec![entry.as_str()] } else { Vec::new() };
        let proxy = proxy(rules(port), &listed, &[], Script::new(&[&["127.0.0.1"]]));
        for request in [
            format!("CONNECT {host}:{port} HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n"),
            format!("GET http://{host}:{port}/ HTTP/1.1\r\n\r\n"),
        ] {
            let answer = say(&proxy, &request).await;
            let refused = ["HTTP/1.1 400 ", "HTTP/1.1 403 "].iter().any(|s| answer.starts_with(s));
            assert!(refused, "{request:?}: {answer}");
            by_address += usize::from(answer.contains("is not enough"));
            all += 1;
        }
    }
    eprintln!("{all} requests refused, {by_address} of them by what they mean");
    assert!(all > 2_500 && by_address > 1_000, "{all} {by_address}");
    assert_eq!(canary.hits().await, 0);
}

#[tokio::test]
async fn without_the_guard_the_same_spellings_reach_it() {
    let canary = Canary::start().await;
    let port = canary.port;
    let mut reached = 0;
    for host in ["127.0.0.1", "2130706433", "0x7f.1", "localhost", "printer.local", "intranet"] {
        let names = Script::new(&[&["127.0.0.1"]]);
        let proxy = proxy(no_rules(port), &[&format!("{host}:{port}")], &[], names);
        let request = format!("CONNECT {host}:{port} HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n");
        reached += usize::from(say(&proxy, request).await.ends_with("canary"));
        let request = format!("GET http://{host}:{port}/ HTTP/1.1\r\n\r\n");
        reached += usize::from(say(&proxy, request).await.ends_with("canary"));
    }
    assert_eq!((reached, canary.hits().await), (12, 12));
}

#[tokio::test]
async fn a_name_that_moves_within_is_refused_the_next_time() {
    let canary = Canary::start().await;
    let port = canary.port;
    // What passes for public here is the first address, and the second does not.
    fn only_v4(ip: std::net::IpAddr) -> Option<&'static str> {
        ip.is_ipv6().then_some("it is within")
    }
    let names = Script::new(&[&["127.0.0.1"], &["::1"], &["127.0.0.1", "::1"]]);
    let own = format!("moves.example:{port}");
    let proxy = proxy(Rules { address: only_v4, ..rules(port) }, &[&own], &[], names.clone());
    let request = format!("GET http://{own}/ HTTP/1.1\r\n\r\n");
    assert!(say(&proxy, &request).await.ends_with("canary"));
    for _ in 0..2 {
        assert!(say(&proxy, &request).await.starts_with("HTTP/1.1 403 "));
    }
    assert_eq!(canary.hits().await, 1);
}

#[tokio::test]
async fn a_changed_list_holds_for_the_next_connection() {
    let canary = Canary::start().await;
    let port = canary.port;
    let proxy = open_to(port);
    let request = format!("GET http://127.0.0.1:{port}/ HTTP/1.1\r\n\r\n");
    assert!(say(&proxy, &request).await.ends_with("canary"));
    assert!(proxy.list(&owned(&["*.org"])).is_err());
    assert!(say(&proxy, &request).await.ends_with("canary"));
    proxy.list(&[]).unwrap();
    assert!(say(&proxy, &request).await.starts_with("HTTP/1.1 403 "));
    assert_eq!(canary.hits().await, 2);
}

/// What a server that was asked so gets to see of it.
async fn seen(request: &str) -> (String, String) {
    let far = Far::start().await;
    let proxy = open_to(far.port);
    let request = request.replace("HOST", &format!("127.0.0.1:{}", far.port));
    let answer = say(&proxy, request).await;
    (far.got().await.replace('\r', ""), answer)
}

#[tokio::test]
async fn nothing_is_smuggled_behind_a_request() {
    let second = "GET http://HOST/smuggled HTTP/1.1\r\nHost: evil.example\r\n\r\n";
    for first in [
        "GET http://HOST/ HTTP/1.1\r\nHost: HOST\r\n\r\n".to_owned(),
        "GET http://HOST/ HTTP/1.1\r\nHost: HOST\r\nConnection: keep-alive\r\n\r\n".to_owned(),
        "POST http://HOST/ HTTP/1.1\r\nContent-Length: 2\r\n\r\nab".to_owned(),
        "POST http://HOST/ HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n"
            .to_owned(),
        format!(
            "POST http://HOST/ HTTP/1.1\r\nContent-Length: {}\r\nTransfer-Encoding: chunked\r\n\r\n\
             0\r\n\r\n",
            second.len() + 5
        ),
        "GET http://HOST/ HTTP/1.0\r\n\r\n".to_owned(),
    ] {
        let (got, answer) = seen(&format!("{first}{second}")).await;
        assert!(!got.contains("smuggled") && !got.contains("evil"), "{first:?}: {got}");
        assert_eq!(answer.matches("HTTP/1.").count(), 1, "{first:?}: {answer}");
        let lengths = got.matches("content-length").count() + got.matches("transfer-enc").count();
        assert!(lengths <= 1, "{first:?}: {got}");
    }
}

#[tokio::test]
async fn what_two_readers_could_read_differently_goes_nowhere() {
    let canary = Canary::start().await;
    let port = canary.port;
    let proxy = open_to(port);
    for rest in [
        "Content-Length: 1\r\nContent-Length: 2\r\n\r\nabc",
        "Content-Length: 1, 2\r\n\r\nabc",
        "Content-Length: +1\r\n\r\na",
        "Content-Length: 0x1\r\n\r\na",
        "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        " folded: x\r\n\r\n",
        "a: b\r\n c\r\n\r\n",
        "a\0: b\r\n\r\n",
        "Host: 127.0.0.1\r\n\r\n",
    ] {
        let answer = say(&proxy, format!("POST http://127.0.0.1:{port}/ HTTP/1.1\r\n{rest}")).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{rest:?}: {answer}");
    }
    assert_eq!(canary.hits().await, 0);
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let canary = Canary::start().await;
    let port = canary.port;
    let proxy = open_to(port);
    let long = format!("X: {}\r\n", "x".repeat(2 * super::HEAD));
    for head in [long, "a: b\r\n".repeat(super::HEADERS + 1)] {
        let answer =
            say(&proxy, format!("GET http://127.0.0.1:{port}/ HTTP/1.1\r\n{head}\r\n")).await;
        assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    }
    assert_eq!(canary.hits().await, 0);
}

#[tokio::test(start_paused = true)]
async fn a_head_that_trickles_is_not_waited_for() {
    let proxy = Proxy::new(&Options::default()).unwrap();
    let began = Instant::now();
    let (mut program, inside) = duplex(1 << 10);
    let trickling = async {
        for byte in "GET http://a.example/ HTTP/1.1\r\n".bytes().cycle() {
            if program.write_all(&[byte]).await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(900)).await;
        }
    };
    tokio::join!(proxy.serve(inside), trickling);
    assert!(began.elapsed() <= BOUNDS.head + Duration::from_secs(2), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_connection_on_which_nothing_moves_is_closed() {
    let began = Instant::now();
    let (watched, pulse) = super::Watched::new(duplex(8).0);
    pulse.stopped(BOUNDS.idle).await;
    assert_eq!(began.elapsed(), BOUNDS.idle);
    drop(watched);
    // One that says something now and then is not.
    let (mut far, near) = duplex(1 << 10);
    let (mut watched, pulse) = super::Watched::new(near);
    let talking = async {
        for _ in 0..10 {
            far.write_all(b"x").await.unwrap();
            watched.read_u8().await.unwrap();
            tokio::time::sleep(BOUNDS.idle * 3 / 4).await;
        }
    };
    tokio::select! {
        () = pulse.stopped(BOUNDS.idle) => panic!("it was closed"),
        () = talking => {}
    }
}

fn any_host() -> impl Strategy<Value = String> {
    let whole = prop::sample::select(vec![
        "listed.example",
        "LISTED.example.",
        "other.example",
        "listed.example.other",
        "127.0.0.1",
        "localhost",
        "",
    ]);
    prop_oneof![whole.prop_map(str::to_owned), "[a-z.@:%\\[\\]0-9]{0,12}"]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Whatever is said: what is connected to is what the list names.
    #[test]
    fn only_the_listed_name_is_ever_reached(
        method in prop::sample::select(vec!["GET", "POST", "CONNECT", "X", ""]),
        before in prop::sample::select(vec!["", "http://", "HTTP://", "https://", "//", "http:/"]),
        host in any_host(),
        after in prop::sample::select(vec!["", "/", ":PORT", ":PORT/x", "/@listed.example:PORT"]),
        named in any_host(),
        tail in "[ -~\r\n]{0,30}",
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let canary = Canary::start().await;
            let port = canary.port;
            let names = Script::new(&[&["127.0.0.1"]]);
            let own = format!("listed.example:{port}");
            let proxy = proxy(no_rules(port), &[&own], &[], names);
            let after = after.replace("PORT", &port.to_string());
            let request = format!("{method} {before}{host}{after} HTTP/1.1\r\nHost: {named}\r\n{tail}\r\n\r\n");
            say(&proxy, &request).await;
            let is_it = host.trim_end_matches('.').eq_ignore_ascii_case("listed.example");
            let hits = canary.hits().await;
            assert!(hits <= usize::from(is_it), "{request:?}");
        });
    }
}
