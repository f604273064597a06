//! A minimal Rust lexer for the checks: which characters are code, its tokens, and where unit tests
//! begin.

/// The source with comments and string contents blanked out; line numbers don't change.
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

/// Length of the item at the start of `rest`, and whether to blank it.
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

/// A character literal such as '"' or '\n', or the tick of a lifetime, which is code.
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

/// A word, `::`, or any other single character.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Token<'a> {
    /// Line, counted from 1.
    pub line: usize,
    /// The token's text.
    pub text: &'a str,
}

/// The tokens of [`code`], without the items marked `#[cfg(test)]`.
pub fn tokens(code: &str) -> Vec<Token<'_>> {
    let mut found: Vec<Token> = Vec::new();
    for (at, line) in code.lines().enumerate() {
        let mut rest = line.trim_start();
        while let Some(first) = rest.chars().next() {
            let len = match rest.find(|c| !is_word(c)) {
                _ if rest.starts_with("::") => 2,
                Some(0) => first.len_utf8(),
                Some(end) => end,
                None => rest.len(),
            };
            let (text, tail) = rest.split_at(len);
            found.push(Token { line: at + 1, text });
            rest = tail.trim_start();
        }
    }
    without_test_items(found)
}

/// Removes items marked `#[cfg(test)]`: up to a `;` or the closing brace.
fn without_test_items(tokens: Vec<Token>) -> Vec<Token> {
    const CFG: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];
    let mut kept = Vec::with_capacity(tokens.len());
    let mut at = 0;
    while at < tokens.len() {
        let here = tokens[at..].iter().map(|t| t.text);
        if !here.take(CFG.len()).eq(CFG) {
            kept.push(tokens[at]);
            at += 1;
            continue;
        }
        let mut depth = 0;
        at += CFG.len();
        while let Some(token) = tokens.get(at) {
            at += 1;
            match token.text {
                "{" | "(" | "[" => depth += 1,
                "}" | ")" | "]" => depth -= 1,
                _ => {}
            }
            if depth == 0 && matches!(token.text, ";" | "}") {
                break;
            }
        }
    }
    kept
}

/// Whether a token is a name or a keyword.
pub fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Whether the line contains `word` as a whole word.
pub fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        !before.is_some_and(is_word) && !after.is_some_and(is_word)
    })
}

/// Number of lines before the unit tests: a `mod` with a body marked `#[cfg(test)]`.
pub fn lines_without_tests(source: &str) -> usize {
    let lines: Vec<&str> = source.lines().map(str::trim).collect();
    let tests = (1..lines.len()).find(|&at| {
        lines[at - 1] == "#[cfg(test)]" && has_word(lines[at], "mod") && lines[at].ends_with('{')
    });
    tests.map_or(lines.len(), |at| at - 1)
}

/// Whether a file consists only of tests.
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
    fn tokens_leave_test_items_out() {
        let source = "use a::b;\n#[cfg(test)]\nfn f() -> [u8; 2] { if x {} }\n#[cfg(test)] use c;\nlet é_1=2;";
        let seen: Vec<String> = tokens(&code(source))
            .iter()
            .map(|t| format!("{}{}", t.line, t.text))
            .collect();
        assert_eq!(
            seen,
            [
                "1use", "1a", "1::", "1b", "1;", "5let", "5é_1", "5=", "52", "5;"
            ]
        );
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
