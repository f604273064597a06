//! What asks a question of training: how well does a line or plane fit these points?
#![forbid(unsafe_code)]

pub mod fit;
pub mod landscape;
