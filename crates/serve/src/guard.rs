//! Only pages from this server may make requests. Another site open in the same browser must not
//! read a run or control it. So the Host must be ours (against DNS rebinding to 127.0.0.1), the
//! Origin too if there is one, and no CORS headers are sent. Responses may run only our own scripts
//! and load nothing from elsewhere.

use axum::extract::{Request, State};
use axum::http::header::{HOST, HeaderMap, HeaderName, HeaderValue, ORIGIN};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

/// Security headers sent with every response.
const HEADERS: [(&str, &str); 6] = [
    (
        "content-security-policy",
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
         img-src 'self' data: blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'",
    ),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-resource-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cache-control", "no-cache"),
];

/// The Host names and the Origins that a server accepts.
pub struct Names {
    hosts: Vec<String>,
    /// Origins other than the server's own.
    origins: Vec<String>,
    /// Whether any IP address is accepted as Host: no other site can have one as its name.
    addresses: bool,
}

impl Names {
    /// The names of this machine, with a port.
    pub fn new(port: u16) -> Names {
        Names {
            hosts: ["127.0.0.1", "localhost"]
                .map(|n| format!("{n}:{port}"))
                .into(),
            origins: Vec::new(),
            addresses: false,
        }
    }

    /// Also accepts these Hosts and Origins, and with `addresses` any IP address as Host.
    #[must_use]
    pub fn and(mut self, hosts: &[String], origins: &[String], addresses: bool) -> Names {
        self.hosts.extend(hosts.iter().cloned());
        self.origins.extend(origins.iter().cloned());
        self.addresses |= addresses;
        self
    }

    fn is_ours(&self, host: &str) -> bool {
        let address = || host.parse::<std::net::SocketAddr>().is_ok();
        self.hosts.iter().any(|name| name == host) || self.addresses && address()
    }

    /// Checks where a request comes from, and returns its Origin if that is another site that is
    /// listed.
    ///
    /// # Errors
    /// Why it is refused.
    pub fn origin<'a>(&self, headers: &'a HeaderMap) -> Result<Option<&'a str>, &'static str> {
        let own = match one(headers, HOST) {
            (Some(host), false) if self.is_ours(host) => host,
            _ => return Err("the Host header doesn't name this server"),
        };
        let listed = |origin: &str| self.origins.iter().any(|o| o == origin);
        let ours = |origin: &str| {
            let host = origin.strip_prefix("http://");
            host.is_some_and(|host| host == own || self.hosts.iter().any(|name| name == host))
        };
        match one(headers, ORIGIN) {
            (Some(origin), false) if listed(origin) => return Ok(Some(origin)),
            (None, _) => {}
            (Some(origin), false) if ours(origin) => {}
            _ => return Err("the Origin header doesn't name this server"),
        }
        // Marks cross-site requests that have no Origin, such as from a link or an image.
        let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
        match site {
            None | Some(b"same-origin" | b"none") => Ok(None),
            _ => Err("cross-site request"),
        }
    }

    /// Checks a request to the page; the error says why it is refused.
    fn check(&self, method: &Method, headers: &HeaderMap) -> Result<(), &'static str> {
        self.origin(headers)?;
        match *method {
            Method::GET => Ok(()),
            Method::POST if headers.contains_key(ORIGIN) => Ok(()),
            Method::POST => Err("POST requires an Origin header"),
            _ => Err("only GET and POST are supported"),
        }
    }
}

/// The first value of a header, and whether there are others.
fn one(headers: &HeaderMap, name: HeaderName) -> (Option<&str>, bool) {
    let mut all = headers.get_all(name).iter();
    let first = all.next().map(|v| v.to_str().unwrap_or_default());
    (first, all.next().is_some())
}

/// Refuses requests that don't come from our own page, and adds the headers to every response.
pub async fn guard(
    State(names): State<std::sync::Arc<Names>>,
    request: Request,
    next: Next,
) -> Response {
    let mut response = match names.check(request.method(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(why) => (StatusCode::FORBIDDEN, why).into_response(),
    };
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        );
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(method: Method, headers: &[(&'static str, &'static str)]) -> bool {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_static(value));
        }
        Names::new(8311).check(&method, &map).is_ok()
    }

    #[test]
    fn only_our_own_page_gets_an_answer() {
        fn get(headers: &[(&'static str, &'static str)]) -> bool {
            allowed(Method::GET, headers)
        }
        let (host, origin) = ("host", "origin");
        assert!(get(&[(host, "127.0.0.1:8311")]));
        assert!(get(&[
            (host, "localhost:8311"),
            (origin, "http://localhost:8311")
        ]));
        assert!(get(&[(host, "localhost:8311"), ("sec-fetch-site", "none")]));
        assert!(!get(&[]));
        assert!(!get(&[(host, "evil.example:8311")]));
        assert!(!get(&[(host, "127.0.0.1:8312")]));
        assert!(!get(&[(host, "127.0.0.1")]));
        assert!(!get(&[(host, "127.0.0.1:8311"), (host, "127.0.0.1:8311")]));
        for bad in [
            "http://evil.example",
            "null",
            "https://127.0.0.1:8311",
            "127.0.0.1:8311",
        ] {
            assert!(!get(&[(host, "127.0.0.1:8311"), (origin, bad)]), "{bad}");
        }
        for bad in ["cross-site", "same-site"] {
            assert!(
                !get(&[(host, "127.0.0.1:8311"), ("sec-fetch-site", bad)]),
                "{bad}"
            );
        }
    }

    #[test]
    fn a_post_needs_our_origin() {
        let (host, origin) = (
            ("host", "127.0.0.1:8311"),
            ("origin", "http://127.0.0.1:8311"),
        );
        assert!(allowed(Method::POST, &[host, origin]));
        assert!(!allowed(Method::POST, &[host]));
        assert!(!allowed(Method::OPTIONS, &[host, origin]));
        assert!(!allowed(Method::DELETE, &[host, origin]));
    }
}
