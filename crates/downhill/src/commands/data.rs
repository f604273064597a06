//! `downhill data`: prepares texts, and shows what was prepared.

use crate::arguments::{Configured, Data, DataCache, DataInspect, DataPrepare, DataSample};
use crate::failure::{Failure, Result};
use crate::output::{self, out};
use crate::progress::ProgressLine;
use crate::session::{assignments, config, stop_flag, threads};
use data::{CorpusPart, Destination, JobControl, Prepared, Report, Skipped};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::time::Instant;
use text::{Tokenizer, TokenizerKind};
use watch::{amount, count, duration, lines};

/// Tokens per document that `data sample` shows.
const SHOWN: usize = 256;

pub fn run(a: &Data) -> Result<()> {
    match a {
        Data::Prepare(a) => prepare(a),
        Data::Inspect(a) => inspect(a),
        Data::Sample(a) => sample(a),
        Data::Cache(a) => cache(a),
    }
}

fn prepare(a: &DataPrepare) -> Result<()> {
    let began = Instant::now();
    let stop = stop_flag()?;
    let mut flags = assignments(&[
        ("train.threads", a.threads.map(|n| n.to_string())),
        ("data.tokenizer", a.tokenizer.clone()),
    ]);
    flags.extend(assignments(&a.texts.assignments()));
    let config = config(&a.configured, &flags)?;
    let (prepared, kind) = {
        let line = ProgressLine::new(a.json);
        let show = |progress| line.show(progress);
        let control = JobControl::new(threads(config.train.threads)?, &stop, &show);
        let to = Destination::Folder(a.out.clone());
        train::prepare(
            &a.paths,
            a.val.as_deref(),
            &config.data,
            to,
            &control,
            &train::choose,
        )?
    };
    if a.json {
        let mut object = object(&prepared);
        object["seconds"] = began.elapsed().as_secs_f64().into();
        object["peak_bytes"] = run::peak_bytes().into();
        writeln!(out(), "{}", output::json(&object)?)?;
        return Ok(());
    }
    show(&prepared)?;
    let mut out = out();
    if let Some(told) = fewer_tokens(&kind, &prepared.tokenizer) {
        writeln!(out, "{told}")?;
    }
    let seconds = began.elapsed().as_secs_f64();
    let rate = amount((prepared.report.bytes as f64 / seconds) as u64, "B");
    let memory = run::peak_bytes().map(|b| format!(" · peak memory {}", amount(b, "B")));
    let memory = memory.unwrap_or_default();
    writeln!(out, "time         {} · {rate}/s{memory}", duration(seconds))?;
    writeln!(out, "next\n  downhill train {}", a.out.display())?;
    Ok(())
}

fn open(folder: &Path) -> Result<Prepared> {
    if !Prepared::is_in(folder) {
        let message = format!(
            "{}: no prepared data here; create it with: downhill data prepare TEXT... --out {}",
            folder.display(),
            folder.display()
        );
        return Err(Failure::Failed(message));
    }
    Ok(Prepared::open(folder)?)
}

fn inspect(a: &DataInspect) -> Result<()> {
    let [folder] = &a.paths[..] else {
        return inspect_texts(a);
    };
    // A folder without texts is more likely one that should hold prepared data.
    if !Prepared::is_in(folder) {
        return inspect_texts(a);
    }
    let prepared = open(folder)?;
    if a.json {
        writeln!(out(), "{}", output::json(&object(&prepared))?)?;
        return Ok(());
    }
    show(&prepared)
}

/// Bytes of a text's beginning that `data inspect` shows.
const BEGINNING: usize = 600;

/// Shows how texts would be read.
fn inspect_texts(a: &DataInspect) -> Result<()> {
    let stop = stop_flag()?;
    let config = config(&Configured::default(), &assignments(&a.texts.assignments()))?;
    let options = train::options(&config.data);
    let line = ProgressLine::new(a.json);
    let shown = |progress| line.show(progress);
    let control = JobControl::new(threads(config.train.threads)?, &stop, &shown);
    let to = Destination::Cache(train::cache_folder());
    let scan = data::scan(&a.paths, None, &options, 1 << 20, to, &control)?;
    drop(line);
    let r = scan.report();
    if a.json {
        let object = serde_json::to_value(r).map_err(|e| Failure::Failed(e.to_string()))?;
        writeln!(out(), "{}", output::json(&object)?)?;
        return Ok(());
    }
    let mut out = out();
    text_line(&mut out, r)?;
    of_texts(&mut out, r)?;
    if let Some(text) = scan.sample().iter().find(|text| !text.is_empty()) {
        let text = String::from_utf8_lossy(text);
        let start = &text[..text.floor_char_boundary(BEGINNING)];
        let more = if start.len() < text.len() { " …" } else { "" };
        writeln!(out, "── as it is read {}", "─".repeat(63))?;
        writeln!(out, "{}{more}", lines(start).trim_end())?;
    }
    Ok(())
}

/// Lists what is in the cache.
fn cache(a: &DataCache) -> Result<()> {
    let Some(root) = train::cache_folder() else {
        let told = "no cache folder: set XDG_CACHE_HOME";
        return Err(Failure::Failed(told.into()));
    };
    let all = data::cached(&root);
    let mut out = out();
    for entry in &all {
        let used = entry.used.elapsed().unwrap_or_default().as_secs();
        if a.json {
            let object = json!({
                "folder": entry.folder, "bytes": entry.bytes, "seconds_since_use": used,
                "in_use": entry.in_use, "sources": entry.sources,
            });
            writeln!(out, "{}", output::json(&object)?)?;
            continue;
        }
        let sources: Vec<String> = entry
            .sources
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        let sources = match sources.is_empty() {
            true => "not finished".to_owned(),
            false => sources.join(", "),
        };
        let when = if entry.in_use {
            "in use".to_owned()
        } else {
            format!("used {} ago", duration(used as f64))
        };
        let bytes = amount(entry.bytes, "B");
        writeln!(out, "{bytes:>8} · {when} · {}", lines(&sources))?;
    }
    if !a.json {
        let bytes = amount(all.iter().map(|entry| entry.bytes).sum(), "B");
        let limit = amount(data::cache_limit(&root), "B");
        let root = root.display();
        writeln!(
            out,
            "{bytes} of {limit} in {root}; it can be deleted at any time"
        )?;
    }
    Ok(())
}

/// A description of prepared data, for scripts.
fn object(p: &Prepared) -> Value {
    let r = &p.report;
    let tokens = p.train.len() + p.validation.len();
    let scripts: serde_json::Map<String, Value> = r
        .scripts
        .iter()
        .map(|(name, n)| (name.clone(), json!(n)))
        .collect();
    let (shards, bytes) = p.shards();
    json!({
        "files": r.files, "documents": r.documents, "bytes": r.bytes, "tokens": tokens,
        "bytes_per_token": r.bytes as f64 / tokens as f64,
        "train_tokens": p.train.len(), "validation_tokens": p.validation.len(),
        "validation_documents": r.validation_documents,
        "validation_bytes": r.validation_bytes, "split": r.split,
        "tokenizer": p.kind().name(), "vocabulary": p.tokenizer.vocabulary_size(),
        "tokenizer_sample_bytes": p.sampled(), "characters": r.characters, "scripts": scripts,
        "longest_line": r.longest_line, "longest_line_in": r.longest_line_in,
        "duplicates": r.duplicates, "duplicate_bytes": r.duplicate_bytes,
        "empty": r.empty, "bad_records": r.bad_records, "skipped": r.skipped,
        "shards": shards, "shard_bytes": bytes, "text_sha256": p.text_sha256,
        "sources": p.sources(),
    })
}

fn show(p: &Prepared) -> Result<()> {
    let r = &p.report;
    let mut out = out();
    let tokens = (p.train.len() + p.validation.len()) as u64;
    if let Some(folder) = &p.folder {
        let (shards, bytes) = p.shards();
        let (folder, bytes) = (folder.display(), amount(bytes, "B"));
        writeln!(
            out,
            "data         {folder} · {} shards · {bytes}",
            count(shards as u64)
        )?;
    }
    let per_token = r.bytes as f64 / tokens.max(1) as f64;
    text_line(&mut out, r)?;
    let size = p.tokenizer.vocabulary_size() as u64;
    let (kind, size) = (p.kind().name(), count(size));
    writeln!(
        out,
        "tokens       {} · {per_token:.2} bytes per token · {kind}, vocabulary {size}",
        count(tokens)
    )?;
    if let Some(sample) = p.sampled() {
        let sample = amount(sample, "B");
        writeln!(out, "             learned from a sample of {sample}")?;
    }
    let how = match r.split.as_str() {
        "documents" => "documents chosen by hash",
        "given" => "the given text",
        _ => "the end of the text",
    };
    let held_out = count(p.part(CorpusPart::Validation).len() as u64);
    let bytes = amount(r.validation_bytes, "B");
    writeln!(out, "validation   {held_out} tokens · {bytes} · {how}")?;
    of_texts(&mut out, r)
}

/// How much text there is.
fn text_line(out: &mut impl Write, r: &Report) -> Result<()> {
    let (files, documents) = (count(r.files), count(r.documents));
    let bytes = amount(r.bytes, "B");
    writeln!(
        out,
        "text         {documents} documents in {files} files · {bytes}"
    )?;
    Ok(())
}

/// Statistics of texts that don't depend on their tokens.
fn of_texts(out: &mut impl Write, r: &Report) -> Result<()> {
    let all: u64 = r.scripts.iter().map(|(_, n)| n).sum();
    let share = |n: u64| format!("{:.1}%", 100.0 * n as f64 / all.max(1) as f64);
    let scripts: Vec<String> = r
        .scripts
        .iter()
        .take(6)
        .map(|(name, n)| format!("{name} {}", share(*n)))
        .collect();
    let distinct = count(r.characters);
    writeln!(
        out,
        "scripts      {} · {distinct} distinct characters",
        scripts.join(", ")
    )?;
    let longest = amount(r.longest_line, "B");
    writeln!(out, "longest line {longest} · {}", r.longest_line_in)?;
    if r.duplicates > 0 {
        let bytes = amount(r.duplicate_bytes, "B");
        writeln!(
            out,
            "duplicates   {} documents dropped · {bytes}",
            count(r.duplicates)
        )?;
    }
    if r.empty > 0 {
        writeln!(out, "empty        {} documents dropped", count(r.empty))?;
    }
    let mut title = "read as";
    for (rule, files) in &r.read_as {
        writeln!(out, "{title:12} {} × {rule}", count(*files))?;
        title = "";
    }
    if r.replaced > 0 {
        let lost = count(r.replaced);
        writeln!(out, "replaced     {lost} characters by U+FFFD")?;
    }
    if r.end_marks > 0 {
        writeln!(out, "{}", end_marks(r))?;
    }
    left_out(out, "bad records", &r.bad_records)?;
    left_out(out, "skipped", &r.skipped)
}

/// A word where the text had too few different pairs for the tokenizer that was asked for.
pub fn fewer_tokens(asked: &TokenizerKind, tokenizer: &Tokenizer) -> Option<String> {
    let got = tokenizer.vocabulary_size();
    let size = asked.learned().filter(|&size| size > got)?;
    Some(format!(
        "the tokenizer has {} tokens instead of {}: the text has no more pairs to merge",
        count(got as u64),
        count(size as u64)
    ))
}

/// What to do about lines that look as if they separate documents.
pub fn end_marks(r: &Report) -> String {
    let lines = count(r.end_marks);
    format!(
        "{lines} lines are <|endoftext|>: --separator '<|endoftext|>' makes what lies between \
         them documents"
    )
}

fn left_out(out: &mut impl Write, title: &str, all: &BTreeMap<String, Skipped>) -> Result<()> {
    let mut title = title;
    for (reason, skipped) in all {
        let examples = lines(&skipped.examples.join(", "));
        let more = if skipped.count > skipped.examples.len() as u64 {
            ", …"
        } else {
            ""
        };
        writeln!(
            out,
            "{title:12} {} × {reason}: {examples}{more}",
            count(skipped.count)
        )?;
        title = "";
    }
    Ok(())
}

fn sample(a: &DataSample) -> Result<()> {
    let prepared = open(&a.folder)?;
    let mut out = out();
    for excerpt in prepared.sample(a.count, SHOWN, a.seed)? {
        if a.json {
            writeln!(out, "{}", output::json(&excerpt)?)?;
            continue;
        }
        let tokens = excerpt.tokens.map(|n| format!(" · {} tokens", count(n)));
        let head = format!(
            "── document at token {}{} ",
            excerpt.token,
            tokens.unwrap_or_default()
        );
        let rule = "─".repeat(80usize.saturating_sub(head.chars().count()));
        writeln!(out, "{head}{rule}")?;
        let text = lines(&excerpt.text);
        writeln!(
            out,
            "{}{}",
            text.trim_end(),
            if excerpt.cut { " …" } else { "" }
        )?;
    }
    Ok(())
}
