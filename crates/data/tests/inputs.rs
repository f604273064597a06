//! Inputs of every kind: each format yields its documents, each bad input one clear error.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Files, POEM, all, documents, error, gbk, gz, parquet, read, texts, zip, zst};
use data::ReadOptions;

#[test]
fn every_format_gives_its_documents() {
    let files = Files::new();
    let two = ["first\nline", "second 你好"];
    let jsonl = "{\"n\": {\"text\": 1}, \"text\": \"first\\nline\"}\r\n\n \"second 你好\"\n";
    let json =
        "[\n{\"text\": \"first\\nline\", \"x\": [\"]\"]},\n {\"content\": \"second 你好\"} ]\n";
    let csv = "id,text\n1,\"first\nline\"\n2,second 你好\n";
    let european = "id;Text \n1;\"first\nline\"\n2;second 你好\n";
    let columns = parquet(&two.map(|t| Some(t.as_bytes())));
    for (name, content) in [
        ("a.jsonl", jsonl.as_bytes().to_vec()),
        ("b.json", json.into()),
        ("c.csv", csv.into()),
        ("d.csv", european.into()),
        ("e.data", columns),
        ("f.jsonl.gz", gz(jsonl.as_bytes())),
        ("g.csv.zst", zst(csv.as_bytes())),
        // The format is detected from the first bytes, not from the name.
        ("h.jsonl", zst(jsonl.as_bytes())),
    ] {
        assert_eq!(texts(&files.put(name, &content), &all()), two, "{name}");
    }
    let members = [gz(b"one, "), gz(b"two")].concat();
    assert_eq!(texts(&files.put("i.txt.gz", members), &all()), ["one, two"]);
    let marked = files.put("j.txt", "\u{FEFF}kept as it is\r\n");
    assert_eq!(texts(&marked, &all()), ["kept as it is\r\n"]);
    let marked = files.put("k.jsonl", format!("\u{FEFF}{jsonl}"));
    assert_eq!(texts(&marked, &all()), two);
    let bare = files.put("l.json", "\"one\" {\"text\": \"two\"}\n[1]");
    let skip = ReadOptions {
        skip_bad: true,
        ..all()
    };
    assert_eq!(texts(&bare, &skip), ["one", "two"]);
}

#[test]
fn the_field_can_be_chosen() {
    let files = Files::new();
    let o = ReadOptions {
        field: Some("body".into()),
        ..all()
    };
    let chats = files.put("a.jsonl", "{\"text\": \"no\", \"body\": \"yes\"}");
    assert_eq!(texts(&chats, &o), ["yes"]);
    let table = files.put("a.csv", "text,body\nno,yes");
    assert_eq!(texts(&table, &o), ["yes"]);
    let none = files.put("b.jsonl", "{\"text\": \"no\"}");
    let told = error(&none, &o);
    assert!(
        told.contains("line 1: no field `body`") && told.contains("--field"),
        "{told}"
    );
    let told = error(&files.put("b.csv", "a,b\n1,2"), &all());
    assert!(
        told.contains("no column `text` or `content`; it has a, b"),
        "{told}"
    );
    let told = error(
        &files.put("p", parquet(&[Some(b"x")])),
        &ReadOptions {
            field: Some("id".into()),
            ..all()
        },
    );
    assert!(told.contains("column `id` is INT64, not text"), "{told}");
}

#[test]
fn bad_records_are_placed_or_counted() {
    let files = Files::new();
    let long = [&vec![b'x'; 65 << 20][..], b"\n{\"text\": \"ok\"}"].concat();
    let broken = parquet(&[Some(b"ok"), Some(b"\xFF"), None]);
    for (name, content, words) in [
        (
            "a.jsonl",
            b"\"ok\"\n{\"text\": \"x\"\n".to_vec(),
            ["line 2", "not JSON"],
        ),
        (
            "b.jsonl",
            b"\"ok\"\n{\"other\": 1}".to_vec(),
            ["line 2", "no field"],
        ),
        (
            "c.jsonl",
            b"\"ok\"\n{\"text\": null}".to_vec(),
            ["line 2", "is null"],
        ),
        (
            "d.jsonl",
            b"\"ok\"\n{\"text\": [1]}".to_vec(),
            ["line 2", "an array"],
        ),
        (
            "e.jsonl",
            b"\"ok\"\n\"a\xFF\"".to_vec(),
            ["line 2", "not UTF-8"],
        ),
        ("f.jsonl", long, ["line 1", "longer"]),
        (
            "g.csv",
            b"text,b\nok,1\nx\n".to_vec(),
            ["line 3", "columns"],
        ),
        (
            "h.csv",
            b"text\nok\na\xFF\n".to_vec(),
            ["line 3", "not UTF-8"],
        ),
        (
            "i.json",
            b"[\"ok\",\n{\"text\": }]".to_vec(),
            ["line 2", "not JSON"],
        ),
        ("j.json", b"\"ok\"\n\n[\"x".to_vec(), ["line 3", "not JSON"]),
        ("k.pq", broken, ["row 2", "not UTF-8"]),
    ] {
        let path = files.put(name, &content);
        let told = error(&path, &all());
        for word in words.iter().chain(&[name, "--skip-bad"]) {
            assert!(told.contains(word), "{told}");
        }
        assert!(told.len() < 400, "{told}");
        let o = ReadOptions {
            skip_bad: true,
            ..all()
        };
        let p = read(&[path], &o).unwrap();
        let train = p.train.all().unwrap();
        assert_eq!(documents(&p.tokenizer, &train), ["ok"], "{name}");
        let bad: u64 = p.report.bad_records.values().map(|b| b.count).sum();
        assert_eq!(bad, if name == "k.pq" { 2 } else { 1 }, "{name}");
    }
    let lossy = ReadOptions {
        lossy: true,
        ..all()
    };
    assert_eq!(texts(&files.path("e.jsonl"), &lossy), ["ok", "a\u{FFFD}"]);
}

#[test]
fn damaged_files_are_named() {
    let files = Files::new();
    let text: String = (0..20_000).map(|n| format!("line {n}\n")).collect();
    let cut = |bytes: Vec<u8>| bytes[..bytes.len() * 2 / 3].to_vec();
    let mut flipped = gz(text.as_bytes());
    let middle = flipped.len() / 2;
    flipped[middle] ^= 0x10;
    let columns = parquet(&[Some(text.as_bytes()), Some(b"x")]);
    for (name, content, words) in [
        ("a.txt.gz", cut(gz(text.as_bytes())), "cut short"),
        ("b.txt.zst", cut(zst(text.as_bytes())), "cut short"),
        ("c.parquet", cut(columns.clone()), "parquet"),
        ("d.txt.gz", flipped, "damaged"),
        (
            "e.txt",
            b"o\0n\0e\0 \0t\0w\0o\0".to_vec(),
            "--encoding utf-16le reads",
        ),
        ("f.tar.gz", gz(&tar()), "archive"),
        ("g.parquet.gz", gz(&columns), "compressed parquet"),
        ("h.json", b"[\"a\", \"b\"".to_vec(), "never closed"),
        ("i.txt", b"abc\xFFdef".to_vec(), "offset 3 is invalid"),
        ("j.txt", gbk(POEM), "--encoding gbk reads"),
        (
            "k.csv",
            gbk(&format!("text\n{POEM}")),
            "--encoding gbk reads",
        ),
        ("l.txt", b"%PDF-1.7\n%\xE2\xE3".to_vec(), "a PDF"),
        ("m.docx", zip(&[("word/document.xml", "<w/>")]), "Word"),
        ("n.jpg", b"\xFF\xD8\xFF\xE0\0".to_vec(), "an image"),
        ("o.zip", zip(&[("a.txt", "a")]), "archive"),
    ] {
        let told = error(&files.put(name, &content), &all());
        assert!(told.contains(words) && told.contains(name), "{told}");
    }
    assert!(error(&files.path("none"), &all()).contains("no such file"));
    assert!(error(&files.put("empty.txt", ""), &all()).contains("it is empty"));
    assert!(error(&files.put("empty.jsonl", "\n"), &all()).contains("it is empty"));
    assert!(
        read(&[], &all())
            .unwrap_err()
            .to_string()
            .contains("no text was given")
    );
}

/// The first block of a tar file.
fn tar() -> Vec<u8> {
    let mut block = vec![0; 1024];
    block[257..262].copy_from_slice(b"ustar");
    block
}

#[test]
fn folders_are_sorted_and_other_files_skipped() {
    let files = Files::new();
    files.put("d/b.txt", "[b]");
    files.put("d/a/z.md", "[az]");
    files.put("d/a/code.rs", "fn main() {}");
    files.put("d/.git/x.txt", "[hidden]");
    files.put("d/c.dat", b"\x89\0\xFF");
    files.put("d/package.json", "{\"name\": \"x\"}");
    files.put("d/late.bin", [&[b'a'; 2_000_000][..], b"\xFF"].concat());
    files.put("d/e", "");
    files.put("d/f.jsonl", "{\"text\": \"[f]\"}\n{\"text\": \"[b]\"}");
    files.put("d/out/o.txt", "[out]");
    files.put("d/.gitignore", "out/\n");
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(files.path("d"), files.path("d/loop")).unwrap();
        std::os::unix::fs::symlink("nowhere", files.path("d/gone")).unwrap();
    }
    let first = files.put("first.txt", "[first]");
    let o = ReadOptions {
        gitignore: true,
        skip_bad: true,
        ..all()
    };
    let told = error(&files.path("d"), &all());
    assert!(told.contains("read 5 of 10 files; skipped: "), "{told}");
    assert!(told.contains("half of the bytes"), "{told}");
    let p = read(&[first, files.path("d")], &o).unwrap();
    let found = documents(&p.tokenizer, &p.train.all().unwrap());
    assert_eq!(found, ["[first]", "fn main() {}", "[az]", "[b]", "[f]"]);
    let r = &p.report;
    assert_eq!((r.duplicates, r.empty, r.documents, r.files), (1, 1, 5, 5));
    let skipped = |word: &str| {
        let found = r.skipped.iter().filter(|(why, _)| why.contains(word));
        found.map(|(_, s)| s.count).sum::<u64>()
    };
    assert_eq!(
        (skipped("UTF-8"), skipped("field")),
        (2, 1),
        "{:?}",
        r.skipped
    );
    if cfg!(unix) {
        assert_eq!((skipped("parent folder"), skipped("broken link")), (1, 1));
    }
    assert_eq!((r.longest_line, r.characters), (12, 17));
    let with = read(&[files.path("d/out")], &o).unwrap();
    assert_eq!(with.train.len(), 5);
    files.put("void/x.png", b"\xFF");
    let told = error(&files.path("void"), &all());
    assert!(
        told.contains("not UTF-8 text") && told.contains("x.png"),
        "{told}"
    );
}

#[test]
fn raw_bytes_and_replaced_bytes() {
    let files = Files::new();
    let bad = files.put("bad.txt", b"abc\xFFdef");
    let lossy = ReadOptions {
        lossy: true,
        ..all()
    };
    assert_eq!(texts(&bad, &lossy), ["abc\u{FFFD}def"]);
    let raw = ReadOptions {
        raw_bytes: true,
        ..all()
    };
    let p = read(&[bad], &raw).unwrap();
    assert_eq!(p.tokenizer.decode(&p.train.all().unwrap()), b"abc\xFFdef");
}

#[test]
fn the_last_tenth_of_one_text_validates_and_no_character_is_cut() {
    let files = Files::new();
    let path = files.put("novel.txt", "\u{4F60}".repeat(33));
    let lengths = |o: &ReadOptions| {
        let p = read(std::slice::from_ref(&path), o).unwrap();
        (p.train.len(), p.validation.len())
    };
    let o = ReadOptions::default();
    assert_eq!(lengths(&o), (87, 12));
    let raw = ReadOptions {
        raw_bytes: true,
        ..o.clone()
    };
    assert_eq!(lengths(&raw), (89, 10));
    let few = ReadOptions {
        validation_bytes: 3,
        ..o
    };
    assert_eq!(lengths(&few), (96, 3));
    // The same with a text of several pieces.
    let path = files.put("long.txt", "A word, 你好 and more.\n".repeat(80_000));
    let p = read(std::slice::from_ref(&path), &ReadOptions::default()).unwrap();
    let whole = std::fs::read(path).unwrap();
    let cut = whole.len() * 9 / 10;
    let cut = (0..=cut)
        .rev()
        .find(|&at| whole[at] & 0xC0 != 0x80)
        .unwrap();
    assert_eq!(p.tokenizer.decode(&p.train.all().unwrap()), whole[..cut]);
    assert_eq!(
        p.tokenizer.decode(&p.validation.all().unwrap()),
        whole[cut..]
    );
}
