//! Which loss should be expected? EXPERIMENTS.md, "The planner", has the fit and how far to trust
//! it.

use super::Facts;

impl Facts {
    /// How hard the text is, in bits per byte: losses are proportional to it.
    fn hardness(&self) -> f64 {
        self.trigram_bits.powf(OF_TRIGRAM) * self.remembering_bits.powf(OF_REMEMBERING)
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

/// Expected loss in bits per byte of one model that sees so many tokens, repetitions included.
pub(super) fn expected(facts: &Facts, parameters: f64, tokens: f64) -> f64 {
    let tokens = tokens.min(USEFUL_PASSES * facts.tokens as f64);
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

/// Exponents of the losses of the two counting models.
const OF_TRIGRAM: f64 = 0.375;
const OF_REMEMBERING: f64 = 0.747;

/// Floor, share that falls with millions of parameters and share that falls with millions of tokens
/// seen, of the text's hardness.
const FIT: [f64; 3] = [0.755, 0.037, 0.0334];
const POWERS: [f64; 2] = [0.64, 1.08];
/// Passes over a text that count: further ones teach a model little, or harm it.
const USEFUL_PASSES: f64 = 15.0;
/// Half of the interval around the expected loss after many tokens.
const INTERVAL: f64 = 0.1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_often_is_expected_to_be_learned_more_surely() {
        let [few, many] = [2e5, 5e6].map(|tokens| (terms(1e6, tokens), interval(1e6, tokens)));
        assert!(few.0.iter().sum::<f64>() > 1.1 * many.0.iter().sum::<f64>());
        assert!(many.1 > INTERVAL && few.1 > 2.0 * many.1);
    }

    #[test]
    fn nothing_more_is_expected_of_a_text_that_has_been_read_often() {
        // *Alice*.
        let facts = Facts {
            tokens: 60_600,
            validation: 6_700,
            token_bytes: 2.2,
            vocabulary: 512,
            merges: true,
            trigram_bits: 2.09,
            remembering_bits: 2.07,
        };
        let after = |passes: f64| expected(&facts, 0.79e6, passes * facts.tokens as f64);
        assert!(after(10.0) > after(15.0));
        assert_eq!(after(15.0), after(100.0));
    }
}
