//! What the tests of the web share: authorized destinations, scripted names, and a canary.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use moltis_core::CallId;
use moltis_core::policy::{Authorized, Grants, Label, Principal, Verdict, authorize};
use moltis_core::tool::{Action, Call, Outbound};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::{Answer, BOUNDS, Page, Web};
use crate::Error;
use crate::guard::{Guard, Rules};
use crate::names::{Names, System};

/// The owner asked for exactly this.
pub(crate) fn authorized(to: &str) -> Authorized<Outbound> {
    let call = Call {
        id: CallId::from("c"),
        tool: "web_fetch".to_owned(),
        arguments: serde_json::Value::Null,
        action: Action::Send(Outbound { to: to.to_owned(), what: String::new() }),
    };
    match authorize(Principal::Owner, call, Label::CLEAN, &Grants::default()) {
        Verdict::Allowed(call) => call.outbound().unwrap(),
        other => panic!("{other:?}"),
    }
}

/// The rules of the web, on this port.
pub(crate) fn rules(port: u16) -> Rules {
    Rules { ports: Box::leak(Box::new([port, 443])), ..Rules::WEB }
}

/// No rules: the negative control.
pub(crate) fn no_rules(port: u16) -> Rules {
    Rules { name: |_| None, address: |_| None, ..rules(port) }
}

/// The web by these rules, with a script for its names.
pub(crate) fn web(rules: Rules, allow: &[&str], names: Arc<dyn Names>) -> Web {
    crate::client::install_crypto();
    let allow: Vec<String> = allow.iter().map(|entry| (*entry).to_owned()).collect();
    let bounds = super::Bounds { total: Duration::from_secs(10), ..BOUNDS };
    Web { guard: Guard::new(rules, &allow).unwrap(), names, bounds }
}

pub(crate) fn system() -> Arc<dyn Names> {
    Arc::new(System::new())
}

pub(crate) async fn fetch(web: &Web, url: &str) -> Result<Answer, Error> {
    web.fetch(&authorized(url)).await
}

pub(crate) async fn page(web: &Web, url: &str) -> Page {
    match fetch(web, url).await.unwrap() {
        Answer::Page(page) => page,
        Answer::Redirected { to } => panic!("redirected to {to}"),
    }
}

/// Names that get a scripted answer each time that they are asked for; the last one stays.
#[derive(Default)]
pub(crate) struct Script {
    answers: Mutex<VecDeque<Vec<IpAddr>>>,
    pub(crate) asked: AtomicUsize,
}

impl Script {
    pub(crate) fn new(answers: &[&[&str]]) -> Arc<Self> {
        let read = |answer: &&[&str]| answer.iter().map(|ip| ip.parse().unwrap()).collect();
        let answers = Mutex::new(answers.iter().map(read).collect());
        Arc::new(Self { answers, asked: AtomicUsize::new(0) })
    }
}

impl Names for Script {
    fn addresses(&self, _: &str, port: u16) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let mut answers = self.answers.lock().unwrap();
        let next = answers.pop_front().unwrap_or_default();
        if answers.is_empty() {
            answers.push_back(next.clone());
        }
        async move { Ok(next.into_iter().map(|ip| SocketAddr::new(ip, port)).collect()) }.boxed()
    }
}

/// A server that must never be connected to, or else says what it is.
pub(crate) struct Canary {
    pub(crate) port: u16,
    address: SocketAddr,
    hits: Arc<AtomicUsize>,
    _task: JoinSet<()>,
}

impl Canary {
    pub(crate) async fn start() -> Self {
        Self::at("127.0.0.1:0", "canary").await
    }

    pub(crate) async fn at(address: &str, says: &'static str) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let hits = Arc::new(AtomicUsize::new(0));
        let mut task = JoinSet::new();
        let count = Arc::clone(&hits);
        task.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                drop(answer(stream, says).await);
            }
        });
        Self { port: address.port(), address, hits, _task: task }
    }

    /// How often it was connected to before this. Connections are accepted in their order, so one
    /// of our own comes after all others.
    pub(crate) async fn hits(&self) -> usize {
        let mut own = TcpStream::connect(self.address).await.unwrap();
        own.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        own.read_to_end(&mut Vec::new()).await.unwrap();
        self.hits.fetch_sub(1, Ordering::SeqCst) - 1
    }
}

async fn answer(mut stream: TcpStream, says: &str) -> io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") && stream.read_buf(&mut head).await? > 0 {}
    let length = says.len();
    let reply =
        format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{says}");
    stream.write_all(reply.as_bytes()).await
}
