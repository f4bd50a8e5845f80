//! Where a request comes from: the address of the connection, or what a proxy says that the operator trusts.

use std::convert::Infallible;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{ConnectInfo, FromRequestParts};
use http::request::Parts;
use http::{Extensions, HeaderMap, HeaderName};
use ipnet::IpNet;

use super::{Desk, SurfaceError};

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The proxies that are believed.
#[derive(Clone, Debug, Default)]
pub(super) struct Proxies(Vec<IpNet>);

impl Proxies {
    /// Addresses and networks (`10.0.0.7`, `10.0.0.0/8`, `fd00::/8`).
    pub(super) fn parse<'a>(networks: impl IntoIterator<Item = &'a str>) -> Result<Self, SurfaceError> {
        let parse = |text: &str| match text.parse::<IpAddr>() {
            Ok(address) => Ok(IpNet::from(address)),
            Err(_) => text.parse::<IpNet>().map_err(|_| SurfaceError::Proxy(text.to_owned())),
        };
        networks.into_iter().map(parse).collect::<Result<_, _>>().map(Self)
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }

    /// Where a request comes from, where the server says who is connected.
    ///
    /// Each proxy adds at the end of `X-Forwarded-For` who it was connected with. So what stands there is believed from the end
    /// on, as long as it was a trusted proxy that wrote it; the rest may be anybody's.
    pub(super) fn client(&self, extensions: &Extensions, headers: &HeaderMap) -> Option<IpAddr> {
        let ConnectInfo(peer) = extensions.get::<ConnectInfo<SocketAddr>>()?;
        let mut client = peer.ip().to_canonical();
        let values = headers.get_all(FORWARDED_FOR).iter().filter_map(|value| value.to_str().ok());
        let said: Vec<&str> = values.flat_map(|value| value.split(',')).map(str::trim).collect();
        for said in said.into_iter().rev() {
            if !self.trusts(client) {
                break;
            }
            match said.parse::<IpAddr>().or_else(|_| said.parse::<SocketAddr>().map(|address| address.ip())) {
                Ok(address) => client = address.to_canonical(),
                Err(_) => break,
            }
        }
        Some(client)
    }
}

/// Where a request comes from, if that can be told.
pub(super) struct Caller(Option<IpAddr>);

impl Caller {
    /// Counts a login from there. Where that is one too many: how long to wait.
    pub(super) fn attempt(&self, desk: &Desk) -> Result<(), Duration> {
        self.0.map_or(Ok(()), |client| desk.addresses.attempt(&counted(client), desk.now()))
    }

    /// It was a right one, and doesn't count.
    pub(super) fn forgive(&self, desk: &Desk) {
        if let Some(client) = self.0 {
            desk.addresses.forgive(&counted(client));
        }
    }
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(client) => client.fmt(f),
            None => f.write_str("unknown"),
        }
    }
}

impl FromRequestParts<Arc<Desk>> for Caller {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, desk: &Arc<Desk>) -> Result<Self, Infallible> {
        Ok(Self(desk.proxies.client(&parts.extensions, &parts.headers)))
    }
}

/// What attempts are counted by: an IPv4 address, or the network that one customer has of IPv6 (RFC 6177).
fn counted(client: IpAddr) -> String {
    match client {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(trusted: &[&str], peer: &str, said: &[&'static str]) -> String {
        let proxies = Proxies::parse(trusted.iter().copied()).unwrap();
        let mut extensions = Extensions::new();
        extensions.insert(ConnectInfo(SocketAddr::new(peer.parse().unwrap(), 4000)));
        let mut headers = HeaderMap::new();
        for said in said {
            headers.append(FORWARDED_FOR, http::HeaderValue::from_static(said));
        }
        proxies.client(&extensions, &headers).unwrap().to_string()
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        let trusted = ["10.0.0.0/8", "fd00::1"];
        for (peer, said, found) in [
            ("192.0.2.1", &[][..], "192.0.2.1"),
            ("192.0.2.1", &["198.51.100.7"], "192.0.2.1"),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &["198.51.100.7"], "198.51.100.7"),
            ("::ffff:10.0.0.1", &["198.51.100.7"], "198.51.100.7"),
            ("10.0.0.1", &["198.51.100.7:4711"], "198.51.100.7"),
            ("fd00::1", &["2001:db8::1"], "2001:db8::1"),
            // What the client itself wrote stands further to the left.
            ("10.0.0.1", &["203.0.113.9, 198.51.100.7"], "198.51.100.7"),
            ("10.0.0.1", &["203.0.113.9", "198.51.100.7"], "198.51.100.7"),
            ("10.0.0.1", &["203.0.113.9, 198.51.100.7, 10.0.0.2"], "198.51.100.7"),
            ("10.0.0.1", &["198.51.100.7, rubbish"], "10.0.0.1"),
            ("10.0.0.1", &[""], "10.0.0.1"),
        ] {
            assert_eq!(client(&trusted, peer, said), found, "{peer} {said:?}");
        }
        assert_eq!(client(&[], "10.0.0.1", &["198.51.100.7"]), "10.0.0.1");
    }

    #[test]
    fn networks_are_checked_and_counted() {
        assert!(matches!(Proxies::parse(["10.0.0.0/33"]), Err(SurfaceError::Proxy(text)) if text == "10.0.0.0/33"));
        assert_eq!(counted("192.0.2.1".parse().unwrap()), "192.0.2.1");
        assert_eq!(counted("2001:db8:1:2:3:4:5:6".parse().unwrap()), "2001:db8:1:2::");
    }
}
