//! Bytes both ways between a program and a host, of which nothing is read but a first hello.
//!
//! A program that was let through to one host must not speak to another that shares its addresses,
//! as all customers of a large network do: where its first bytes are TLS, the name in their hello
//! must be the host's. What it says inside of TLS nobody sees. Not here: making the connection. The
//! invariant: no byte of a hello goes out before its name was compared.

use std::io;

use rustls::server::Acceptor;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, copy, split};
use url::Host;

/// What a record of TLS begins with that begins a connection: RFC 8446, 5.1.
const HANDSHAKE: u8 = 22;

/// Bytes of the longest hello.
const HELLO: usize = 64 * 1024;

/// A fatal alert, `unrecognized_name`: RFC 8446, 6.
const UNRECOGNIZED_NAME: [u8; 7] = [21, 3, 3, 0, 2, 2, 112];

/// Carries bytes until both sides have ended.
///
/// # Errors
/// When one of them breaks, or the hello names another host.
pub(super) async fn carry<I, O>(inside: I, outside: O, host: &Host<String>) -> io::Result<()>
where
    I: AsyncRead + AsyncWrite,
    O: AsyncRead + AsyncWrite,
{
    let (mut from_inside, mut to_inside) = split(inside);
    let (mut from_outside, mut to_outside) = split(outside);
    let there = async {
        let first = first(&mut from_inside, host).await?;
        to_outside.write_all(&first).await?;
        copy(&mut from_inside, &mut to_outside).await?;
        to_outside.shutdown().await
    };
    let back = async {
        copy(&mut from_outside, &mut to_inside).await?;
        to_inside.shutdown().await
    };
    match tokio::try_join!(there, back) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            // Whether it hears why is its own affair.
            drop(to_inside.write_all(&UNRECOGNIZED_NAME).await);
            drop(to_inside.shutdown().await);
            Err(error)
        }
        carried => carried.map(drop),
    }
}

/// What comes first: a whole hello where it is TLS, else whatever there is.
async fn first(from: &mut (impl AsyncRead + Unpin), host: &Host<String>) -> io::Result<Vec<u8>> {
    let mut taken = Vec::with_capacity(4 * 1024);
    let mut acceptor = Acceptor::default();
    loop {
        let before = taken.len();
        if from.read_buf(&mut taken).await? == 0 || taken.first() != Some(&HANDSHAKE) {
            return Ok(taken);
        }
        let mut more = taken.get(before..).unwrap_or_default();
        while !more.is_empty() {
            acceptor.read_tls(&mut more)?;
        }
        match acceptor.accept() {
            Ok(None) if taken.len() < HELLO => {}
            Ok(None) => return Err(refused("its hello has no end")),
            Ok(Some(accepted)) => {
                let hello = accepted.client_hello();
                let is_it = match host {
                    Host::Domain(name) => hello
                        .server_name()
                        .is_some_and(|said| said.trim_end_matches('.').eq_ignore_ascii_case(name)),
                    // No name is said for an address.
                    Host::Ipv4(_) | Host::Ipv6(_) => hello.server_name().is_none(),
                };
                return if is_it {
                    Ok(taken)
                } else {
                    Err(refused("its hello names another host"))
                };
            }
            Err((error, _)) => return Err(refused(&format!("its hello can't be read: {error}"))),
        }
    }
}

fn refused(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, why)
}

#[cfg(test)]
#[path = "tunnel_tests.rs"]
mod tests;
