//! The way out for tests: the real proxy, and servers of this machine to which it is opened.
//!
//! They have an address that programs are not told to leave out of it, as they are of 127.0.0.1.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::net::UnixStream as Stream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use moltis_core::id::SessionId;
use moltis_core::sandbox::Outlet;
use moltis_net::proxy::{Options, Proxy};
use tokio::net::UnixStream;

/// The proxy.
pub(crate) struct Way {
    proxy: Proxy,
    hosts: Mutex<Vec<String>>,
}

impl Way {
    /// To these hosts; `open` are those whose addresses may be private.
    pub(crate) fn to(hosts: &[&str], open: &[&str]) -> Arc<Self> {
        let owned = |all: &[&str]| all.iter().map(|host| (*host).to_owned()).collect::<Vec<_>>();
        let options = Options { hosts: owned(hosts), open: owned(open) };
        let proxy = Proxy::new(&options).expect("the hosts can be read");
        Arc::new(Self { proxy, hosts: Mutex::new(options.hosts) })
    }

    /// To these from now on.
    pub(crate) fn list(&self, hosts: &[&str]) {
        let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
        self.proxy.list(&hosts).expect("the hosts can be read");
        *self.hosts.lock().expect("one at a time") = hosts;
    }
}

#[async_trait::async_trait]
impl Outlet for Way {
    fn hosts(&self) -> Vec<String> {
        self.hosts.lock().expect("one at a time").clone()
    }

    async fn serve(&self, _: &SessionId, stream: Stream) {
        self.proxy.serve(UnixStream::from_std(stream).expect("a runtime")).await;
    }
}

/// Says `reached` to whoever comes.
pub(crate) struct Server {
    pub(crate) host: String,
    pub(crate) port: u16,
    came: Arc<AtomicUsize>,
}

impl Server {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.2:0").expect("a port");
        let address = listener.local_addr().expect("its address");
        let came = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&came);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                counted.fetch_add(1, Ordering::SeqCst);
                let Ok(mut stream) = stream else { continue };
                let mut head = Vec::new();
                let mut piece = [0; 1024];
                while !head.windows(4).any(|four| four == b"\r\n\r\n") {
                    match stream.read(&mut piece) {
                        Ok(read) if read > 0 => head.extend_from_slice(&piece[..read]),
                        _ => break,
                    }
                }
                let answer = b"HTTP/1.0 200 OK\r\nContent-Length: 8\r\n\r\nreached\n";
                // Whoever came may have gone.
                drop(stream.write_all(answer));
            }
        });
        Self { host: address.to_string(), port: address.port(), came }
    }

    /// How many came, whatever they said.
    pub(crate) fn came(&self) -> usize {
        self.came.load(Ordering::SeqCst)
    }
}
