//! `downhill predict`.

use crate::arguments::Predict;
use crate::failure::{Failure, Result};

pub fn run(_: &Predict) -> Result<()> {
    Err(Failure::Failed("not there yet".into()))
}
