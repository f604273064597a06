//! The built-in corpus, not told yet.
use crate::Text;

/// An empty text for now.
pub fn tales(_seed: u64, _train_bytes: usize, _validation_bytes: usize) -> Text {
    Text {
        name: "tales".to_owned(),
        sources: Vec::new(),
        train: Vec::new(),
        validation: Vec::new(),
        floor_bits: None,
    }
}
