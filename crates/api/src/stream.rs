//! Turns the events of a request's texts into its answer: one JSON object at the end, or pieces as
//! server-sent events.

use crate::answer::{Entry, chat_logprobs, text_logprobs, usage};
use crate::completion::{Checked, Endpoint};
use crate::error::{Granted, Refusal};
use crate::job::{TextChange, TextEvent};
use serde_json::{Value, json};
use session::{Ending, LogProbability};
use std::convert::Infallible;
use std::sync::Arc;
use text::Tokenizer;
use tokio::sync::mpsc::Receiver;
use tokio_stream::Stream;

/// A prompt, as it was given and as tokens.
pub struct PromptTokens {
    pub text: String,
    pub tokens: Arc<[u32]>,
}

/// A request whose texts are being written.
pub struct Request {
    pub kind: Endpoint,
    pub id: String,
    pub created: u64,
    pub model: String,
    pub tokenizer: Tokenizer,
    pub prompts: Vec<PromptTokens>,
    pub checked: Checked,
}

/// A text so far.
#[derive(Default)]
struct Written {
    text: String,
    logs: Vec<LogProbability>,
    ending: Option<Ending>,
    tokens: usize,
    /// Characters of the text before the next token.
    offset: usize,
}

impl Written {
    /// Mean log-probability of its tokens.
    fn likelihood(&self) -> f64 {
        let sum: f64 = self.logs.iter().map(|log| log.nats).sum();
        sum / self.logs.len().max(1) as f64
    }
}

fn name(ending: Ending) -> &'static str {
    match ending {
        Ending::Length => "length",
        Ending::EndOfText | Ending::Stop | Ending::Caller => "stop",
    }
}

impl Request {
    fn prompt_tokens(&self) -> usize {
        self.prompts.iter().map(|prompt| prompt.tokens.len()).sum()
    }

    /// An answer with these choices; a piece of a stream, or the whole.
    fn object(&self, choices: Vec<Value>, piece: bool) -> Value {
        let kind = match (self.kind, piece) {
            (Endpoint::Text, _) => "text_completion",
            (Endpoint::Chat, false) => "chat.completion",
            (Endpoint::Chat, true) => "chat.completion.chunk",
        };
        json!({
            "id": self.id, "object": kind, "created": self.created, "model": self.model,
            "choices": choices,
        })
    }

    /// The tokens of a prompt that are shown, with their log-probabilities.
    fn entries<'a>(
        &self,
        prompt: &'a PromptTokens,
        scores: &'a [LogProbability],
    ) -> Vec<Entry<'a>> {
        // An empty prompt is read as a line break, which isn't shown.
        if prompt.text.is_empty() && prompt.tokens.len() == 1 {
            return Vec::new();
        }
        let logs = std::iter::once(None).chain(scores.iter().map(Some));
        prompt.tokens.iter().copied().zip(logs).collect()
    }

    fn logprobs(&self, entries: &[Entry], offset: &mut usize) -> Value {
        if self.checked.logprobs.is_none() {
            return Value::Null;
        }
        match self.kind {
            Endpoint::Text => text_logprobs(&self.tokenizer, entries, offset),
            Endpoint::Chat => {
                let logs: Vec<_> = entries.iter().filter_map(|(_, log)| *log).collect();
                chat_logprobs(&self.tokenizer, &logs)
            }
        }
    }

    /// The answer, when all texts are written.
    ///
    /// # Errors
    /// If one of them failed.
    pub async fn whole(self, mut events: Receiver<TextEvent>) -> Granted<Value> {
        let (n, best_of) = (self.checked.n, self.checked.best_of);
        let count = self.prompts.len() * best_of;
        let mut all: Vec<Written> = (0..count).map(|_| Written::default()).collect();
        let mut scores: Vec<Vec<LogProbability>> = Vec::new();
        scores.resize_with(self.prompts.len(), Vec::new);
        while let Some(TextEvent { index, what }) = events.recv().await {
            let written = &mut all[index];
            match what {
                TextChange::Scores(of) => scores[index / best_of] = of,
                TextChange::Piece(text, log) => {
                    written.text += &text;
                    written.logs.extend(log);
                }
                TextChange::End(ending, tokens) => {
                    written.ending = Some(ending.map_err(Refusal::failed)?);
                    written.tokens = tokens;
                }
            }
        }
        let tokens = all.iter().map(|written| written.tokens).sum();
        let mut choices = Vec::new();
        for (at, prompt) in self.prompts.iter().enumerate() {
            let mut group: Vec<Written> = all.drain(..best_of).collect();
            if best_of > n {
                group.sort_by(|a, b| b.likelihood().total_cmp(&a.likelihood()));
            }
            for written in group.iter().take(n) {
                let failed = || Refusal::failed("the model failed");
                let ending = written.ending.ok_or_else(failed)?;
                let mut entries = Vec::new();
                if self.checked.echo {
                    entries = self.entries(prompt, &scores[at]);
                }
                entries.extend(written.logs.iter().map(|log| (log.token, Some(log))));
                let mut choice = json!({
                    "index": choices.len(), "logprobs": self.logprobs(&entries, &mut 0),
                    "finish_reason": name(ending),
                });
                match self.kind {
                    Endpoint::Text if self.checked.echo => {
                        choice["text"] = format!("{}{}", prompt.text, written.text).into();
                    }
                    Endpoint::Text => choice["text"] = written.text.clone().into(),
                    Endpoint::Chat => {
                        choice["message"] = json!({
                            "role": "assistant", "content": written.text, "refusal": null,
                        });
                    }
                }
                choices.push(choice);
            }
        }
        let mut object = self.object(choices, false);
        object["usage"] = usage(self.prompt_tokens(), tokens);
        Ok(object)
    }

    /// The answer as server-sent events.
    pub fn pieces(
        self,
        events: Receiver<TextEvent>,
    ) -> impl Stream<Item = Result<String, Infallible>> {
        let count = self.prompts.len() * self.checked.n;
        let all = (0..count).map(|_| Written::default()).collect();
        let mut pieces = Pieces {
            request: self,
            all,
            left: count,
            tokens: 0,
        };
        let first = pieces.first();
        let events = tokio_stream::wrappers::ReceiverStream::new(events);
        let rest = tokio_stream::StreamExt::map(events, move |event| Ok(pieces.add(event)));
        tokio_stream::StreamExt::chain(tokio_stream::once(Ok(first)), rest)
    }
}

/// The state of a stream.
struct Pieces {
    request: Request,
    all: Vec<Written>,
    /// Texts that haven't ended.
    left: usize,
    tokens: usize,
}

/// A server-sent event.
fn sent(value: &Value) -> String {
    format!("data: {}\n\n", watch::escaped_json(&value.to_string()))
}

impl Pieces {
    /// What is sent before any token: the role, or a prompt without log-probabilities.
    fn first(&mut self) -> String {
        let r = &self.request;
        let (chat, echo) = (r.kind == Endpoint::Chat, r.checked.echo);
        let shown = echo && r.checked.logprobs.is_none();
        if !chat && !shown {
            return String::new();
        }
        let each = (0..self.all.len()).map(|at| {
            let text = if shown {
                &self.request.prompts[at / self.request.checked.n].text
            } else {
                ""
            };
            self.choice(at, text, Value::Null, true, None)
        });
        each.collect()
    }

    /// A piece of one choice.
    fn choice(
        &self,
        at: usize,
        text: &str,
        logs: Value,
        first: bool,
        ending: Option<Ending>,
    ) -> String {
        let mut choice = json!({
            "index": at, "logprobs": logs, "finish_reason": ending.map(name),
        });
        match (self.request.kind, first) {
            (Endpoint::Text, _) => choice["text"] = text.into(),
            (Endpoint::Chat, true) => {
                choice["delta"] = json!({"role": "assistant", "content": text})
            }
            (Endpoint::Chat, false) if ending.is_some() => choice["delta"] = json!({}),
            (Endpoint::Chat, false) => choice["delta"] = json!({"content": text}),
        }
        let mut object = self.request.object(vec![choice], true);
        if self.request.checked.include_usage {
            object["usage"] = Value::Null;
        }
        sent(&object)
    }

    /// What an event adds.
    fn add(&mut self, TextEvent { index, what }: TextEvent) -> String {
        let n = self.request.checked.n;
        match what {
            TextChange::Scores(scores) => {
                let prompt = &self.request.prompts[index / n];
                let entries = self.request.entries(prompt, &scores);
                let mut offset = 0;
                let logs = self.request.logprobs(&entries, &mut offset);
                let group = index / n * n..(index / n + 1) * n;
                let each = group
                    .clone()
                    .map(|at| self.choice(at, &prompt.text, logs.clone(), true, None));
                let text = each.collect();
                for written in &mut self.all[group] {
                    written.offset += offset;
                }
                text
            }
            TextChange::Piece(text, log) => {
                let entries: Vec<Entry> = log.iter().map(|log| (log.token, Some(log))).collect();
                let mut offset = self.all[index].offset;
                let logs = match log {
                    Some(_) => self.request.logprobs(&entries, &mut offset),
                    None => Value::Null,
                };
                self.all[index].offset = offset;
                self.choice(index, &text, logs, false, None)
            }
            TextChange::End(Ok(ending), tokens) => {
                self.tokens += tokens;
                self.left -= 1;
                let text = self.choice(index, "", Value::Null, false, Some(ending));
                text + &self.last()
            }
            TextChange::End(Err(why), _) => {
                self.left = usize::MAX;
                sent(&Refusal::failed(why).json())
            }
        }
    }

    /// What is sent after the last text has ended.
    fn last(&self) -> String {
        if self.left > 0 {
            return String::new();
        }
        let mut text = String::new();
        if self.request.checked.include_usage {
            let mut object = self.request.object(Vec::new(), true);
            object["usage"] = usage(self.request.prompt_tokens(), self.tokens);
            text = sent(&object);
        }
        text + "data: [DONE]\n\n"
    }
}
