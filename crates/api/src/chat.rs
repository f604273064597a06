//! The chat template of a model's folder, if it has one.

use crate::completion::Message;
use crate::error::{Error, Granted, Refusal, Result};
use axum::http::StatusCode;
use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, ErrorKind, Value, context};
use std::path::Path;
use text::Tokenizer;

/// The files that may have it.
const FILE: &str = "chat_template.jinja";
const CONFIG: &str = "tokenizer_config.json";
/// The file that may name more tokens that end an answer.
const GENERATION: &str = "generation_config.json";
/// Most instructions that a template may run, and bytes of a template or its config.
const FUEL: u64 = 1_000_000;
const BYTES: u64 = 16 << 20;

/// A chat template.
pub struct Template {
    environment: Environment<'static>,
    /// Its source.
    pub source: String,
    bos: String,
    eos: String,
}

/// A file's content, if it is there and not absurdly large.
fn read(path: &Path) -> Option<String> {
    let small = std::fs::metadata(path).is_ok_and(|m| m.len() <= BYTES);
    small.then(|| std::fs::read_to_string(path).ok()).flatten()
}

/// The content of a folder's JSON file; null without one.
pub fn json_of(folder: &Path, name: &str) -> serde_json::Value {
    let text = read(&folder.join(name)).unwrap_or_default();
    serde_json::from_str(&text).unwrap_or_default()
}

/// The content of tokenizer_config.json; null without one.
pub fn config(folder: &Path) -> serde_json::Value {
    json_of(folder, CONFIG)
}

/// The tokens that end an answer of a chat: the end of text and those that the folder names.
pub fn ends(folder: &Path, tokenizer: &Tokenizer) -> Vec<u32> {
    let mut ends = vec![tokenizer.end_of_text()];
    let named = &json_of(folder, GENERATION)["eos_token_id"];
    let list = named.as_array().map_or(std::slice::from_ref(named), |l| l);
    ends.extend(
        list.iter()
            .filter_map(|id| u32::try_from(id.as_u64()?).ok()),
    );
    ends
}

impl Template {
    /// The template of a model's folder.
    ///
    /// # Errors
    /// If it has one that can't be parsed.
    pub fn find(folder: &Path) -> Result<Option<Template>> {
        let config = config(folder);
        let named = &config["chat_template"];
        let default = |list: &Vec<serde_json::Value>| {
            let found = list.iter().find(|t| t["name"] == "default");
            Some(found?["template"].as_str()?.to_owned())
        };
        let listed = || named.as_array().and_then(default);
        let source = read(&folder.join(FILE))
            .or_else(|| named.as_str().map(str::to_owned))
            .or_else(listed);
        let Some(source) = source else {
            return Ok(None);
        };
        let token = |name: &str| {
            let token = &config[name];
            let text = token.as_str().or(token["content"].as_str());
            text.unwrap_or_default().to_owned()
        };
        let mut environment = Environment::new();
        // As transformers does.
        let mut syntax = SyntaxConfig::builder();
        if let Ok(syntax) = syntax.trim_blocks(true).lstrip_blocks(true).build() {
            environment.set_syntax(syntax);
        }
        environment.set_fuel(Some(FUEL));
        environment
            .set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        environment.add_function("raise_exception", |message: String| {
            Err::<Value, _>(minijinja::Error::new(ErrorKind::InvalidOperation, message))
        });
        let added = environment.add_template_owned("chat", source.clone());
        added.map_err(|error| Error::Template {
            path: folder.display().to_string(),
            reason: format!("the chat template can't be parsed: {error}"),
        })?;
        Ok(Some(Template {
            environment,
            source,
            bos: token("bos_token"),
            eos: token("eos_token"),
        }))
    }

    /// The tokens of a chat. Only the template may write special tokens, not the messages.
    ///
    /// # Errors
    /// If the template refuses the messages, or a character has no token.
    pub fn tokens(
        &self,
        tokenizer: &Tokenizer,
        messages: &[Message],
        generate: bool,
    ) -> Granted<(String, Vec<u32>)> {
        let special = tokenizer.special();
        let mut rendered = Vec::new();
        for (at, message) in messages.iter().enumerate() {
            let content = message.content.text();
            let name = message.name.as_deref().unwrap_or_default();
            for text in [&content, &message.role, name] {
                if let Some((_, token)) = special.iter().find(|(_, token)| text.contains(token)) {
                    let why = format!("messages[{at}] contains the special token {token:?}");
                    return Err(Refusal::field("messages", why));
                }
            }
            rendered.push(match &message.name {
                Some(name) => context! { role => &message.role, content, name },
                None => context! { role => &message.role, content },
            });
        }
        let given = context! {
            messages => Value::from(rendered), add_generation_prompt => generate,
            bos_token => &self.bos, eos_token => &self.eos,
        };
        let template = self.environment.get_template("chat");
        let text = template.and_then(|template| template.render(given));
        let text = text.map_err(|error| {
            let why = error
                .detail()
                .map_or_else(|| error.to_string(), str::to_owned);
            Refusal::field("messages", format!("the chat template refuses this: {why}"))
        })?;
        let tokens = encode(tokenizer, &special, &text)?;
        Ok((text, tokens))
    }
}

/// The tokens of a text in which names of special tokens stand for these.
fn encode(tokenizer: &Tokenizer, special: &[(u32, &str)], text: &str) -> Granted<Vec<u32>> {
    let wrong = |error: text::Error| {
        let refusal = Refusal::new(StatusCode::BAD_REQUEST, error.to_string());
        Refusal {
            param: Some("messages".into()),
            ..refusal
        }
    };
    let (mut tokens, mut rest) = (Vec::new(), text);
    loop {
        let places = special.iter().filter(|(_, name)| !name.is_empty());
        let places = places.filter_map(|(id, name)| Some((rest.find(name)?, *id, name.len())));
        // The first; of several at the same place, the longest.
        let next = places.min_by_key(|&(at, _, len)| (at, usize::MAX - len));
        let until = next.map_or(rest.len(), |(at, ..)| at);
        tokens.extend(tokenizer.encode(&rest.as_bytes()[..until]).map_err(wrong)?);
        let Some((at, id, len)) = next else {
            return Ok(tokens);
        };
        tokens.push(id);
        rest = &rest[at + len..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const TEMPLATE: &str = "{% for m in messages %}{% if m.role == 'tool' %}\
        {{ raise_exception('no tools') }}{% endif %}<|endoftext|>{{ m.role.upper() }}: \
        {{ m.content.strip() }}\n{% endfor %}{% if add_generation_prompt %}A:{% endif %}";

    fn message(role: &str, content: &str) -> Message {
        serde_json::from_value(json!({"role": role, "content": content})).unwrap()
    }

    #[test]
    fn only_the_template_writes_special_tokens() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Template::find(folder.path()).unwrap().is_none());
        let config = json!({"chat_template": [{"name": "default", "template": TEMPLATE}]});
        std::fs::write(folder.path().join(CONFIG), config.to_string()).unwrap();
        let template = Template::find(folder.path()).unwrap().unwrap();
        let tokenizer = Tokenizer::bytes();
        let tokens = |messages: &[Message]| template.tokens(&tokenizer, messages, true);
        let (text, ids) = tokens(&[message("user", " hi ")]).unwrap();
        assert_eq!(text, "<|endoftext|>USER: hi\nA:");
        assert_eq!(ids[0], tokenizer.end_of_text());
        assert_eq!(tokenizer.decode(&ids[1..]), b"USER: hi\nA:");
        let injected = tokens(&[message("user", "x<|endoftext|>y")]).unwrap_err();
        assert!(injected.message.contains("special token"), "{injected:?}");
        let refused = tokens(&[message("tool", "")]).unwrap_err();
        assert!(refused.message.ends_with("no tools"), "{refused:?}");
        std::fs::write(folder.path().join(FILE), "{% for %}").unwrap();
        assert!(Template::find(folder.path()).is_err());
        let endless =
            "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}";
        std::fs::write(folder.path().join(FILE), endless).unwrap();
        let template = Template::find(folder.path()).unwrap().unwrap();
        assert!(template.tokens(&tokenizer, &[], true).is_err());
    }
}
