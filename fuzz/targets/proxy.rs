//! Whatever a program says to the proxy, and whatever the list says: nothing panics, a list that
//! names nobody lets nobody through, and what is answered is answered once.
#![no_main]

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use moltis_net::proxy::{Options, Proxy, check};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};
use tokio::runtime::{Builder, Runtime};

/// What is said and heard at once.
const PIECE: usize = 64 * 1024;

fuzz_target!(|input: (String, &[u8])| {
    static STATE: OnceLock<(Runtime, Proxy)> = OnceLock::new();
    let (runtime, proxy) = STATE.get_or_init(|| {
        let runtime = Builder::new_current_thread().enable_all().build();
        let proxy = Proxy::new(&Options::default());
        (runtime.expect("a runtime"), proxy.expect("nobody is listed"))
    });
    let (entry, said) = input;
    if check(&entry).is_ok() {
        // What may be listed may be listed again, as it is trimmed.
        check(entry.trim()).expect("it names a host");
    }
    let answer = runtime.block_on(async {
        let (mut program, inside) = duplex(PIECE);
        let talk = async {
            // The proxy may have had enough before all of it.
            let _ = program.write_all(said).await;
            let _ = program.shutdown().await;
            let mut answer = Vec::new();
            let _ = program.read_to_end(&mut answer).await;
            answer
        };
        tokio::join!(proxy.serve(inside), talk).1
    });
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    assert!(answer.matches("HTTP/1.1 4").count() <= 1, "{answer}");
});
