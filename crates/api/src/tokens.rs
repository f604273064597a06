//! The routes about tokens, in the shapes of vLLM.

use crate::answer::token_text;
use crate::body::{parse, receive};
use crate::completion::{CompletionRequest, Message};
use crate::error::{Granted, Json, Refusal};
use crate::served::{Served, blocking};
use axum::body::Body;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::sync::Arc;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Tokenize {
    model: Option<String>,
    prompt: Option<String>,
    messages: Option<Vec<Message>>,
    add_generation_prompt: Option<bool>,
    /// No tokenizer here adds any.
    #[serde(rename = "add_special_tokens")]
    _add_special_tokens: Option<bool>,
    return_token_strs: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Detokenize {
    model: Option<String>,
    tokens: Vec<u32>,
}

/// `POST /tokenize`
pub async fn tokenize(State(served): State<Arc<Served>>, body: Body) -> Granted<Json> {
    let bytes = receive(body, &served.bodies).await?;
    blocking(move || {
        let wish: Tokenize = parse(&bytes)?;
        CompletionRequest::check_model(wish.model.as_deref(), &served.name)?;
        let tokens = match (wish.prompt, wish.messages) {
            (Some(prompt), None) => served
                .tokenizer
                .encode(prompt.as_bytes())
                .map_err(|error| Refusal::field("prompt", error.to_string()))?,
            (None, Some(messages)) => {
                let generate = wish.add_generation_prompt != Some(false);
                served
                    .template()?
                    .tokens(&served.tokenizer, &messages, generate)?
                    .1
            }
            _ => return Err(Refusal::field("prompt", "give either prompt or messages")),
        };
        let texts = wish.return_token_strs == Some(true);
        let texts = texts.then(|| {
            let text = |&id: &u32| token_text(&served.tokenizer, id);
            tokens.iter().map(text).collect::<Vec<_>>()
        });
        Ok(Json(json!({
            "count": tokens.len(), "max_model_len": served.context, "tokens": tokens,
            "token_strs": texts,
        })))
    })
    .await
}

/// `POST /detokenize`
pub async fn detokenize(State(served): State<Arc<Served>>, body: Body) -> Granted<Json> {
    let bytes = receive(body, &served.bodies).await?;
    blocking(move || {
        let wish: Detokenize = parse(&bytes)?;
        CompletionRequest::check_model(wish.model.as_deref(), &served.name)?;
        served.check_tokens("tokens", &wish.tokens)?;
        let bytes = served.tokenizer.decode(&wish.tokens);
        Ok(Json(json!({"prompt": String::from_utf8_lossy(&bytes)})))
    })
    .await
}

/// `GET /tokenizer_info`
pub async fn info(State(served): State<Arc<Served>>) -> Json {
    let mut info = match &served.tokenizer_config {
        Value::Object(config) => config.clone(),
        _ => Map::new(),
    };
    let end = token_text(&served.tokenizer, served.tokenizer.end_of_text());
    for (name, value) in [
        ("tokenizer_class", json!("PreTrainedTokenizerFast")),
        ("eos_token", json!(end)),
        ("model_max_length", json!(served.context)),
    ] {
        info.entry(name).or_insert(value);
    }
    if let Ok(template) = served.template() {
        info.insert("chat_template".into(), template.source.clone().into());
    }
    Json(info.into())
}
