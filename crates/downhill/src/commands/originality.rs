//! `downhill originality`: has a model learned, or copied its training text?

use crate::arguments::{Originality as Arguments, SamplingFlags};
use crate::failure::{Failure, Result};
use crate::output::{self, out};
use crate::sampling::open_many;
use crate::session::{enough_memory, of_text, stop_flag, threads};
use crate::terminal;
use data::JobControl;
use run::{MarkedText, Originality};
use std::io::{IsTerminal, Write, stderr};
use std::sync::atomic::{AtomicBool, Ordering};
use study::originality::{Index, PREFIX, SampleSettings, TOGETHER, Texts, measure};
use train::{Corpus, Settings};
use watch::{amount, count};

/// Memory that sorting and reading need besides the index, in bytes.
const BESIDES: u64 = 50_000_000;
/// Matches of a sample whose place is printed.
const NAMED: usize = 6;

pub fn run(a: &Arguments) -> Result<()> {
    let flags = SamplingFlags {
        temperature: a.temperature.clone(),
        top_k: a.top_k.clone(),
        top_p: a.top_p.clone(),
        seed: a.seed.clone(),
        ..SamplingFlags::default()
    };
    let stop = stop_flag()?;
    let (mut opened, writing, _, run) = open_many(&a.saved, &flags, a.samples.min(TOGETHER))?;
    let Some(run) = run else {
        let folder = opened.folder.display();
        return Err(Failure::Usage(format!(
            "{folder} is not a checkpoint of a run, so its training text is unknown: name a run"
        )));
    };
    let tokenizer = opened.tokenizer.clone();
    let corpus = corpus(a, &run, &tokenizer)?;
    let texts = Texts {
        tokenizer: &tokenizer,
        train: &corpus.train,
        held_out: &corpus.validation,
    };
    texts.check()?;
    let indexed = corpus.train.len().min(a.index_tokens);
    let bytes = Index::bytes(indexed, tokenizer.vocabulary_size());
    say(&format!(
        "the index of {} training tokens takes {}{}",
        count(indexed as u64),
        amount(bytes, "B"),
        match indexed < corpus.train.len() {
            true => format!(": a sample of {}", count(corpus.train.len() as u64)),
            false => String::new(),
        }
    ));
    let advice = "use fewer tokens with --index-tokens";
    enough_memory(bytes + BESIDES, "the index", advice)?;
    let (vocabulary, end) = (tokenizer.vocabulary_size(), tokenizer.end_of_text());
    let index = Index::new(&corpus.train, vocabulary, end, a.index_tokens)?;
    say(&format!("writing {} samples", a.samples));
    let settings = SampleSettings {
        samples: a.samples,
        tokens: a.tokens,
        sampling: writing.sampling,
    };
    let step = opened.step;
    let mut session = opened.session().until(&stop);
    let result = measure(&mut session, texts, &index, &settings, step);
    if stop.load(Ordering::Relaxed) {
        return Err(Failure::Interrupted);
    }
    let result = result?;
    result.save(&run)?;
    if a.json {
        writeln!(out(), "{}", output::json(&result)?)?;
        return Ok(());
    }
    print(&result, a.show)
}

/// The text that the run was trained on.
fn corpus(a: &Arguments, run: &run::RunFolder, tokenizer: &text::Tokenizer) -> Result<Corpus> {
    let settings = Settings::read(run, &[])?;
    let (config, source) = (&settings.config, &settings.source);
    let never = AtomicBool::new(false);
    let threads = threads(a.saved.threads.map(|n| n as usize))?;
    let control = JobControl::new(threads, &never, &|_| {});
    let corpus = Corpus::of_run(run, source, config, Some(tokenizer.clone()), &control);
    corpus.map_err(|error| match error {
        train::Error::Changed { run, what, .. } => Failure::Failed(format!(
            "{}: {what}. Samples can only be compared with the text that the run was trained on: \
             restore it",
            run.display()
        )),
        other => of_text(other, "put it back: samples are compared with it"),
    })
}

/// Says what happens, where somebody waits at a terminal.
fn say(what: &str) {
    if stderr().is_terminal() {
        output::tell(what);
    }
}

fn print(result: &Originality, shown: usize) -> Result<()> {
    let mut out = out();
    writeln!(out, "{}\n", result.verdict)?;
    let percent = |share: f64| format!("{:.1}%", 100.0 * share);
    writeln!(
        out,
        "{:34}{:>10}{:>10}{:>10}",
        "", "model", "held-out", "training"
    )?;
    let (model, human) = (&result.model, &result.human);
    for (n, share) in &model.new_ngrams {
        let theirs = human.new_ngrams.get(n).copied().unwrap_or_default();
        let (ours, theirs) = (percent(*share), percent(theirs));
        writeln!(out, "{:34}{ours:>10}{theirs:>10}", format!("new {n}-grams"))?;
    }
    let (ours, theirs) = (model.longest_match, human.longest_match);
    for (name, ours, theirs) in [
        ("longest match, median (tokens)", ours.median, theirs.median),
        ("longest match, 90% have at most", ours.p90, theirs.p90),
        ("longest match, largest", ours.largest, theirs.largest),
    ] {
        writeln!(out, "{name:34}{ours:>10}{theirs:>10}")?;
    }
    for (name, ours, theirs, train) in result.by_heart() {
        let [ours, theirs, train] = [ours, theirs, train].map(percent);
        writeln!(out, "{name:34}{ours:>10}{theirs:>10}{train:>10}")?;
    }
    writeln!(
        out,
        "\n{} samples of {} tokens at temperature {}; {PREFIX} tokens given, {PREFIX} compared; {} \
         of {} training tokens searched",
        result.samples,
        result.tokens,
        result.temperature,
        count(result.indexed_tokens),
        count(result.corpus_tokens)
    )?;
    if shown > 0 && !result.texts.is_empty() {
        writeln!(
            out,
            "\nMarked: what stands in the training text and is longer than {} tokens, which 90% of \
             held-out matches are not. The samples with the longest matches:",
            result.marked_beyond
        )?;
    }
    for text in result.texts.iter().take(shown) {
        drop(out);
        sample(text)?;
        out = output::out();
    }
    Ok(())
}

/// A sample with its copies underlined (in a pipe: in brackets), and where the longest stand.
fn sample(marked: &MarkedText) -> Result<()> {
    let (begin, end) = match terminal::color() {
        true => ("\x1b[4m", "\x1b[24m"),
        false => ("[", "]"),
    };
    let mut named: Vec<usize> = (0..marked.copies.len()).collect();
    named.sort_by_key(|&copy| std::cmp::Reverse(marked.copies[copy].tokens));
    named.truncate(NAMED);
    named.sort_unstable();
    let number = |copy: usize| named.iter().position(|&of| of == copy).map(|at| at + 1);
    // The marks are ours; all text from outside goes through `lines`.
    let mut text = String::from("\n");
    for piece in &marked.pieces {
        let shown = watch::lines(&piece.text);
        text += &match piece.copy.map(number) {
            Some(Some(number)) => format!("{begin}{shown}{end}({number})"),
            Some(None) => format!("{begin}{shown}{end}"),
            None => shown,
        };
    }
    writeln!(std::io::stdout().lock(), "{text}\n")?;
    let mut out = out();
    for (number, copy) in named.iter().map(|&at| &marked.copies[at]).enumerate() {
        let place = match (copy.document, copy.offset) {
            (Some(document), Some(offset)) => format!("document {document}, token {offset}"),
            _ => format!("token {}", copy.token),
        };
        let source = watch::line(&format!("{}[{}]{}", copy.before, copy.text, copy.after));
        let (number, tokens) = (number + 1, copy.tokens);
        writeln!(out, "  ({number}) {tokens} tokens, {place}: …{source}…")?;
    }
    Ok(())
}
