//! Looks inside a language model during training: its predictions for fixed passages, and the sizes
//! of weights, gradients, updates and activations, part by part. Runs with the evaluation, within
//! budgets; it never changes the training.

use crate::error::Result;
use engine::{Device, Field, HostMut, Variable};
use run::{Layers, Lens, Passage};
use session::{Session, token_text};
use text::Tokenizer;

/// Number of passages, their tokens, and the most likely tokens shown per position.
const PASSAGES: usize = 2;
const TOKENS: usize = 96;
const TOP: usize = 8;
/// Values sampled per parameter to measure its update, evenly spaced.
const SAMPLED: usize = 1 << 16;

/// The probe.
#[derive(Default)]
pub struct Probe {
    /// Values of each parameter before the current step, if that step will be probed.
    before: Vec<Vec<f32>>,
}

impl Probe {
    /// Remembers weights before a step, so that its update can be measured.
    pub fn remember(&mut self, device: &dyn Device, variables: &[Variable]) -> Result<()> {
        let sampled = |variable: &Variable| -> Result<Vec<f32>> {
            let all = numbers(device, variable, Field::Weight)?;
            Ok(spread(&all).collect())
        };
        self.before = variables.iter().map(sampled).collect::<Result<_>>()?;
        Ok(())
    }

    /// Runs the model on passages of the validation text, which begin at lines of this many tokens
    /// (1 for any text). Returns the root mean square of the residual stream after
    /// each half of a block and, if requested, the lens.
    pub fn look(
        &mut self,
        session: &mut Session,
        tokenizer: &Tokenizer,
        (validation, line): (&[u32], usize),
        wants_lens: bool,
    ) -> Result<(Vec<Option<f32>>, Option<Lens>)> {
        let time = TOKENS.min(session.context()).min(validation.len() - 1);
        let count = PASSAGES.min(((validation.len() - 1) / time).max(1));
        // Evenly spaced; each with the token that follows.
        let room = validation.len() - time - 1;
        let at = |i| room * i / count / line * line;
        let passages = (0..count).map(|i| &validation[at(i)..][..=time]);
        let inputs: Vec<u32> = passages.clone().flat_map(|p| &p[..time]).copied().collect();
        let inside = session.look(&inputs, count)?;
        let stream = inside.stream.iter().map(|all| rms(all.iter())).collect();
        if !wants_lens {
            return Ok((stream, None));
        }
        let logits = inside.logits.chunks(inside.logits.len() / count);
        let passages = passages.zip(logits);
        let lens = Lens {
            passages: passages.map(|(p, l)| passage(tokenizer, p, l)).collect(),
        };
        Ok((stream, Some(lens)))
    }

    /// The sizes of each part's weights, gradients and updates.
    pub fn layers(
        &mut self,
        device: &dyn Device,
        variables: &[Variable],
        stream: &[Option<f32>],
    ) -> Result<Layers> {
        let mut parts: Vec<Sums> = Vec::new();
        for (at, variable) in variables.iter().enumerate() {
            let name = part(&variable.name);
            let known = parts.iter().position(|p| p.name == name);
            let sums = known.unwrap_or_else(|| {
                parts.push(Sums {
                    name,
                    ..Sums::default()
                });
                parts.len() - 1
            });
            let sums = &mut parts[sums];
            let weights = numbers(device, variable, Field::Weight)?;
            sums.weights += squares(weights.iter());
            sums.count += variable.len() as f64;
            if let Some(before) = self.before.get(at) {
                let moved = spread(&weights).zip(before).map(|(a, b)| a - b);
                let moved: f64 = moved.map(|d| f64::from(d) * f64::from(d)).sum();
                // The sample is scaled up to the whole parameter.
                let share = variable.len() as f64 / before.len().max(1) as f64;
                *sums.updates.get_or_insert(0.0) += moved * share;
                let gradient = numbers(device, variable, Field::Gradient)?;
                *sums.gradients.get_or_insert(0.0) += squares(gradient.iter());
            }
        }
        self.before.clear();
        let mut behind = stream.iter();
        let mut layers = Layers::default();
        for part in parts {
            let block = part.name.starts_with("layers.");
            layers.activation_rms.push(match block {
                true => behind.next().copied().flatten(),
                false => None,
            });
            layers
                .grad_norm
                .push(part.gradients.and_then(|g| finite(g.sqrt())));
            let ratio = part.updates.map(|u| (u / part.weights).sqrt());
            layers.update_ratio.push(ratio.and_then(finite));
            layers
                .weight_rms
                .push(finite((part.weights / part.count).sqrt()));
            layers.names.push(part.name);
        }
        Ok(layers)
    }
}

/// Sums of squares over the parameters of a part.
#[derive(Default)]
struct Sums {
    name: String,
    weights: f64,
    count: f64,
    gradients: Option<f64>,
    updates: Option<f64>,
}

/// What the logits [T, V] predict for a passage of T + 1 tokens.
fn passage(tokenizer: &Tokenizer, tokens: &[u32], logits: &[f32]) -> Passage {
    let vocabulary = tokenizer.vocabulary_size();
    let text = |token: u32| token_text(tokenizer, token);
    let mut passage = Passage {
        tokens: tokens.iter().map(|&t| text(t)).collect(),
        ..Passage::default()
    };
    let mut order: Vec<u32> = Vec::new();
    for (row, &next) in logits.chunks_exact(vocabulary).zip(&tokens[1..]) {
        let most = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let sum: f64 = row.iter().map(|&x| libm::exp(f64::from(x - most))).sum();
        let probability = |token: u32| libm::exp(f64::from(row[token as usize] - most)) / sum;
        order.clear();
        order.extend(0..vocabulary as u32);
        let top = TOP.min(vocabulary);
        let falling = |a: &u32, b: &u32| row[*b as usize].total_cmp(&row[*a as usize]);
        if top < order.len() {
            order.select_nth_unstable_by(top, falling);
        }
        order.truncate(top);
        order.sort_by(falling);
        let shown = order.iter().map(|&t| {
            let rounded = (probability(t) * 1e4).round() / 1e4;
            (text(t), rounded as f32)
        });
        passage.top.push(shown.collect());
        // Not by the probability, which is 0 where the surprise is above some 745 nats.
        let nats = libm::log(sum) - f64::from(row[next as usize] - most);
        passage.nats.push(finite(nats));
    }
    passage
}

/// All values of a stored variable.
fn numbers(device: &dyn Device, variable: &Variable, field: Field) -> Result<Vec<f32>> {
    let mut all = vec![0.0f32; variable.len()];
    device.read_variable(&variable.name, field, HostMut::Real(&mut all))?;
    Ok(all)
}

/// At most `SAMPLED` of the values, evenly spaced.
fn spread(all: &[f32]) -> impl Iterator<Item = f32> {
    all.iter()
        .copied()
        .step_by(all.len().div_ceil(SAMPLED).max(1))
}

fn squares<'a>(all: impl Iterator<Item = &'a f32>) -> f64 {
    all.map(|&x| f64::from(x) * f64::from(x)).sum()
}

fn rms<'a>(all: impl ExactSizeIterator<Item = &'a f32>) -> Option<f32> {
    let count = all.len() as f64;
    finite((squares(all) / count).sqrt())
}

fn finite(x: f64) -> Option<f32> {
    let x = x as f32;
    x.is_finite().then_some(x)
}

/// The part of the model that a parameter belongs to: `layers.0.attention` or, outside the blocks,
/// its name without the last word. A norm belongs to the part it feeds.
fn part(parameter: &str) -> String {
    let mut words = parameter.split('.');
    match (words.next(), words.next(), words.next()) {
        (Some("layers"), Some(layer), Some("input_norm" | "attention")) => {
            format!("layers.{layer}.attention")
        }
        (Some("layers"), Some(layer), _) => format!("layers.{layer}.mlp"),
        (first, ..) => first.unwrap_or(parameter).to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{Config, Mode, decoder};
    use session::Plans;

    #[test]
    fn a_parameter_belongs_to_a_part() {
        assert_eq!(part("embed_tokens.weight"), "embed_tokens");
        assert_eq!(part("layers.3.input_norm.weight"), "layers.3.attention");
        assert_eq!(
            part("layers.3.attention.q_norm.weight"),
            "layers.3.attention"
        );
        assert_eq!(part("layers.11.post_norm.bias"), "layers.11.mlp");
        assert_eq!(part("norm.weight"), "norm");
    }

    /// The residual stream matches the reference's, on a device that plans its memory.
    #[test]
    fn the_stream_is_the_one_of_the_reference() {
        let config = Config::load(Some("tiny"), None, &[]).unwrap();
        let shape = config.model.clone();
        let tokenizer = Tokenizer::chars(&[b"abcdefgh"]).unwrap();
        let text: Vec<u32> = (0..300u32).map(|i| i * i % 8).collect();
        let recorded = decoder(&shape, tokenizer.vocabulary_size(), (1, 8), Mode::Score).unwrap();
        let variables = recorded.graph.variables();
        let look = |device: &mut dyn Device| {
            device.create(variables, None).unwrap();
            model::initialize(device, variables, 1).unwrap();
            let mut plans = Plans::new(&shape, tokenizer.vocabulary_size(), 1);
            let mut session = Session::new(device, &mut plans);
            let looked = Probe::default().look(&mut session, &tokenizer, (&text, 1), true);
            looked.unwrap()
        };
        let (stream, lens) = look(&mut engine::Cpu::new(engine::CpuSettings::with_threads(2)));
        let (expected, other) = look(&mut engine::Reference::new());
        assert_eq!(stream.len(), 2 * shape.layers);
        assert!(stream[0].unwrap() < stream[stream.len() - 1].unwrap());
        for (a, b) in stream.iter().zip(&expected) {
            assert!(
                (a.unwrap() / b.unwrap() - 1.0).abs() < 1e-4,
                "{stream:?} {expected:?}"
            );
        }
        let nats = |lens: Option<Lens>| lens.unwrap().passages[0].nats[5].unwrap();
        assert!((nats(lens) - nats(other)).abs() < 1e-3);
    }

    #[test]
    fn a_passage_shows_the_likeliest_tokens_and_the_surprise() {
        let tokenizer = Tokenizer::chars(&[b"abc"]).unwrap();
        // Three characters and the end of text; b, then c.
        let logits = [0.0, 3.0f32.ln(), 0.0, 0.0, 9.0f32.ln(), 0.0, 0.0, 0.0];
        let p = passage(&tokenizer, &[0, 1, 2], &logits);
        assert_eq!(p.tokens, ["a", "b", "c"]);
        assert_eq!(p.top[0][0], ("b".to_owned(), 0.5));
        assert_eq!(p.top[1][0], ("a".to_owned(), 0.75));
        assert!((p.nats[0].unwrap() - 2f32.ln()).abs() < 1e-6);
        assert!((p.nats[1].unwrap() - 12f32.ln()).abs() < 1e-6);
        // A token that the model holds to be all but impossible.
        let sure = [0.0, -2000.0, 0.0, 0.0];
        let p = passage(&tokenizer, &[0, 1], &sure);
        assert_eq!(p.nats[0], Some(2000.0 + 3f32.ln()));
    }
}
