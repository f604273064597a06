//! Texts: the same bits as alone, in every form of answer; places, pages and shared beginnings.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use api::ApiServer;
use common::{CONTEXT, Client, folder, opened, options};
use engine::tolerance;
use serde_json::{Value, json};
use session::{Sampling, Writing, begin, write};
use std::io::Read;
use std::path::Path;

const ROUTE: &str = "/v1/completions";

/// What `downhill sample` writes: the text and the log-probabilities of its tokens.
fn alone(folder: &Path, prompt: &str, tokens: usize, seed: Option<u64>) -> (String, Vec<f64>) {
    let mut opened = opened(folder);
    let tokenizer = opened.tokenizer.clone();
    let writing = Writing {
        tokens,
        sampling: Sampling {
            temperature: if seed.is_some() { 1.0 } else { 0.0 },
            seed: seed.unwrap_or(0),
            ..Sampling::default()
        },
        stop: Vec::new(),
        log_probabilities: Some(0),
    };
    let prompt = begin(&tokenizer, prompt).unwrap();
    let (mut text, mut nats) = (String::new(), Vec::new());
    let mut session = opened.session();
    write(&mut session, &tokenizer, &prompt, &writing, |piece| {
        text += &piece.text;
        nats.extend(piece.log_probability.map(|l| l.nats));
        true
    })
    .unwrap();
    (text, nats)
}

fn text(choice: &Value) -> &str {
    choice["text"].as_str().unwrap()
}

fn nats(choice: &Value) -> Vec<f64> {
    let all = choice["logprobs"]["token_logprobs"].as_array().unwrap();
    all.iter().map(|x| x.as_f64().unwrap()).collect()
}

#[test]
fn greedy_texts_have_the_same_bits_alone_and_under_load() {
    let folder = folder();
    // Prompts of several passes, some of which begin alike; texts that go beyond the context.
    let base: String = (0..CONTEXT)
        .map(|i| char::from(b'a' + (i * i % 23) as u8))
        .collect();
    let prompts: Vec<(String, usize)> = [1, 30, 65, 130, 131, 140, CONTEXT]
        .iter()
        .enumerate()
        .map(|(i, &len)| {
            let end = if i % 2 == 0 { "!" } else { "" };
            (format!("{}{end}", &base[..len - end.len()]), 40 + 30 * i)
        })
        .collect();
    let expected: Vec<_> = (prompts.iter())
        .map(|(prompt, tokens)| alone(folder.path(), prompt, *tokens, None))
        .collect();
    // Fewer places than texts, so that they join at different times.
    let server = ApiServer::start(options(folder.path(), 5, 100)).unwrap();
    let client = Client::of(&server);
    std::thread::scope(|scope| {
        for round in 0..3 {
            for ((prompt, tokens), expected) in prompts.iter().zip(&expected) {
                let client = client.clone();
                scope.spawn(move || {
                    let body = json!({
                        "prompt": prompt, "max_tokens": tokens, "temperature": 0, "logprobs": 0,
                        "n": 1 + round % 2,
                    });
                    if round == 2 {
                        // Leaves at once.
                        drop(client.start(ROUTE, &body));
                        return;
                    }
                    let reply = client.post(ROUTE, &body).json();
                    for choice in reply["choices"].as_array().unwrap() {
                        assert_eq!(text(choice), expected.0, "{prompt}");
                        assert_eq!(nats(choice), expected.1, "{prompt}");
                    }
                });
            }
        }
    });
    assert!(client.metric("shared_tokens_total") > 0);
}

#[test]
fn a_stream_has_the_same_text_as_the_whole_and_as_sample() {
    let folder = folder();
    let server = ApiServer::start(options(folder.path(), 8, 8)).unwrap();
    let client = Client::of(&server);
    let mut body = json!({
        "prompt": ["小", "b"], "max_tokens": 25, "seed": 5, "n": 2, "echo": true, "logprobs": 1,
    });
    let whole = client.post(ROUTE, &body).json();
    let choices = whole["choices"].as_array().unwrap();
    assert_eq!(choices.len(), 4);
    for (at, choice) in choices.iter().enumerate() {
        let prompt = ["小", "b"][at / 2];
        let (expected, _) = alone(folder.path(), prompt, 25, Some(5 + at as u64 % 2));
        assert_eq!(text(choice), format!("{prompt}{expected}"));
        assert_eq!(choice["finish_reason"], "length");
    }
    let usage = json!({"prompt_tokens": 4, "completion_tokens": 100, "total_tokens": 104});
    assert_eq!(whole["usage"], usage);
    body["stream"] = true.into();
    body["stream_options"] = json!({"include_usage": true});
    let events = client.post(ROUTE, &body).events();
    let (mut texts, mut tokens) = (vec![String::new(); 4], vec![Vec::new(); 4]);
    for choice in events.iter().filter_map(|e| e["choices"].get(0)) {
        let at = choice["index"].as_u64().unwrap() as usize;
        texts[at] += text(choice);
        if let Some(some) = choice["logprobs"]["tokens"].as_array() {
            tokens[at].extend(some.clone());
        }
    }
    for (at, choice) in choices.iter().enumerate() {
        assert_eq!(text(choice), texts[at]);
        assert_eq!(choice["logprobs"]["tokens"], json!(tokens[at]));
    }
    assert_eq!(events.last().unwrap()["usage"], usage);
}

#[test]
fn log_probabilities_of_a_prompt_are_those_of_scoring() {
    let folder = folder();
    let server = ApiServer::start(options(folder.path(), 8, 8)).unwrap();
    let client = Client::of(&server);
    let ids: Vec<u32> = (0..CONTEXT as u32).map(|i| i * i % 251).collect();
    for tokens in [0, 1] {
        let body = json!({"prompt": [ids, [7]], "max_tokens": tokens, "echo": true, "logprobs": 1});
        let reply = client.post(ROUTE, &body).json();
        let logs = &reply["choices"][0]["logprobs"];
        let found = logs["token_logprobs"].as_array().unwrap();
        assert_eq!(found.len(), ids.len() + tokens);
        assert!(found[0].is_null() && logs["top_logprobs"][0].is_null());
        let mut opened = opened(folder.path());
        let expected = opened.session().nats(&ids).unwrap();
        for (found, expected) in found[1..].iter().zip(expected) {
            let error = (found.as_f64().unwrap() + f64::from(expected)).abs();
            assert!(
                error <= tolerance::CACHE * f64::from(expected).max(1.0),
                "{error}"
            );
        }
        let greedy = logs["top_logprobs"][5].as_object().unwrap().values();
        assert!(
            greedy.len() <= 2,
            "the likeliest token and the prompt's own"
        );
    }
}

#[test]
fn the_best_texts_are_the_likeliest_and_stops_end_them() {
    let folder = folder();
    let server = ApiServer::start(options(folder.path(), 8, 8)).unwrap();
    let client = Client::of(&server);
    let mut body = json!({"prompt": "ab", "max_tokens": 12, "seed": 1, "n": 6, "logprobs": 0});
    let all = client.post(ROUTE, &body).json();
    let mean = |choice: &Value| nats(choice).iter().sum::<f64>();
    let mut all: Vec<Value> = all["choices"].as_array().unwrap().clone();
    all.sort_by(|a, b| mean(b).total_cmp(&mean(a)));
    (body["n"], body["best_of"]) = (2.into(), 6.into());
    let best = client.post(ROUTE, &body).json();
    for at in 0..2 {
        assert_eq!(text(&best["choices"][at]), text(&all[at]));
    }
    let whole = text(&all[0]);
    let stop: String = whole.chars().skip(4).take(2).collect();
    (body["n"], body["best_of"], body["stop"]) = (6.into(), 6.into(), json!(["", stop]));
    let stopped = client.post(ROUTE, &body).json();
    let expected = &whole[..whole.find(&stop).unwrap()];
    let mut choices = stopped["choices"].as_array().unwrap().iter();
    assert!(choices.any(|c| text(c) == expected && c["finish_reason"] == "stop"));
}

#[test]
fn a_client_that_goes_away_frees_its_place() {
    let folder = folder();
    let server = ApiServer::start(options(folder.path(), 1, 1)).unwrap();
    let client = Client::of(&server);
    let endless = json!({
        "prompt": "a", "max_tokens": 60_000, "stream": true, "ignore_eos": true,
    });
    let mut first = client.start(ROUTE, &endless);
    first.read_exact(&mut [0; 400]).unwrap();
    let waiting = client.start(ROUTE, &endless);
    client.until("texts_waiting", 1);
    let short = json!({"prompt": "b", "max_tokens": 1});
    let refused = client.post(ROUTE, &short);
    assert_eq!(refused.status, 429, "{refused:?}");
    assert!(refused.head.contains("retry-after: "), "{refused:?}");
    assert_eq!(refused.json()["error"]["code"], "queue_full");
    drop((first, waiting));
    client.until("abandoned_total", 2);
    assert_eq!(client.post(ROUTE, &short).status, 200);
}

#[test]
fn a_shared_beginning_is_read_once() {
    let folder = folder();
    let server = ApiServer::start(options(folder.path(), 8, 8)).unwrap();
    let client = Client::of(&server);
    let prompt: String = (0..150)
        .map(|i| char::from(b'a' + (i * 7 % 26) as u8))
        .collect();
    let body = json!({"prompt": prompt, "max_tokens": 3, "n": 4});
    assert_eq!(client.post(ROUTE, &body).status, 200);
    assert_eq!(client.metric("shared_tokens_total"), 3 * 128);
    assert_eq!(client.metric("prompt_tokens_total"), 150 + 3 * 22);
    // A text that ended is still of use.
    let body = json!({"prompt": format!("{}?", &prompt[..100]), "max_tokens": 3});
    assert_eq!(client.post(ROUTE, &body).status, 200);
    assert_eq!(client.metric("shared_tokens_total"), 4 * 128 - 64);
}

#[test]
fn a_huge_prompt_is_refused_while_others_go_on() {
    let folder = folder();
    let server = ApiServer::start(options(folder.path(), 8, 8)).unwrap();
    let client = Client::of(&server);
    let stream = json!({"prompt": "a", "max_tokens": 300, "stream": true, "ignore_eos": true});
    std::thread::scope(|scope| {
        let other = scope.spawn(|| client.post(ROUTE, &stream).events().len());
        let body = json!({"prompt": "a".repeat(100_000)});
        let refused = client.post(ROUTE, &body);
        assert_eq!(refused.status, 400);
        assert_eq!(refused.json()["error"]["code"], "context_length_exceeded");
        assert!(other.join().unwrap() > 1);
    });
}

#[test]
fn a_chat_is_written_by_the_template() {
    let folder = folder();
    let template = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}a:";
    std::fs::write(folder.path().join("chat_template.jinja"), template).unwrap();
    let server = ApiServer::start(options(folder.path(), 8, 8)).unwrap();
    let client = Client::of(&server);
    let messages = json!([{"role": "u", "content": [{"type": "text", "text": "hi"}]}]);
    let mut body = json!({
        "messages": messages, "max_completion_tokens": 20, "seed": 3, "logprobs": true,
        "top_logprobs": 2,
    });
    let reply = client.post("/v1/chat/completions", &body).json();
    let (expected, _) = alone(folder.path(), "u: hi\na:", 20, Some(3));
    let choice = &reply["choices"][0];
    assert_eq!(choice["message"]["content"], expected);
    let logs = choice["logprobs"]["content"].as_array().unwrap();
    assert_eq!(
        logs.len() as u64,
        reply["usage"]["completion_tokens"].as_u64().unwrap()
    );
    assert_eq!(logs[0]["top_logprobs"].as_array().unwrap().len(), 2);
    body["stream"] = true.into();
    let events = client.post("/v1/chat/completions", &body).events();
    let deltas = events
        .iter()
        .filter_map(|e| e["choices"][0]["delta"]["content"].as_str());
    assert_eq!(deltas.collect::<String>(), expected);
    let tokens = client
        .post("/tokenize", &json!({"messages": messages}))
        .json();
    assert_eq!(tokens["tokens"], json!("u: hi\na:".as_bytes()));
}
