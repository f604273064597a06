//! The API's description as an OpenAPI document.

use serde_json::{Value, json};

/// A route: method, path, what it does, and the names of its request and answer.
type Route = (
    &'static str,
    &'static str,
    &'static str,
    Option<&'static str>,
);

/// Every route.
pub const ROUTES: [Route; 10] = [
    (
        "post",
        "/v1/completions",
        "Continue prompts",
        Some("Completion"),
    ),
    (
        "post",
        "/v1/chat/completions",
        "Answer a chat (models with a chat template)",
        Some("Chat"),
    ),
    ("get", "/v1/models", "The model that is served", None),
    ("get", "/v1/models/{name}", "The model of this name", None),
    (
        "post",
        "/tokenize",
        "The tokens of a text or a chat",
        Some("Tokenize"),
    ),
    (
        "post",
        "/detokenize",
        "The text of tokens",
        Some("Detokenize"),
    ),
    ("get", "/tokenizer_info", "The tokenizer's config", None),
    (
        "get",
        "/health",
        "Whether the server works; needs no key",
        None,
    ),
    (
        "get",
        "/metrics",
        "Counters in Prometheus' text format",
        None,
    ),
    ("get", "/openapi.json", "This document", None),
];

/// Fields that both kinds of completions have.
fn shared() -> Value {
    let number = |from: f64, to: f64, default: f64| json!({"type": "number", "minimum": from, "maximum": to, "default": default});
    json!({
        "model": {"type": "string"},
        "temperature": number(0.0, 1000.0, 1.0),
        "top_p": number(0.0, 1.0, 1.0),
        "top_k": {"type": "integer", "minimum": -1, "default": -1, "description": "-1 or 0 allows all"},
        "min_p": number(0.0, 1.0, 0.0),
        "repetition_penalty": number(0.0, 1000.0, 1.0),
        "frequency_penalty": number(-2.0, 2.0, 0.0),
        "presence_penalty": number(-2.0, 2.0, 0.0),
        "seed": {"type": "integer", "description": "Text i of a prompt has seed + i"},
        "n": {"type": "integer", "minimum": 1, "maximum": 8, "default": 1},
        "stop": {"oneOf": [
            {"type": "string"},
            {"type": "array", "items": {"type": "string", "maxLength": 1024}, "maxItems": 16},
        ]},
        "max_tokens": {"type": "integer", "minimum": 0, "maximum": 65_536},
        "stream": {"type": "boolean", "default": false},
        "stream_options": {"type": "object", "properties": {"include_usage": {"type": "boolean"}}},
        "ignore_eos": {"type": "boolean", "default": false},
    })
}

/// The schemas of request bodies.
fn schemas() -> Value {
    let ids = json!({"type": "array", "items": {"type": "integer", "minimum": 0}, "minItems": 1});
    let texts = json!({"type": "array", "items": {"type": "string"}, "maxItems": 128});
    let lists = json!({"type": "array", "items": ids, "maxItems": 128});
    let messages = json!({"type": "array", "minItems": 1, "items": {
        "type": "object", "required": ["role", "content"], "properties": {
            "role": {"type": "string"}, "name": {"type": "string"},
            "content": {"oneOf": [{"type": "string"}, {"type": "array"}]},
        },
    }});
    let (mut completion, mut chat) = (shared(), shared());
    completion["prompt"] = json!({"oneOf": [{"type": "string"}, ids, texts, lists]});
    completion["best_of"] = json!({"type": "integer", "minimum": 1, "maximum": 8});
    completion["echo"] = json!({"type": "boolean", "default": false});
    completion["logprobs"] = json!({"type": "integer", "minimum": 0, "maximum": 20});
    chat["messages"] = messages.clone();
    chat["max_completion_tokens"] = json!({"type": "integer", "minimum": 1, "maximum": 65_536});
    chat["logprobs"] = json!({"type": "boolean", "default": false});
    chat["top_logprobs"] = json!({"type": "integer", "minimum": 0, "maximum": 20});
    chat["add_generation_prompt"] = json!({"type": "boolean", "default": true});
    let object = |required: &[&str], properties: Value| {
        json!({
            "type": "object", "required": required, "properties": properties,
            "additionalProperties": false,
        })
    };
    json!({
        "Completion": object(&["prompt"], completion),
        "Chat": object(&["messages"], chat),
        "Tokenize": object(&[], json!({
            "model": {"type": "string"}, "prompt": {"type": "string"}, "messages": messages,
            "add_generation_prompt": {"type": "boolean", "default": true},
            "add_special_tokens": {"type": "boolean"}, "return_token_strs": {"type": "boolean"},
        })),
        "Detokenize": object(&["tokens"], json!({
            "model": {"type": "string"}, "tokens": ids,
        })),
        "Error": object(&["error"], json!({"error": {"type": "object", "properties": {
            "message": {"type": "string"}, "type": {"type": "string"},
            "param": {"type": ["string", "null"]}, "code": {"type": ["string", "null"]},
        }}})),
    })
}

/// The document.
pub fn document() -> Value {
    let mut paths = json!({});
    for (method, path, summary, body) in ROUTES {
        let wrong = json!({"$ref": "#/components/schemas/Error"});
        let mut operation = json!({"summary": summary, "responses": {
            "200": {"description": "The answer"},
            "default": {
                "description": "An error",
                "content": {"application/json": {"schema": wrong}},
            },
        }});
        if let Some(name) = body {
            let schema = json!({"$ref": format!("#/components/schemas/{name}")});
            operation["requestBody"] = json!({
                "required": true, "content": {"application/json": {"schema": schema}},
            });
        }
        if path.contains("{name}") {
            operation["parameters"] = json!([{
                "name": "name", "in": "path", "required": true, "schema": {"type": "string"},
            }]);
        }
        if path == "/health" {
            operation["security"] = json!([]);
        }
        paths[path] = json!({method: operation});
    }
    json!({
        "openapi": "3.1.0",
        "info": {"title": "downhill serve", "version": env!("CARGO_PKG_VERSION")},
        "paths": paths,
        "security": [{"key": []}],
        "components": {
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
            "schemas": schemas(),
        },
    })
}
