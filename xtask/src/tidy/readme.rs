//! Checks that the two READMEs match: the same heading levels in the same order, and the same code
//! blocks.

use super::Fault;
use crate::tree::Tree;

const ENGLISH: &str = "README.md";
const CHINESE: &str = "README.zh-CN.md";

/// The parts that must match between the languages, each with its line.
#[derive(Default)]
struct Outline {
    /// Heading levels (number of `#`).
    headings: Vec<(usize, usize)>,
    /// Code blocks, including fences.
    blocks: Vec<(usize, String)>,
}

/// Compares the outlines.
pub fn check(tree: &Tree) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut read = |path| match tree.get(path) {
        Some(text) => Some(outline(text)),
        None => {
            faults.push(Fault::new(path, 0, "the file is missing"));
            None
        }
    };
    let (Some(english), Some(chinese)) = (read(ENGLISH), read(CHINESE)) else {
        return faults;
    };
    compare(
        "headings",
        &english.headings,
        &chinese.headings,
        &mut faults,
    );
    compare("code blocks", &english.blocks, &chinese.blocks, &mut faults);
    faults
}

/// Reports the first difference.
fn compare<T: PartialEq>(
    what: &str,
    english: &[(usize, T)],
    chinese: &[(usize, T)],
    faults: &mut Vec<Fault>,
) {
    if english.len() != chinese.len() {
        let (one, other) = (english.len(), chinese.len());
        let message = format!("{other} {what}, but {ENGLISH} has {one}");
        faults.push(Fault::new(CHINESE, 0, message));
        return;
    }
    let differs = english.iter().zip(chinese).find(|(e, c)| e.1 != c.1);
    if let Some((e, c)) = differs {
        let message = format!("{what} differ from {ENGLISH}, line {}", e.0);
        faults.push(Fault::new(CHINESE, c.0, message));
    }
}

fn outline(text: &str) -> Outline {
    let mut found = Outline::default();
    let mut inside = false;
    for (at, line) in text.lines().enumerate() {
        let fence = line.trim_start().starts_with("```");
        if fence && !inside {
            found.blocks.push((at + 1, String::new()));
        }
        if inside || fence {
            if let Some((_, block)) = found.blocks.last_mut() {
                block.push_str(line);
                block.push('\n');
            }
        } else {
            let level = line.bytes().take_while(|&b| b == b'#').count();
            if level > 0 && line[level..].starts_with(' ') {
                found.headings.push((at + 1, level));
            }
        }
        inside ^= fence;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::places;
    use super::*;

    #[test]
    fn two_languages_say_the_same() {
        let with = |chinese| {
            let english = "# Downhill\n## Use\n```\n# train\ncargo run\n```\n";
            places(&check(&Tree::of(&[(ENGLISH, english), (CHINESE, chinese)])))
        };
        assert!(with("# 下山\n\n## 用法\n```\n# train\ncargo run\n```\n").is_empty());
        assert_eq!(
            with("# 下山\n```\n# train\ncargo run\n```\n"),
            ["README.zh-CN.md:0"]
        );
        assert_eq!(
            with("# 下山\n# 用法\n```\n# train\ncargo run\n```\n"),
            ["README.zh-CN.md:2"]
        );
        assert_eq!(
            with("# 下山\n## 用法\n\n```\n# train\ncargo ran\n```\n"),
            ["README.zh-CN.md:4"]
        );
        assert_eq!(check(&Tree::of(&[(ENGLISH, "")])).len(), 1);
    }
}
