//! A crowd: do runs that differ only in their random start end in the same valley?
//!
//! Their ends are compared by what they predict, and by the cost on the straight line between their
//! weights. How far it rises there is the barrier between two runs (Frankle et al. 2020, section
//! 2). Much of it is a matter of order: a model whose heads and neurons change places is the same
//! function elsewhere. `matching` brings the units of two models into the same order first;
//! `symmetry` knows which units have none of their own.

mod assignment;
mod matching;
mod predictions;
mod symmetry;

pub use matching::matched;
pub use symmetry::{HeadOrder, LayerOrder, Tensors, UnitAxis, UnitOrder};

use crate::plane::{Error, ModelCost, Result, StudiedRun};
use predictions::Predictions;
use run::{Checkpoint, Connectivity, ConnectivityFinding, CrowdLine, CrowdPair, CrowdRun};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

/// Intervals of the line between two runs.
const INTERVALS: usize = 10;
/// A barrier of at most this many nats counts as none.
const LEVEL: f64 = 0.02;
/// A higher one than this share of the descent from a random guess is a ridge.
const HIGH: f64 = 0.1;
/// Costs that differ by this share of the lowest, at most, are alike.
const ALIKE: f64 = 0.05;

/// The end of a run.
pub struct CrowdEnd {
    /// The seed of its start.
    pub seed: u64,
    /// Its folder.
    pub folder: PathBuf,
    /// Its best checkpoint.
    pub checkpoint: Checkpoint,
}

/// Compares the ends of runs of this model and text on the first `tokens` tokens of its validation
/// part. `progress` gets how many costs are measured, and of how many.
///
/// # Errors
/// If a checkpoint is damaged or of another shape, the device fails, or the user stopped.
pub fn compare(
    run: &StudiedRun,
    ends: &[CrowdEnd],
    (tokens, threads): (usize, usize),
    stop: &AtomicBool,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Connectivity> {
    let couples: Vec<(usize, usize)> = (0..ends.len())
        .flat_map(|b| (0..b).map(move |a| (a, b)))
        .collect();
    let mut measured = LineCosts {
        cost: ModelCost::new(run, tokens, threads, None)?,
        done: 0,
        total: ends.len() + couples.len() * 2 * (INTERVALS - 1),
        stop,
        progress,
    };
    let (mut weights, mut runs) = (Vec::new(), Vec::new());
    for end in ends {
        let own = measured.cost.of(&end.checkpoint)?;
        runs.push(CrowdRun {
            seed: end.seed,
            folder: end.folder.display().to_string(),
            step: end.checkpoint.step,
            cost: measured.at(&own)?,
        });
        weights.push(own);
    }
    let predictions = Predictions::of(ends, &measured.cost, threads, stop)?;
    let mut pairs = Vec::new();
    for (a, b) in couples {
        let (here, there) = (&weights[a], &weights[b]);
        let costs = [runs[a].cost, runs[b].cost];
        let moved = {
            let [a, b] = [here, there].map(|weights| tensors(&measured.cost, weights));
            flat(
                &measured.cost,
                &matched(&run.config.model, &a, &b, stop).apply(&b),
            )
        };
        let line = CrowdLine {
            x: (0..=INTERVALS).map(place).collect(),
            before: measured.line(here, there, costs)?,
            after: measured.line(here, &moved, costs)?,
        };
        let (agreement, divergence) = predictions.pair(a, b);
        pairs.push(CrowdPair {
            a,
            b,
            agreement,
            divergence,
            barrier_before: barrier(&line.x, &line.before),
            barrier_after: barrier(&line.x, &line.after),
            line,
        });
    }
    let most = |of: &dyn Fn(&CrowdPair) -> f64| pairs.iter().map(of).fold(0.0, f64::max);
    let (before, after) = (
        most(&|pair| pair.barrier_before),
        most(&|pair| pair.barrier_after),
    );
    let guess = (run.corpus.tokenizer.vocabulary_size() as f64).ln();
    let (alike, finding, verdict) = judge(&runs, [before, after], guess);
    Ok(Connectivity {
        ensemble: predictions.ensemble(),
        tokens: measured.cost.tokens() as u64,
        barrier_before: before,
        barrier_after: after,
        alike,
        runs,
        pairs,
        finding,
        verdict,
    })
}

/// Measures costs, and reports how many are measured.
struct LineCosts<'a> {
    cost: ModelCost,
    done: usize,
    total: usize,
    stop: &'a AtomicBool,
    progress: &'a mut dyn FnMut(usize, usize),
}

impl LineCosts<'_> {
    fn at(&mut self, weights: &[f32]) -> Result<f64> {
        if self.stop.load(Ordering::Relaxed) {
            return Err(Error::Stopped);
        }
        let nats = self.cost.at(weights)?;
        self.done += 1;
        (self.progress)(self.done, self.total);
        match nats.is_finite() {
            true => Ok(nats),
            false => Err(Error::NotFinite),
        }
    }

    /// The costs on the straight line between two models, whose own costs are known.
    fn line(&mut self, a: &[f32], b: &[f32], [first, last]: [f64; 2]) -> Result<Vec<f64>> {
        let mut costs = vec![first];
        for x in (1..INTERVALS).map(place) {
            let between = a.iter().zip(b).map(|(a, b)| a + x as f32 * (b - a));
            costs.push(self.at(&between.collect::<Vec<f32>>())?);
        }
        costs.push(last);
        Ok(costs)
    }
}

/// The position on a line after this many intervals.
fn place(intervals: usize) -> f64 {
    intervals as f64 / INTERVALS as f64
}

/// The highest rise above the straight line between the costs of both ends.
fn barrier(x: &[f64], costs: &[f64]) -> f64 {
    let (Some(first), Some(last)) = (costs.first(), costs.last()) else {
        return 0.0;
    };
    let rise = |(x, cost): (&f64, &f64)| cost - (first + x * (last - first));
    x.iter().zip(costs).map(rise).fold(0.0, f64::max)
}

/// Whether the costs are alike, what the figures say, and the sentence that says it. The barriers
/// are the highest, before and after matching; `guess` is the cost of a random guess.
fn judge(
    runs: &[CrowdRun],
    [before, after]: [f64; 2],
    guess: f64,
) -> (bool, ConnectivityFinding, String) {
    let costs = || runs.iter().map(|run| run.cost);
    let (least, most) = (
        costs().fold(f64::INFINITY, f64::min),
        costs().fold(0.0, f64::max),
    );
    let alike = most - least <= ALIKE * least;
    let heights = match alike {
        true => format!("of like height ({least:.2} to {most:.2} nats)"),
        false => format!("of unequal height ({least:.2} to {most:.2} nats)"),
    };
    let lowest = before.min(after);
    let matching = format!("({before:.2} before and {after:.2} after matching heads and neurons)");
    let count = runs.len();
    if before <= LEVEL {
        let told = format!(
            "The {count} runs end in one valley: on the straight lines between them, the cost rises \
             by {before:.2} nats at most."
        );
        (alike, ConnectivityFinding::OneValley, told)
    } else if after <= LEVEL {
        let told = format!(
            "But for the order of heads and neurons, the {count} runs end in one valley: the pass \
             between them is {before:.2} nats high before matching and {after:.2} after."
        );
        (alike, ConnectivityFinding::OneValleyMatched, told)
    } else if lowest <= HIGH * (guess - least) {
        let told = format!(
            "Different valleys {heights}, connected by a pass of {lowest:.2} nats {matching}."
        );
        (alike, ConnectivityFinding::Pass, told)
    } else {
        let told = format!(
            "Different valleys {heights}, with a ridge of {lowest:.2} nats between them {matching}."
        );
        (alike, ConnectivityFinding::Ridge, told)
    }
}

/// The weights by name.
fn tensors(cost: &ModelCost, weights: &[f32]) -> Tensors {
    let mut rest = weights;
    let each = cost.variables().iter().map(|v| {
        let (own, others) = rest.split_at(v.len());
        rest = others;
        (v.name.clone(), own.to_vec())
    });
    each.collect()
}

/// The weights in one list.
fn flat(cost: &ModelCost, tensors: &Tensors) -> Vec<f32> {
    let names = cost.variables().iter().map(|v| &v.name);
    names.flat_map(|name| &tensors[name]).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::symmetry::keys_are_free;
    use super::*;
    use engine::tolerance::MICRO_BATCHES;
    use engine::{
        Device, Field, Host, HostMut, Plan, Purpose, RandomPurpose, Reference, Scalars, Stream,
        Variable,
    };
    use model::{Config, Mode, ModelConfig, decoder};

    const VOCABULARY: usize = 50;
    const TIME: usize = 6;

    /// A small shape of each family; llama with biases and its own output head.
    fn shapes() -> [ModelConfig; 3] {
        let sizes = "width=24 layers=2 head_size=6 hidden=20 context=6";
        [
            "family=gpt2 heads=4 kv_heads=4",
            "family=llama heads=6 kv_heads=2 bias=true",
            "family=qwen3 heads=6 kv_heads=3",
        ]
        .map(|family| {
            let sets = format!("{sizes} {family}");
            let sets: Vec<String> = sets.split(' ').map(|set| format!("model.{set}")).collect();
            Config::load(None, None, &sets).unwrap().model
        })
    }

    fn variables(shape: &ModelConfig) -> Vec<Variable> {
        let decoder = decoder(shape, VOCABULARY, (1, TIME), Mode::Look).unwrap();
        decoder.graph.variables().to_vec()
    }

    /// Random weights, also where they begin at 0 or 1.
    fn random(shape: &ModelConfig, random: &mut Stream) -> Tensors {
        let mut tensor = |v: &Variable| {
            let gain = f64::from(u8::from(v.name.ends_with("norm.weight")));
            let numbers = (0..v.len()).map(|_| (gain + 0.3 * random.normal()) as f32);
            (v.name.clone(), numbers.collect())
        };
        variables(shape).iter().map(&mut tensor).collect()
    }

    /// All units in a random order.
    fn shuffled(shape: &ModelConfig, random: &mut Stream) -> UnitOrder {
        let mut order = UnitOrder::unchanged(shape);
        let mut mix = |order: &mut [usize]| {
            for at in (1..order.len()).rev() {
                order.swap(at, random.below(at + 1));
            }
        };
        mix(&mut order.stream);
        for layer in &mut order.layers {
            mix(&mut layer.hidden);
            let mut heads: Vec<usize> = (0..shape.kv_heads).collect();
            mix(&mut heads);
            for (place, head) in layer.heads.iter_mut().zip(heads) {
                place.head = head;
                mix(&mut place.queries);
                mix(&mut place.values);
                if keys_are_free(shape) {
                    mix(&mut place.keys);
                }
            }
        }
        order
    }

    fn logits(shape: &ModelConfig, tensors: &Tensors) -> Vec<f64> {
        let decoder = decoder(shape, VOCABULARY, (1, TIME), Mode::Look).unwrap();
        let mut device = Reference::new();
        device.create(decoder.graph.variables(), None).unwrap();
        for (name, values) in tensors {
            let written = device.write_variable(name, Field::Weight, Host::Real(values));
            written.unwrap();
        }
        let plan = Plan::new(decoder.graph.clone(), 1, Purpose::Infer).unwrap();
        let ready = device.prepare(plan).unwrap();
        let tokens = [3, 1, 4, 1, 5, 9];
        decoder.fill(&mut device, ready, &tokens, &tokens).unwrap();
        device.run(ready, &Scalars::default()).unwrap();
        let mut logits = vec![0.0; TIME * VOCABULARY];
        let host = HostMut::Double(&mut logits);
        device.read(ready, decoder.logits, host).unwrap();
        logits
    }

    #[test]
    fn barriers_decide_what_the_ends_are() {
        let runs = [1.0, 1.04].map(|cost| CrowdRun {
            seed: 1,
            folder: String::new(),
            step: 1,
            cost,
        });
        for (barriers, sentence) in [
            (
                [0.0, 0.4],
                "The 2 runs end in one valley: on the straight lines between them, the cost rises by \
                 0.00 nats at most.",
            ),
            (
                [0.9, 0.02],
                "But for the order of heads and neurons, the 2 runs end in one valley: the pass \
                 between them is 0.90 nats high before matching and 0.02 after.",
            ),
            (
                [0.9, 0.3],
                "Different valleys of like height (1.00 to 1.04 nats), connected by a pass of 0.30 \
                 nats (0.90 before and 0.30 after matching heads and neurons).",
            ),
            (
                [0.9, 0.95],
                "Different valleys of like height (1.00 to 1.04 nats), with a ridge of 0.90 nats \
                 between them (0.90 before and 0.95 after matching heads and neurons).",
            ),
        ] {
            let (_, _, told) = judge(&runs, barriers, 4.1);
            assert_eq!(told, sentence);
        }
        let far = [
            runs[0].clone(),
            CrowdRun {
                cost: 1.06,
                ..runs[1].clone()
            },
        ];
        assert!(judge(&far, [0.9, 0.3], 4.1).2.contains("of unequal height"));
        // Above the line from 2 to 1, not above the first end.
        assert_eq!(barrier(&[0.0, 0.5, 1.0], &[2.0, 1.75, 1.0]), 0.25);
        assert_eq!(barrier(&[0.0, 0.5, 1.0], &[2.0, 1.0, 1.0]), 0.0);
    }

    #[test]
    fn a_model_with_its_units_in_another_order_is_the_same_function() {
        for shape in shapes() {
            let mut stream = Stream::new(1, RandomPurpose::Check, 0);
            let model = random(&shape, &mut stream);
            let other = shuffled(&shape, &mut stream).apply(&model);
            // Two heads may stay where they are, and the channels of keys have an order.
            let stays = |name: &str| {
                ["q_norm", "k_norm", "k.bias"]
                    .iter()
                    .any(|n| name.contains(n))
            };
            let moved = |(name, values): (&String, &Vec<f32>)| *values != other[name];
            assert!(model.iter().all(|t| moved(t) || stays(t.0)));
            let (a, b) = (logits(&shape, &model), logits(&shape, &other));
            let norm = a.iter().map(|x| x * x).sum::<f64>().sqrt();
            let far = a.iter().zip(&b).map(|(a, b)| (a - b) * (a - b));
            let far = far.sum::<f64>().sqrt();
            assert!(norm > 1.0 && far <= MICRO_BATCHES * norm, "{far} of {norm}");
        }
    }

    #[test]
    fn the_order_of_a_shuffled_model_is_found_exactly() {
        for shape in shapes() {
            for noise in [0.0, 0.3] {
                let mut stream = Stream::new(2, RandomPurpose::Check, 0);
                let model = random(&shape, &mut stream);
                let mut noisy = model.clone();
                for value in noisy.values_mut().flatten() {
                    *value += (noise * stream.normal()) as f32;
                }
                let other = shuffled(&shape, &mut stream).apply(&noisy);
                let found = matched(&shape, &model, &other, &AtomicBool::new(false));
                assert!(found.apply(&other) == noisy, "{:?}, {noise}", shape.family);
            }
        }
    }
}
