//! Which loss should be expected? EXPERIMENTS.md, "The planner", has the fit and how far to trust
//! it.

use super::Facts;

impl Facts {
    /// How hard the text is, in bits per byte: losses are proportional to it.
    fn hardness(&self) -> f64 {
        self.trigram_bits.powf(1.0 - OF_COMPRESSED) * self.compressed_bits.powf(OF_COMPRESSED)
    }
}

/// Expected loss as a share of the text's hardness: the floor, and what is left to learn for want
/// of parameters and of `tokens` seen, repetitions included.
fn terms(parameters: f64, tokens: f64) -> [f64; 3] {
    let [floor, of_parameters, of_tokens] = FIT;
    let [shape, seen] = POWERS;
    [
        floor,
        of_parameters * libm::pow(parameters / 1e6, -shape),
        of_tokens * libm::pow(tokens / 1e6, -seen),
    ]
}

/// Expected loss in bits per byte.
pub(super) fn expected(facts: &Facts, parameters: f64, tokens: f64) -> f64 {
    let fitted = facts.hardness() * terms(parameters, tokens).iter().sum::<f64>();
    // An untrained model guesses at random.
    fitted.min(libm::log2(facts.vocabulary as f64) / facts.token_bytes)
}

/// Half of the interval around the expected loss, as a share of it: more after few tokens, while
/// the loss still falls fast.
pub(super) fn interval(parameters: f64, tokens: f64) -> f64 {
    let terms = terms(parameters, tokens);
    (INTERVAL + terms[2] / terms.iter().sum::<f64>()).min(0.5)
}

/// Bits per byte of a text compressed with another, known text as its dictionary.
pub(super) fn compressed_bits(known: &[u8], text: &[u8]) -> std::io::Result<f64> {
    // The first byte keeps zstd from taking the text for a dictionary in its own format.
    let known = [b"\n", known].concat();
    let mut compressor = zstd::bulk::Compressor::with_dictionary(LEVEL, &known)?;
    let bytes = compressor.compress(text)?.len();
    Ok(8.0 * bytes as f64 / text.len().max(1) as f64)
}

/// Level of the compression that measures a text: a few tenths of a second.
const LEVEL: i32 = 12;
/// Its weight beside that of the trigram model.
const OF_COMPRESSED: f64 = 0.22;

/// Floor, share that falls with millions of parameters and share that falls with millions of tokens
/// seen, of the text's hardness.
const FIT: [f64; 3] = [0.755, 0.037, 0.0334];
const POWERS: [f64; 2] = [0.64, 1.08];
/// Half of the interval around the expected loss after many tokens.
const INTERVAL: f64 = 0.06;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_costs_little_if_it_is_known() {
        let text: Vec<u8> = (0..4000u32)
            .map(|i| ((i * i % 251) ^ (i / 7)) as u8)
            .collect();
        let alone = compressed_bits(&[], &text).unwrap();
        let known = compressed_bits(&text, &text).unwrap();
        assert!(known < 0.1 * alone, "{known} of {alone}");
    }

    #[test]
    fn a_text_that_begins_like_a_dictionary_of_zstd_is_a_text() {
        let begins = [0x37, 0xa4, 0x30, 0xec, 1, 2, 3, 4, 5];
        assert!(compressed_bits(&begins, b"some text").is_ok());
    }

    #[test]
    fn what_is_read_often_is_expected_to_be_learned_more_surely() {
        let [few, many] = [2e5, 5e6].map(|tokens| (terms(1e6, tokens), interval(1e6, tokens)));
        assert!(few.0.iter().sum::<f64>() > 1.1 * many.0.iter().sum::<f64>());
        assert!(many.1 > INTERVAL && few.1 > 2.0 * many.1);
    }
}
