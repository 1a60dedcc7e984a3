use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use url::Host;

use super::{UNRECOGNIZED_NAME, carry};

/// The first bytes of a client of this host.
fn hello(host: &str) -> Vec<u8> {
    crate::client::install_crypto();
    let config = ClientConfig::builder()
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    let name = ServerName::try_from(host.to_owned()).unwrap();
    let mut client = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut bytes = Vec::new();
    client.write_tls(&mut bytes).unwrap();
    bytes
}

async fn rest(mut of: DuplexStream) -> Vec<u8> {
    let mut all = Vec::new();
    of.read_to_end(&mut all).await.unwrap();
    all
}

/// What comes out on the other side of a tunnel to this host, and what is answered, when these
/// pieces go in and the host says `back`.
async fn through(host: &str, pieces: &[&[u8]]) -> (Vec<u8>, Vec<u8>) {
    let host = Host::parse(host).unwrap();
    let (mut program, inside) = duplex(1 << 20);
    let (mut far, outside) = duplex(1 << 20);
    let sending = async {
        for piece in pieces {
            program.write_all(piece).await.unwrap();
        }
        program.shutdown().await.unwrap();
        rest(program).await
    };
    let answering = async move {
        let mut got = Vec::new();
        while far.read_buf(&mut got).await.unwrap() > 0 {}
        // Whoever was refused does not hear it.
        drop(far.write_all(b"back").await);
        got
    };
    let carrying = async {
        drop(carry(inside, outside, &host).await);
    };
    let (answer, got, ()) = tokio::join!(sending, answering, carrying);
    (got, answer)
}

#[tokio::test]
async fn a_hello_to_the_host_goes_through_byte_for_byte_however_it_is_cut() {
    let hello = hello("a.example");
    assert_eq!(through("a.example", &[&hello]).await, (hello.clone(), b"back".to_vec()));
    let bytes: Vec<&[u8]> = hello.chunks(1).collect();
    assert_eq!(through("A.example", &bytes).await.0, hello);
    let more = [&hello[..], b"more"];
    assert_eq!(through("a.example", &more).await.0, more.concat());
}

#[tokio::test]
async fn a_hello_to_another_host_on_the_same_address_goes_nowhere() {
    for (host, named) in
        [("a.example", "b.example"), ("a.example", "1.2.3.4"), ("1.2.3.4", "b.example")]
    {
        let hello = hello(named);
        let refused = (Vec::new(), UNRECOGNIZED_NAME.to_vec());
        assert_eq!(through(host, &[&hello]).await, refused, "{named} by {host}");
        let bytes: Vec<&[u8]> = hello.chunks(1).collect();
        assert_eq!(through(host, &bytes).await, refused, "{named} by {host}");
    }
    let hello = hello("1.2.3.4");
    assert_eq!(through("1.2.3.4", &[&hello]).await.0, hello);
}

#[tokio::test]
async fn what_looks_like_a_hello_and_is_none_goes_nowhere() {
    let endless = [&[22, 3, 1, 0x3f, 0xff][..], &[0; 100_000]].concat();
    for bytes in [&b"\x16\x03\x01\x00\x02\x01\x00"[..], b"\x16nonsense that goes on", &endless] {
        let got = through("a.example", &[bytes]).await.0;
        assert!(got.len() < 10, "{got:?}");
    }
}

#[tokio::test]
async fn what_is_not_tls_is_not_looked_at() {
    let (got, answer) = through("a.example", &[b"SSH-2.0-x\r\n"]).await;
    assert_eq!((got.as_slice(), answer.as_slice()), (&b"SSH-2.0-x\r\n"[..], &b"back"[..]));
    assert_eq!(through("a.example", &[]).await, (Vec::new(), b"back".to_vec()));
}
