//! Texts whose lines follow a rule: subtitles, and chats as WhatsApp exports them.

use super::characters::each_line;
use super::html::{Page, finish};
use crate::Result;
use crate::documents::{Left, Reading};
use std::io::BufRead;

/// How they are read, for people.
const SUBTITLES: &str = "subtitles, without numbers and times";
const WHATSAPP: &str = "a WhatsApp chat, without the times of its messages";

/// Reads the lines of subtitles (SubRip, WebVTT) as one document: those between a line with times
/// and an empty one.
pub(crate) fn read_subtitles(r: &mut Reading, stream: &mut dyn BufRead) -> Result<Left> {
    let page = Page::default();
    let mut inside = false;
    let skipped = each_line(r, stream, &mut |r, line| {
        let line = line.trim();
        if line.contains("-->") {
            inside = true;
        } else if line.is_empty() {
            inside = false;
        } else if inside {
            page.add(&without_override(line));
            page.line_break();
        }
        r.push(&page.take())
    })?;
    finish(r, &page, skipped, SUBTITLES)
}

/// A line without what positions it: `{\an8}`.
fn without_override(line: &str) -> String {
    let mut rest = line;
    let mut out = String::new();
    while let Some((before, after)) = rest.split_once("{\\") {
        out += before;
        rest = after.split_once('}').map_or("", |(_, behind)| behind);
    }
    out + rest
}

/// Reads a chat as one document: every message as `name: text`.
pub(crate) fn read_whatsapp(r: &mut Reading, stream: &mut dyn BufRead) -> Result<Left> {
    let skipped = each_line(r, stream, &mut |r, line| {
        let line = line.trim_start_matches(MARKS);
        r.push(&line[stamp(line).unwrap_or(0)..])
    })?;
    if let Some(left) = skipped {
        return Ok(left);
    }
    r.batcher.end()?;
    r.report.read_as(WHATSAPP);
    Ok(Left::Read)
}

/// Marks before some lines: left to right, and that of the byte order.
const MARKS: [char; 2] = ['\u{200E}', '\u{FEFF}'];

/// Whether a text begins as WhatsApp's exports do: with times, most of them before `name: `.
pub(crate) fn is_whatsapp(head: &[u8]) -> bool {
    let head = &head[..head.len().min(8 << 10)];
    let head = String::from_utf8_lossy(head);
    let lines: Vec<&str> = head
        .lines()
        .map(|line| line.trim_start_matches(MARKS))
        .filter(|line| !line.trim().is_empty())
        .take(20)
        .collect();
    let stamped: Vec<&str> = lines
        .iter()
        .filter_map(|line| line.get(stamp(line)?..))
        .collect();
    let named = stamped
        .iter()
        .filter(|message| message.contains(": "))
        .count();
    lines.first().is_some_and(|line| stamp(line).is_some())
        && named >= 2
        && 2 * stamped.len() >= lines.len()
}

/// The length of the time before a message: `31/12/20, 21:15 - ` or `[31.12.20, 21:15:03] `.
fn stamp(line: &str) -> Option<usize> {
    let (time, end) = match line.strip_prefix('[') {
        Some(rest) => (rest.split_once("] ")?.0, "[] ".len()),
        None => (line.split_once(" - ")?.0, " - ".len()),
    };
    let digits = time.chars().filter(char::is_ascii_digit).count();
    let known = |c: char| {
        c.is_ascii_digit() || ",/.-: \u{A0}\u{202F}".contains(c) || "apmAPM上下午".contains(c)
    };
    let dated = time.contains(", ") || time.contains('午');
    let is_time = (5..=14).contains(&digits)
        && time.starts_with(|c: char| c.is_ascii_digit())
        && time.contains(':')
        && dated
        && time.chars().all(known);
    is_time.then_some(time.len() + end)
}
