//! Any text is refused or is a URL of a public place: whatever the standard library knows to be
//! within the machine or its network never passes the guard.
#![no_main]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use moltis_net::address::why_not;
use moltis_net::web::{Options, Web};

fn is_inner(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_loopback() || ip.is_private() || ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.to_ipv4_mapped().is_some(),
    }
}

fuzz_target!(|input: (u32, u128, String)| {
    static WEB: OnceLock<Web> = OnceLock::new();
    let web = WEB.get_or_init(|| Web::new(&Options::default()).expect("the guard is made"));
    let (v4, v6, text) = input;
    for ip in [Ipv4Addr::from_bits(v4).into(), Ipv6Addr::from_bits(v6).into()] {
        assert!(!is_inner(ip) || why_not(ip).is_some(), "{ip}");
    }
    if let Ok(url) = web.check(&text) {
        // The form that it is shown in is the form that it is asked in.
        assert_eq!(web.check(&url).as_ref(), Ok(&url));
        let host = url.split("://").nth(1).and_then(|rest| rest.split(['/', ':']).next());
        if let Some(Ok(ip)) = host.map(str::parse::<IpAddr>) {
            assert!(!is_inner(ip), "{text:?} is {ip}");
        }
    }
});
