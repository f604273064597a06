//! Web pages and what is written like them: the text, without tags, scripts and styles.

use super::LONGEST_RECORD;
use super::characters::each_block;
use crate::documents::{Left, Reading};
use crate::{Error, Result};
use html5ever::tendril::StrTendril;
use html5ever::tokenizer::states::{Rawtext, Rcdata, ScriptData};
use html5ever::tokenizer::{
    BufferQueue, Tag, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer,
};
use std::cell::RefCell;
use std::io::BufRead;

/// How pages are read, for people.
pub(crate) const RULE: &str = "the text of a page, without its tags";

/// Reads a page as one document.
pub(crate) fn read(r: &mut Reading, stream: &mut dyn BufRead) -> Result<Left> {
    let page = Page::default();
    let mut bytes = 0;
    let skipped = each_block(r, stream, &mut |r, block| {
        bytes += block.len();
        if bytes > LONGEST_RECORD {
            let limit = LONGEST_RECORD >> 20;
            let why = format!("a page longer than {limit} MiB: --raw reads it with its tags");
            return Err(Error::damaged(r.path(), why));
        }
        page.add(block);
        r.push(&page.take())
    })?;
    finish(r, &page, skipped, RULE)
}

/// Ends a page as one document, unless the file was skipped.
pub(super) fn finish(
    r: &mut Reading,
    page: &Page,
    skipped: Option<Left>,
    rule: &'static str,
) -> Result<Left> {
    if let Some(left) = skipped {
        return Ok(left);
    }
    page.end();
    r.document(&page.take())?;
    r.report.read_as(rule);
    Ok(Left::Read)
}

/// A page that arrives in pieces.
pub(crate) struct Page {
    input: BufferQueue,
    tokenizer: Tokenizer<Sink>,
}

impl Page {
    /// Adds markup.
    pub fn add(&self, markup: &str) {
        self.input.push_back(StrTendril::from_slice(markup));
        while !self.input.is_empty() {
            // Only a sink that runs scripts would stop it in the middle.
            let _ = self.tokenizer.feed(&self.input);
        }
    }

    /// Ends a line.
    pub fn line_break(&self) {
        self.tokenizer.sink.0.borrow_mut().breaks = 1;
    }

    /// Ends the page.
    pub fn end(&self) {
        self.tokenizer.end();
        let mut text = self.tokenizer.sink.0.borrow_mut();
        if text.begun {
            text.out.push('\n');
        }
    }

    /// The text so far that wasn't taken yet.
    pub fn take(&self) -> String {
        std::mem::take(&mut self.tokenizer.sink.0.borrow_mut().out)
    }
}

impl Default for Page {
    fn default() -> Self {
        Page {
            input: BufferQueue::default(),
            tokenizer: Tokenizer::new(Sink::default(), Default::default()),
        }
    }
}

/// The attributes of all elements with this name that have all of them; prefixes are ignored.
pub(crate) fn tags(xml: &str, name: &str, attributes: &[&str]) -> Vec<Vec<String>> {
    let sink = Finder {
        name,
        attributes,
        found: RefCell::default(),
    };
    let tokenizer = Tokenizer::new(sink, Default::default());
    let input = BufferQueue::default();
    input.push_back(StrTendril::from_slice(xml));
    while !input.is_empty() {
        let _ = tokenizer.feed(&input);
    }
    tokenizer.end();
    tokenizer.sink.found.into_inner()
}

struct Finder<'a> {
    name: &'a str,
    attributes: &'a [&'a str],
    found: RefCell<Vec<Vec<String>>>,
}

impl TokenSink for Finder<'_> {
    type Handle = ();

    fn process_token(&self, token: Token, _line: u64) -> TokenSinkResult<()> {
        if let Token::TagToken(tag) = token
            && tag.kind == TagKind::StartTag
            && tag.name.rsplit(':').next() == Some(self.name)
        {
            let value = |name: &&str| {
                let found = tag.attrs.iter().find(|a| &*a.name.local == *name);
                found.map(|a| a.value.to_string())
            };
            let all: Option<Vec<String>> = self.attributes.iter().map(value).collect();
            self.found.borrow_mut().extend(all);
        }
        TokenSinkResult::Continue
    }
}

/// Text as it would look on a page without a style.
#[derive(Default)]
struct PageText {
    out: String,
    /// Whether there was any text.
    begun: bool,
    /// Line ends and a space that come before the next text.
    breaks: usize,
    space: bool,
    /// How many `pre` are open: white space stays as it is.
    pre: usize,
    /// The element whose content is left out, and how often it is open.
    skipped: Option<(String, usize)>,
}

impl PageText {
    fn text(&mut self, text: &str) {
        if self.skipped.is_some() {
            return;
        }
        for c in text.chars() {
            if self.pre == 0 && c.is_ascii_whitespace() {
                self.space = true;
                continue;
            }
            if self.begun && self.breaks > 0 {
                self.out.extend(std::iter::repeat_n('\n', self.breaks));
            } else if self.begun && self.space {
                self.out.push(' ');
            }
            (self.begun, self.breaks, self.space) = (true, 0, false);
            self.out.push(c);
        }
    }

    fn tag(&mut self, tag: &Tag) {
        let name: &str = &tag.name;
        let opens = tag.kind == TagKind::StartTag;
        if let Some((skipped, depth)) = &mut self.skipped {
            if skipped == name && !tag.self_closing {
                *depth = if opens { *depth + 1 } else { *depth - 1 };
            }
            if *depth == 0 {
                self.skipped = None;
            }
            return;
        }
        match name {
            "script" | "style" | "title" | "template" | "noscript" | "svg" | "math" | "select"
            | "textarea" | "iframe"
                if opens && !tag.self_closing =>
            {
                self.skipped = Some((name.to_owned(), 1));
            }
            "br" => self.breaks = (self.breaks + 1).min(2),
            "pre" if opens => {
                self.breaks = 2;
                self.pre += 1;
            }
            "pre" => {
                self.breaks = 2;
                self.pre = self.pre.saturating_sub(1);
            }
            "p" | "h1" | "h2" | "h3" | "h4" | "h5" | "h6" | "blockquote" | "ul" | "ol" | "dl"
            | "table" | "figure" | "hr" => self.breaks = 2,
            "div" | "li" | "tr" | "dt" | "dd" | "section" | "article" | "header" | "footer"
            | "nav" | "aside" | "main" | "body" | "figcaption" | "form" | "address" | "option" => {
                self.breaks = self.breaks.max(1);
            }
            "td" | "th" => self.space = true,
            _ => {}
        }
    }
}

#[derive(Default)]
struct Sink(RefCell<PageText>);

impl TokenSink for Sink {
    type Handle = ();

    fn process_token(&self, token: Token, _line: u64) -> TokenSinkResult<()> {
        match token {
            Token::CharacterTokens(text) => self.0.borrow_mut().text(&text),
            Token::TagToken(tag) => {
                self.0.borrow_mut().tag(&tag);
                if tag.kind == TagKind::StartTag && !tag.self_closing {
                    // What is inside isn't markup (HTML Standard, section 13.2.6.4).
                    return match &*tag.name {
                        "script" => TokenSinkResult::RawData(ScriptData),
                        "style" | "iframe" => TokenSinkResult::RawData(Rawtext),
                        "title" | "textarea" => TokenSinkResult::RawData(Rcdata),
                        _ => TokenSinkResult::Continue,
                    };
                }
            }
            _ => {}
        }
        TokenSinkResult::Continue
    }
}
