//! As much of Rust as the checks need: which characters are code, and where unit tests begin.

/// The source with comments and the content of strings blanked out; lines stay where they are.
pub fn code(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let (len, blank) = token(rest, first, out.chars().next_back());
        let (head, tail) = rest.split_at(len);
        if blank {
            out.extend(head.chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
        } else {
            out.push_str(head);
        }
        rest = tail;
    }
    out
}

/// Length of what stands at the start of `rest`, and whether it is to be blanked.
fn token(rest: &str, first: char, before: Option<char>) -> (usize, bool) {
    if rest.starts_with("//") {
        return (rest.find('\n').unwrap_or(rest.len()), true);
    }
    if rest.starts_with("/*") {
        return (block_comment(rest), true);
    }
    if first == '"' {
        return (string(rest), true);
    }
    if first == 'r' && !before.is_some_and(is_word) {
        let hashes = rest[1..].bytes().take_while(|&b| b == b'#').count();
        if rest[1 + hashes..].starts_with('"') {
            let close = format!("\"{}", "#".repeat(hashes));
            let body = 2 + hashes;
            let end = rest[body..].find(&close).map(|at| body + at + close.len());
            return (end.unwrap_or(rest.len()), true);
        }
    }
    if first == '\'' {
        return character(rest);
    }
    (first.len_utf8(), false)
}

/// Block comments nest.
fn block_comment(rest: &str) -> usize {
    let (mut depth, mut at) = (0usize, 0);
    while at < rest.len() {
        if rest[at..].starts_with("/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if rest[at..].starts_with("*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                return at;
            }
        } else {
            at += rest[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    rest.len()
}

fn string(rest: &str) -> usize {
    let mut escaped = true; // the opening quote
    for (at, c) in rest.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// A character such as '"' or '\n'; or the tick of a lifetime, which is code.
fn character(rest: &str) -> (usize, bool) {
    let mut chars = rest.char_indices().skip(1);
    match chars.next() {
        Some((_, '\\')) => {
            let end = rest[3.min(rest.len())..].find('\'').map(|at| 3 + at + 1);
            (end.unwrap_or(rest.len()), true)
        }
        Some(_) => match chars.next() {
            Some((at, '\'')) => (at + 1, true),
            _ => (1, false),
        },
        None => (1, false),
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Whether `word` stands in the line with no letter, digit or underscore beside it.
pub fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        !before.is_some_and(is_word) && !after.is_some_and(is_word)
    })
}

/// Number of lines before the unit tests: a `mod` behind `#[cfg(test)]` that has a body.
pub fn lines_without_tests(source: &str) -> usize {
    let lines: Vec<&str> = source.lines().map(str::trim).collect();
    let tests = (1..lines.len()).find(|&at| {
        lines[at - 1] == "#[cfg(test)]" && has_word(lines[at], "mod") && lines[at].ends_with('{')
    });
    tests.map_or(lines.len(), |at| at - 1)
}

/// Whether all of a file is tests.
pub fn is_test_file(path: &str) -> bool {
    path.contains("/tests/") || path.ends_with("/tests.rs")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_strings_are_blanked_and_lines_stay() {
        let source = "let a = \"Gelu \\\" // x\"; // Gelu\n/* Gelu /* \n */ Gelu */ let b: &'a str = r#\"Gelu \"\"#;\nlet q = '\"'; let n = '\\''; Gelu";
        let seen = code(source);
        let lines: Vec<&str> = seen.lines().collect();
        assert_eq!(seen.lines().count(), source.lines().count());
        assert!(!has_word(lines[0], "Gelu") && lines[0].ends_with(" ".repeat(8).as_str()));
        assert!(!has_word(lines[1], "Gelu") && !has_word(lines[2], "Gelu"));
        assert!(lines[2].contains("let b: &'a str ="));
        assert!(has_word(lines[3], "Gelu") && lines[3].contains("let n ="));
    }

    #[test]
    fn words_are_whole_words() {
        assert!(has_word("Op::Linear(x)", "Linear"));
        assert!(!has_word("NonLinear Linear_ Linear2", "Linear"));
    }

    #[test]
    fn unit_tests_are_not_counted() {
        let source = "fn a() {}\n\n#[cfg(test)]\nfn helper() {}\n#[cfg(test)]\nmod tests {\n}\n";
        assert_eq!(lines_without_tests(source), 4);
        assert_eq!(
            lines_without_tests("#[cfg(test)]\nmod tests;\nfn a() {}\n"),
            3
        );
    }
}
