//! `downhill data`: texts are prepared once, and looked at.

use crate::arguments::{Data, DataInspect, DataPrepare, DataSample};
use crate::failure::{Failure, Result};
use crate::output::{self, out};
use crate::progress::ProgressLine;
use crate::session::{assignments, config, stop_flag, threads};
use data::{CorpusPart, Destination, JobControl, Prepared, Skipped};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::time::Instant;
use watch::{amount, count, duration};

/// Tokens of a document that `data sample` shows.
const SHOWN: usize = 256;

pub fn run(a: &Data) -> Result<()> {
    match a {
        Data::Prepare(a) => prepare(a),
        Data::Inspect(a) => inspect(a),
        Data::Sample(a) => sample(a),
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
    let prepared = {
        let line = ProgressLine::new(a.json);
        let show = |progress| line.show(progress);
        let control = JobControl::new(threads(config.train.threads)?, &stop, &show);
        let to = Destination::Folder(a.out.clone());
        train::prepare(&a.paths, a.val.as_deref(), &config.data, to, &control)?.0
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
    let seconds = began.elapsed().as_secs_f64();
    let rate = amount((prepared.report.bytes as f64 / seconds) as u64, "B");
    let memory = run::peak_bytes().map(|b| format!(" · {} peak memory", amount(b, "B")));
    let memory = memory.unwrap_or_default();
    writeln!(out, "time         {} · {rate}/s{memory}", duration(seconds))?;
    writeln!(out, "next\n  downhill train {}", a.out.display())?;
    Ok(())
}

fn open(folder: &Path) -> Result<Prepared> {
    if !Prepared::is_in(folder) {
        let told = format!(
            "{}: no prepared data here; make it with: downhill data prepare TEXT... --out {}",
            folder.display(),
            folder.display()
        );
        return Err(Failure::Failed(told));
    }
    Ok(Prepared::open(folder)?)
}

fn inspect(a: &DataInspect) -> Result<()> {
    let prepared = open(&a.folder)?;
    if a.json {
        writeln!(out(), "{}", output::json(&object(&prepared))?)?;
        return Ok(());
    }
    show(&prepared)
}

/// What is known of prepared data, for scripts.
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
        "tokenizer": p.tokenizer.kind().name(), "vocabulary": p.tokenizer.vocabulary_size(),
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
    let (files, documents) = (count(r.files), count(r.documents));
    let bytes = amount(r.bytes, "B");
    writeln!(
        out,
        "text         {documents} documents in {files} files · {bytes}"
    )?;
    let size = p.tokenizer.vocabulary_size() as u64;
    let (kind, size) = (p.tokenizer.kind().name(), count(size));
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
        "documents" => "documents chosen by their content",
        "given" => "the text given",
        _ => "the end of the text",
    };
    let held_out = count(p.part(CorpusPart::Validation).len() as u64);
    let bytes = amount(r.validation_bytes, "B");
    writeln!(out, "validation   {held_out} tokens · {bytes} · {how}")?;
    let all: u64 = r.scripts.iter().map(|(_, n)| n).sum();
    let share = |n: u64| format!("{:.1} %", 100.0 * n as f64 / all.max(1) as f64);
    let scripts: Vec<String> = r
        .scripts
        .iter()
        .take(6)
        .map(|(name, n)| format!("{name} {}", share(*n)))
        .collect();
    let different = count(r.characters);
    writeln!(
        out,
        "scripts      {} · {different} different characters",
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
    left_out(&mut out, "bad records", &r.bad_records)?;
    left_out(&mut out, "skipped", &r.skipped)
}

fn left_out(out: &mut impl Write, title: &str, all: &BTreeMap<String, Skipped>) -> Result<()> {
    let mut title = title;
    for (reason, skipped) in all {
        let examples = skipped.examples.join(", ");
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
        // What a terminal would take for a command is shown as a mark, but for lines that end as
        // Windows ends them.
        let plain = |c: char| {
            if c.is_control() && c != '\n' && c != '\t' {
                '\u{FFFD}'
            } else {
                c
            }
        };
        let lines = excerpt.text.replace("\r\n", "\n");
        let text: String = lines.chars().map(plain).collect();
        writeln!(
            out,
            "{}{}",
            text.trim_end(),
            if excerpt.cut { " …" } else { "" }
        )?;
    }
    Ok(())
}
