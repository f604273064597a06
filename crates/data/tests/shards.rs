//! Prepared folders: the same bytes however they are produced, complete after an interruption, and
//! refused if a bit is wrong.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Files, all, documents, with_bytes};
use data::{CorpusPart, Destination, JobControl, Loader, Prepared, Progress, ReadOptions, Stage};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use text::{Tokenizer, TokenizerKind};

/// A jsonl file of this many documents, some of them duplicates, some with a line break.
fn jsonl(count: u64) -> String {
    let each = (0..count).map(|n| {
        let n = if n % 50 == 7 { 7 } else { n };
        format!(
            "{{\"id\": {n}, \"text\": \"Document {n}\\nsays 你好 {} times.\"}}\n",
            n * n
        )
    });
    each.collect()
}

fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(folder)
        .unwrap()
        .map(|e| e.unwrap().path());
    let read = |p: PathBuf| {
        let name = p.file_name().unwrap().to_str().unwrap().to_owned();
        (name, std::fs::read(&p).unwrap())
    };
    entries.map(read).collect()
}

#[test]
fn the_same_bytes_for_any_number_of_threads() {
    let files = Files::new();
    let a = files.put("a.jsonl", jsonl(30_000));
    let b = files.put("b.txt", "A long text of its own.\n".repeat(60_000));
    let stop = AtomicBool::new(false);
    let make = |threads: usize| {
        let out = files.path(&format!("out-{threads}"));
        let control = JobControl::new(threads, &stop, &|_| {});
        let o = ReadOptions {
            validation_bytes: 100_000,
            ..ReadOptions::default()
        };
        let paths = [a.clone(), b.clone()];
        with_bytes(
            &paths,
            None,
            &o,
            &Destination::Folder(out.clone()),
            &control,
        )
        .unwrap();
        contents(&out)
    };
    let one = make(1);
    assert!(one.len() == 5 && one == make(2) && one == make(7));
    let p = Prepared::open(&files.path("out-1")).unwrap();
    assert_eq!(p.report.split, "documents");
    let [train, validation] = CorpusPart::ALL.map(|part| {
        let all = documents(&p.tokenizer, &p.part(part).all().unwrap());
        all.into_iter().collect::<std::collections::BTreeSet<_>>()
    });
    assert!(train.is_disjoint(&validation));
    // 600 documents are duplicates of one, the rest differ.
    assert_eq!(train.len() + validation.len(), 30_000 - 599 + 1);
    assert_eq!(p.report.duplicates, 599);
    let ratio = p.validation.len() as f64 / 100_000.0;
    assert!((0.25..2.0).contains(&ratio), "{ratio}");
    let excerpts = p.sample(5, 10, 3).unwrap();
    assert!(
        excerpts
            .iter()
            .all(|e| train.iter().any(|t| t.starts_with(&e.text)))
    );
}

#[test]
fn an_interrupted_preparation_goes_on() {
    let files = Files::new();
    // Two and a half shards.
    let text = "An interruption is no reason to begin again.\n".repeat(900_000);
    let path = files.put("a.txt", text);
    let paths = [path.clone()];
    let stop = AtomicBool::new(false);
    let out = files.path("out");
    let place = Destination::Folder(out.clone());
    let (shard, other) = (out.join("train-00000.safetensors"), files.path("other"));
    let show = |p: Progress| {
        let begun = p.stage == Stage::Encoding && shard.exists();
        stop.store(begun, Ordering::Relaxed);
    };
    let o = ReadOptions::default();
    let error =
        with_bytes(&paths, None, &o, &place, &JobControl::new(2, &stop, &show)).unwrap_err();
    assert!(matches!(error, data::Error::Stopped), "{error}");
    assert!(!Prepared::is_in(&out));
    // The state after a kill in the middle of a write.
    let journal = out.join("work/journal.jsonl");
    let mut torn = std::fs::read(&journal).unwrap();
    torn.extend(b"{\"shard\":{\"part\":\"tr");
    std::fs::write(&journal, torn).unwrap();
    let written = std::fs::metadata(&shard).unwrap().modified().unwrap();
    let fresh = JobControl::silent();
    // Other settings are refused.
    let more = ReadOptions {
        validation_bytes: 5,
        ..ReadOptions::default()
    };
    let told = with_bytes(&paths, None, &more, &place, &fresh)
        .unwrap_err()
        .to_string();
    assert!(
        told.contains("unfinished preparation of other texts"),
        "{told}"
    );
    with_bytes(&paths, None, &o, &place, &fresh).unwrap();
    assert_eq!(
        std::fs::metadata(&shard).unwrap().modified().unwrap(),
        written
    );
    with_bytes(
        &paths,
        None,
        &o,
        &Destination::Folder(other.clone()),
        &fresh,
    )
    .unwrap();
    assert!(contents(&out) == contents(&other));
    let p = Prepared::open(&out).unwrap();
    assert_eq!(p.shards().0, 4);
    let mut across = [0; 100];
    p.train.read((1 << 24) - 50, &mut across).unwrap();
    let read = p.tokenizer.decode(&across);
    let source = std::fs::read(path).unwrap();
    assert_eq!(read, source[(1 << 24) - 50..(1 << 24) + 50]);
}

/// A cache has one preparation per tokenizer of a text. Only a tokenizer learned from the text is
/// stored under its kind.
#[test]
fn finished_preparations_are_reused() {
    let files = Files::new();
    let path = files.put(
        "a.txt",
        "More than is prepared in memory.\n".repeat(300_000),
    );
    let to = Destination::Cache(Some(files.path("cache")));
    let (stop, encoding) = (AtomicBool::new(false), AtomicBool::new(false));
    let show = |p: Progress| {
        encoding.fetch_or(p.stage == Stage::Encoding, Ordering::Relaxed);
    };
    let control = JobControl::new(2, &stop, &show);
    let prepare = |kind: TokenizerKind, given: Option<&Tokenizer>| {
        let (paths, o) = ([path.clone()], ReadOptions::default());
        let scan = data::scan(&paths, None, &o, 1 << 20, to.clone(), &control).unwrap();
        let p = scan.encode(&kind, given, &control).unwrap();
        (p, encoding.swap(false, Ordering::Relaxed))
    };
    let chars = || TokenizerKind::Chars;
    // A run's own tokenizer, which differs from the one learned from this text.
    let other = Tokenizer::chars(&[b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz .\n"]);
    let other = other.unwrap();
    let (run, encoded) = prepare(chars(), Some(&other));
    assert!(encoded && run.tokenizer == other);
    let (made, encoded) = prepare(chars(), None);
    assert!(encoded && made.tokenizer != other && made.folder != run.folder);
    for (given, expected) in [
        (None, &made),
        (Some(&made.tokenizer), &made),
        (Some(&other), &run),
    ] {
        let (found, encoded) = prepare(chars(), given);
        assert!(!encoded && found.folder == expected.folder);
    }
    let file = files.put("other.json", other.to_json());
    let (found, encoded) = prepare(TokenizerKind::Path(file), None);
    assert!(!encoded && found.folder == run.folder);
    let (bpe, _) = prepare(TokenizerKind::Bpe(300), None);
    let (found, encoded) = prepare(TokenizerKind::Bpe(300), Some(&bpe.tokenizer));
    assert!(!encoded && found.folder == bpe.folder);
}

#[test]
fn a_failed_shard_write_is_reported_and_loses_nothing() {
    let files = Files::new();
    let path = files.put("a.txt", "Some text of both parts.\n".repeat(1000));
    let (out, stop) = (files.path("out"), AtomicBool::new(false));
    let place = Destination::Folder(out.clone());
    let blocked = out.join(".train-00000.safetensors.partial");
    let show = |p: Progress| {
        if p.stage == Stage::Tokenizer {
            std::fs::create_dir_all(&blocked).unwrap();
        }
    };
    let (paths, o) = ([path], ReadOptions::default());
    let error =
        with_bytes(&paths, None, &o, &place, &JobControl::new(2, &stop, &show)).unwrap_err();
    let told = error.to_string();
    assert!(told.contains(".train-00000.safetensors"), "{told}");
    assert!(!Prepared::is_in(&out));
    std::fs::remove_dir(&blocked).unwrap();
    let p = with_bytes(&paths, None, &o, &place, &JobControl::silent()).unwrap();
    assert_eq!(p.shards().0, 2);
}

#[test]
fn damaged_shards_are_named_and_refused() {
    let files = Files::new();
    let path = files.put("a.jsonl", jsonl(500));
    let out = files.path("out");
    let place = Destination::Folder(out.clone());
    let control = JobControl::silent();
    with_bytes(&[path], None, &ReadOptions::default(), &place, &control).unwrap();
    let shard = out.join("train-00000.safetensors");
    let good = std::fs::read(&shard).unwrap();
    let refused = |bytes: &[u8]| {
        std::fs::write(&shard, bytes).unwrap();
        let told = Prepared::open(&out).unwrap_err().to_string();
        std::fs::write(&shard, &good).unwrap();
        assert!(told.contains("train-00000.safetensors"), "{told}");
        told
    };
    assert!(refused(&good[..good.len() - 1]).contains("bytes, not"));
    for at in (0..good.len()).step_by(97).chain(0..300) {
        let mut flipped = good.clone();
        flipped[at] ^= 1 << (at % 8);
        refused(&flipped);
    }
    let text = String::from_utf8_lossy(&good).into_owned();
    let mark = "\"tokenizer_sha256\":\"";
    let at = text.find(mark).unwrap() + mark.len();
    let mut other = good.clone();
    other[at] = if other[at] == b'0' { b'1' } else { b'0' };
    assert!(refused(&other).contains("another tokenizer"));
    std::fs::write(
        out.join("tokenizer.json"),
        text::Tokenizer::chars(&[b"ab"]).unwrap().to_json(),
    )
    .unwrap();
    let told = Prepared::open(&out).unwrap_err().to_string();
    assert!(told.contains("isn't the tokenizer"), "{told}");
}

#[test]
fn a_file_that_changes_is_noticed() {
    let files = Files::new();
    let path = files.put("a.txt", "It was so and so.\n".repeat(200_000));
    for grows in [true, false] {
        let stop = AtomicBool::new(false);
        let show = |p: Progress| {
            if p.stage == Stage::Tokenizer {
                let mut text = std::fs::read(&path).unwrap();
                if grows {
                    text.extend(b"More.\n");
                } else {
                    text[100] ^= 1;
                }
                std::fs::write(&path, text).unwrap();
            }
        };
        let control = JobControl::new(2, &stop, &show);
        let paths = [path.clone()];
        let error = with_bytes(&paths, None, &all(), &Destination::Memory, &control).unwrap_err();
        let told = error.to_string();
        assert!(
            told.contains("changed while it was read") && told.contains("a.txt"),
            "{told}"
        );
    }
}

#[test]
fn unrelated_folders_are_left_alone() {
    let files = Files::new();
    let path = files.put("a.txt", "A text.");
    files.put("mine/diary.txt", "Dear diary");
    let place = Destination::Folder(files.path("mine"));
    let told = with_bytes(&[path], None, &all(), &place, &JobControl::silent()).unwrap_err();
    assert!(
        told.to_string().contains("contains something other"),
        "{told}"
    );
    assert_eq!(contents(&files.path("mine")).len(), 1);
}

#[test]
fn the_loader_gives_each_step_its_batch() {
    let tokens: Vec<u32> = (0..10_007).collect();
    let tokens = Arc::new(data::Tokens::in_memory(&tokens));
    let loader = || Loader::new(tokens.clone(), 16, 4, 9).unwrap();
    let mut straight = loader();
    let batches: Vec<_> = (0..400).map(|step| straight.batch(step).unwrap()).collect();
    for step in [0, 1, 2, 399, 150, 151, 7] {
        assert_eq!(loader().batch(step).unwrap(), batches[step as usize]);
        assert_eq!(straight.batch(step).unwrap(), batches[step as usize]);
    }
    for batch in &batches {
        let pairs = batch.inputs.iter().zip(&batch.targets);
        assert!(pairs.into_iter().all(|(x, y)| (x + 1) % 10_007 == *y));
    }
    // 626 windows make an epoch: every token is a target, no window repeats.
    let epoch: Vec<u32> = batches
        .iter()
        .flat_map(|b| b.targets.chunks(16))
        .take(626)
        .map(|w| w[0])
        .collect();
    let different: std::collections::BTreeSet<_> = epoch.iter().collect();
    assert_eq!(different.len(), 626);
}
