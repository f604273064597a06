//! Who may ask? A page from this very server, and nobody else. A site that the user visits in the
//! same browser must not read a run or touch it: so the Host must be ours (which stops a foreign
//! name that was pointed at 127.0.0.1), an Origin, where there is one, too, and no other site gets
//! leave (no CORS). What is sent back may run no script but our own files and load nothing from
//! elsewhere.

use axum::extract::{Request, State};
use axum::http::header::{HOST, HeaderMap, HeaderName, HeaderValue, ORIGIN};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

/// What a browser is told with every answer.
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

/// The names under which the server may be asked.
pub struct Names(Vec<String>);

impl Names {
    /// Names of this machine with a port.
    pub fn new(port: u16) -> Names {
        Names(
            ["127.0.0.1", "localhost"]
                .map(|n| format!("{n}:{port}"))
                .into(),
        )
    }

    /// Whether a request may be answered; else why not.
    fn check(&self, method: &Method, headers: &HeaderMap) -> Result<(), &'static str> {
        let ours = |value: &str| self.0.iter().any(|name| name == value);
        let one = |name: HeaderName| {
            let mut all = headers.get_all(name).iter();
            let first = all.next().map(|v| v.to_str().unwrap_or_default());
            (first, all.next().is_some())
        };
        match one(HOST) {
            (Some(host), false) if ours(host) => {}
            _ => return Err("the Host is not this server's"),
        }
        let origin = one(ORIGIN);
        match origin {
            (None, _) => {}
            (Some(origin), false) if origin.strip_prefix("http://").is_some_and(ours) => {}
            _ => return Err("the Origin is not this server's"),
        }
        // A browser says so where another site asks without an Origin, as by a link or a picture.
        let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
        if !matches!(site, None | Some(b"same-origin" | b"none")) {
            return Err("another site asks");
        }
        match *method {
            Method::GET => Ok(()),
            Method::POST if origin.0.is_some() => Ok(()),
            Method::POST => Err("a change needs an Origin"),
            _ => Err("only GET and POST are known"),
        }
    }
}

/// Refuses what is not from our own page, and gives every answer its headers.
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
    fn only_our_own_page_is_answered() {
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
    fn a_change_needs_our_origin() {
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
