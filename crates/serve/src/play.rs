//! What the playground asks for: a text, the distribution over the next token at a place of it, or
//! how surprising a text is. `answer` has what it is told.

use crate::answer::{Alternative, Client, Reply};
use crate::power::Power;
use crate::seen::{ModelId, Seen, Spot};
use serde::Deserialize;
use session::{LogProbability, Opened, Result, Sampling, Session, TokenSampler, begin, known_only};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;
use text::Tokenizer;

/// How many of the most likely tokens are shown, before and after the settings.
const SHOWN: usize = 12;
/// Maximum number of unknown characters named.
const NAMED: usize = 20;

/// Sampling settings, as [`Sampling`].
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Knobs {
    temperature: f64,
    top_k: Option<usize>,
    top_p: f64,
    min_p: f64,
    repetition_penalty: f64,
    frequency_penalty: f64,
    presence_penalty: f64,
    seed: u64,
}

impl From<Knobs> for Sampling {
    fn from(k: Knobs) -> Sampling {
        Sampling {
            temperature: k.temperature,
            top_k: k.top_k,
            top_p: k.top_p,
            min_p: k.min_p,
            repetition_penalty: k.repetition_penalty,
            frequency_penalty: k.frequency_penalty,
            presence_penalty: k.presence_penalty,
            seed: k.seed,
        }
    }
}

/// Asks for a text after a prompt.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wish {
    /// The checkpoint, in a run.
    pub step: Option<u64>,
    /// The prompt.
    pub prompt: String,
    /// Tokens that already follow the prompt and stay.
    pub written: Vec<u32>,
    /// How many more to generate.
    tokens: usize,
    /// How they are drawn.
    pub settings: Knobs,
    /// Leave out characters of the prompt that the model doesn't know.
    skip_unknown: bool,
}

/// Asks for the distribution over the token after others.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Glance {
    /// The checkpoint, in a run.
    pub step: Option<u64>,
    /// All tokens before the place.
    pub tokens: Vec<u32>,
    /// How many of them are the prompt's.
    pub first: usize,
    /// How the token is drawn.
    pub settings: Knobs,
    /// A token to show in any case.
    pub also: Option<u32>,
}

/// Asks for the surprise of each token of a text, or for a look inside the model that reads it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OwnText {
    /// The checkpoint, in a run.
    pub step: Option<u64>,
    /// The text.
    pub text: String,
    /// Leave out characters that the model doesn't know.
    skip_unknown: bool,
}

fn hex(tokenizer: &Tokenizer, token: u32) -> String {
    run::hex(&tokenizer.decode(&[token]))
}

/// A question for the models' thread.
#[derive(Debug)]
pub enum Inquiry {
    Write(Wish),
    Look(Glance),
    Score(OwnText),
    Inside(OwnText),
}

impl Inquiry {
    /// Sends the answer.
    ///
    /// # Errors
    /// If a setting or a token doesn't exist, or the device fails.
    pub fn answer(
        self,
        model: &ModelId,
        opened: &mut Opened,
        power: Power,
        seen: &Seen,
        client: &Client,
    ) -> Result<()> {
        let tokenizer = Arc::new(opened.tokenizer.clone());
        let mut session = opened.session().until(client.gone());
        match self {
            Inquiry::Write(wish) => {
                let Some((text, left_out)) =
                    known(&tokenizer, &wish.prompt, wish.skip_unknown, client)
                else {
                    return Ok(());
                };
                let tokens = begin(&tokenizer, &text)?;
                let place = Spot {
                    model: model.clone(),
                    first: tokens.len(),
                    tokens: tokens.clone(),
                };
                client.tell(Reply::Prompt {
                    text,
                    tokens,
                    left_out,
                });
                wish.write(&mut session, &tokenizer, place, power, seen, client)
            }
            Inquiry::Look(glance) => {
                let place = glance.place(model.clone());
                let id = session.sequence()?;
                let read = read(&mut session, id, &place);
                let logits = read.and_then(|()| Ok(session.logits(id)?.to_vec()));
                session.release(id);
                let logits = logits?;
                client.tell(glance.look(&tokenizer, &logits)?);
                seen.keep(place, &logits, &tokenizer);
                Ok(())
            }
            Inquiry::Score(reading) => reading.score(&mut session, &tokenizer, client),
            Inquiry::Inside(reading) => reading.inspect(&mut session, &tokenizer, client),
        }
    }
}

/// The text, without unknown characters if they are to be left out; `None` after an error.
fn known(
    tokenizer: &Tokenizer,
    text: &str,
    skip: bool,
    client: &Client,
) -> Option<(String, Vec<char>)> {
    let (kept, mut unknown) = known_only(tokenizer, text);
    unknown.truncate(NAMED);
    if skip || unknown.is_empty() {
        return Some((kept, unknown));
    }
    client.tell(Reply::Error {
        message: "the text has characters that the model never saw".into(),
        unknown,
    });
    None
}

/// Reads a text up to a place, in the pieces in which it was written: a context that gets full in
/// between is then the same.
fn read(session: &mut Session, id: session::SequenceId, place: &Spot) -> Result<()> {
    let (prompt, written) = place.tokens.split_at(place.first);
    session.feed(&[(id, prompt)])?;
    let most = session.context().saturating_sub(1).max(1);
    let mut pieces = written.chunks(most);
    pieces.try_for_each(|piece| session.feed(&[(id, piece)]))
}

impl Wish {
    fn write(
        self,
        session: &mut Session,
        tokenizer: &Arc<Tokenizer>,
        mut place: Spot,
        power: Power,
        seen: &Seen,
        client: &Client,
    ) -> Result<()> {
        let until = Instant::now() + power.time;
        let mut sampler = TokenSampler::new(self.settings.into(), &place.tokens)?;
        self.written.iter().for_each(|&token| sampler.take(token));
        place.tokens.extend(&self.written);
        let id = session.sequence()?;
        let mut write = || -> Result<&'static str> {
            read(session, id, &place)?;
            for _ in 0..self.tokens.min(power.tokens) {
                let logits = session.logits(id)?;
                seen.keep(place.clone(), logits, tokenizer);
                let token = sampler.draw(logits);
                if token == tokenizer.end_of_text() {
                    return Ok("end_of_text");
                }
                let nats = -LogProbability::of(token, logits, 0).nats;
                let bytes = hex(tokenizer, token);
                let id_of = Reply::Token {
                    id: token,
                    bytes,
                    nats,
                };
                if !client.tell(id_of) {
                    return Err(session::Error::Stopped);
                }
                place.tokens.push(token);
                session.feed(&[(id, &[token])])?;
                if Instant::now() > until {
                    return Ok("time");
                }
            }
            seen.keep(place.clone(), session.logits(id)?, tokenizer);
            Ok("length")
        };
        let ending = write();
        session.release(id);
        client.tell(Reply::End(ending?));
        Ok(())
    }
}

impl Glance {
    /// The place that it is about.
    pub fn place(&self, model: ModelId) -> Spot {
        Spot {
            model,
            first: self.first,
            tokens: self.tokens.clone(),
        }
    }

    /// The distribution of these logits [V], before and after the settings.
    ///
    /// # Errors
    /// If a setting is out of range.
    pub fn look(&self, tokenizer: &Tokenizer, logits: &[f32]) -> Result<Reply> {
        let (prompt, written) = self.tokens.split_at(self.first);
        let mut sampler = TokenSampler::new(self.settings.into(), prompt)?;
        written.iter().for_each(|&token| sampler.take(token));
        let after = sampler.probabilities(logits);
        let own = LogProbability::of(self.also.unwrap_or(0), logits, SHOWN);
        let shares: HashMap<u32, f64> = after.iter().copied().collect();
        let mut shown: Vec<u32> = own.top.iter().map(|t| t.0).collect();
        let likeliest = after.iter().take(SHOWN / 2).map(|t| t.0);
        let extra: Vec<u32> = likeliest.chain(self.also).collect();
        for token in extra {
            if !shown.contains(&token) && (token as usize) < logits.len() {
                shown.push(token);
            }
        }
        // log(Σ exp(logit)), from the one log-probability that is known.
        let total = own.top.first().map_or(0.0, |&(token, nats)| {
            f64::from(logits[token as usize]) - nats
        });
        let before = |token: u32| (f64::from(logits[token as usize]) - total).exp();
        let choices: Vec<Alternative> = (shown.iter())
            .map(|&id| Alternative {
                id,
                bytes: hex(tokenizer, id),
                end: id == tokenizer.end_of_text(),
                before: before(id),
                after: shares.get(&id).copied().unwrap_or(0.0),
            })
            .collect();
        let rest = |share: &dyn Fn(&Alternative) -> f64| {
            (1.0 - choices.iter().map(share).sum::<f64>()).max(0.0)
        };
        let entropy = |each: &mut dyn Iterator<Item = f64>| -> f64 {
            each.filter(|&p| p > 0.0).map(|p| -p * p.ln()).sum()
        };
        let all = &mut (0..logits.len() as u32).map(before);
        let among = (entropy(all), entropy(&mut after.iter().map(|t| t.1)));
        Ok(Reply::Look {
            others: (
                logits.len() - choices.len(),
                rest(&|c| c.before),
                rest(&|c| c.after),
            ),
            choices,
            drawable: after.len(),
            among: (among.0.exp(), among.1.exp()),
        })
    }
}

impl OwnText {
    fn inspect(self, session: &mut Session, tokenizer: &Tokenizer, client: &Client) -> Result<()> {
        if let Some((text, _)) = known(tokenizer, &self.text, self.skip_unknown, client) {
            let tokens = tokenizer.encode(text.as_bytes())?;
            let inside = session.inspect_text(tokenizer, &tokens)?;
            client.tell(Reply::Inside(Box::new(inside)));
        }
        Ok(())
    }

    fn score(self, session: &mut Session, tokenizer: &Tokenizer, client: &Client) -> Result<()> {
        let Some((text, left_out)) = known(tokenizer, &self.text, self.skip_unknown, client) else {
            return Ok(());
        };
        let tokens = tokenizer.encode(text.as_bytes())?;
        if tokens.len() < 2 {
            let message = "the text must have at least two tokens".into();
            client.tell(Reply::error(message));
            return Ok(());
        }
        let nats = session.nats(&tokens)?;
        let bytes = tokens.iter().skip(1).map(|&t| tokenizer.token_bytes(t));
        let bytes = bytes.sum::<usize>() as f64;
        let sum: f64 = nats.iter().map(|&n| f64::from(n)).sum();
        client.tell(Reply::Score {
            bytes: tokens.iter().map(|&t| hex(tokenizer, t)).collect(),
            tokens,
            nats,
            bits_per_byte: sum / std::f64::consts::LN_2 / bytes,
            context: session.context(),
            left_out,
        });
        Ok(())
    }
}
