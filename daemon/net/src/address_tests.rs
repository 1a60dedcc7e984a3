use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;

use super::why_not;

/// Neighbours of what is refused, and addresses that everybody knows.
const PUBLIC_V4: &[&str] = &[
    "1.0.0.0",
    "1.1.1.1",
    "8.8.8.8",
    "8.8.4.4",
    "9.9.9.9",
    "9.255.255.255",
    "11.0.0.0",
    "4.2.2.1",
    "13.107.42.14",
    "17.253.144.10",
    "20.112.52.29",
    "23.192.228.80",
    "31.13.24.1",
    "34.117.59.81",
    "45.33.32.156",
    "52.216.1.1",
    "64.6.64.6",
    "76.76.2.0",
    "77.88.8.8",
    "80.80.80.80",
    "84.200.69.80",
    "91.198.174.192",
    "93.184.215.14",
    "95.216.24.32",
    "99.255.255.255",
    "100.0.0.1",
    "100.63.255.255",
    "100.128.0.0",
    "101.101.101.101",
    "104.16.132.229",
    "114.114.114.114",
    "126.255.255.255",
    "128.0.0.0",
    "128.101.101.101",
    "130.89.148.77",
    "140.82.121.4",
    "141.1.1.1",
    "142.250.74.110",
    "149.112.112.112",
    "151.101.1.140",
    "156.154.70.1",
    "162.159.36.1",
    "168.63.129.15",
    "168.63.129.17",
    "169.253.255.255",
    "169.255.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "172.217.16.142",
    "176.103.130.130",
    "185.199.108.153",
    "185.228.168.9",
    "191.255.255.255",
    "192.0.1.0",
    "192.0.3.0",
    "192.1.0.1",
    "192.88.98.255",
    "192.88.100.0",
    "192.167.255.255",
    "192.169.0.0",
    "193.0.6.139",
    "194.150.168.168",
    "195.46.39.39",
    "198.17.255.255",
    "198.20.0.0",
    "198.41.0.4",
    "198.51.99.255",
    "198.51.101.0",
    "199.9.14.201",
    "199.85.126.10",
    "200.1.122.10",
    "202.12.27.33",
    "203.0.112.255",
    "203.0.114.0",
    "204.79.197.200",
    "205.251.242.103",
    "208.67.222.222",
    "208.80.154.224",
    "209.244.0.3",
    "212.58.244.22",
    "213.73.91.35",
    "216.58.214.14",
    "216.146.35.35",
    "217.160.0.1",
    "221.130.33.52",
    "223.255.255.255",
];

const PUBLIC_V6: &[&str] = &[
    "2000::1",
    "2001:200::1",
    "2001:470:20::2",
    "2001:4860:4860::8888",
    "2001:db7:ffff::1",
    "2001:db9::1",
    "2003::1",
    "2400:cb00:2048:1::c629:d7a2",
    "2600::",
    "2606:4700:4700::1111",
    "2606:2800:21f:cb07:6820:80da:af6b:8b2c",
    "2620:fe::fe",
    "2620:119:35::35",
    "2a00:1450:4001:829::200e",
    "2a01:4f8:c2c:123f::1",
    "2a03:2880:f12f:83:face:b00c:0:25de",
    "2a04:4e42::81",
    "2c0f:fb50:4002:804::200e",
    "3ffe:ffff::1",
    "64:ff9b::8.8.8.8",
    "64:ff9b::1.1.1.1",
    "64:ff9b::93.184.215.14",
];

#[test]
fn public_addresses_are_not_refused() {
    assert!(PUBLIC_V4.len() + PUBLIC_V6.len() >= 100);
    for text in PUBLIC_V4.iter().chain(PUBLIC_V6) {
        assert_eq!(why_not(text.parse().unwrap()), None, "{text}");
    }
}

/// What the standard library knows to be no public address.
fn is_inner(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            ip.is_loopback()
                || ip.is_private()
                || ip.is_link_local()
                || ip.is_unspecified()
                || ip.is_broadcast()
                || ip.is_multicast()
                || ip.is_documentation()
        }
        IpAddr::V6(ip) => {
            ip.is_loopback()
                || ip.is_unspecified()
                || ip.is_multicast()
                || ip.is_unique_local()
                || ip.is_unicast_link_local()
                || ip.to_ipv4_mapped().is_some()
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn whatever_the_standard_library_knows_to_be_inner_is_refused(
        first in any::<u8>(), rest in any::<u32>(), wide in any::<u128>(),
        head in prop::sample::select(vec![0_u16, 0x64, 0x2001, 0x2002, 0x3fff, 0xfc00, 0xfe80, 0xff02]),
    ) {
        let v4 = Ipv4Addr::from_bits(u32::from(first) << 24 | rest >> 8);
        let near = Ipv6Addr::from_bits(u128::from(head) << 112 | wide >> 16);
        let mapped = v4.to_ipv6_mapped();
        for ip in [IpAddr::V4(v4), near.into(), Ipv6Addr::from_bits(wide).into(), mapped.into()] {
            prop_assert!(!is_inner(ip) || why_not(ip).is_some(), "{}", ip);
        }
        // A translated address is as public as what is in it.
        let [a, b, c, d] = v4.octets().map(u16::from);
        let translated = Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, a << 8 | b, c << 8 | d);
        prop_assert_eq!(why_not(translated.into()), why_not(v4.into()));
    }

    #[test]
    fn no_text_makes_the_guard_panic_or_let_an_inner_literal_pass(
        text in prop_oneof![
            any::<String>(),
            "https?:/{0,3}[\\[\\]0-9a-fx:.@%\\\\]{1,40}/?",
            "http://[0-9.x]{1,20}(:80)?",
        ],
    ) {
        let web = crate::web::Web::new(&crate::web::Options::default()).unwrap();
        if let Ok(url) = web.check(&text) {
            let url = url::Url::parse(&url).unwrap();
            let ip = match url.host().unwrap() {
                url::Host::Domain(_) => return Ok(()),
                url::Host::Ipv4(ip) => IpAddr::V4(ip),
                url::Host::Ipv6(ip) => IpAddr::V6(ip),
            };
            prop_assert!(!is_inner(ip), "{} is {}", text, ip);
        }
    }
}
