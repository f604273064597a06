//! Books in the format EPUB: an archive of pages, and the order in which they are read (EPUB 3.3).

use super::LONGEST_RECORD;
use super::html::{Page, tags};
use super::library::library;
use crate::charset::{Decoded, marked};
use crate::documents::{Left, Reading, broken};
use crate::{Error, Result, charset};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;
use zip::ZipArchive;

/// How books are read, for people.
const RULE: &str = "books, the text of their pages in order";

/// Reads a book as one document.
pub(crate) fn read(r: &mut Reading, file: File) -> Result<Left> {
    let mut book = Book::open(r.path(), file)?;
    for page in book.pages()? {
        let text = book.file(&page)?;
        let page = Page::default();
        page.add(&text);
        page.end();
        r.push(&page.take())?;
        // The next page begins a paragraph.
        r.push("\n")?;
    }
    r.batcher.end()?;
    r.report.read_as(RULE);
    Ok(Left::Read)
}

struct Book<'a> {
    path: &'a Path,
    archive: ZipArchive<BufReader<File>>,
}

const UNSOUND: &str = "not a valid EPUB";

impl<'a> Book<'a> {
    fn open(path: &'a Path, file: File) -> Result<Book<'a>> {
        let archive = library(path, UNSOUND, || ZipArchive::new(BufReader::new(file)))?;
        Ok(Book { path, archive })
    }

    fn unsound(&self, why: &str) -> Error {
        Error::damaged(self.path, format!("{UNSOUND}: {why}"))
    }

    /// A file of the archive as text.
    fn file(&mut self, name: &str) -> Result<String> {
        let path = self.path;
        let mut bytes = Vec::new();
        library(path, &format!("{UNSOUND}: {name}"), || {
            let file = self.archive.by_name(name).map_err(io::Error::from)?;
            file.take(LONGEST_RECORD as u64 + 1).read_to_end(&mut bytes)
        })?;
        if bytes.len() > LONGEST_RECORD {
            let limit = LONGEST_RECORD >> 20;
            return Err(self.unsound(&format!("{name} is longer than {limit} MiB")));
        }
        let (charset, mark) = marked(&bytes).unwrap_or((charset::Charset::UTF_8, 0));
        let mut text = String::new();
        let mut rest = &bytes[mark..];
        let read = Decoded::new(&mut rest, charset, false).read_to_string(&mut text);
        read.map_err(|e| match e.get_ref() {
            Some(_) => self.unsound(&format!("{name} is not text: the book may be protected")),
            None => broken(path, &e),
        })?;
        Ok(text)
    }

    /// The names of its pages, in the order in which they are read.
    fn pages(&mut self) -> Result<Vec<String>> {
        let container = self.file("META-INF/container.xml")?;
        let package = tags(&container, "rootfile", &["full-path"])
            .into_iter()
            .next();
        let Some([package]) = package.as_deref() else {
            return Err(self.unsound("it has no package"));
        };
        let text = self.file(package)?;
        let files: BTreeMap<String, String> = tags(&text, "item", &["id", "href"])
            .into_iter()
            .filter_map(|mut item| Some((item.first()?.clone(), item.pop()?)))
            .collect();
        let base = package.rsplit_once('/').map_or("", |(folder, _)| folder);
        let order = tags(&text, "itemref", &["idref"]);
        let pages = order.iter().filter_map(|item| files.get(item.first()?));
        Ok(pages.map(|page| joined(base, page)).collect())
    }
}

/// The name in the archive of a reference from a file in this folder.
fn joined(folder: &str, reference: &str) -> String {
    let mut parts: Vec<String> = Vec::new();
    let reference = reference.split('#').next().unwrap_or_default();
    for part in folder
        .split('/')
        .map(str::to_owned)
        .chain(reference.split('/').map(unescaped))
    {
        match &part[..] {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            _ => parts.push(part),
        }
    }
    parts.join("/")
}

/// `%20` is a space.
fn unescaped(part: &str) -> String {
    let mut out = Vec::new();
    let mut rest = part.as_bytes();
    while let Some((&byte, behind)) = rest.split_first() {
        let code = behind
            .get(..2)
            .and_then(|code| std::str::from_utf8(code).ok());
        let code = code.and_then(|code| u8::from_str_radix(code, 16).ok());
        match (byte, code) {
            (b'%', Some(code)) => {
                out.push(code);
                rest = &behind[2..];
            }
            _ => {
                out.push(byte);
                rest = behind;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_followed_within_the_archive() {
        assert_eq!(
            joined("OEBPS", "text/a%20b.xhtml#x"),
            "OEBPS/text/a b.xhtml"
        );
        assert_eq!(joined("a/b", "../../../c%zz"), "c%zz");
    }
}
