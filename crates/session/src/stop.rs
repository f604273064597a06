//! Texts that end a text where they occur.

/// Passes a text on piece by piece, but nothing from the first stop text on. What may be the
/// beginning of a stop text waits.
#[derive(Debug)]
pub struct StopTexts {
    stops: Vec<String>,
    waiting: String,
}

impl StopTexts {
    /// Empty stop texts are left out.
    pub fn new(stops: &[String]) -> StopTexts {
        StopTexts {
            stops: stops.iter().filter(|s| !s.is_empty()).cloned().collect(),
            waiting: String::new(),
        }
    }

    /// Adds a piece. Returns what can be passed on, and whether a stop text follows it.
    pub fn push(&mut self, piece: &str) -> (String, bool) {
        self.waiting.push_str(piece);
        let found = self.stops.iter().filter_map(|stop| self.waiting.find(stop));
        if let Some(at) = found.min() {
            self.waiting.truncate(at);
            return (std::mem::take(&mut self.waiting), true);
        }
        let begins = |&at: &usize| {
            let rest = &self.waiting[at..];
            self.stops.iter().any(|stop| stop.starts_with(rest))
        };
        let mut places = self.waiting.char_indices().map(|(at, _)| at);
        let rest = match places.find(begins) {
            Some(at) => self.waiting.split_off(at),
            None => String::new(),
        };
        (std::mem::replace(&mut self.waiting, rest), false)
    }

    /// What still waits at the end.
    pub fn finish(self) -> String {
        self.waiting
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// However a text is cut into pieces, what comes out is the text before the first stop.
    #[test]
    fn a_text_ends_before_its_first_stop_however_it_is_cut() {
        let stops = ["aab", "。b", "ba\n"].map(String::from);
        for text in ["aaab", "xaa。", "x。a。bc", "bab aba\nq", "", "ab", "aa"] {
            let first = stops.iter().filter_map(|stop| text.find(stop)).min();
            let expected = &text[..first.unwrap_or(text.len())];
            let characters: Vec<String> = text.chars().map(String::from).collect();
            for size in 1..=characters.len().max(1) {
                let mut stop = StopTexts::new(&stops);
                let (mut out, mut ended) = (String::new(), false);
                for piece in characters.chunks(size) {
                    let (passed, stopped) = stop.push(&piece.concat());
                    out += &passed;
                    if stopped {
                        ended = true;
                        break;
                    }
                }
                if !ended {
                    out += &stop.finish();
                }
                assert_eq!((&out[..], ended), (expected, first.is_some()), "{text:?}");
            }
        }
    }
}
