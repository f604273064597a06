//! `downhill chat`: writes a text together with a model in the terminal.
//!
//! A model that was only pretrained doesn't answer; it continues. So there are no turns: what is
//! typed becomes a line of the text, and the model goes on from there.

use crate::arguments::Chat;
use crate::failure::{Failure, Result};
use crate::output::{out, tell};
use crate::sampling::{kept, open, tokens};
use crate::session::stop_flag;
use ::session::{Opened, Writing, write};
use rustyline::DefaultEditor;
use rustyline::error::ReadlineError;
use std::io::{IsTerminal, Write, stdin, stdout};
use std::sync::atomic::{AtomicBool, Ordering};

/// What `/help` prints.
const HELP: &str = "\
Type a line and the model continues the text. An empty line lets it go on.
A line that ends in \\ is continued on the next.
/new                      start a new text
/retry                    write the last continuation again, with the next seed
/tokens N                 tokens of each continuation
/temperature X, /top-k K, /top-p P, /min-p P, /repetition-penalty X,
/frequency-penalty X, /presence-penalty X, /seed N
/show                     show these settings
/help, /quit              Ctrl-C ends a continuation, Ctrl-D quits";

/// A text and how it goes on.
struct Talk {
    opened: Opened,
    writing: Writing,
    skip_unknown: bool,
    /// The text so far.
    text: Vec<u32>,
    /// The length of the text before the last continuation.
    before: usize,
}

/// What a line asks for.
enum Next {
    Continue,
    Prompt,
    Quit,
}

pub fn run(a: &Chat) -> Result<()> {
    let (opened, writing, _) = open(&a.saved, &a.sampling)?;
    let mut talk = Talk {
        opened,
        writing,
        skip_unknown: a.sampling.skip_unknown,
        text: Vec::new(),
        before: 0,
    };
    let failed = |error: ReadlineError| Failure::Failed(format!("no line can be read: {error}"));
    let mut editor = DefaultEditor::new().map_err(failed)?;
    let stop = stop_flag()?;
    if stdin().is_terminal() && stdout().is_terminal() {
        tell("The model continues what you type. /help lists the commands.");
    }
    loop {
        let line = match read(&mut editor) {
            Ok(line) => line,
            Err(ReadlineError::Eof | ReadlineError::Interrupted) => return Ok(()),
            Err(error) => return Err(failed(error)),
        };
        let next = match line.strip_prefix('/') {
            Some(command) => talk.command(command),
            None => talk.add(&line).map(|()| Next::Continue),
        };
        match next {
            Ok(Next::Continue) => talk.go_on(&stop)?,
            Ok(Next::Prompt) => {}
            Ok(Next::Quit) => return Ok(()),
            Err(error) => tell(&error.message()),
        }
    }
}

/// Reads a line, and more of them while they end in a backslash.
fn read(editor: &mut DefaultEditor) -> std::result::Result<String, ReadlineError> {
    let mut text = editor.readline("> ")?;
    while text.ends_with('\\') {
        text.pop();
        text.push('\n');
        text += &editor.readline("… ")?;
    }
    // A history that can't be kept is no reason to stop.
    let _ = editor.add_history_entry(&text);
    Ok(text)
}

impl Talk {
    /// Adds a line to the text. An empty one changes nothing.
    fn add(&mut self, line: &str) -> Result<()> {
        let tokenizer = &self.opened.tokenizer;
        if line.is_empty() && !self.text.is_empty() {
            return Ok(());
        }
        let ends_line = tokenizer.decode(&self.text).ends_with(b"\n");
        // A model of a text without lines has no line break.
        let breaks = !self.text.is_empty() && !ends_line && tokenizer.encode(b"\n").is_ok();
        let joined = format!("{}{line}", if breaks { "\n" } else { "" });
        let joined = kept(tokenizer, &joined, self.skip_unknown);
        self.text.extend(tokens(tokenizer, &joined)?);
        Ok(())
    }

    /// Lets the model continue the text.
    fn go_on(&mut self, stop: &AtomicBool) -> Result<()> {
        let mut out = out();
        let (tokenizer, mut written) = (self.opened.tokenizer.clone(), Ok(()));
        let mut text = String::new();
        let mut session = self.opened.session();
        let context = session.context();
        // What is further back than one context wouldn't be read.
        let from = self.text.len().saturating_sub(context);
        write(
            &mut session,
            &tokenizer,
            &self.text[from..],
            &self.writing,
            |piece| {
                text.push_str(&piece.text);
                written = write!(out, "{}", piece.text).and_then(|()| out.flush());
                written.is_ok() && !stop.load(Ordering::Relaxed)
            },
        )?;
        written?;
        writeln!(out)?;
        stop.store(false, Ordering::Relaxed);
        self.before = self.text.len();
        if !text.is_empty() {
            self.text.extend(tokens(&tokenizer, &text)?);
        }
        self.writing.sampling.seed = self.writing.sampling.seed.wrapping_add(1);
        Ok(())
    }

    fn command(&mut self, line: &str) -> Result<Next> {
        let (name, value) = line.split_once(' ').unwrap_or((line, ""));
        let (name, value) = (name.trim(), value.trim());
        match name {
            "quit" | "exit" => return Ok(Next::Quit),
            "help" => tell(HELP),
            "show" => self.show(),
            "new" => {
                self.text.clear();
                self.before = 0;
            }
            "retry" if self.text.is_empty() => {
                return Err(Failure::Usage("there is no text yet".into()));
            }
            "retry" => {
                self.text.truncate(self.before);
                return Ok(Next::Continue);
            }
            _ => self.set(name, value)?,
        }
        Ok(Next::Prompt)
    }

    /// Changes a setting.
    fn set(&mut self, name: &str, value: &str) -> Result<()> {
        let wrong = || Failure::Usage(format!("/{name} {value:?}: it needs a number"));
        let whole = || value.parse::<u64>().map_err(|_| wrong());
        let number = || value.parse::<f64>().map_err(|_| wrong());
        let mut s = self.writing.sampling;
        match name {
            "tokens" => self.writing.tokens = whole()?.max(1) as usize,
            "seed" => s.seed = whole()?,
            "top-k" if value == "all" => s.top_k = None,
            "top-k" => s.top_k = Some(whole()? as usize),
            "temperature" => s.temperature = number()?,
            "top-p" => s.top_p = number()?,
            "min-p" => s.min_p = number()?,
            "repetition-penalty" => s.repetition_penalty = number()?,
            "frequency-penalty" => s.frequency_penalty = number()?,
            "presence-penalty" => s.presence_penalty = number()?,
            _ => {
                return Err(Failure::Usage(format!(
                    "there is no command /{name}; /help lists them"
                )));
            }
        }
        s.check()?;
        self.writing.sampling = s;
        Ok(())
    }

    fn show(&self) {
        let s = &self.writing.sampling;
        let top_k = s.top_k.map_or("all".into(), |k| k.to_string());
        tell(&format!(
            "tokens {}, temperature {}, top-k {top_k}, top-p {}, min-p {}, seed {}\n\
             repetition-penalty {}, frequency-penalty {}, presence-penalty {}\n\
             the text has {} tokens; the model sees the last {}",
            self.writing.tokens,
            s.temperature,
            s.top_p,
            s.min_p,
            s.seed,
            s.repetition_penalty,
            s.frequency_penalty,
            s.presence_penalty,
            self.text.len(),
            self.opened.model.context,
        ));
    }
}
