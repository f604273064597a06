//! The answers' JSON, in OpenAI's shapes.

use serde_json::{Map, Value, json};
use session::LogProbability;
use text::{END_OF_TEXT, Tokenizer};

/// A token as text. Bytes that aren't UTF-8 are written as `bytes:\xe5\xb0`, as OpenAI does.
pub fn token_text(tokenizer: &Tokenizer, id: u32) -> String {
    let bytes = tokenizer.decode(&[id]);
    if bytes.is_empty() {
        let special = tokenizer.special().into_iter().find(|(of, _)| *of == id);
        let name = special.map(|(_, name)| name.to_owned());
        let end = id == tokenizer.end_of_text();
        return name.unwrap_or_else(|| {
            if end {
                END_OF_TEXT.into()
            } else {
                String::new()
            }
        });
    }
    String::from_utf8(bytes).unwrap_or_else(|error| {
        let hex = error.as_bytes().iter().map(|b| format!("\\x{b:02x}"));
        format!("bytes:{}", hex.collect::<String>())
    })
}

/// A token of a text, with its log-probabilities unless it is the first of a prompt.
pub type Entry<'a> = (u32, Option<&'a LogProbability>);

/// The object `logprobs` of a completion. `offset` is where the text of these tokens begins, in
/// characters; it is moved to their end.
pub fn text_logprobs(tokenizer: &Tokenizer, entries: &[Entry], offset: &mut usize) -> Value {
    let (mut tokens, mut nats, mut tops, mut offsets) = (vec![], vec![], vec![], vec![]);
    for &(id, log) in entries {
        let text = token_text(tokenizer, id);
        offsets.push(*offset);
        // A character counts where its first byte is.
        let bytes = tokenizer.decode(&[id]);
        *offset += bytes.iter().filter(|&&b| b & 0xC0 != 0x80).count();
        nats.push(log.map(|log| log.nats));
        tops.push(log.map(|log| {
            let mut top = Map::new();
            let own = (log.token, log.nats);
            for &(id, nats) in log.top.iter().chain([&own]) {
                let name = token_text(tokenizer, id);
                top.entry(name).or_insert_with(|| nats.into());
            }
            top
        }));
        tokens.push(text);
    }
    json!({"tokens": tokens, "token_logprobs": nats, "top_logprobs": tops, "text_offset": offsets})
}

/// The object `logprobs` of a chat completion.
pub fn chat_logprobs(tokenizer: &Tokenizer, logs: &[&LogProbability]) -> Value {
    let one = |id: u32, nats: f64| {
        let bytes = tokenizer.decode(&[id]);
        json!({"token": token_text(tokenizer, id), "logprob": nats, "bytes": bytes})
    };
    let each = logs.iter().map(|log| {
        let mut object = one(log.token, log.nats);
        object["top_logprobs"] = log.top.iter().map(|&(id, nats)| one(id, nats)).collect();
        object
    });
    json!({"content": each.collect::<Vec<_>>(), "refusal": null})
}

/// The object `usage`.
pub fn usage(prompt: usize, written: usize) -> Value {
    json!({
        "prompt_tokens": prompt, "completion_tokens": written, "total_tokens": prompt + written,
    })
}
