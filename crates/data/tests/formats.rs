//! Texts as people have them: tables with stray quotes, other encodings, chats, pages and books.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Files, POEM, all, error, gbk, read, texts, zip};
use data::ReadOptions;

#[test]
fn a_stray_quote_spoils_one_row_and_no_other() {
    let files = Files::new();
    let rows = |bad: usize, row: &str, last: &str| {
        let row = |n| match n == bad {
            true => row.to_owned(),
            false => format!("{n},row {n}\n"),
        };
        let rows: String = (1..=1000).map(row).collect();
        format!("id,text\n{rows}{last}")
    };
    let skip = ReadOptions {
        skip_bad: true,
        ..all()
    };
    for (text, kept, bad, line, words) in [
        (rows(10, "10,\"row 10\n", ""), 999, 1, 11, "never closed"),
        (
            rows(10, "10,\"row 10\n", "1001,\"x\"\n"),
            1000,
            1,
            11,
            "closes before",
        ),
        (rows(0, "", "1001,\"cut"), 1000, 1, 1002, "never closed"),
        (rows(10, "10,\"a\",\"b\nc\"\n", ""), 999, 2, 11, "3 columns"),
        (rows(10, "10,\"row\"10\n", ""), 999, 1, 11, "closes before"),
    ] {
        let path = files.put("t.csv", text);
        let told = error(&path, &all());
        assert!(told.contains(&format!("line {line}: ")), "{told}");
        assert!(told.contains(words), "{told}");
        let p = read(&[path], &skip).unwrap();
        let left_out: u64 = p.report.bad_records.values().map(|b| b.count).sum();
        assert_eq!((p.report.documents, left_out), (kept, bad), "{words}");
    }
    let quoted = "text\tid\n\"5\" pipe\t1\n\"a\nb\"\t2\n";
    let path = files.put("t.tsv", quoted);
    assert_eq!(texts(&path, &skip), ["\"5\" pipe", "b\""]);
    let quotes = ReadOptions {
        quotes: true,
        ..skip
    };
    assert_eq!(texts(&path, &quotes), ["a\nb"]);
    let given = ReadOptions {
        delimiter: Some(b'^'),
        ..all()
    };
    let path = files.put("u.csv", "a,b^text\n1^2,3\n");
    assert_eq!(texts(&path, &given), ["2,3"]);
}

#[test]
fn encodings_are_seen_given_or_suggested() {
    let files = Files::new();
    let wide = |text: &str, mark: bool| -> Vec<u8> {
        let mark = mark.then_some(0xFEFF);
        let units = mark.into_iter().chain(text.encode_utf16());
        units.flat_map(u16::to_le_bytes).collect()
    };
    let four = "\u{FEFF}你 b".chars();
    let four: Vec<u8> = four.flat_map(|c| (c as u32).to_be_bytes()).collect();
    let page = format!("<html><meta charset=gb2312><p>{POEM}</html>");
    let on_page = format!("{POEM}\n");
    for (name, bytes, expected) in [
        ("a.txt", wide("one\n", true), "one\n"),
        ("a.csv", wide("text\none\n", true), "one"),
        ("a.jsonl", wide("{\"text\": \"one\"}", true), "one"),
        ("a.json", wide("[\"one\"]", true), "one"),
        ("b.txt", four, "你 b"),
        ("c.html", gbk(&page), &on_page),
    ] {
        assert_eq!(texts(&files.put(name, bytes), &all()), [expected], "{name}");
    }
    let given = |name: &str| ReadOptions {
        encoding: Some(name.into()),
        ..all()
    };
    let poem = POEM.repeat(20);
    let path = files.put("d.txt", gbk(&poem));
    assert_eq!(texts(&path, &given("gb18030")), [poem.as_str()]);
    // What is UTF-8 stays so; bytes that the encoding doesn't have are placed.
    let utf8 = files.put("e.txt", &poem);
    assert_eq!(texts(&utf8, &given("gbk")), [poem.as_str()]);
    let told = error(&path, &given("shift_jis"));
    assert!(
        told.contains("not Shift_JIS: the bytes at offset"),
        "{told}"
    );
    assert!(error(&path, &given("klingon")).contains("no such encoding"));
    let unmarked = files.put("f.txt", wide("one", false));
    assert_eq!(texts(&unmarked, &given("utf-16le")), ["one"]);
    let lossy = ReadOptions {
        lossy: true,
        ..all()
    };
    let told = error(&path, &lossy);
    assert!(told.contains("would be lost"), "{told}");
    assert!(told.contains("--encoding gbk"), "{told}");
    let little = files.put("g.txt", [poem.as_bytes(), b"\xFF"].concat());
    assert_eq!(read(&[little], &lossy).unwrap().report.replaced, 1);
}

const CHAT: &str = "user: Hi\nassistant: Hello, you\n";

const MESSAGES: &str = r#"{"messages": [{"role": "user", "content": "Hi"},
    {"role": "assistant", "content": [{"type": "text", "text": "Hello, you"}]}]}"#;

const SHARE_GPT: &str = r#"[{"id": 1, "conversations": [{"from": "user", "value": "Hi"},
    {"from": "assistant", "value": "Hello, you"}]}]"#;

const TELEGRAM: &str = r#"{"name": "x", "messages": [{"type": "service", "text": ""},
    {"from": "user", "text": "Hi"},
    {"from": "assistant", "text": ["Hello", {"type": "bold", "text": ", you"}]}]}"#;

const NOTEBOOK: &str = r##"{"cells": [{"cell_type": "markdown", "source": ["# A\n", "b"]},
    {"cell_type": "code", "source": "1 + 1", "outputs": [{"data": {"image/png": "iVBO"}}]}]}"##;

const PAGE: &str = "<html><head><title>T</title><style>p {}</style></head><body><h1>A &amp; B</h1>
    <script>if (1<2) {}</script><p>one <b>bo</b>ld\n word<br>two<pre>  x\n y</pre></html>";

const SUBTITLES: &str = "1\r\n00:00:01,000 --> 00:00:02,000\r\n<i>Hi</i> {\\an8}you\r\nthere\r\n\r\n\
    2\r\n00:00:03,000 --> 00:00:04,000\r\nBye\r\n";

const WHATSAPP: &str = "[31.12.20, 21:15:03] Ann: Hi\n\u{200E}[31.12.20, 21:16:00] Bob: a\nb\n";

const PACKAGE: &str = "<package><opf:item id='a' href='a%20b.xhtml'/>\
    <item id='c' href='../c.html'/><spine><itemref idref='c'/><itemref idref='a'/></spine>";

#[test]
fn chats_notebooks_pages_books_and_subtitles_have_a_rule_each() {
    let files = Files::new();
    let container = "<container><rootfile full-path='O/p.opf'/></container>";
    let book = zip(&[
        ("mimetype", "application/epub+zip"),
        ("META-INF/container.xml", container),
        ("O/p.opf", PACKAGE),
        (
            "O/a b.xhtml",
            "<html><title/><body><p>Second</p></body></html>",
        ),
        ("c.html", "<h1>First</h1>"),
    ]);
    for (name, bytes, expected) in [
        ("a.jsonl", MESSAGES.replace('\n', " ").into(), CHAT),
        ("b.json", SHARE_GPT.into(), CHAT),
        ("result.json", TELEGRAM.into(), CHAT),
        ("c.ipynb", NOTEBOOK.into(), "# A\nb\n\n1 + 1\n"),
        (
            "d.html",
            PAGE.into(),
            "A & B\n\none bold word\ntwo\n\n  x\n y\n",
        ),
        ("e.epub", book, "First\n\nSecond\n\n"),
        ("f.srt", SUBTITLES.into(), "Hi you\nthere\nBye\n"),
        (
            "g.vtt",
            b"WEBVTT\n\nNOTE no\n\n00:01.000 --> 00:02.000\nHi\n".to_vec(),
            "Hi\n",
        ),
        ("h.txt", WHATSAPP.into(), "Ann: Hi\nBob: a\nb\n"),
    ] {
        let path = files.put(name, bytes);
        assert_eq!(texts(&path, &all()), [expected], "{name}");
        let p = read(&[path], &all()).unwrap();
        assert_eq!(p.report.read_as.len(), 1, "{name}");
    }
    let raw = ReadOptions { raw: true, ..all() };
    assert_eq!(texts(&files.path("d.html"), &raw), [PAGE]);
    // A log isn't a chat.
    let log = "[2024-01-01 10:00:00] INFO: a\n[2024-01-01 10:00:01] INFO: b\n";
    assert_eq!(texts(&files.put("log.txt", log), &all()), [log]);
}

#[test]
fn json_of_other_programs_is_read() {
    let files = Files::new();
    let read = |content: &str, o: &ReadOptions| texts(&files.put("a.jsonl", content), o);
    let numbers = r#"{"score": NaN, "x": [-Infinity], "text": "a"}"#;
    assert_eq!(read(numbers, &all()), ["a"]);
    let twice = r#"{"text": "a", "text": "b", "\uD800": "\uDC00"}"#;
    assert_eq!(read(twice, &all()), ["b"]);
    let lone = r#"{"text": "a\uD83D"}"#;
    let told = error(&files.put("b.jsonl", lone), &all());
    assert!(told.contains("surrogate pair"), "{told}");
    assert!(told.contains("--lossy"), "{told}");
    let lossy = ReadOptions {
        lossy: true,
        ..all()
    };
    assert_eq!(read(lone, &lossy), ["a\u{FFFD}"]);
    let other = files.put("c.jsonl", r#"{"body": 1, "title": 2}"#);
    let told = error(&other, &all());
    assert!(
        told.contains("it has body, title; choose one with --field"),
        "{told}"
    );
}

#[test]
fn what_downhill_wrote_is_never_read() {
    let files = Files::new();
    files.put("d/a.txt", "a text");
    files.put("d/runs/r/run.toml", "kind = 'language'");
    files.put("d/runs/r/events.jsonl", "{}");
    files.put("d/runs/r/checkpoints/readme.md", "not this");
    files.put("d/report.html", run::marked("<p>not this</p>"));
    assert_eq!(texts(&files.path("d"), &all()), ["a text"]);
    let p = read(&[files.path("d")], &all()).unwrap();
    assert_eq!(p.report.skipped.len(), 2, "{:?}", p.report.skipped);
    let told = error(&files.path("d/runs/r"), &all());
    assert!(told.contains("train --resume"), "{told}");
    if cfg!(unix) {
        let told = error(std::path::Path::new("/dev/zero"), &all());
        assert!(told.contains("a device"), "{told}");
    }
}

#[test]
fn a_line_separates_documents() {
    let files = Files::new();
    let text = "<|endoftext|>\none\n  two\n<|endoftext|>\r\nthree <|endoftext|>";
    let path = files.put("a.txt", text);
    let o = ReadOptions {
        separator: Some("<|endoftext|>".into()),
        ..all()
    };
    let two = ["one\n  two\n", "three <|endoftext|>"];
    assert_eq!(texts(&path, &o), two);
    let p = read(&[path], &all()).unwrap();
    assert_eq!((p.report.documents, p.report.end_marks), (1, 1));
}

#[test]
fn an_empty_validation_text_is_said_to_be_empty() {
    let files = Files::new();
    let text = files.put("a.txt", "a text to train on");
    let validation = files.put("empty.txt", "");
    let to = data::Destination::Memory;
    let control = data::JobControl::silent();
    let o = ReadOptions::default();
    let told = data::scan(&[text], Some(&validation), &o, 0, to, &control);
    let told = told.err().map(|e| e.to_string()).unwrap_or_default();
    assert!(told.contains("empty.txt: it is empty"), "{told}");
}
