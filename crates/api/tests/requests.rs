//! Requests that are refused, and those that aren't: keys, Hosts, Origins, bodies.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use api::{ApiOptions, ApiServer, Error, check};
use common::{Client, KEY, folder, options};
use engine::{RandomPurpose, Stream};
use serde_json::{Value, json};

const ROUTES: [(&str, &str); 12] = [
    ("POST", "/v1/completions"),
    ("POST", "/v1/chat/completions"),
    ("GET", "/v1/models"),
    ("GET", "/v1/models/small"),
    ("POST", "/tokenize"),
    ("POST", "/detokenize"),
    ("GET", "/tokenizer_info"),
    ("GET", "/health"),
    ("GET", "/metrics"),
    ("GET", "/openapi.json"),
    ("GET", "/nowhere"),
    ("OPTIONS", "/v1/completions"),
];

/// The status of a request that is let in.
fn inside(method: &str, path: &str) -> u16 {
    match (method, path) {
        ("POST", _) => 400,
        ("OPTIONS", _) => 405,
        (_, "/nowhere") => 404,
        _ => 200,
    }
}

#[test]
fn every_route_needs_the_key_our_host_and_a_known_origin() {
    let folder = folder();
    let server = ApiServer::start(ApiOptions {
        key: Some(KEY.into()),
        origins: vec!["http://listed.example".into()],
        ..options(folder.path(), 2, 2)
    })
    .unwrap();
    let client = Client::of(&server);
    let port = client.host.rsplit(':').next().unwrap();
    let keys = [
        (format!("authorization: Bearer {KEY}\r\n"), true),
        (String::new(), false),
        (format!("authorization: Bearer {KEY}x\r\n"), false),
        (format!("authorization: Bearer {}\r\n", &KEY[1..]), false),
        (format!("authorization: Basic {KEY}\r\n"), false),
        (format!("authorization: Bearer {KEY}\r\n").repeat(2), false),
    ];
    let hosts = [
        (client.host.clone(), true),
        (format!("localhost:{port}"), true),
        ("evil.example".into(), false),
        (format!("evil.example:{port}"), false),
        (format!("10.0.0.1:{port}"), false),
    ];
    let origins = [
        (String::new(), true),
        (format!("origin: http://{}\r\n", client.host), true),
        ("origin: http://listed.example\r\n".into(), true),
        ("origin: http://evil.example\r\n".into(), false),
        ("origin: null\r\n".into(), false),
        ("sec-fetch-site: cross-site\r\n".into(), false),
    ];
    for (method, path) in ROUTES {
        for (key, right) in &keys {
            for (host, ours) in &hosts {
                for (origin, known) in &origins {
                    let headers = format!("host: {host}\r\n{key}{origin}");
                    let reply = client.ask(method, path, &headers, "");
                    let listed = origin.contains("listed") && *ours;
                    let expected = match () {
                        () if !ours || !known => 403,
                        () if method == "OPTIONS" && listed => 204,
                        () if path != "/health" && !right => 401,
                        () => inside(method, path),
                    };
                    let what = format!("{method} {path}: {headers}");
                    assert_eq!(reply.status, expected, "{what}");
                    let cors = reply.head.contains("access-control-allow-origin: ");
                    assert_eq!(cors, listed, "{what}");
                    if expected >= 400 {
                        assert!(reply.json()["error"]["message"].is_string(), "{what}");
                    }
                }
            }
        }
    }
}

#[test]
fn other_machines_need_a_key() {
    let folder = folder();
    let anywhere = |key: Option<&str>| {
        ApiServer::start(ApiOptions {
            address: "0.0.0.0:0".parse().unwrap(),
            key: key.map(str::to_owned),
            ..options(folder.path(), 2, 2)
        })
    };
    assert!(matches!(anywhere(None), Err(Error::NoKey(_))));
    let server = anywhere(Some(KEY)).unwrap();
    let client = Client::of(&server);
    let port = client.host.rsplit(':').next().unwrap();
    let status = |host: &str| {
        let local = Client {
            host: format!("127.0.0.1:{port}"),
        };
        let key = format!("host: {host}:{port}\r\nauthorization: Bearer {KEY}\r\n");
        local.ask("GET", "/v1/models", &key, "").status
    };
    assert_eq!([status("10.0.0.1"), status("evil.example")], [200, 403]);
    for wrong in ["", "a b", "a\nb", "ключ", &"a".repeat(600)] {
        assert!(api::Access::key(wrong).is_err(), "{wrong}");
    }
    assert_eq!(api::Access::key("key\n").unwrap(), "key");
}

#[test]
fn wrong_fields_are_named() {
    let folder = folder();
    let server = ApiServer::start(options(folder.path(), 4, 4)).unwrap();
    let client = Client::of(&server);
    let stops = vec!["a"; 17];
    let prompts = vec!["a"; 129];
    for (status, param, fields) in [
        (400, "prompt", json!({"prompt": null})),
        (400, "prompt", json!({"prompt": []})),
        (400, "prompt", json!({"prompt": [[]]})),
        (400, "prompt", json!({"prompt": [257]})),
        (400, "prompt", json!({"prompt": ["a", 1]})),
        (400, "prompt", json!({"prompt": prompts})),
        (400, "n", json!({"n": 9})),
        (400, "n", json!({"n": 0})),
        (400, "n", json!({"n": "1"})),
        (400, "n", json!({"prompt": ["a", "b"], "n": 8})),
        (400, "best_of", json!({"n": 2, "best_of": 1})),
        (400, "best_of", json!({"best_of": 2, "stream": true})),
        (400, "max_tokens", json!({"max_tokens": 65_537})),
        (400, "max_tokens", json!({"max_tokens": -1})),
        (400, "temperature", json!({"temperature": -1})),
        (400, "top_p", json!({"top_p": 0})),
        (400, "top_k", json!({"top_k": -2})),
        (400, "min_p", json!({"min_p": 2})),
        (400, "presence_penalty", json!({"presence_penalty": 3})),
        (400, "logprobs", json!({"logprobs": 21})),
        (400, "logprobs", json!({"logprobs": true})),
        (400, "stop", json!({"stop": stops})),
        (400, "stop", json!({"stop": "a".repeat(1025)})),
        (400, "stop", json!({"stop": 1})),
        (400, "stream_options", json!({"stream_options": {}})),
        (400, "suffix", json!({"suffix": "a"})),
        (400, "messages", json!({"messages": []})),
        (400, "promt", json!({"promt": "a"})),
        (404, "model", json!({"model": "other"})),
    ] {
        let mut body = json!({"prompt": "a", "max_tokens": 1});
        for (name, value) in fields.as_object().unwrap() {
            body[name] = value.clone();
        }
        let reply = client.post("/v1/completions", &body);
        let error = &reply.json()["error"];
        assert_eq!(
            (reply.status, &error["param"]),
            (status, &param.into()),
            "{body}: {error}"
        );
        assert_eq!(error["type"], "invalid_request_error");
    }
    let fine =
        json!({"prompt": "a", "max_tokens": 1, "model": "small", "user": "u", "suffix": null});
    assert_eq!(client.post("/v1/completions", &fine).status, 200);
    let chat = json!({"messages": [{"role": "user", "content": "a"}]});
    let reply = client.post("/v1/chat/completions", &chat);
    assert_eq!(reply.json()["error"]["code"], "no_chat_template");
    let large = format!("{{\"prompt\": \"{}\"}}", "a".repeat(2 << 20));
    assert_eq!(client.post_text("/v1/completions", &large).status, 413);
    let deep = "[".repeat(100_000);
    assert_eq!(client.post_text("/tokenize", &deep).status, 400);
    assert_eq!(client.get("/v1/completions").status, 405);
}

#[test]
fn tokens_come_and_go() {
    let folder = folder();
    let server = ApiServer::start(options(folder.path(), 4, 4)).unwrap();
    let client = Client::of(&server);
    let body = json!({"prompt": "a小", "return_token_strs": true});
    let reply = client.post("/tokenize", &body).json();
    assert_eq!(reply["tokens"], json!([97, 229, 176, 143]));
    assert_eq!(reply["token_strs"][1], "bytes:\\xe5");
    assert_eq!(
        (&reply["count"], &reply["max_model_len"]),
        (&json!(4), &json!(200))
    );
    let back = json!({"tokens": reply["tokens"]});
    assert_eq!(
        client.post("/detokenize", &back).json(),
        json!({"prompt": "a小"})
    );
    let cut = client.post("/detokenize", &json!({"tokens": [229, 176]}));
    assert_eq!(cut.json(), json!({"prompt": "\u{fffd}"}));
    assert_eq!(
        client.post("/detokenize", &json!({"tokens": [257]})).status,
        400
    );
    // ESC and the C1 character CSI, which would control a terminal.
    let control = client.post("/detokenize", &json!({"tokens": [27, 194, 155]}));
    assert_eq!(control.body, "{\"prompt\":\"\\u001b\\u009b\"}");
    let info = client.get("/tokenizer_info").json();
    assert_eq!(
        (&info["eos_token"], &info["model_max_length"]),
        (&json!("<|endoftext|>"), &json!(200))
    );
}

#[test]
fn the_document_describes_every_route() {
    let folder = folder();
    let server = ApiServer::start(options(folder.path(), 4, 4)).unwrap();
    let client = Client::of(&server);
    let document = client.get("/openapi.json").json();
    let paths = document["paths"].as_object().unwrap();
    let routes = ROUTES
        .iter()
        .filter(|(method, path)| *method != "OPTIONS" && *path != "/nowhere");
    assert_eq!(paths.len(), routes.clone().count());
    for (method, path) in routes {
        let path = path.replace("small", "{name}");
        assert!(paths[&path][method.to_lowercase()].is_object(), "{path}");
    }
    // Every field that it describes exists.
    for (chat, name) in [(false, "Completion"), (true, "Chat")] {
        let schema = &document["components"]["schemas"][name]["properties"];
        for field in schema.as_object().unwrap().keys() {
            let body = json!({field: {"none": 1}}).to_string();
            let error = check(body.as_bytes(), chat).unwrap_err();
            assert!(!error.contains("unknown field"), "{name}, {field}: {error}");
            assert!(!error.contains("supported"), "{name}, {field}: {error}");
        }
    }
}

/// Bodies from which others are made.
fn seeds() -> [Value; 3] {
    [
        json!({
            "model": "small", "prompt": ["a", "小\n"], "max_tokens": 2, "temperature": 0.7, "top_p": 0.9,
            "top_k": 3, "min_p": 0.1, "n": 2, "best_of": 3, "seed": -1, "stop": ["x", "yz"],
            "logprobs": 2, "echo": true, "presence_penalty": -1.5, "repetition_penalty": 1.1,
        }),
        json!({
            "prompt": [[1, 2, 3], [4]], "stream": true, "stream_options": {"include_usage": true},
            "max_tokens": 1, "ignore_eos": false, "frequency_penalty": 2e0, "user": null,
        }),
        json!({
            "messages": [{"role": "user", "content": [{"type": "text", "text": "\u{1}\\\""}]}],
            "max_completion_tokens": 1, "logprobs": true, "top_logprobs": 1,
        }),
    ]
}

/// Changes bytes, repeats, cuts and swaps parts of a body.
fn mutated(body: &[u8], other: &[u8], random: &mut Stream) -> Vec<u8> {
    const PIECES: [&[u8]; 12] = [
        b"[",
        b"{\"",
        b"null",
        b"-1",
        b"1e999",
        b"18446744073709551616",
        b"\"\\ud800\"",
        b"\xff",
        b"\0",
        b"true",
        b"[[[[[[[[",
        b",,",
    ];
    let mut body = body.to_vec();
    for _ in 0..=random.below(4) {
        let at = random.below(body.len() + 1);
        let to = (at + random.below(9)).min(body.len());
        let piece = match random.below(5) {
            0 => PIECES[random.below(PIECES.len())].to_vec(),
            1 => vec![random.below(256) as u8],
            2 => body[at..to].repeat(1 + random.below(80)),
            3 => other[random.below(other.len())..].to_vec(),
            _ => Vec::new(),
        };
        body.splice(at..to, piece);
    }
    body
}

#[test]
fn any_body_is_answered() {
    let folder = folder();
    let server = ApiServer::start(options(folder.path(), 8, 64)).unwrap();
    let client = Client::of(&server);
    let seeds = seeds().map(|seed| seed.to_string().into_bytes());
    for seed in &seeds {
        assert!(check(seed, false).is_ok() || check(seed, true).is_ok());
    }
    let mut random = Stream::new(14, RandomPurpose::Check, 1);
    for round in 0..20_000 {
        let (one, other) = (&seeds[round % 3], &seeds[random.below(3)]);
        let body = mutated(one, other, &mut random);
        let accepted = check(&body, round % 3 == 2);
        // Some of them go all the way.
        if round % 50 == 0 {
            let Ok(body) = String::from_utf8(body) else {
                continue;
            };
            let reply = client.post_text("/v1/completions", &body);
            let expected = [200, 400, 404].contains(&reply.status);
            assert!(expected, "{body}: {accepted:?}, {reply:?}");
        }
    }
    assert_eq!(client.get("/health").status, 200);
}
