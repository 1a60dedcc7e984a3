//! Who may speak to the socket: its owner and root, by what the kernel says of the peer.
//!
//! The folder's and the socket's modes keep others out already; this holds also when a mode was
//! changed by hand.

use tokio::net::UnixStream;

/// Whether a peer with that user id is served by a daemon that runs as `own`.
fn admits(peer: u32, own: u32) -> bool {
    peer == own || peer == 0
}

/// Whether the connection's other end is served. A refusal is logged; a peer that the kernel does
/// not name is refused.
pub(crate) fn admitted(stream: &UnixStream) -> bool {
    let own = rustix::process::geteuid().as_raw();
    match stream.peer_cred() {
        Ok(peer) if admits(peer.uid(), own) => true,
        Ok(peer) => {
            tracing::warn!(uid = peer.uid(), pid = peer.pid(), "refused another user's connection");
            false
        }
        Err(error) => {
            tracing::warn!(%error, "refused a connection of an unknown user");
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_owner_and_root_are_served() {
        assert!(admits(1000, 1000));
        assert!(admits(0, 1000));
        assert!(!admits(1001, 1000));
        assert!(!admits(1000, 0));
    }

    #[tokio::test]
    async fn the_kernel_names_the_peer() {
        let (ours, _theirs) = UnixStream::pair().unwrap();
        assert!(admitted(&ours));
    }
}
