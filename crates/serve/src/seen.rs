//! The logits of places that the playground has read, so that looking at one again, with other
//! settings, needs no model.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;
use text::Tokenizer;

/// Maximum numbers kept, logits and tokens together: 64 MiB.
const NUMBERS: usize = 16 << 20;

/// A model: its folder, its step if it is in a run, and when that was saved.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelId {
    /// Its folder, or that of its run.
    pub folder: PathBuf,
    /// Its step.
    pub step: Option<u64>,
    saved: Option<SystemTime>,
}

impl ModelId {
    /// The model in a folder, or that of a step of a run.
    pub fn new(folder: PathBuf, step: Option<u64>) -> ModelId {
        let own = step.map(|step| folder.join(format!("checkpoints/step-{step:06}")));
        let saved = std::fs::metadata(own.as_deref().unwrap_or(&folder));
        ModelId {
            saved: saved.and_then(|found| found.modified()).ok(),
            folder,
            step,
        }
    }
}

/// A place in a text: after some tokens, of which the first `first` are the prompt's.
#[derive(Clone, PartialEq)]
pub struct Spot {
    pub model: ModelId,
    pub first: usize,
    pub tokens: Vec<u32>,
}

/// What a model said at a place: its logits [V], and its tokenizer.
pub type Said = (Arc<[f32]>, Arc<Tokenizer>);

/// The places read last.
#[derive(Clone, Default)]
pub struct Seen(Arc<Mutex<Spots>>);

#[derive(Default)]
struct Spots {
    places: VecDeque<(Spot, Said)>,
    numbers: usize,
}

impl Seen {
    /// Keeps the logits of a place, instead of the oldest.
    pub fn keep(&self, place: Spot, logits: &[f32], tokenizer: &Arc<Tokenizer>) {
        let size = |(place, said): &(Spot, Said)| place.tokens.len() + said.0.len();
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let new = (place, (logits.into(), tokenizer.clone()));
        kept.numbers += size(&new);
        kept.places.push_back(new);
        while kept.numbers > NUMBERS {
            let Some(oldest) = kept.places.pop_front() else {
                break;
            };
            kept.numbers -= size(&oldest);
        }
    }

    /// What was said at a place, if it is still there.
    pub fn find(&self, place: &Spot) -> Option<Said> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut newest = kept.places.iter().rev();
        let found = newest.find(|(known, _)| known == place);
        found.map(|(_, said)| said.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_places_make_room() {
        let place = |at: u32| Spot {
            model: ModelId::new("m".into(), None),
            first: 0,
            tokens: vec![at],
        };
        let (seen, logits) = (Seen::default(), vec![0.0; NUMBERS / 4 - 1]);
        for at in 0..5 {
            seen.keep(place(at), &logits, &Arc::new(Tokenizer::bytes()));
        }
        let there = [0, 1, 2, 3, 4].map(|at| seen.find(&place(at)).is_some());
        assert_eq!(there, [false, true, true, true, true]);
    }
}
