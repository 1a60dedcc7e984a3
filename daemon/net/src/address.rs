//! Which addresses are public: what a page of the web may be asked of.
//!
//! Pure tables; no name is resolved here and no URL is read. IPv4 is all but what IANA's registry of
//! special purposes takes out of it. IPv6 is the other way round: only what is given out for the
//! internet (2000::/3), without the parts that carry an IPv4 address or lead into a tunnel. The
//! invariant: an address that some machine of the owner's, of their network or of their cloud
//! answers on is refused, in whatever form it is packed.
//!
//! Source: the IANA IPv4 and IPv6 Special-Purpose Address Registries (RFC 6890 and what followed).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The first address of a block, the length of its prefix, and what it is for.
type Block<Address> = (Address, u32, &'static str);

const V4: &[Block<Ipv4Addr>] = &[
    (Ipv4Addr::new(0, 0, 0, 0), 8, "it is this machine"),
    (Ipv4Addr::new(10, 0, 0, 0), 8, PRIVATE),
    (Ipv4Addr::new(100, 64, 0, 0), 10, "it is in a provider's own network"),
    (Ipv4Addr::new(127, 0, 0, 0), 8, LOOPBACK),
    // Amazon's, Google's and most other clouds' metadata among them.
    (Ipv4Addr::new(169, 254, 0, 0), 16, LINK_LOCAL),
    (Ipv4Addr::new(172, 16, 0, 0), 12, PRIVATE),
    // Oracle's metadata among them.
    (Ipv4Addr::new(192, 0, 0, 0), 24, RESERVED),
    (Ipv4Addr::new(192, 0, 2, 0), 24, DOCUMENTATION),
    (Ipv4Addr::new(192, 88, 99, 0), 24, TUNNEL),
    (Ipv4Addr::new(192, 168, 0, 0), 16, PRIVATE),
    (Ipv4Addr::new(198, 18, 0, 0), 15, "it is for measuring networks"),
    (Ipv4Addr::new(198, 51, 100, 0), 24, DOCUMENTATION),
    (Ipv4Addr::new(203, 0, 113, 0), 24, DOCUMENTATION),
    (Ipv4Addr::new(224, 0, 0, 0), 4, MULTICAST),
    // Broadcast among them.
    (Ipv4Addr::new(240, 0, 0, 0), 4, RESERVED),
    // Azure's host: it looks public, and answers every machine there.
    (Ipv4Addr::new(168, 63, 129, 16), 32, "it is a cloud's own machine"),
];

/// What is given out for the internet.
const GLOBAL: Block<Ipv6Addr> = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3, "");

/// What of [`GLOBAL`] is not public, and the names of what lies outside of it.
const V6: &[Block<Ipv6Addr>] = &[
    (Ipv6Addr::LOCALHOST, 128, LOOPBACK),
    (Ipv6Addr::UNSPECIFIED, 128, "it is this machine"),
    (Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0), 96, EMBEDDED),
    (Ipv6Addr::new(0, 0, 0, 0, 0xffff, 0, 0, 0), 96, EMBEDDED),
    (Ipv6Addr::UNSPECIFIED, 96, EMBEDDED),
    (Ipv6Addr::new(0x64, 0xff9b, 1, 0, 0, 0, 0, 0), 48, EMBEDDED),
    // Teredo, ORCHID, benchmarks and other uses of protocols.
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23, TUNNEL),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32, DOCUMENTATION),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16, TUNNEL),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20, DOCUMENTATION),
    (Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7, PRIVATE),
    (Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10, LINK_LOCAL),
    (Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0), 8, MULTICAST),
];

const LOOPBACK: &str = "it is a loopback address";
const PRIVATE: &str = "it is in a private network";
const LINK_LOCAL: &str = "it is a link-local address";
const MULTICAST: &str = "it is a multicast address";
const RESERVED: &str = "it is reserved";
const DOCUMENTATION: &str = "it is for documentation";
const TUNNEL: &str = "it leads into a tunnel";
const EMBEDDED: &str = "it hides an IPv4 address";

/// Why nothing may be asked of this address; `None` is a public address.
pub fn why_not(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(address) => why_not_v4(address),
        IpAddr::V6(address) => why_not_v6(address),
    }
}

fn why_not_v4(address: Ipv4Addr) -> Option<&'static str> {
    let within = |(first, prefix, _): &&Block<Ipv4Addr>| {
        shared(u128::from(first.to_bits()) << 96, u128::from(address.to_bits()) << 96, *prefix)
    };
    V4.iter().find(within).map(|(_, _, reason)| *reason)
}

fn why_not_v6(address: Ipv6Addr) -> Option<&'static str> {
    if let [0x64, 0xff9b, 0, 0, 0, 0, high, low] = address.segments() {
        // How a network without IPv4 reaches the internet that has nothing else: as public as
        // what is in it.
        return why_not_v4(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)));
    }
    let within =
        |(first, prefix, _): &Block<Ipv6Addr>| shared(first.to_bits(), address.to_bits(), *prefix);
    if let Some((_, _, reason)) = V6.iter().find(|block| within(block)) {
        return Some(reason);
    }
    if !within(&GLOBAL) {
        return Some("it is not given out for the internet");
    }
    // ISATAP marks the lower half of any address.
    let [_, _, _, _, 0 | 0x200, 0x5efe, _, _] = address.segments() else { return None };
    Some(EMBEDDED)
}

/// Whether two addresses begin with the same `prefix` bits.
fn shared(one: u128, other: u128, prefix: u32) -> bool {
    (one ^ other).leading_zeros() >= prefix
}

#[cfg(test)]
#[path = "address_tests.rs"]
mod tests;
