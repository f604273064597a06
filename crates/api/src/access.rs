//! Who gets an answer: requests that name this server and come from its own or a listed Origin,
//! with the key.

use crate::error::{Error, LONGEST_KEY, Refusal, Result};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serve::Names;
use std::sync::Arc;
use subtle::ConstantTimeEq;

/// The route that needs no key.
const OPEN: &str = "/health";

/// Who may use the server.
pub struct Access {
    names: Names,
    key: Option<String>,
}

impl Access {
    /// Requests to these names, with this key if there is one.
    pub(crate) fn new(names: Names, key: Option<String>) -> Access {
        Access { names, key }
    }

    /// Reads a key: one line of visible ASCII characters.
    ///
    /// # Errors
    /// If it is anything else.
    pub fn key(text: &str) -> Result<String> {
        let key = text.trim_end_matches(['\r', '\n']);
        let visible = key.bytes().all(|b| b.is_ascii_graphic());
        match visible && !key.is_empty() && key.len() <= LONGEST_KEY {
            true => Ok(key.to_owned()),
            false => Err(Error::Key),
        }
    }

    /// Whether a request has the key. Takes as long for every wrong key of the same length.
    fn has_key(&self, headers: &HeaderMap) -> bool {
        let Some(key) = &self.key else {
            return true;
        };
        let mut given = headers.get_all(header::AUTHORIZATION).iter();
        let (Some(given), None) = (given.next(), given.next()) else {
            return false;
        };
        let given = given.as_bytes();
        let (scheme, given) = given.split_at(given.len().min("Bearer ".len()));
        let bearer = scheme.eq_ignore_ascii_case(b"Bearer ");
        bearer & bool::from(given.ct_eq(key.as_bytes()))
    }
}

/// Refuses requests from elsewhere or without the key; answers what a browser asks in advance for
/// a listed Origin.
pub async fn guard(State(access): State<Arc<Access>>, request: Request, next: Next) -> Response {
    let origin = match access.names.origin(request.headers()) {
        Ok(origin) => origin.map(str::to_owned),
        Err(why) => return Refusal::new(StatusCode::FORBIDDEN, why).into_response(),
    };
    let asks = request.method() == Method::OPTIONS && origin.is_some();
    let wanted = request.headers().get("access-control-request-headers");
    let wanted = wanted.cloned();
    let mut response = if asks {
        StatusCode::NO_CONTENT.into_response()
    } else if request.uri().path() == OPEN || access.has_key(request.headers()) {
        next.run(request).await
    } else {
        let needed = "this server needs its API key: Authorization: Bearer KEY";
        let refusal = Refusal::new(StatusCode::UNAUTHORIZED, needed);
        refusal.coded("invalid_api_key").into_response()
    };
    let headers = response.headers_mut();
    let mut set = |name: &'static str, value: HeaderValue| {
        headers.insert(HeaderName::from_static(name), value);
    };
    set(
        "x-content-type-options",
        HeaderValue::from_static("nosniff"),
    );
    set("cache-control", HeaderValue::from_static("no-store"));
    if let Some(Ok(origin)) = origin.map(HeaderValue::try_from) {
        set("access-control-allow-origin", origin);
        set("vary", HeaderValue::from_static("origin"));
        if asks {
            let methods = HeaderValue::from_static("GET, POST");
            set("access-control-allow-methods", methods);
            if let Some(wanted) = wanted {
                set("access-control-allow-headers", wanted);
            }
        }
    }
    response
}
