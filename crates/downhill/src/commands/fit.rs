//! `downhill fit`.

use crate::arguments::Fit;
use crate::failure::{Failure, Result};

pub fn run(_: &Fit) -> Result<()> {
    Err(Failure::Failed("not there yet".into()))
}
