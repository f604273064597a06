//! How are many texts written at once? One thread owns the model. At each turn, texts join, one
//! prompt is read a little further, and every text that is being written gets one token; then those
//! that ended leave. So a long prompt delays the others by one short pass at a time.
//!
//! Texts that begin alike share the pages of their beginning, also with some that ended already.

use crate::job::{TextChange, TextEvent, TextJob};
use crate::metrics::{Metrics, add, set};
use session::{
    Ending, Error, LogProbability, Opened, SequenceId, Session, StopTexts, TokenSampler,
    in_whole_pages, pages_of,
};
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::time::Duration;
use text::{Tokenizer, Utf8Stream};

/// Tokens of a prompt that are read at each turn while other texts are being written, and if none
/// is.
const PASS: usize = 64;
const LONG_PASS: usize = 512;

/// Maximum number of sequences that are kept after their end, for prompts that begin like them.
pub const KEPT: usize = 32;

/// How long the scheduler waits if every client has to take more before its text goes on.
const PAUSE: Duration = Duration::from_millis(5);

/// A text that is being written.
struct Running {
    job: TextJob,
    /// `None` until the first token is read.
    id: Option<SequenceId>,
    /// What the model sees: the prompt and what was written, at most a context.
    text: Vec<u32>,
    /// How many tokens of it are read.
    read: usize,
    sampler: TokenSampler,
    characters: Utf8Stream,
    stop: StopTexts,
    written: usize,
    /// Log-probabilities of the prompt so far.
    scores: Vec<LogProbability>,
    /// The turn at which its prompt was last read.
    turn: u64,
    ending: Option<Ending>,
}

impl Running {
    fn new(job: TextJob) -> session::Result<Running> {
        Ok(Running {
            id: None,
            text: job.prompt.to_vec(),
            read: 0,
            sampler: TokenSampler::new(job.sampling, &job.prompt)?,
            characters: Utf8Stream::new(),
            stop: StopTexts::new(&job.stop),
            written: 0,
            scores: Vec::new(),
            turn: 0,
            ending: None,
            job,
        })
    }

    fn unread(&self) -> usize {
        self.text.len() - self.read
    }

    /// Whether its prompt is still being read.
    fn is_reading(&self) -> bool {
        self.id.is_none() || self.unread() > 1 || self.is_scoring()
    }

    /// Whether the log-probabilities of its prompt are still being computed.
    fn is_scoring(&self) -> bool {
        self.job.score && self.written == 0 && self.unread() > 0
    }

    fn send(&self, what: TextChange) {
        let index = self.job.index;
        // There is room: only this thread sends, and it looked. The client may have gone away.
        let _ = self.job.events.try_send(TextEvent { index, what });
    }

    /// Draws the next token and passes on what it completes.
    fn draw(&mut self, session: &mut Session, tokenizer: &Tokenizer) -> session::Result<()> {
        let Some(id) = self.id else { return Ok(()) };
        if self.written == self.job.tokens {
            self.ending = Some(Ending::Length);
            return Ok(());
        }
        let token = session.draw(id, &mut self.sampler)?;
        self.written += 1;
        if self.job.ends.contains(&token) {
            self.ending = Some(Ending::EndOfText);
            return Ok(());
        }
        let logits = session.logits(id)?;
        let top = self.job.logprobs;
        let log_probability = top.map(|top| LogProbability::of(token, logits, top));
        let text = self.characters.push(&tokenizer.decode(&[token]));
        let (text, stopped) = self.stop.push(&text);
        if !text.is_empty() || log_probability.is_some() {
            self.send(TextChange::Piece(text, log_probability));
        }
        self.text.push(token);
        self.ending = match stopped {
            true => Some(Ending::Stop),
            false if self.written == self.job.tokens => Some(Ending::Length),
            false => None,
        };
        Ok(())
    }

    /// Passes on what waited, and the end.
    fn end(mut self, ending: Result<Ending, String>) {
        if !matches!(ending, Ok(Ending::Stop)) {
            // The end of a text may cut a character, and what waits wasn't a stop text.
            let (mut text, stopped) = self.stop.push(&self.characters.finish());
            if !stopped {
                text += &std::mem::replace(&mut self.stop, StopTexts::new(&[])).finish();
            }
            if !text.is_empty() {
                self.send(TextChange::Piece(text, None));
            }
        }
        self.send(TextChange::End(ending, self.written));
    }
}

/// How much the scheduler may do at once.
#[derive(Debug, Clone, Copy)]
pub struct Room {
    /// Maximum number of texts that are written together.
    pub texts: usize,
    /// Pages of the cache.
    pub pages: usize,
}

/// Writes texts.
struct Scheduler<'a> {
    session: Session<'a>,
    tokenizer: Tokenizer,
    metrics: Arc<Metrics>,
    room: Room,
    waiting: VecDeque<TextJob>,
    running: Vec<Running>,
    /// Sequences that ended, the last one used at the end.
    kept: VecDeque<SequenceId>,
    turn: u64,
    /// Whether the last turn did nothing: every text waits for its client.
    idle: bool,
}

/// Writes texts until nobody can ask for more. `opened` has room for `room` and [`KEPT`] more
/// sequences.
pub fn run(opened: &mut Opened, room: Room, jobs: &Receiver<TextJob>, metrics: Arc<Metrics>) {
    let tokenizer = opened.tokenizer.clone();
    let mut scheduler = Scheduler {
        session: opened.session(),
        tokenizer,
        metrics,
        room,
        waiting: VecDeque::new(),
        running: Vec::new(),
        kept: VecDeque::new(),
        turn: 0,
        idle: false,
    };
    while scheduler.receive(jobs) {
        scheduler.leave();
        scheduler.join();
        if let Err(error) = scheduler.take_turn() {
            // The device failed: whoever waits learns why.
            let why = error.to_string();
            for text in scheduler.running.drain(..) {
                text.end(Err(why.clone()));
            }
            return;
        }
        scheduler.measure();
    }
}

impl Scheduler<'_> {
    /// Takes the jobs that arrived; waits for one if there is nothing to do, but not for long if a
    /// client may take more. `false` if there can't be any more.
    fn receive(&mut self, jobs: &Receiver<TextJob>) -> bool {
        if self.running.is_empty() && self.waiting.is_empty() {
            match jobs.recv() {
                Ok(job) => self.waiting.push_back(job),
                Err(_) => return false,
            }
        } else if self.idle {
            match jobs.recv_timeout(PAUSE) {
                Ok(job) => self.waiting.push_back(job),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return false,
            }
        }
        loop {
            match jobs.try_recv() {
                Ok(job) => self.waiting.push_back(job),
                Err(TryRecvError::Empty) => return true,
                Err(TryRecvError::Disconnected) => return false,
            }
        }
    }

    /// Drops the texts whose client went away.
    fn leave(&mut self) {
        let before = self.waiting.len() + self.running.len();
        self.waiting.retain(|job| !job.events.is_closed());
        for at in (0..self.running.len()).rev() {
            if self.running[at].job.events.is_closed() {
                let text = self.running.swap_remove(at);
                self.keep(&text);
            }
        }
        let after = self.waiting.len() + self.running.len();
        add(&self.metrics.abandoned_total, before - after);
    }

    /// Lets texts that wait begin, in order, as far as there are places and pages.
    fn join(&mut self) {
        while let Some(job) = self.waiting.front() {
            let needed = self.needed(&job.prompt, job.tokens);
            if self.running.len() >= self.room.texts || !self.has_pages(needed) {
                return;
            }
            let Some(job) = self.waiting.pop_front() else {
                return;
            };
            let (events, index) = (job.events.clone(), job.index);
            match Running::new(job) {
                Ok(text) => self.running.push(text),
                Err(error) => {
                    let what = TextChange::End(Err(error.to_string()), 0);
                    // The client may have gone away.
                    let _ = events.try_send(TextEvent { index, what });
                }
            }
        }
    }

    /// Pages that a text needs at most.
    fn needed(&self, text: &[u32], tokens: usize) -> usize {
        pages_of((text.len() + tokens).min(self.session.context()))
    }

    /// Whether this many pages are free beside those that running texts may still need. Kept
    /// sequences are released until that is so.
    fn has_pages(&mut self, needed: usize) -> bool {
        let still = |text: &Running| {
            let all = self.needed(&text.job.prompt, text.job.tokens);
            let own = text.id.and_then(|id| self.session.own_pages(id).ok());
            all.saturating_sub(own.unwrap_or(0))
        };
        let promised: usize = self.running.iter().map(still).sum();
        while self.session.free_pages() < promised + needed {
            let Some(oldest) = self.kept.pop_front() else {
                return false;
            };
            self.session.release(oldest);
        }
        true
    }

    /// One turn: draws, reads a part of one prompt, and reads one token of each text.
    fn take_turn(&mut self) -> session::Result<()> {
        self.turn += 1;
        self.idle = true;
        for text in &mut self.running {
            let room = text.job.events.capacity() >= text.job.room;
            if text.id.is_some() && text.unread() == 0 && room {
                self.idle = false;
                if text.written == 0 && text.job.score {
                    let scores = std::mem::take(&mut text.scores);
                    text.send(TextChange::Scores(scores));
                    text.job.score = false;
                    // Its room is needed for the next events.
                    continue;
                }
                text.draw(&mut self.session, &self.tokenizer)?;
            }
        }
        self.finish();
        self.read_prompt()?;
        self.read_tokens()
    }

    /// Lets the texts leave that ended.
    fn finish(&mut self) {
        for at in (0..self.running.len()).rev() {
            let Some(ending) = self.running[at].ending else {
                continue;
            };
            let text = self.running.swap_remove(at);
            self.keep(&text);
            add(&self.metrics.texts_total, 1);
            add(&self.metrics.written_tokens_total, text.written);
            text.end(Ok(ending));
        }
    }

    /// Keeps the sequence of a text that ended.
    fn keep(&mut self, text: &Running) {
        match text.id {
            Some(id) if in_whole_pages(text.read) > 0 => self.kept.push_back(id),
            Some(id) => self.session.release(id),
            None => {}
        }
        while self.kept.len() > KEPT {
            if let Some(oldest) = self.kept.pop_front() {
                self.session.release(oldest);
            }
        }
    }

    /// Reads a part of the prompt whose turn it is.
    fn read_prompt(&mut self) -> session::Result<()> {
        let ready = (0..self.running.len()).filter(|&at| {
            let text = &self.running[at];
            text.is_reading() && (text.id.is_some() || !self.waits_for_other(at))
        });
        let Some(at) = ready.min_by_key(|&at| self.running[at].turn) else {
            return Ok(());
        };
        self.idle = false;
        let id = match self.running[at].id {
            Some(id) => id,
            None => self.start(at)?,
        };
        let context = self.session.context();
        let alone = self.running.iter().all(Running::is_reading);
        let pass = if alone { LONG_PASS } else { PASS };
        let text = &mut self.running[at];
        text.turn = self.turn;
        let part = pass.min(text.unread()).min(context - text.read);
        let from = text.read;
        text.read += part;
        let tokens = &text.text[from..text.read];
        add(&self.metrics.prompt_tokens_total, part);
        if !text.job.score {
            return self.session.feed(&[(id, tokens)]);
        }
        let top = text.job.logprobs.unwrap_or(0);
        let (all, scores) = (&text.text, &mut text.scores);
        self.session.feed_each(id, tokens, |row, logits| {
            if let Some(&next) = all.get(from + row + 1) {
                scores.push(LogProbability::of(next, logits, top));
            }
        })
    }

    /// Whether a text that hasn't begun should wait, since another is reading more of the same
    /// beginning than there is yet.
    fn waits_for_other(&self, at: usize) -> bool {
        let text = &self.running[at];
        if text.job.score {
            return false;
        }
        let there = self.source(&text.text).map_or(0, |(_, shared)| shared);
        let common = |other: &Running| {
            let pairs = other.text.iter().zip(&text.text);
            let same = pairs.take_while(|(a, b)| a == b).count();
            in_whole_pages(same.min(text.text.len() - 1))
        };
        let earlier =
            |(i, other): &(usize, &Running)| other.is_reading() && (other.id.is_some() || *i < at);
        let all = self.running.iter().enumerate();
        all.filter(earlier).any(|(_, other)| common(other) > there)
    }

    /// The sequence that has most of the beginning of a text, and how many tokens of it.
    fn source(&self, text: &[u32]) -> Option<(SequenceId, usize)> {
        let running = self.running.iter().filter_map(|other| other.id);
        let all = running.chain(self.kept.iter().copied());
        let shared = all.map(|id| (id, self.session.shared(id, text)));
        shared
            .filter(|(_, shared)| *shared > 0)
            .max_by_key(|(_, shared)| *shared)
    }

    /// Starts the sequence of a text, from one that begins alike if there is one.
    fn start(&mut self, at: usize) -> session::Result<SequenceId> {
        let text = &self.running[at].text;
        let source = self.source(text).filter(|_| !self.running[at].job.score);
        let (id, shared) = match source {
            Some((from, _)) => {
                if let Some(at) = self.kept.iter().position(|id| *id == from) {
                    self.kept.remove(at);
                    self.kept.push_back(from);
                }
                self.session.fork(from, text)?
            }
            None => (self.session.sequence()?, 0),
        };
        add(&self.metrics.shared_tokens_total, shared);
        (self.running[at].id, self.running[at].read) = (Some(id), shared);
        Ok(id)
    }

    /// Reads the last token of each text that is being written.
    fn read_tokens(&mut self) -> session::Result<()> {
        let context = self.session.context();
        let mut parts = Vec::new();
        for text in &mut self.running {
            let (Some(id), 1, false) = (text.id, text.unread(), text.is_scoring()) else {
                continue;
            };
            if text.read == context {
                // Goes on from the last half of a full context, which is read like a prompt.
                self.session.release(id);
                let from = text.text.len() - (context / 2 + 1);
                text.text.drain(..from);
                (text.id, text.read) = (None, 0);
                continue;
            }
            parts.push((id, *text.text.last().ok_or(Error::NoSequence)?));
            text.read += 1;
            add(
                &self.metrics.prompt_tokens_total,
                usize::from(text.written == 0),
            );
        }
        if parts.is_empty() {
            return Ok(());
        }
        self.idle = false;
        let parts: Vec<_> = parts
            .iter()
            .map(|(id, token)| (*id, std::slice::from_ref(token)))
            .collect();
        self.session.feed(&parts)
    }

    fn measure(&self) {
        set(&self.metrics.texts_running, self.running.len());
        set(&self.metrics.texts_waiting, self.waiting.len());
        set(&self.metrics.cache_pages, self.room.pages);
        set(&self.metrics.cache_pages_free, self.session.free_pages());
    }
}
