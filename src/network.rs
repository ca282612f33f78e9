//! Where a request comes from, in the sizes that limits are counted in.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The bits of a network that is counted as one.
const NETWORK4: u8 = 24;
const NETWORK6: u8 = 48;

/// A client's address and the networks around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// An IPv4 /24 or an IPv6 /48: one limiter object.
    pub network: String,
    /// The IPv4 address or the IPv6 /64: one window in it.
    pub narrow: String,
    address: IpAddr,
}

impl Origin {
    /// Reads an address as `CF-Connecting-IP` gives it; an IPv4 address mapped into IPv6 is an IPv4 address.
    #[must_use]
    pub fn parse(address: &str) -> Option<Self> {
        let address = address.trim().parse::<IpAddr>().ok()?.to_canonical();
        let (network, narrow) = match address {
            IpAddr::V4(v4) => (masked4(v4, NETWORK4).to_string(), v4.to_string()),
            IpAddr::V6(v6) => (masked6(v6, NETWORK6).to_string(), masked6(v6, 64).to_string()),
        };
        Some(Self { network, narrow, address })
    }

    /// The address itself: [`Origin::parse`] reads it again.
    #[must_use]
    pub fn address(&self) -> String {
        self.address.to_string()
    }
}

/// A network of [`Origin`] in CIDR notation, as people are shown it; what is none stays as it is.
#[must_use]
pub fn with_bits(network: &str) -> String {
    match network.parse() {
        Ok(IpAddr::V4(v4)) => format!("{v4}/{NETWORK4}"),
        Ok(IpAddr::V6(v6)) => format!("{v6}/{NETWORK6}"),
        Err(_) => network.to_owned(),
    }
}

/// A network in CIDR notation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cidr {
    network: IpAddr,
    bits: u8,
}

impl Cidr {
    /// Reads `address/bits`, or an address alone. IPv4 mapped into IPv6 is IPv4, as it is in [`Origin::parse`]; a network that holds the
    /// mapped addresses and others beside them is none, since its IPv4 half would match nothing.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let written: IpAddr = address.parse().ok()?;
        let most: u8 = if written.is_ipv4() { 32 } else { 128 };
        let is_number = |bits: &str| !bits.is_empty() && bits.bytes().all(|byte| byte.is_ascii_digit());
        let bits = bits.map_or(Some(most), |bits| if is_number(bits) { bits.parse().ok() } else { None })?;
        let network = written.to_canonical();
        let bits = if network == written { bits } else { bits.checked_sub(96)? };
        (bits <= if network.is_ipv4() { 32 } else { 128 }).then_some(Self { network, bits })
    }

    /// Whether the origin lies in this network.
    #[must_use]
    pub fn contains(&self, origin: &Origin) -> bool {
        match (self.network, origin.address) {
            (IpAddr::V4(network), IpAddr::V4(address)) => masked4(network, self.bits) == masked4(address, self.bits),
            (IpAddr::V6(network), IpAddr::V6(address)) => masked6(network, self.bits) == masked6(address, self.bits),
            _ => false,
        }
    }
}

fn masked4(address: Ipv4Addr, bits: u8) -> Ipv4Addr {
    let mask = u32::MAX.checked_shl(32_u32.saturating_sub(bits.into())).unwrap_or(0);
    Ipv4Addr::from_bits(address.to_bits() & mask)
}

fn masked6(address: Ipv6Addr, bits: u8) -> Ipv6Addr {
    let mask = u128::MAX.checked_shl(128_u32.saturating_sub(bits.into())).unwrap_or(0);
    Ipv6Addr::from_bits(address.to_bits() & mask)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_fall_into_their_networks() {
        let parts = |address: &str| Origin::parse(address).map(|origin| (origin.network, origin.narrow));
        let pair = |network: &str, narrow: &str| Some((network.to_owned(), narrow.to_owned()));
        assert_eq!(parts("203.0.113.7"), pair("203.0.113.0", "203.0.113.7"));
        assert_eq!(parts("2001:db8:1:2:3::4"), pair("2001:db8:1::", "2001:db8:1:2::"));
        assert_eq!(parts("::ffff:203.0.113.7"), parts("203.0.113.7"));
        assert_eq!(parts("203.0.113.7, 10.0.0.1"), None);
        assert_eq!(parts("unknown"), None);
    }

    #[test]
    fn networks_are_shown_with_their_bits() {
        let shown = |address: &str| Origin::parse(address).map(|origin| with_bits(&origin.network)).unwrap();
        assert_eq!((shown("203.0.113.7").as_str(), shown("2001:db8:1:2:3::4").as_str()), ("203.0.113.0/24", "2001:db8:1::/48"));
        assert!(Cidr::parse(&shown("203.0.113.7")).is_some() && Cidr::parse(&shown("2001:db8::1")).is_some());
        assert_eq!(with_bits("unknown"), "unknown");
    }

    #[test]
    fn a_network_contains_its_addresses() {
        let inside = |network: &str, address: &str| Cidr::parse(network).unwrap().contains(&Origin::parse(address).unwrap());
        assert!(inside("203.0.112.0/23", "203.0.113.255"));
        assert!(!inside("203.0.112.0/24", "203.0.113.255"));
        assert!(inside("0.0.0.0/0", "1.2.3.4") && !inside("0.0.0.0/0", "::1"));
        assert!(inside("2001:db8::/32", "2001:db8:ffff::1"));
        assert!(inside("0.0.0.0/0", "::ffff:1.2.3.4") && !inside("::/0", "1.2.3.4") && inside("::/0", "::1"));
        assert!(inside("::ffff:10.0.0.0/104", "10.1.2.3") && inside("::ffff:10.0.0.1", "10.0.0.1"));
        assert!(!inside("::ffff:10.0.0.0/104", "11.0.0.1") && inside("::ffff:0.0.0.0/96", "11.0.0.1"));
        assert!(inside("10.0.0.0/31", "10.0.0.1") && !inside("10.0.0.0/31", "10.0.0.2"));
        assert!(inside("2001:db8::1/128", "2001:db8::1") && !inside("2001:db8::1/128", "2001:db8::2"));
        assert!(inside("10.0.0.1", "10.0.0.1") && !inside("10.0.0.1", "10.0.0.2"));
        for wrong in [
            "10.0.0.0/33",
            "::/129",
            "10.0.0/8",
            "x",
            "10.0.0.0/-1",
            "10.0.0.0/+8",
            "10.0.0.0/",
            "::ffff:0:0/95",
            "10.0.0.0/8/8",
            " 10.0.0.0/8",
            "010.0.0.0/8",
            "::ffff:10.0.0.0/129",
        ] {
            assert_eq!(Cidr::parse(wrong), None, "{wrong}");
        }
    }
}
