//! Which addresses may be fetched. Names are not resolved here, nor can an answer's address be pinned on the platform: so only public
//! https names pass, redirects are never followed, and what comes back is judged by what it says.

use std::net::{Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

use crate::config::reader::is_loopback;

/// Who has named an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NamedBy {
    /// The operator, in the configuration: any port will do.
    Operator,
    /// Somebody else, in a document or a token.
    Stranger,
}

/// An address that is not fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Forbidden {
    /// Not https.
    #[error("the scheme is not https")]
    Scheme,
    /// A name or a password before the host.
    #[error("the address carries credentials")]
    Credentials,
    /// Another port than that of https.
    #[error("the port is not 443")]
    Port,
    /// An address literal that is not global unicast.
    #[error("the host is not a public address")]
    Address,
    /// A name that is not in the public DNS.
    #[error("the host is not a public name")]
    Name,
}

/// Top-level names that are never, or never meant to be, in the public DNS: RFC 6761, RFC 6762 with its appendix G, RFC 7686,
/// RFC 8375, RFC 9476, and ICANN's `internal`.
const NOT_PUBLIC: [&str; 15] = [
    "alt",
    "arpa",
    "corp",
    "example",
    "home",
    "internal",
    "intranet",
    "invalid",
    "lan",
    "local",
    "localdomain",
    "localhost",
    "onion",
    "private",
    "test",
];
/// Public names of the metadata services of clouds.
const METADATA: [&str; 1] = ["metadata.goog"];

/// IPv4 that is not global unicast (RFC 6890 and the registry that it founded): network and bits.
const NOT_GLOBAL_V4: [([u8; 4], u32); 15] = [
    ([0, 0, 0, 0], 8),
    ([10, 0, 0, 0], 8),
    ([100, 64, 0, 0], 10),
    ([127, 0, 0, 0], 8),
    ([169, 254, 0, 0], 16),
    ([172, 16, 0, 0], 12),
    ([192, 0, 0, 0], 24),
    ([192, 0, 2, 0], 24),
    ([192, 88, 99, 0], 24),
    ([192, 168, 0, 0], 16),
    ([198, 18, 0, 0], 15),
    ([198, 51, 100, 0], 24),
    ([203, 0, 113, 0], 24),
    ([224, 0, 0, 0], 4),
    ([240, 0, 0, 0], 4),
];
/// The only IPv6 that is global unicast, `2000::/3`, ...
const GLOBAL_V6: (u16, u32) = (0x2000, 3);
/// ... less what of it is set apart: protocol assignments with Teredo, documentation twice, 6to4. First two groups and bits. What maps
/// or translates IPv4 lies outside anyway.
const NOT_GLOBAL_V6: [([u16; 2], u32); 4] = [([0x2001, 0], 23), ([0x2001, 0xdb8], 32), ([0x2002, 0], 16), ([0x3fff, 0], 20)];

/// Whether `url` may be fetched. In development loopback may be, with any port and without TLS.
///
/// # Errors
/// It may not, for the first reason that is found.
pub fn permits(url: &Url, named_by: NamedBy, development: bool) -> Result<(), Forbidden> {
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Forbidden::Credentials);
    }
    if development && is_loopback(url) && matches!(url.scheme(), "http" | "https") {
        return Ok(());
    }
    if url.scheme() != "https" {
        return Err(Forbidden::Scheme);
    }
    // The port of the scheme is never written in a parsed address.
    if url.port().is_some() && named_by != NamedBy::Operator {
        return Err(Forbidden::Port);
    }
    match url.host() {
        Some(Host::Domain(name)) if is_public(name) => Ok(()),
        Some(Host::Ipv4(address)) if is_global_v4(address) => Ok(()),
        Some(Host::Ipv6(address)) if is_global_v6(address) => Ok(()),
        Some(Host::Domain(_)) | None => Err(Forbidden::Name),
        Some(_) => Err(Forbidden::Address),
    }
}

/// More than one label, all of them there, under a public top: a name with a dot at its end is nobody's spelling.
fn is_public(name: &str) -> bool {
    let is_within = |above: &&str| name.strip_suffix(*above).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    name.contains('.') && name.split('.').all(|label| !label.is_empty()) && !NOT_PUBLIC.iter().chain(&METADATA).any(is_within)
}

fn is_global_v4(address: Ipv4Addr) -> bool {
    let is_in = |(network, bits): &([u8; 4], u32)| (address.to_bits() ^ Ipv4Addr::from(*network).to_bits()) >> (32 - bits) == 0;
    !NOT_GLOBAL_V4.iter().any(is_in)
}

fn is_global_v6(address: Ipv6Addr) -> bool {
    let [first, second, ..] = address.segments();
    let top = u32::from(first) << 16 | u32::from(second);
    let is_in = |first: u16, second: u16, bits: u32| (top ^ (u32::from(first) << 16 | u32::from(second))) >> (32 - bits) == 0;
    is_in(GLOBAL_V6.0, 0, GLOBAL_V6.1) && !NOT_GLOBAL_V6.iter().any(|([first, second], bits)| is_in(*first, *second, *bits))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(url: &str, named_by: NamedBy, development: bool) -> Result<(), Forbidden> {
        permits(&Url::parse(url).unwrap(), named_by, development)
    }

    #[test]
    fn public_https_addresses_pass() {
        for url in [
            "https://provider.example.com/.well-known/jwks.json",
            "https://provider.example.com:443/x?y",
            "https://PROVIDER.example.com",
            "https://bücher.com",
            "https://mylocalhost.com",
            "https://test.com",
            "https://notmetadata.goog",
            "https://1.1.1.1/keys",
            "https://100.63.255.255",
            "https://172.32.0.1",
            "https://192.0.3.1",
            "https://[2606:4700:4700::1111]/keys",
            "https://[2001:200::1]",
        ] {
            assert_eq!(judge(url, NamedBy::Stranger, false), Ok(()), "{url}");
        }
    }

    #[test]
    fn only_https_without_credentials_on_its_own_port_passes() {
        for (url, why) in [
            ("http://provider.example.com/", Forbidden::Scheme),
            ("ftp://provider.example.com/", Forbidden::Scheme),
            ("file:///etc/passwd", Forbidden::Scheme),
            ("data:application/json,{}", Forbidden::Scheme),
            ("https://u@provider.example.com/", Forbidden::Credentials),
            ("https://:p@provider.example.com/", Forbidden::Credentials),
            ("https://provider.example.com@127.0.0.1/", Forbidden::Credentials),
            ("https://provider.example.com:8443/", Forbidden::Port),
            ("https://provider.example.com:80/", Forbidden::Port),
        ] {
            assert_eq!(judge(url, NamedBy::Stranger, false), Err(why), "{url}");
        }
        assert_eq!(judge("https://provider.example.com:8443/", NamedBy::Operator, false), Ok(()), "the operator knows the port");
    }

    #[test]
    fn names_that_are_not_public_do_not_pass() {
        let hosts = "localhost LOCALHOST localhost. a.localhost intranet metadata printer.local metadata.google.internal \
            metadata.google.internal. METADATA.GOOGLE.INTERNAL a.home.arpa 1.0.0.127.in-addr.arpa x.test x.example x.invalid x.onion \
            x.lan provider.example.com. provider..example.com metadata.goog a.metadata.goog ｌｏｃａｌｈｏｓｔ";
        for host in hosts.split_whitespace() {
            for named_by in [NamedBy::Operator, NamedBy::Stranger] {
                assert_eq!(judge(&format!("https://{host}/"), named_by, false), Err(Forbidden::Name), "{host}");
            }
        }
    }

    #[test]
    fn addresses_that_are_not_global_unicast_do_not_pass_in_any_spelling() {
        let hosts = "127.0.0.1 127.1 2130706433 0x7f000001 0x7f.1 0177.0.0.1 017700000001 127.0.0.1. １２７.0.0.1 0.0.0.0 0 10.0.0.1 100.64.0.1 \
            100.127.255.255 169.254.169.254 0xa9fea9fe 2852039166 172.16.0.1 172.31.255.255 192.0.0.170 192.0.2.1 192.88.99.1 \
            192.168.1.1 198.18.0.1 198.19.255.255 198.51.100.1 203.0.113.1 224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255 [::] \
            [::1] [::ffff:127.0.0.1] [::ffff:7f00:1] [::ffff:8.8.8.8] [::127.0.0.1] [64:ff9b::7f00:1] [64:ff9b:1::1] [100::1] \
            [2001::1] [2001:10::1] [2001:20::1] [2001:1ff::1] [2001:db8::1] [2002:7f00:1::1] [3fff::1] [4000::1] [5f00::1] [fc00::1] \
            [fd00:ec2::254] [fe80::1] [fec0::1] [ff02::1]";
        for host in hosts.split_whitespace() {
            for named_by in [NamedBy::Operator, NamedBy::Stranger] {
                assert_eq!(judge(&format!("https://{host}/"), named_by, false), Err(Forbidden::Address), "{host}");
            }
        }
    }

    #[test]
    fn in_development_loopback_passes_and_nothing_else_more() {
        for url in ["http://localhost:8788/jwks", "http://127.0.0.1:1/", "https://[::1]:9/", "http://a.localhost/"] {
            assert_eq!(judge(url, NamedBy::Stranger, true), Ok(()), "{url}");
            assert!(judge(url, NamedBy::Operator, false).is_err(), "{url}");
        }
        for url in [
            "http://u@localhost/",
            "http://provider.example.com/",
            "http://10.0.0.1/",
            "https://provider.example.com:8/",
            "ftp://localhost/",
        ] {
            assert!(judge(url, NamedBy::Stranger, true).is_err(), "{url}");
        }
    }
}
