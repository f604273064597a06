//! The fields of a completion request, and their limits.

use crate::error::{Granted, Refusal};
use axum::http::StatusCode;
use serde::Deserialize;
use serde::de::IgnoredAny;
use session::Sampling;

/// Maximum number of prompts, and of texts per prompt.
pub const PROMPTS: usize = 128;
const TEXTS: usize = 8;
/// Maximum number of texts of a request.
pub const ALL_TEXTS: usize = 256;
/// Maximum number of stop texts, and bytes of each.
const STOPS: usize = 16;
const STOP_BYTES: usize = 1024;
/// Maximum number of alternatives whose log-probabilities are returned.
const LOGPROBS: usize = 20;
/// Maximum number of tokens of a text.
const TOKENS: usize = 65_536;
/// Number of tokens unless a request says otherwise, as in OpenAI's API.
const FEW_TOKENS: usize = 16;

/// The two routes for completions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Endpoint {
    /// `/v1/completions`
    Text,
    /// `/v1/chat/completions`
    Chat,
}

/// Prompts: one text or list of token ids, or several.
#[derive(Debug, Clone, Deserialize)]
#[serde(
    untagged,
    expecting = "must be a text, a list of texts, a list of token ids, or a list of such lists"
)]
pub enum Prompts {
    Text(String),
    Ids(Vec<u32>),
    Texts(Vec<String>),
    Lists(Vec<Vec<u32>>),
}

/// A prompt.
#[derive(Debug, Clone)]
pub enum Prompt {
    Text(String),
    Ids(Vec<u32>),
}

impl Prompts {
    /// Each prompt.
    pub fn each(self) -> Vec<Prompt> {
        match self {
            Prompts::Text(text) => vec![Prompt::Text(text)],
            Prompts::Ids(ids) => vec![Prompt::Ids(ids)],
            Prompts::Texts(texts) => texts.into_iter().map(Prompt::Text).collect(),
            Prompts::Lists(lists) => lists.into_iter().map(Prompt::Ids).collect(),
        }
    }

    fn count(&self) -> usize {
        match self {
            Prompts::Text(_) | Prompts::Ids(_) => 1,
            Prompts::Texts(texts) => texts.len(),
            Prompts::Lists(lists) => lists.len(),
        }
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(untagged, expecting = "must be a text or a list of texts")]
enum Stops {
    One(String),
    Many(Vec<String>),
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(
    untagged,
    expecting = "must be a number (completions) or true or false (chat)"
)]
enum Logprobs {
    Flag(bool),
    Count(u64),
}

#[derive(Debug, Clone, Deserialize)]
struct StreamOptions {
    #[serde(default)]
    include_usage: bool,
}

/// A message of a chat.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Message {
    pub role: String,
    pub content: MessageText,
    pub name: Option<String>,
}

/// A message's text, whole or in parts.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged, expecting = "must be a text or a list of parts of type text")]
pub enum MessageText {
    Whole(String),
    Parts(Vec<Part>),
}

/// A part of a message.
#[derive(Debug, Clone, Deserialize)]
pub struct Part {
    #[serde(rename = "type")]
    kind: TextOnly,
    text: String,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum TextOnly {
    Text,
}

impl MessageText {
    /// Its text.
    pub fn text(&self) -> String {
        match self {
            MessageText::Whole(text) => text.clone(),
            MessageText::Parts(parts) => {
                let text = |part: &Part| match part.kind {
                    TextOnly::Text => part.text.clone(),
                };
                parts.iter().map(text).collect()
            }
        }
    }
}

/// A request for completions, of either kind.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CompletionRequest {
    pub model: Option<String>,
    pub prompt: Option<Prompts>,
    pub messages: Option<Vec<Message>>,
    max_tokens: Option<u64>,
    max_completion_tokens: Option<u64>,
    temperature: Option<f64>,
    top_p: Option<f64>,
    top_k: Option<i64>,
    min_p: Option<f64>,
    repetition_penalty: Option<f64>,
    frequency_penalty: Option<f64>,
    presence_penalty: Option<f64>,
    seed: Option<i64>,
    n: Option<u64>,
    best_of: Option<u64>,
    stop: Option<Stops>,
    logprobs: Option<Logprobs>,
    top_logprobs: Option<u64>,
    echo: Option<bool>,
    stream: Option<bool>,
    stream_options: Option<StreamOptions>,
    ignore_eos: Option<bool>,
    add_generation_prompt: Option<bool>,
    // What can't change the answer is accepted.
    #[serde(rename = "user")]
    _user: Option<IgnoredAny>,
    #[serde(rename = "metadata")]
    _metadata: Option<IgnoredAny>,
    #[serde(rename = "store")]
    _store: Option<IgnoredAny>,
    #[serde(rename = "service_tier")]
    _service_tier: Option<IgnoredAny>,
    #[serde(rename = "safety_identifier")]
    _safety_identifier: Option<IgnoredAny>,
    #[serde(rename = "prompt_cache_key")]
    _prompt_cache_key: Option<IgnoredAny>,
    // What would change it and isn't supported must be null.
    suffix: Option<IgnoredAny>,
    logit_bias: Option<IgnoredAny>,
    tools: Option<IgnoredAny>,
    tool_choice: Option<IgnoredAny>,
    response_format: Option<IgnoredAny>,
}

/// How a request's texts are written.
#[derive(Debug, Clone)]
pub struct Checked {
    /// Maximum tokens of each text; `None` is what the context still has room for.
    pub tokens: Option<usize>,
    pub sampling: Sampling,
    /// Whether the seed was given.
    pub seeded: bool,
    /// Texts per prompt that are returned, and that are written.
    pub n: usize,
    pub best_of: usize,
    pub stop: Vec<String>,
    /// Number of alternatives for each token, if log-probabilities are wanted.
    pub logprobs: Option<usize>,
    pub echo: bool,
    pub stream: bool,
    pub include_usage: bool,
    pub ignore_eos: bool,
    pub add_generation_prompt: bool,
}

/// A number of at most `most`.
fn at_most(name: &str, value: Option<u64>, range: (u64, usize)) -> Granted<Option<usize>> {
    let (least, most) = range;
    match value {
        None => Ok(None),
        Some(value) if (least..=most as u64).contains(&value) => Ok(Some(value as usize)),
        Some(value) => {
            let message = format!("{name} = {value} is not allowed; it must be {least} to {most}");
            Err(Refusal::field(name, message))
        }
    }
}

impl CompletionRequest {
    /// Fields of the other kind, and what isn't supported.
    fn unsupported(&self, kind: Endpoint) -> Option<&'static str> {
        let text = [
            ("prompt", self.prompt.is_some()),
            ("echo", self.echo.is_some()),
            ("best_of", self.best_of.is_some()),
        ];
        let chat = [
            ("messages", self.messages.is_some()),
            ("top_logprobs", self.top_logprobs.is_some()),
            (
                "max_completion_tokens",
                self.max_completion_tokens.is_some(),
            ),
            (
                "add_generation_prompt",
                self.add_generation_prompt.is_some(),
            ),
        ];
        let neither = [
            ("suffix", self.suffix.is_some()),
            ("logit_bias", self.logit_bias.is_some()),
            ("tools", self.tools.is_some()),
            ("tool_choice", self.tool_choice.is_some()),
            ("response_format", self.response_format.is_some()),
        ];
        let other = match kind {
            Endpoint::Text => &chat[..],
            Endpoint::Chat => &text[..],
        };
        let mut all = other.iter().chain(&neither);
        all.find(|(_, given)| *given).map(|(name, _)| *name)
    }

    /// Checks every field.
    ///
    /// # Errors
    /// The first field that is wrong.
    pub fn check(&self, kind: Endpoint) -> Granted<Checked> {
        if let Some(name) = self.unsupported(kind) {
            let message = format!("{name} isn't supported here");
            return Err(Refusal::field(name, message));
        }
        self.check_prompts(kind)?;
        let given = self
            .max_tokens
            .filter(|_| self.max_completion_tokens.is_none());
        let tokens = match kind {
            Endpoint::Text => {
                at_most("max_tokens", self.max_tokens, (0, TOKENS))?.or(Some(FEW_TOKENS))
            }
            Endpoint::Chat => {
                let new = self.max_completion_tokens;
                let new = at_most("max_completion_tokens", new, (1, TOKENS))?;
                new.or(at_most("max_tokens", given, (1, TOKENS))?)
            }
        };
        let n = at_most("n", self.n, (1, TEXTS))?.unwrap_or(1);
        let best_of = at_most("best_of", self.best_of, (1, TEXTS))?.unwrap_or(n);
        let stream = self.stream == Some(true);
        if best_of < n || stream && best_of > n {
            let message = match stream {
                true => "with stream, best_of must be n",
                false => "best_of must be at least n",
            };
            return Err(Refusal::field("best_of", message));
        }
        let prompts = self.prompt.as_ref().map_or(1, Prompts::count);
        if prompts * best_of > ALL_TEXTS {
            let message = format!("a request can write at most {ALL_TEXTS} texts");
            return Err(Refusal::field("prompt", message));
        }
        if self.stream_options.is_some() && !stream {
            let message = "stream_options needs stream = true";
            return Err(Refusal::field("stream_options", message));
        }
        Ok(Checked {
            tokens,
            sampling: self.sampling()?,
            seeded: self.seed.is_some(),
            n,
            best_of,
            stop: self.stops()?,
            logprobs: self.alternatives(kind)?,
            echo: self.echo == Some(true),
            stream,
            include_usage: self
                .stream_options
                .as_ref()
                .is_some_and(|o| o.include_usage),
            ignore_eos: self.ignore_eos == Some(true),
            add_generation_prompt: self.add_generation_prompt != Some(false),
        })
    }

    fn check_prompts(&self, kind: Endpoint) -> Granted<()> {
        let (name, count) = match kind {
            Endpoint::Text => ("prompt", self.prompt.as_ref().map(Prompts::count)),
            Endpoint::Chat => ("messages", self.messages.as_ref().map(Vec::len)),
        };
        match count {
            None => Err(Refusal::field(name, format!("{name} is missing"))),
            Some(0) => Err(Refusal::field(name, format!("{name} is empty"))),
            Some(count) if kind == Endpoint::Text && count > PROMPTS => {
                let message = format!("{count} prompts; at most {PROMPTS} are allowed");
                Err(Refusal::field(name, message))
            }
            Some(_) => Ok(()),
        }
    }

    fn sampling(&self) -> Granted<Sampling> {
        let off = Sampling::default();
        let top_k = match self.top_k {
            None | Some(-1 | 0) => None,
            Some(k) => Some(usize::try_from(k).map_err(|_| {
                Refusal::field(
                    "top_k",
                    format!("top_k = {k} is not allowed; it must be from 1"),
                )
            })?),
        };
        let sampling = Sampling {
            temperature: self.temperature.unwrap_or(off.temperature),
            top_k,
            top_p: self.top_p.unwrap_or(off.top_p),
            min_p: self.min_p.unwrap_or(off.min_p),
            repetition_penalty: self.repetition_penalty.unwrap_or(off.repetition_penalty),
            frequency_penalty: self.frequency_penalty.unwrap_or(off.frequency_penalty),
            presence_penalty: self.presence_penalty.unwrap_or(off.presence_penalty),
            seed: self.seed.unwrap_or(0).cast_unsigned(),
        };
        sampling.check().map_err(|error| {
            let message = error.to_string();
            let name = message.split(' ').next().unwrap_or_default().to_owned();
            Refusal::field(&name, message)
        })?;
        Ok(sampling)
    }

    fn stops(&self) -> Granted<Vec<String>> {
        let stops = match &self.stop {
            None => Vec::new(),
            Some(Stops::One(stop)) => vec![stop.clone()],
            Some(Stops::Many(stops)) => stops.clone(),
        };
        if stops.len() > STOPS || stops.iter().any(|stop| stop.len() > STOP_BYTES) {
            let message = format!("at most {STOPS} stop texts of {STOP_BYTES} bytes are allowed");
            return Err(Refusal::field("stop", message));
        }
        Ok(stops)
    }

    fn alternatives(&self, kind: Endpoint) -> Granted<Option<usize>> {
        let wrong = |what: &str| Refusal::field("logprobs", format!("logprobs must be {what}"));
        match (kind, self.logprobs) {
            (Endpoint::Text, Some(Logprobs::Count(n))) => {
                at_most("logprobs", Some(n), (0, LOGPROBS))
            }
            (Endpoint::Text, Some(Logprobs::Flag(_))) => Err(wrong("a number")),
            (Endpoint::Chat, Some(Logprobs::Flag(true))) => {
                let top = at_most("top_logprobs", self.top_logprobs, (0, LOGPROBS))?;
                Ok(Some(top.unwrap_or(0)))
            }
            (Endpoint::Chat, Some(Logprobs::Count(_))) => Err(wrong("true or false")),
            (Endpoint::Chat, _) if self.top_logprobs.is_some() => {
                let message = "top_logprobs needs logprobs = true";
                Err(Refusal::field("top_logprobs", message))
            }
            (_, None | Some(Logprobs::Flag(false))) => Ok(None),
        }
    }

    /// Refuses a name of another model.
    ///
    /// # Errors
    /// If it isn't `served`.
    pub fn check_model(given: Option<&str>, served: &str) -> Granted<()> {
        match given {
            Some(name) if name != served => {
                let name: String = name.chars().take(100).collect();
                let message =
                    format!("the model {name:?} doesn't exist; this server has {served:?}");
                let refusal = Refusal::new(StatusCode::NOT_FOUND, message);
                Err(Refusal {
                    param: Some("model".into()),
                    ..refusal.coded("model_not_found")
                })
            }
            _ => Ok(()),
        }
    }
}
