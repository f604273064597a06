//! The model as the routes see it: what they know of it, and how they reach its thread.

use crate::body::{ALL_BYTES, parse};
use crate::chat::{self, Template};
use crate::completion::{Checked, CompletionRequest, Endpoint, Prompt};
use crate::error::{Granted, Refusal};
use crate::job::{TextEvent, TextJob, room};
use crate::metrics::{Metrics, add};
use crate::stream::{PromptTokens, Request};
use axum::http::StatusCode;
use serde_json::Value;
use session::{Opened, begin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::Sender;
use text::Tokenizer;
use tokio::sync::{Semaphore, mpsc};

/// Events of a request that may wait for its client, besides those that always have room.
const EVENTS: usize = 64;

/// What the routes know of the model, and how they reach its thread.
pub struct Served {
    pub name: String,
    pub tokenizer: Tokenizer,
    pub context: usize,
    vocabulary: usize,
    pub tokenizer_config: Value,
    template: Option<Template>,
    /// Tokens that end a text, and an answer of a chat.
    ends: (Arc<[u32]>, Arc<[u32]>),
    pub created: u64,
    jobs: Sender<TextJob>,
    /// Places for texts that are running or waiting, and their number.
    places: Arc<Semaphore>,
    all_places: usize,
    /// A permit for each byte of the bodies that are being received.
    pub bodies: Semaphore,
    pub metrics: Arc<Metrics>,
    /// Whether the model's thread ended.
    pub ended: Arc<AtomicBool>,
    requests: AtomicU64,
    /// Distinguishes the ids of this server's answers from another's.
    salt: String,
}

impl Served {
    pub fn new(
        opened: &Opened,
        name: String,
        jobs: Sender<TextJob>,
        places: usize,
    ) -> crate::Result<Served> {
        let end = [opened.tokenizer.end_of_text()];
        let chat = chat::ends(&opened.folder, &opened.tokenizer);
        Ok(Served {
            name,
            tokenizer: opened.tokenizer.clone(),
            context: opened.model.context,
            vocabulary: opened.vocabulary(),
            tokenizer_config: chat::config(&opened.folder),
            template: Template::find(&opened.folder)?,
            ends: (Arc::from(end), Arc::from(chat)),
            created: run::now() as u64,
            jobs,
            places: Arc::new(Semaphore::new(places)),
            all_places: places,
            bodies: Semaphore::new(ALL_BYTES),
            metrics: Arc::default(),
            ended: Arc::default(),
            requests: AtomicU64::new(0),
            salt: format!("{:016x}", random()?),
        })
    }

    /// The chat template.
    pub fn template(&self) -> Granted<&Template> {
        let none = "this model has no chat template: it continues texts; use /v1/completions";
        let refusal = || Refusal::field("messages", none).coded("no_chat_template");
        self.template.as_ref().ok_or_else(refusal)
    }

    /// Checks that token ids exist.
    pub fn check_tokens(&self, field: &str, tokens: &[u32]) -> Granted<()> {
        match tokens.iter().find(|&&id| id as usize >= self.vocabulary) {
            None => Ok(()),
            Some(id) => {
                let message = format!("token {id} doesn't exist; there are {}", self.vocabulary);
                Err(Refusal::field(field, message))
            }
        }
    }

    /// A prompt as tokens.
    fn prepare(&self, prompt: Prompt) -> Granted<PromptTokens> {
        let (text, tokens) = match prompt {
            Prompt::Text(text) => {
                let tokens = begin(&self.tokenizer, &text);
                let tokens = tokens.map_err(|e| Refusal::field("prompt", e.to_string()))?;
                (text, tokens)
            }
            Prompt::Ids(ids) => {
                if ids.is_empty() {
                    return Err(Refusal::field("prompt", "a list of token ids is empty"));
                }
                self.check_tokens("prompt", &ids)?;
                let text = String::from_utf8_lossy(&self.tokenizer.decode(&ids)).into_owned();
                (text, ids)
            }
        };
        self.fits("prompt", tokens.len())?;
        Ok(PromptTokens {
            text,
            tokens: tokens.into(),
        })
    }

    fn fits(&self, field: &str, tokens: usize) -> Granted<()> {
        if tokens <= self.context {
            return Ok(());
        }
        let context = self.context;
        let message =
            format!("the prompt has {tokens} tokens, but the model reads at most {context}");
        Err(Refusal::field(field, message).coded("context_length_exceeded"))
    }

    /// Parses and checks a request.
    pub fn read(&self, kind: Endpoint, body: &[u8]) -> Granted<Request> {
        let wish: CompletionRequest = parse(body)?;
        CompletionRequest::check_model(wish.model.as_deref(), &self.name)?;
        if kind == Endpoint::Chat {
            self.template()?;
        }
        let mut checked = wish.check(kind)?;
        if !checked.seeded {
            checked.sampling.seed = random().map_err(|e| Refusal::failed(e.to_string()))?;
        }
        let mut prompts = Vec::new();
        if let Some(given) = wish.prompt {
            for prompt in given.each() {
                prompts.push(self.prepare(prompt)?);
            }
        } else if let Some(messages) = &wish.messages {
            let generate = checked.add_generation_prompt;
            let template = self.template()?;
            let (text, tokens) = template.tokens(&self.tokenizer, messages, generate)?;
            if tokens.is_empty() {
                return Err(Refusal::field(
                    "messages",
                    "the chat template makes no text of this",
                ));
            }
            self.fits("messages", tokens.len())?;
            let tokens = tokens.into();
            prompts.push(PromptTokens { text, tokens });
        }
        let number = self.requests.fetch_add(1, Ordering::Relaxed);
        let prefix = match kind {
            Endpoint::Text => "cmpl",
            Endpoint::Chat => "chatcmpl",
        };
        Ok(Request {
            kind,
            id: format!("{prefix}-{}{number:08x}", self.salt),
            created: run::now() as u64,
            model: self.name.clone(),
            tokenizer: self.tokenizer.clone(),
            prompts,
            checked,
        })
    }

    /// Hands the texts of a request to the model's thread.
    pub fn start(&self, request: &Request) -> Granted<mpsc::Receiver<TextEvent>> {
        let c = &request.checked;
        let texts = request.prompts.len() * c.best_of;
        if texts > self.all_places {
            let message = format!("this server writes at most {} texts", self.all_places);
            return Err(Refusal::field("n", message));
        }
        let places = self.places.clone().try_acquire_many_owned(texts as u32);
        let mut places = places.map_err(|_| {
            add(&self.metrics.refused_total, 1);
            let message = "too many texts are waiting; try again";
            Refusal::new(StatusCode::TOO_MANY_REQUESTS, message).coded("queue_full")
        })?;
        add(&self.metrics.requests_total, 1);
        let (events, receiver) = mpsc::channel(EVENTS + room(texts));
        for index in 0..texts {
            let prompt = request.prompts[index / c.best_of].tokens.clone();
            let mut sampling = c.sampling;
            let nth = index % c.best_of;
            sampling.seed = sampling.seed.wrapping_add(nth as u64);
            let failed = || Refusal::failed("a place is missing");
            let job = TextJob {
                index,
                tokens: tokens_of(c, self.context - prompt.len()),
                prompt,
                sampling,
                stop: c.stop.clone(),
                // To choose the best texts, their log-probabilities are needed.
                logprobs: c.logprobs.or((c.best_of > c.n).then_some(0)),
                score: c.echo && c.logprobs.is_some() && nth == 0,
                ends: self.ends(request.kind, c),
                events: events.clone(),
                room: room(texts),
                _place: places.split(1).ok_or_else(failed)?,
            };
            let gone = |_| Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "the model has stopped");
            self.jobs.send(job).map_err(gone)?;
        }
        Ok(receiver)
    }

    fn ends(&self, kind: Endpoint, checked: &Checked) -> Arc<[u32]> {
        match kind {
            _ if checked.ignore_eos => Arc::from([]),
            Endpoint::Text => self.ends.0.clone(),
            Endpoint::Chat => self.ends.1.clone(),
        }
    }
}

/// Maximum tokens of a text whose context has room for `left` more.
fn tokens_of(checked: &Checked, left: usize) -> usize {
    checked.tokens.unwrap_or(left.max(1))
}

/// A random number from the system.
fn random() -> crate::Result<u64> {
    let failed = |e: getrandom::Error| crate::Error::Start(std::io::Error::other(e.to_string()));
    getrandom::u64().map_err(failed)
}

/// Runs work that takes long on another thread.
pub async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Granted<T> + Send + 'static,
) -> Granted<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|_| Refusal::failed("the request can't be processed"))?
}
