//! Where the surface is: scheme, host and path.

use std::net::IpAddr;

use approval_core::{Digest, PlanId, Scope};
use http::{HeaderMap, Uri, header};

use super::SurfaceError;
use crate::page::inbox::list;

/// The address of the surface, from its absolute URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    is_https: bool,
    host: String,
    base: String,
}

impl Address {
    /// Reads `https://host[:port][/path]`; plain http on loopback only, since everything else could be read on the way.
    /// [SURF-013]
    pub(crate) fn parse(url: &str) -> Result<Self, SurfaceError> {
        let refuse = || SurfaceError::Address(url.to_owned());
        let uri: Uri = url.parse().map_err(|_| refuse())?;
        let authority = uri.authority().ok_or_else(refuse)?;
        let is_https = match uri.scheme_str() {
            Some("https") => true,
            Some("http") if is_loopback(authority.host()) => false,
            Some("http") => return Err(SurfaceError::PlainHttp(url.to_owned())),
            _ => return Err(refuse()),
        };
        let base = uri.path().trim_end_matches('/');
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '-' | '_' | '.' | '~');
        // Browsers resolve dot segments before they ask, and take what begins with two slashes for another host.
        let is_stable = |path: &str| path.split('/').skip(1).all(|part| !matches!(part, "" | "." | ".."));
        let is_base = base.chars().all(plain) && is_stable(base);
        if uri.query().is_some() || !is_base || authority.as_str().contains('@') {
            return Err(refuse());
        }
        let default_port = if is_https { ":443" } else { ":80" };
        let host = authority.as_str().to_ascii_lowercase();
        let host = host.strip_suffix(default_port).unwrap_or(&host).to_owned();
        Ok(Self { is_https, host, base: base.to_owned() })
    }

    pub(crate) fn is_https(&self) -> bool {
        self.is_https
    }

    /// The path under which the surface is mounted, without a slash at its end.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// As browsers write it into `Origin` (RFC 6454).
    pub(crate) fn origin(&self) -> String {
        let scheme = if self.is_https { "https" } else { "http" };
        format!("{scheme}://{}", self.host)
    }

    /// Whether a request was meant for this host [SURF-014]. A foreign page whose name was made to lead here says its own.
    pub(crate) fn is_addressed(&self, uri: &Uri, headers: &HeaderMap) -> bool {
        let mut hosts = headers.get_all(header::HOST).iter();
        let (host, another) = (hosts.next().map(|host| host.as_bytes()), hosts.next());
        // HTTP/2 has the authority in the URI, and HTTP/1.1 in the absolute form; where both are there, both must hold.
        let named = [host, uri.authority().map(|authority| authority.as_str().as_bytes())];
        let mut named = named.into_iter().flatten().peekable();
        let default_port: &[u8] = if self.is_https { b":443" } else { b":80" };
        another.is_none()
            && named.peek().is_some()
            && named.all(|named| {
                let bare = named.strip_suffix(default_port).filter(|bare| !has_port(bare)).unwrap_or(named);
                bare.eq_ignore_ascii_case(self.host.as_bytes())
            })
    }

    /// The name of the cookie. Under https the browser itself keeps it to this host (`__Host-`). On loopback every port
    /// shares one jar, so the name tells installations apart.
    pub(crate) fn cookie(&self, audience: &str) -> String {
        if self.is_https {
            return "__Host-mutation-approval".to_owned();
        }
        let installation = Digest::of_bytes(format!("{audience} {}{}", self.host, self.base).as_bytes());
        let short = installation.as_bytes().get(..6).map(hex::encode).unwrap_or_default();
        format!("mutation-approval-{short}")
    }

    /// Where an identity provider sends the browser back to. An address for each, so that no other one's answer arrives there.
    /// [RFC 9700, 4.4]
    pub(crate) fn callback(&self, provider: &str) -> String {
        format!("{}{}/login/callback/{provider}", self.origin(), self.base)
    }

    /// Where an identity provider sends the browser after a logout.
    pub(crate) fn logged_out(&self) -> String {
        format!("{}{}/login", self.origin(), self.base)
    }

    pub(crate) fn inbox(&self) -> String {
        format!("{}/", self.base)
    }

    /// The page of one of the lists that the inbox is.
    pub(crate) fn list(&self, scope: Scope) -> String {
        format!("{}/{}", self.base, list(scope).path)
    }

    pub(crate) fn plan(&self, plan: PlanId) -> String {
        format!("{}/plans/{plan}", self.base)
    }

    /// Where to go after a login: a page of this surface, or the inbox. Nothing else is ever in a `Location`. [AUTH-007]
    pub(crate) fn onward(&self, next: &str) -> String {
        let plan = next.strip_prefix(&self.base).and_then(|path| path.strip_prefix("/plans/"));
        let lists = [Scope::Mine, Scope::History].map(|scope| self.list(scope));
        match plan.and_then(|plan| plan.parse::<PlanId>().ok()) {
            Some(plan) => self.plan(plan),
            None => lists.into_iter().find(|list| list == next).unwrap_or_else(|| self.inbox()),
        }
    }
}

fn has_port(host: &[u8]) -> bool {
    host.rsplit(|byte| *byte == b']').next().is_some_and(|rest| rest.contains(&b':'))
}

pub(crate) fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: &str = "019ab12c-0000-7000-8000-000000000001";

    #[test]
    fn plain_http_is_for_loopback() {
        // [SURF-013]
        for url in ["http://127.0.0.1:8080", "http://localhost", "http://[::1]:9", "https://approvals.example/a/b"] {
            assert!(Address::parse(url).is_ok(), "{url}");
        }
        for base in ["/a/b/", "/a.b", "/.a", "/...", "/~a"] {
            let address = Address::parse(&format!("https://a{base}")).unwrap();
            assert_eq!(address.base(), base.trim_end_matches('/'));
        }
        for base in ["//evil.example", "/a//b", "/.", "/..", "/a/../b", "/a/./b", "/a/.."] {
            assert!(matches!(Address::parse(&format!("https://a{base}")), Err(SurfaceError::Address(_))), "{base}");
        }
        assert!(matches!(Address::parse("http://approvals.example"), Err(SurfaceError::PlainHttp(_))));
        for url in ["ftp://127.0.0.1", "approvals.example", "https://a@b", "https://a/{b}", "https://a/b?c", ""] {
            assert!(matches!(Address::parse(url), Err(SurfaceError::Address(_))), "{url}");
        }
    }

    #[test]
    fn only_own_pages_come_next() {
        let address = Address::parse("https://approvals.example/approve").unwrap();
        let plan = format!("/approve/plans/{PLAN}");
        for next in [plan.as_str(), "/approve/mine", "/approve/history"] {
            assert_eq!(address.onward(next), next);
        }
        for next in [
            "https://evil.example/",
            "//evil.example",
            "/\\evil.example",
            "/approve//evil.example",
            "/approve/plans/../../evil",
            "/approve/logout",
            "/mine",
            "/approve/mine/",
            "/approve/history?a",
            &format!("//evil.example/approve/plans/{PLAN}"),
            &format!("/plans/{PLAN}"),
            &format!("{plan}?a"),
            &format!("{plan}\r\nSet-Cookie: a=b"),
            "javascript:alert(1)",
            "",
        ] {
            assert_eq!(address.onward(next), "/approve/", "{next}");
        }
    }

    #[test]
    fn the_host_is_compared_whole() {
        let address = Address::parse("https://Approvals.example").unwrap();
        let addressed = |uri: &str, hosts: &[&str]| {
            let mut headers = HeaderMap::new();
            for host in hosts {
                headers.append(header::HOST, host.parse().unwrap());
            }
            address.is_addressed(&uri.parse().unwrap(), &headers)
        };
        assert!(addressed("/", &["approvals.example"]));
        assert!(addressed("/", &["APPROVALS.example:443"]));
        assert!(addressed("https://approvals.example/", &[]));
        for hosts in [&[][..], &["evil.example"], &["approvals.example.evil"], &["approvals.example:8443"]] {
            assert!(!addressed("/", hosts), "{hosts:?}");
        }
        assert!(!addressed("/", &["approvals.example", "approvals.example"]));
        assert!(!addressed("https://evil.example/", &["approvals.example"]));
        let address = Address::parse("http://[::1]:8080").unwrap();
        let addressed = |host: &str| {
            let headers = HeaderMap::from_iter([(header::HOST, host.parse().unwrap())]);
            address.is_addressed(&Uri::from_static("/"), &headers)
        };
        assert!(addressed("[::1]:8080"));
        assert!(!addressed("[::1]:8080:80") && !addressed("[::1]:80") && !addressed("[::1]"));
    }
}
